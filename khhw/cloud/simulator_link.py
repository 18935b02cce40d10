"""The simulator's end of the connection to its service: a Unix socket, served by a thread that knows no simulation."""

import asyncio
import os
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress

from khhw.cloud.calls import REFUSED
from khhw.cloud.frames import HEADER_BYTES, Frame, FrameError, frame_lengths, packed, parsed
from khhw.cloud.machine_folder import MachineFolder

__all__ = ["Connection", "Link"]

_MOST_CALLS = 256
"""Calls of a connection that are under way at a time; more wait."""
_MOST_UNREAD = 4 << 20
"""Bytes that a service may leave unread before it misses what nodes say."""
_MOST_CONNECTIONS = 16
"""A machine has one service, and now and then a command that looks at it."""
_SILENT_SECONDS = 300.0
"""For which a connection may ask nothing and wait for nothing: a service asks what time it is every second."""
_WATCH_SECONDS = 1.0
_CREDENTIALS = struct.Struct("3i")


class Connection:
    """A service that is connected. Only :attr:`channels` is for the simulation's thread.

    Attributes
    ----------
    channels : set of int
        Console channels that it hears.
    under_way : int
        Calls that it waits for.
    """

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.channels: set[int] = set()
        self.calls = asyncio.Semaphore(_MOST_CALLS)
        self.under_way = 0
        self._writer = writer
        self._missed: dict[int, int] = {}

    def answer(self, frame: Frame) -> None:
        """Send an answer; in the link's thread."""
        self.calls.release()
        self.under_way -= 1
        self.send(frame)

    def send(self, frame: Frame) -> None:
        """Send something that must not be lost; in the link's thread."""
        if not self._writer.is_closing():
            self._writer.write(packed(frame))

    def hear(self, channel: int, values: Mapping[str, object], data: bytes) -> None:
        """Send what was said on a channel, or count it as missed; in the link's thread."""
        if self._writer.is_closing():
            return
        if self._writer.transport.get_write_buffer_size() > _MOST_UNREAD:
            self._missed[channel] = self._missed.get(channel, 0) + 1
            return
        self.send(Frame({"heard": {**values, "missed": self._missed.pop(channel, 0)}}, data))


class Link:
    """Listens for services, reads their calls and sends them answers.

    When the process that started this one has ended, or the socket is gone from its folder, nobody can find this
    machine any more: its process ends at once.

    Parameters
    ----------
    folder : MachineFolder
    hello : Frame
        What every service is sent first.
    enter : callable (Connection)
        Called when a service has connected, and
    leave : callable (Connection)
        when it has gone;
    call : callable (Connection, Frame)
        for each of its calls. All in the link's thread.
    """

    def __init__(
        self, folder: MachineFolder, hello: Frame, *, enter: Callable[[Connection], None],
        leave: Callable[[Connection], None], call: Callable[[Connection, Frame], None],
    ) -> None:
        self._folder = folder
        self._hello = hello
        self._enter, self._leave, self._call = enter, leave, call
        self._parent = os.getppid()
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        folder.socket.unlink(missing_ok=True)
        with folder.address() as address:
            self._listener.bind(address)
        folder.socket.chmod(0o600)
        self._inode = folder.socket.stat().st_ino
        self._thread = threading.Thread(target=self._run, name="link to the service", daemon=True)

    def start(self) -> None:
        """Let services in."""
        self._thread.start()

    def close(self) -> None:
        """Send what is still to be sent, and end."""
        self._folder.socket.unlink(missing_ok=True)
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def post(self, action: Callable[[], None]) -> None:
        """Have something done in the link's thread; for any thread."""
        with suppress(RuntimeError):
            # It is closed: nobody is there any more.
            self._loop.call_soon_threadsafe(action)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_unix_server(self._serve, sock=self._listener))
        watch = self._loop.create_task(self._watch())
        self._loop.run_forever()
        server.close()
        watch.cancel()
        self._loop.run_until_complete(self._flush())
        self._loop.close()

    async def _flush(self) -> None:
        writers = list(self._writers)
        for writer in writers:
            writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(2):
                for writer in writers:
                    await writer.wait_closed()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            try:
                found = self._folder.socket.stat().st_ino == self._inode
            except OSError:
                found = False
            if not found or os.getppid() != self._parent:
                os._exit(1)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One service, from its coming to its going."""
        peer = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        if _CREDENTIALS.unpack(peer)[1] != os.getuid():
            writer.close()
            return
        connection = Connection(writer)
        if len(self._writers) >= _MOST_CONNECTIONS:
            connection.send(Frame({REFUSED: f"the simulator has {_MOST_CONNECTIONS} connections, and takes no more"}))
            writer.close()
            return
        self._writers.add(writer)
        self._enter(connection)
        try:
            connection.send(self._hello)
            while True:
                await connection.calls.acquire()
                header = await _header(reader, connection)
                text, data = frame_lengths(header)
                async with asyncio.timeout(_SILENT_SECONDS):
                    frame = parsed(await reader.readexactly(text), await reader.readexactly(data))
                connection.under_way += 1
                self._call(connection, frame)
        except (OSError, EOFError, FrameError):
            # It has gone, or says nothing (TimeoutError is an OSError); or what it sends can no longer be told apart.
            # Of a torn frame nothing is done.
            pass
        finally:
            self._leave(connection)
            self._writers.discard(writer)
            writer.close()


async def _header(reader: asyncio.StreamReader, connection: Connection) -> bytes:
    """The next one, whenever it comes; TimeoutError if the other end is silent and waits for nothing."""
    reading = asyncio.ensure_future(reader.readexactly(HEADER_BYTES))
    try:
        while not (await asyncio.wait([reading], timeout=_SILENT_SECONDS))[0]:
            if not connection.under_way:
                raise TimeoutError
        return reading.result()
    finally:
        reading.cancel()
