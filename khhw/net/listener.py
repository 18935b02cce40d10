"""Waiting for connections to a port."""

from collections.abc import Callable

from khhw.net.connection import Connection
from khhw.net.errors import ClosedError
from khhw.node import Event

__all__ = ["Listener"]

BACKLOG = 64
"""Connections that are begun or wait to be accepted; of more, nothing is answered."""


class Listener:
    """A port others connect to. Made by :meth:`Net.listen`.

    Parameters
    ----------
    port : int
    pending : callable () -> int
        Connections to it that are begun.
    closed : callable ()
        The port is free again.
    """

    def __init__(self, port: int, pending: Callable[[], int], closed: Callable[[], object]) -> None:
        self.port = port
        self._pending = pending
        self._when_closed = closed
        self._open: list[Connection] = []
        self._came = Event(f"a connection to port {port}")
        self._closed = False

    @property
    def full(self) -> bool:
        """Whether no more connections are begun."""
        return self._pending() + len(self._open) >= BACKLOG

    def opened(self, connection: Connection) -> None:
        """A connection is there to be accepted."""
        self._open.append(connection)
        self._came.set()

    async def accept(self) -> Connection:
        """The oldest connection that waits, when there is one.

        Raises
        ------
        ClosedError
            If the listener is closed.
        """
        while True:
            if self._closed:
                raise ClosedError(f"port {self.port} is closed")
            if self._open:
                return self._open.pop(0)
            self._came.clear()
            await self._came.wait()

    def end(self) -> None:
        """The net is no more: whoever waits to accept gets an error."""
        self._closed = True
        self._came.set()

    async def close(self) -> None:
        """Take no more connections; those that wait to be accepted are reset."""
        if self._closed:
            return
        self._closed = True
        self._when_closed()
        self._came.set()
        waiting, self._open = self._open, []
        for connection in waiting:
            await connection.reset()
