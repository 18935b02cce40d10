"""The connections of a node: who has which number and buffers, and what all of them share."""

import enum
from collections import deque
from collections.abc import Iterable
from typing import Generic, TypeVar

from khhw.net.segments import CONNECTIONS
from khhw.net.timers import Timers
from khhw.net.transmitter import Transmitter
from khhw.node import Area, Node

__all__ = ["ConnectionTable", "Entry", "State"]

_UNANSWERED_SHARE = 4
"""Part of all connections one peer may have begun and not confirmed: a fourth."""


class State(enum.Enum):
    """How far a connection has come."""

    ASKED = enum.auto()
    """SYN sent."""
    ANSWERED = enum.auto()
    """SYN_ACK sent."""
    OPEN = enum.auto()
    GONE = enum.auto()
    """Its number and buffers belong to others."""


class Entry:
    """What the table knows of a connection.

    Parameters
    ----------
    number : int
        This node's number of the connection.
    peer, peer_id : int
        Rank and node id of the other end.
    ports : (int, int)
        Here and there.
    areas : (Area, Area)
        Send and receive buffer.

    Attributes
    ----------
    remote_number : int
        The peer's number, once it is known.
    """

    def __init__(
        self, number: int, peer: int, peer_id: int, ports: tuple[int, int], areas: tuple[Area, Area],
    ) -> None:
        self.number = number
        self.peer = peer
        self.peer_id = peer_id
        self.local_port, self.remote_port = ports
        self.areas = areas
        self.remote_number = 0
        self.state = State.ASKED


_Entry = TypeVar("_Entry", bound=Entry)


class ConnectionTable(Generic[_Entry]):
    """Numbers and buffers for connections, and the connections that have them.

    Parameters
    ----------
    node : Node
    transmitter : Transmitter
        What segments leave by.
    timers : Timers
    buffers : iterable of (Area, Area)
        Send and receive buffers, a pair a connection.
    keepalive : int
        Cycles a task waits for bytes before the peer is asked whether it is there.

    Attributes
    ----------
    connections : dict
        By this node's number.
    by_peer : dict
        By the peer's node id and number, where that is known.
    most_unanswered : int
        Connections one peer may have begun and not confirmed.
    closed : bool
        No more connections begin.
    bad_segments, strays, refused, resent : int
        Segments that cannot be their sender's, that belong to no connection, that were refused; and those sent again.
    """

    def __init__(
        self, node: Node, transmitter: Transmitter, timers: Timers, buffers: Iterable[tuple[Area, Area]],
        keepalive: int,
    ) -> None:
        self.node = node
        self.transmitter = transmitter
        self.timers = timers
        self.keepalive = keepalive
        self.connections: dict[int, _Entry] = {}
        self.by_peer: dict[tuple[int, int], _Entry] = {}
        self.closed = False
        self.bad_segments = self.strays = self.refused = self.resent = 0
        # A pair of buffers with the number of the descriptor up to which the hardware may still send from it.
        self._buffers = deque((pair, 0) for pair in buffers)
        self._numbers = deque(range(CONNECTIONS))
        self.most_unanswered = max(1, len(self._buffers) // _UNANSWERED_SHARE)

    async def room(self) -> None:
        """Wait until the hardware is through with the send buffer that is given next: it may still send from it."""
        ring = self.transmitter.ring
        while self._buffers and (behind := self._buffers[0][1]) > ring.taken:
            await ring.doorbell()
            await ring.left(behind - 1)

    def take(self) -> tuple[int, tuple[Area, Area]] | None:
        """A number and buffers for a new connection; None if there are none left."""
        if not self._buffers or not self._numbers or self.closed:
            return None
        return self._numbers.popleft(), self._buffers.popleft()[0]

    def met(self, connection: _Entry) -> None:
        """The peer's number of a connection is known."""
        self.by_peer[connection.peer_id, connection.remote_number] = connection

    def unanswered(self, *, peer: int | None = None, port: int | None = None) -> int:
        """Connections others have begun and not confirmed: this peer, to this port."""
        return sum(
            one.state == State.ANSWERED and peer in (None, one.peer) and port in (None, one.local_port)
            for one in self.connections.values())

    def forget(self, connection: Entry) -> None:
        """A connection is over: its number and buffers are free."""
        if connection.state == State.GONE:
            return
        connection.state = State.GONE
        del self.connections[connection.number]
        if self.by_peer.get((connection.peer_id, connection.remote_number)) is connection:
            del self.by_peer[connection.peer_id, connection.remote_number]
        self._numbers.append(connection.number)
        self._buffers.append((connection.areas, self.transmitter.ring.pushed))
