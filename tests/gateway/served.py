"""A machine that serves, in a process of its own, as a person starts it."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE = 120
"""Seconds a client waits for an answer of a simulated machine."""

PAIR = """\
[torus]
shape = [2, 1, 1]

[node]
memory_bytes = 4194304
"""


class Served:
    """``khhw serve`` on a machine file with this text; ``with`` waits until clients can connect, and ends it.

    Attributes
    ----------
    port : int
        For memcached's clients.
    consoles : list of int
        By rank; the last one is for all nodes.
    ended : dict or None
        What it said in the end.
    code : int or None
        Exit code.
    lines : list of str
        What it printed without ``--json``.
    """

    def __init__(self, folder: Path, machine: str, *, as_json: bool = True, stop: int = signal.SIGINT):
        file = folder / "machine.toml"
        file.write_text(machine)
        self.folder, self.stop, self._json = folder, stop, as_json
        self.port, self.consoles, self.lines = 0, [], []
        self.ended = self.code = None
        self._process = subprocess.Popen(
            [sys.executable, "-m", "khhw", "serve", str(file), "-o", str(folder / "out"), "--port", "0",
             "--console-port", "0", "--engine", "native", *(["--json"] if as_json else [])],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120", "PYTHONUNBUFFERED": "1"})

    def __enter__(self):
        if self._json:
            line = self._process.stdout.readline()
            assert line.startswith("{"), line + self._process.stdout.read()
            serving = json.loads(line)["results"]
            self.port, self.consoles = serving["port"], serving["consoles"]
            return self
        for line in self._process.stdout:
            self.lines.append(line.rstrip("\n"))
            if " on node" in line.partition(":")[0] and line.rpartition(":")[2].strip().isdigit():
                self.port = int(line.rpartition(":")[2])
            elif line.startswith("console"):
                self.consoles.append(int(line.rpartition(":")[2]))
            elif line.startswith("Ctrl-C"):
                return self
        raise AssertionError("\n".join(self.lines))

    def __exit__(self, *exception):
        self._process.send_signal(self.stop)
        said, _ = self._process.communicate(timeout=60)
        self.code = self._process.returncode
        if self._json:
            self.ended = json.loads(said.splitlines()[-1])["results"]
        else:
            self.lines += said.splitlines()

    def wait(self):
        """Wait until it ends by itself."""
        self._process.wait(PATIENCE)

    def connect(self, port: int | None = None, receive_buffer: int | None = None) -> socket.socket:
        """A raw TCP client, of whose answers the system keeps so many bytes if it does not read."""
        client = socket.socket()
        client.settimeout(PATIENCE)
        if receive_buffer is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.connect(("127.0.0.1", port or self.port))
        return client


class RawClient:
    """A client that knows no protocol: it sends bytes and waits for bytes that it is told."""

    def __init__(self, served: Served, receive_buffer: int | None = None):
        self.socket = served.connect(receive_buffer=receive_buffer)
        self._heard = b""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.socket.close()

    def ask(self, command: bytes, end: bytes = b"\r\n") -> bytes:
        """Send a command and read up to `end`, included."""
        self.socket.sendall(command)
        return self.until(end)

    def until(self, end: bytes) -> bytes:
        """Read up to `end`, included."""
        while end not in self._heard:
            more = self.socket.recv(1 << 16)
            assert more, f"the connection ended behind {self._heard!r}"
            self._heard += more
        at = self._heard.index(end) + len(end)
        answer, self._heard = self._heard[:at], self._heard[at:]
        return answer

    def rest(self) -> bytes:
        """Read up to the end of the connection."""
        parts = [self._heard]
        while more := self.socket.recv(1 << 16):
            parts.append(more)
        return b"".join(parts)
