"""Waiting for connections to a port."""

from typing import TYPE_CHECKING

from khhw.net.connection import Connection
from khhw.net.errors import ClosedError
from khhw.node import Event

if TYPE_CHECKING:
    from khhw.net.net import Net

__all__ = ["Listener"]

BACKLOG = 64
"""Connections that are begun or wait to be accepted; of more, nothing is answered."""


class Listener:
    """A port others connect to. Made by :meth:`Net.listen`.

    Attributes
    ----------
    port : int
    """

    def __init__(self, net: "Net", port: int) -> None:
        self.port = port
        self.pending = 0
        self._net = net
        self._open: list[Connection] = []
        self._came = Event(f"a connection to port {port}")
        self._closed = False

    @property
    def full(self) -> bool:
        """Whether no more connections are begun."""
        return self.pending + len(self._open) >= BACKLOG

    def opened(self, connection: Connection) -> None:
        """A connection is there to be accepted."""
        self.pending -= 1
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

    async def close(self) -> None:
        """Take no more connections; those that wait to be accepted are reset."""
        self._closed = True
        self._net.listeners.pop(self.port, None)
        self._came.set()
        waiting, self._open = self._open, []
        for connection in waiting:
            await connection.reset()
