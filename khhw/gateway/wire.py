"""One client's bytes on their way between its socket and the simulation, both ways, bounded."""

import threading
from collections import deque
from collections.abc import Callable

__all__ = ["CAPACITY", "ClientLostError", "Wire"]

CAPACITY = 64 << 10
"""Bytes a wire holds each way."""


def _nobody() -> None:
    """Nobody is listening yet; who comes looks first."""


class ClientLostError(ConnectionError):
    """The client is gone without a goodbye; nothing more can be sent to it."""


class Wire:
    """Two bounded queues of bytes between the thread of the sockets and the simulator's.

    Each side has methods of its own, for its own thread, and is told when the other has changed something it waits for:
    waking a thread takes longer than copying what a packet holds.

    Parameters
    ----------
    name : str
        The client, for messages.
    capacity : int
        Bytes held each way.

    Attributes
    ----------
    tell_simulation : callable
        Called in the sockets' thread when :meth:`take` and :meth:`give` may have something new to say.
    tell_socket : callable
        Called in the simulator's thread when there is something new for the socket.
    """

    def __init__(self, name: str, capacity: int = CAPACITY) -> None:
        self.name = name
        self.tell_simulation: Callable[[], None] = _nobody
        self.tell_socket: Callable[[], None] = _nobody
        self._capacity = capacity
        self._lock = threading.Lock()
        self._inward, self._outward = bytearray(), bytearray()
        self._inward_ended = self._outward_ended = False
        self._inward_full = self._outward_full = False
        self._lost = self._aborted = False
        self._urgent_arrives = False
        # Ends of urgent data, counted from the first byte ever given, and how many of those the socket has taken.
        self._urgent_ends: deque[int] = deque()
        self._gone = 0

    # The side of the socket.

    @property
    def ended(self) -> bool:
        """Whether the client will send no more."""
        with self._lock:
            return self._inward_ended

    @property
    def room(self) -> int:
        """Bytes the socket may deliver; 0 behind the end."""
        with self._lock:
            room = 0 if self._inward_ended or self._lost else self._capacity - len(self._inward)
            self._inward_full = not room
            return room

    def arrived(self, data: bytes) -> None:
        """The socket delivered `data`, no more than there is room for; nothing: the client will send no more."""
        with self._lock:
            self._inward += data
            self._inward_ended |= not data
        self.tell_simulation()

    def urgent_arrives(self) -> None:
        """The client has sent urgent data, whose end has not arrived yet."""
        with self._lock:
            self._urgent_arrives = True
        self.tell_simulation()

    def outgoing(self, limit: int) -> bytes:
        """What the socket is to send next, `limit` bytes at most, and none behind the end of urgent data."""
        with self._lock:
            end = min(limit, self._urgent_ends[0] - self._gone) if self._urgent_ends else limit
            return bytes(self._outward[:end])

    def urgent_behind(self, count: int) -> bool:
        """Whether the first `count` bytes of :meth:`outgoing` are to be sent as urgent data, all together."""
        with self._lock:
            return bool(self._urgent_ends) and self._urgent_ends[0] - self._gone == count

    def sent(self, count: int) -> None:
        """The socket took the first `count` bytes of :meth:`outgoing`."""
        with self._lock:
            del self._outward[:count]
            self._gone += count
            while self._urgent_ends and self._urgent_ends[0] <= self._gone:
                self._urgent_ends.popleft()
            half_empty = self._outward_full and 2 * len(self._outward) <= self._capacity
            self._outward_full &= not half_empty
        if half_empty:
            self.tell_simulation()

    @property
    def finished(self) -> bool:
        """Whether the socket has sent all that will ever come."""
        with self._lock:
            return self._outward_ended and not self._outward

    @property
    def aborted(self) -> bool:
        """Whether the socket is to be closed at once."""
        with self._lock:
            return self._aborted

    def lost(self) -> None:
        """The socket is gone."""
        with self._lock:
            self._lost = True
            self._outward.clear()
            self._urgent_ends.clear()
        self.tell_simulation()

    # The side of the simulation.

    def take(self, limit: int) -> bytes | None:
        """The next bytes of the client, `limit` at most; ``b""`` behind its last one, None while there are none.

        Raises
        ------
        ClientLostError
            If it is gone, and all that came of it has been taken.
        """
        with self._lock:
            if not self._inward:
                self._check()
                return b"" if self._inward_ended else None
            data = bytes(self._inward[:limit])
            del self._inward[:limit]
            half_empty = self._inward_full and 2 * len(self._inward) <= self._capacity
            self._inward_full &= not half_empty
        if half_empty:
            self.tell_socket()
        return data

    def give(self, data: bytes | memoryview) -> int:
        """Queue the first bytes of `data` for the client; returns how many there was room for.

        Half of the room must be free before it is told of any.

        Raises
        ------
        ClientLostError
            If it is gone.
        """
        with self._lock:
            self._check()
            count = min(len(data), self._capacity - len(self._outward))
            self._outward_full = count < len(data)
            first = not self._outward and count > 0
            self._outward += data[:count]
        if first:
            self.tell_socket()
        return count

    def give_whole(self, data: bytes, *, urgent: bool = False) -> bool:
        """Queue all of `data` or nothing; returns whether there was room. Who found none is told as by :meth:`give`.

        Parameters
        ----------
        data : bytes
        urgent : bool
            As urgent data that ends with the last byte.
        """
        with self._lock:
            self._check()
            if len(data) > self._capacity - len(self._outward):
                self._outward_full = True
                return False
            first = not self._outward
            self._outward += data
            if urgent:
                self._urgent_ends.append(self._gone + len(self._outward))
        if first:
            self.tell_socket()
        return True

    def urgent(self) -> bool:
        """Whether the client has sent urgent data since this was asked last. Its end is still to be taken."""
        with self._lock:
            urgent, self._urgent_arrives = self._urgent_arrives, False
            return urgent

    def _check(self) -> None:
        if self._lost:
            raise ClientLostError(f"{self.name} is gone")

    def finish(self) -> None:
        """Nothing more will be given; the socket is closed when all has been sent."""
        with self._lock:
            self._outward_ended = True
        self.tell_socket()

    def abort(self) -> None:
        """Close the socket at once; what was given and not yet sent is dropped."""
        with self._lock:
            self._aborted = True
            self._outward.clear()
            self._urgent_ends.clear()
        self.tell_socket()
