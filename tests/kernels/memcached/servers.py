"""Two servers that sequences are played to without a simulator: the protocol in this process, and a real memcached."""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator

from khhw.kernels.memcached.answers import Value
from khhw.kernels.memcached.clock import Clock
from khhw.kernels.memcached.commands import Commands
from khhw.kernels.memcached.protocol import Session
from khhw.kernels.memcached.statistics import Statistics
from khhw.kernels.memcached.store import Store
from khhw.node import Memory
from tests.kernels.memcached.sequences import SENTINEL, SENTINEL_ANSWER

MEMORY_BYTES = 4 << 20


def memory_of(length: int = MEMORY_BYTES) -> Memory:
    """A node memory without a node."""
    data = bytearray(length)

    def poke(address: int, content: bytes) -> None:
        data[address : address + len(content)] = content

    return Memory(length, lambda address, count: bytes(data[address : address + count]), poke)


class Here:
    """The protocol and the store in this process.

    Parameters
    ----------
    length : int
        Of the store.
    """

    def __init__(self, length: int = MEMORY_BYTES - 4096) -> None:
        self.memory = memory_of()
        self.now = 1000
        self.store = Store(self.memory, 4096, length, Clock(lambda: self.now))
        self.statistics = Statistics(self.store)
        self.commands = Commands(self.store, self.statistics)
        self.session = Session(self.commands)

    def feed(self, data: bytes) -> bytes:
        """What the server answers."""
        answers = self.session.feed(data)
        text = b"".join(self.store.read(part.item) if isinstance(part, Value) else part for part in answers)
        self.session.sent(answers)
        return text

    def ask(self, data: bytes) -> bytes:
        """For :func:`~tests.kernels.memcached.sequences.play`; a closed connection is opened again."""
        if self.session.closed:
            self.session = Session(self.commands)
        return SENTINEL_ANSWER.sub(b"", self.feed(data))


class Asker:
    """A connection to a memcached that listens on a port of this machine, a real one or the gateway.

    Parameters
    ----------
    port : int
    patience : float
        Seconds to wait for an answer.
    """

    def __init__(self, port: int, patience: float = 10) -> None:
        self._port = port
        self._patience = patience
        self._socket: socket.socket | None = None

    def ask(self, data: bytes) -> bytes:
        """For :func:`~tests.kernels.memcached.sequences.play`; a closed connection is opened again."""
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=self._patience)
        self._socket.sendall(data)
        answer = b""
        while not (data.endswith(SENTINEL) and SENTINEL_ANSWER.search(answer)):
            if not (more := self._socket.recv(1 << 16)):
                self.close()
                break
            answer += more
        return SENTINEL_ANSWER.sub(b"", answer)

    def close(self) -> None:
        """End the connection."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None


@contextlib.contextmanager
def real_memcached() -> Iterator[Callable[[bytes], bytes]]:
    """A memcached of the distribution on a free port; gives its ``ask``."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [
            str(shutil.which("memcached")),
            "-u",
            "nobody",
            "-l",
            "127.0.0.1",
            "-p",
            str(port),
            "-U",
            "0",
            "-o",
            "no_modern",
        ]
    )
    connection = Asker(port)
    try:
        for _ in range(200):
            with contextlib.suppress(ConnectionRefusedError):
                connection.ask(SENTINEL)
                break
            time.sleep(0.02)
        yield connection.ask
    finally:
        connection.close()
        process.terminate()
        process.wait()
