"""TCP ports on localhost and who comes in by them, in one thread with an asyncio loop that knows no simulation."""

import asyncio
import os
import select
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass

from khhw.gateway.carrier import Carrier
from khhw.gateway.wire import Wire

__all__ = ["LOCALHOST", "Door", "PortError", "Sockets"]

LOCALHOST = "127.0.0.1"
_BACKLOG = 1024
"""Clients that wait in front of a door, if the system lets as many."""
_AGAIN_SECONDS = 1.0
"""When a door is tried again that found no file, where no client of ours holds one."""
_KERNEL_BUFFER = 64 << 10
"""Bytes the operating system keeps of a connection each way. It would take megabytes, and hide who reads slowly."""


class PortError(OSError):
    """A TCP port cannot be listened on."""


@dataclass(eq=False)
class Door:
    """A TCP port that is listened on.

    Parameters
    ----------
    port : int
        Its number.
    listener : socket.socket
        The socket.
    enter : callable (Wire)
        Called in the sockets' thread for each client that comes in.
    clients : int
        How many may be in at a time; more wait in front of the door until one leaves.
    telnet : bool
        Whether urgent data keeps its position in the stream, and the wire is told that it is coming.

    Attributes
    ----------
    connected, taken : int
        Clients that are in, and that ever came in.
    opened : bool
        Whether clients may come in at all.
    listening : bool
        Whether they may come in now.
    """

    port: int
    listener: socket.socket
    enter: Callable[[Wire], None]
    clients: int
    telnet: bool = False
    connected: int = 0
    taken: int = 0
    opened: bool = False
    listening: bool = False


class Sockets:
    """Doors and the clients that came in, served by one thread.

    Nobody waits for anybody: a socket is read only while its wire has room, and written as fast as its client reads.

    Parameters
    ----------
    linger_seconds : float
        How long a client may go on sending into a connection that was closed from here.
    """

    # The doors are accepted from by hand: a server of asyncio's cannot leave clients waiting, and when the process has
    # no files left it tries again every second instead of when one is closed.

    def __init__(self, *, linger_seconds: float = 2.0) -> None:
        self._linger_seconds = linger_seconds
        self._loop = asyncio.new_event_loop()
        self._urgent = select.epoll()
        self._loop.add_reader(self._urgent, self._announce_urgent)
        self._carriers: dict[int, Carrier] = {}
        self._starting: set[asyncio.Task[object]] = set()
        self._doors: list[Door] = []
        self._stopping = self._closed = False
        self._thread = threading.Thread(target=self._run, name="gateway sockets", daemon=True)

    def listen(self, port: int, enter: Callable[[Wire], None], clients: int, *, telnet: bool = False) -> Door:
        """Listen on localhost, without letting anybody in yet; before :meth:`start`.

        Parameters
        ----------
        port : int
            0: any that is free.
        enter : callable (Wire)
        clients : int
        telnet : bool
            See :class:`Door`.

        Raises
        ------
        PortError
            If the port is taken or not allowed.
        """
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                listener.setsockopt(socket.SOL_SOCKET, option, _KERNEL_BUFFER)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, telnet)
            listener.bind((LOCALHOST, port))
            listener.listen(_BACKLOG)
        except OSError as error:
            listener.close()
            reason = os.strerror(error.errno) if error.errno else str(error)
            remedy = "name another port, or 0 for any that is free"
            raise PortError(f"cannot listen on {LOCALHOST}:{port}: {reason}; {remedy}") from error
        listener.setblocking(False)
        door = Door(listener.getsockname()[1], listener, enter, clients, telnet)
        self._doors.append(door)
        return door

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def open(self, door: Door) -> None:
        """Let clients in; for any thread."""
        self._call(self._open, door)

    def close(self) -> None:
        """Close all sockets and end the thread."""
        if self._thread.is_alive():
            self._call(self._loop.stop)
            self._thread.join()
        self._closed = True
        for door in self._doors:
            door.listener.close()
        self._urgent.close()
        self._loop.close()

    def _call(self, action: Callable[..., None], *arguments: object) -> None:
        """Have the thread do something soon; nothing once all is closed."""
        if not self._closed:
            self._loop.call_soon_threadsafe(action, *arguments)

    def _run(self) -> None:
        self._loop.run_forever()
        self._stopping = True
        self._loop.run_until_complete(self._end())

    async def _end(self) -> None:
        """Close every connection."""
        self._loop.remove_reader(self._urgent)
        for door in self._doors:
            self._shut(door)
        if self._starting:
            await asyncio.wait(self._starting)
        for carrier in list(self._carriers.values()):
            carrier.abort()
        while self._carriers:
            await asyncio.sleep(0)

    def _open(self, door: Door) -> None:
        door.opened = True
        self._admit(door)

    def _admit(self, door: Door) -> None:
        if door.opened and not door.listening and door.connected < door.clients and not self._stopping:
            door.listening = True
            self._loop.add_reader(door.listener, self._accept, door)

    def _shut(self, door: Door) -> None:
        if door.listening:
            door.listening = False
            self._loop.remove_reader(door.listener)

    def _accept(self, door: Door) -> None:
        try:
            accepted, address = door.listener.accept()
        except (BlockingIOError, ConnectionError):
            return
        except OSError:
            # No files left. One is free when a client has gone, of whatever door; or of something else.
            self._shut(door)
            if not self._carriers:
                self._loop.call_later(_AGAIN_SECONDS, self._admit_all)
            return
        accepted.setblocking(False)
        door.connected += 1
        door.taken += 1
        if door.connected >= door.clients:
            self._shut(door)
        task = self._loop.create_task(self._let_in(door, accepted, Wire(f"{address[0]}:{address[1]}")))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def _let_in(self, door: Door, accepted: socket.socket, wire: Wire) -> None:
        number = accepted.fileno()

        def made() -> None:
            self._carriers[number] = carrier
            wire.tell_socket = self._teller(carrier)
            if door.telnet:
                self._urgent.register(number, select.EPOLLPRI | select.EPOLLET)
            door.enter(wire)

        def gone() -> None:
            # Its file is closed behind this call, and with it what is registered for it.
            self._carriers.pop(number, None)
            door.connected -= 1
            # Not before the file is closed: it may be the one that a door is waiting for.
            self._loop.call_soon(self._admit_all)

        # What comes with urgent data is not to be read before it is known to be urgent.
        before_reading = self._announce_urgent if door.telnet else _nothing
        carrier = Carrier(
            accepted, wire, self._linger_seconds, made=made, gone=gone, before_reading=before_reading)
        await self._loop.connect_accepted_socket(lambda: carrier, accepted)

    def _admit_all(self) -> None:
        for door in self._doors:
            self._admit(door)

    def _teller(self, carrier: Carrier) -> Callable[[], None]:
        """Has the carrier look at its wire; for any thread. To be told often is to be told once."""
        told = False

        def look() -> None:
            nonlocal told
            # Before it looks: what changes then is told again.
            told = False
            carrier.look()

        def tell() -> None:
            nonlocal told
            if not told:
                told = True
                self._call(look)

        return tell

    def _announce_urgent(self) -> None:
        """Urgent data lies unread in a socket, or just behind what is unread, whether or not its wire has room."""
        for number, events in self._urgent.poll(0):
            if events & select.EPOLLPRI and number in self._carriers:
                self._carriers[number].wire.urgent_arrives()


def _nothing() -> None:
    """Nothing is to be done."""
