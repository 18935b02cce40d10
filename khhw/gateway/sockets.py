"""Sockets on localhost, all in one thread that knows nothing of the simulation."""

import contextlib
import os
import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from khhw.gateway.wire import Wire

__all__ = ["LOCALHOST", "Door", "PortError", "Sockets"]

LOCALHOST = "127.0.0.1"
_CHUNK = 16 << 10
_BACKLOG = 128
_KERNEL_BUFFER = 64 << 10
"""Bytes the operating system keeps of a connection each way. It would take megabytes, and hide who reads slowly."""
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


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

    Attributes
    ----------
    connected, taken : int
        Clients that are in, and that ever came in.
    opened : bool
        Whether clients may come in at all.
    """

    port: int
    listener: socket.socket
    enter: Callable[[Wire], None]
    clients: int
    connected: int = 0
    taken: int = 0
    opened: bool = False


@dataclass(eq=False)
class _Client:
    socket: socket.socket
    door: Door
    wire: Wire
    mask: int = 0
    deadline: float | None = None


class Sockets:
    """Doors and the clients that came in, served by one thread.

    Nobody waits for anybody: a socket is read only while its wire has room, and written as fast as its client reads.

    Parameters
    ----------
    linger_seconds : float
        How long a client may go on sending into a connection that was closed from here.
    """

    def __init__(self, *, linger_seconds: float = 2.0) -> None:
        self._linger_seconds = linger_seconds
        self._selector = selectors.DefaultSelector()
        self._bell, self._ringer = socket.socketpair()
        self._bell.setblocking(False)
        self._ringer.setblocking(False)
        self._selector.register(self._bell, selectors.EVENT_READ)
        self._calls: deque[Callable[[], None]] = deque()
        self._clients: set[_Client] = set()
        self._doors: list[Door] = []
        self._stopping = self._closed = self._rung = False
        self._thread = threading.Thread(target=self._run, name="sockets", daemon=True)

    def listen(self, port: int, enter: Callable[[Wire], None], clients: int) -> Door:
        """Make a door; clients come in once it is opened.

        Parameters
        ----------
        port : int
            TCP port on localhost; 0 for any that is free.
        enter : callable (Wire)
        clients : int
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
            listener.bind((LOCALHOST, port))
            listener.listen(_BACKLOG)
        except OSError as error:
            listener.close()
            reason = os.strerror(error.errno) if error.errno else str(error)
            mend = "name another port, or 0 for any that is free"
            raise PortError(f"cannot listen on {LOCALHOST}:{port}: {reason}; {mend}") from error
        listener.setblocking(False)
        door = Door(listener.getsockname()[1], listener, enter, clients)
        self._doors.append(door)
        return door

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def open(self, door: Door) -> None:
        """Let clients in; for any thread."""
        self._call(lambda: self._open(door))

    def close(self) -> None:
        """Close all sockets and end the thread."""
        if self._thread.is_alive():
            self._call(self._stop)
            self._thread.join()
        self._closed = True
        for door in self._doors:
            door.listener.close()
        self._selector.close()
        self._bell.close()
        self._ringer.close()

    def _call(self, action: Callable[[], None]) -> None:
        """Have the thread do something soon; nothing once all is closed."""
        if self._closed:
            return
        self._calls.append(action)
        if not self._rung:
            self._rung = True
            self._ringer.send(b"\0")

    def _stop(self) -> None:
        self._stopping = True

    def _run(self) -> None:
        try:
            while not self._stopping:
                for key, mask in self._selector.select(self._patience()):
                    if isinstance(key.data, Door):
                        self._accept(key.data)
                    elif key.data is not None:
                        self._serve(key.data, mask)
                self._answer_bell()
                self._end_lingering()
        finally:
            for client in list(self._clients):
                self._drop(client)

    def _patience(self) -> float | None:
        deadlines = [client.deadline for client in self._clients if client.deadline is not None]
        return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None

    def _answer_bell(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._bell.recv(_CHUNK)
        # Before the calls: one that comes now rings again.
        self._rung = False
        while self._calls:
            self._calls.popleft()()

    def _end_lingering(self) -> None:
        now = time.monotonic()
        for client in [client for client in self._clients if client.deadline is not None and client.deadline <= now]:
            self._drop(client)

    def _open(self, door: Door) -> None:
        door.opened = True
        self._admit(door)

    def _admit(self, door: Door) -> None:
        if door.opened and door.listener not in self._selector.get_map() and door.connected < door.clients:
            self._selector.register(door.listener, selectors.EVENT_READ, door)

    def _accept(self, door: Door) -> None:
        try:
            accepted, address = door.listener.accept()
        except (BlockingIOError, ConnectionError):
            return
        except OSError:
            # No files left. One is free when a client has gone, of whatever door.
            self._selector.unregister(door.listener)
            return
        accepted.setblocking(False)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = _Client(accepted, door, Wire(f"{address[0]}:{address[1]}"))
        client.wire.tell_socket = lambda: self._call(lambda: self._update(client))
        self._clients.add(client)
        door.connected += 1
        door.taken += 1
        if door.connected >= door.clients:
            self._selector.unregister(door.listener)
        self._update(client)
        door.enter(client.wire)

    def _serve(self, client: _Client, mask: int) -> None:
        try:
            if mask & selectors.EVENT_READ:
                self._read(client)
        except BlockingIOError:
            pass
        except OSError:
            self._drop(client)
        self._update(client)

    def _write(self, client: _Client) -> bool:
        """Send what there is; returns whether some is left that the system does not take now."""
        try:
            while data := client.wire.outgoing(_CHUNK):
                client.wire.sent(client.socket.send(data))
        except BlockingIOError:
            return True
        except OSError:
            self._drop(client)
        return False

    def _read(self, client: _Client) -> None:
        if client.deadline is None:
            client.wire.arrived(client.socket.recv(min(client.wire.room, _CHUNK)))
        elif not client.socket.recv(_CHUNK):
            self._drop(client)

    def _update(self, client: _Client) -> None:
        """Watch the socket for what its wire can use now; close it if it is to be closed."""
        if client not in self._clients:
            return
        wire = client.wire
        if wire.aborted:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self._drop(client)
            return
        writing = self._write(client)
        if client not in self._clients:
            return
        if wire.finished and client.deadline is None:
            self._bow_out(client)
        else:
            reading = client.deadline is not None or wire.room > 0
            self._watch(client, selectors.EVENT_READ * reading | selectors.EVENT_WRITE * writing)

    def _bow_out(self, client: _Client) -> None:
        """All is sent. What the client still sends is dropped for a while, so that it can read the end in peace."""
        try:
            client.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self._drop(client)
            return
        if client.wire.ended:
            self._drop(client)
        else:
            client.deadline = time.monotonic() + self._linger_seconds
            self._watch(client, selectors.EVENT_READ)

    def _watch(self, client: _Client, mask: int) -> None:
        if mask == client.mask:
            return
        if not client.mask:
            self._selector.register(client.socket, mask, client)
        elif mask:
            self._selector.modify(client.socket, mask, client)
        else:
            self._selector.unregister(client.socket)
        client.mask = mask

    def _drop(self, client: _Client) -> None:
        if client not in self._clients:
            return
        self._watch(client, 0)
        self._clients.remove(client)
        client.socket.close()
        client.wire.lost()
        client.door.connected -= 1
        if not self._stopping:
            for door in self._doors:
                self._admit(door)
