"""What a node answers to the segments of others. Whoever sends them may lie; only the source is certain."""

from collections.abc import Mapping

from khhw.net.connection import Connection
from khhw.net.diagnosis import Diagnosis
from khhw.net.errors import ClosedError, NoRoomError, ResetError, SegmentError
from khhw.net.incoming import Incoming
from khhw.net.listener import Listener
from khhw.net.segments import CONNECTIONS, Kind, Segment, unwrap
from khhw.net.table import ConnectionTable, State

__all__ = ["NOTHING_LISTENS", "NO_ROOM", "Protocol"]

NOTHING_LISTENS = 1
NO_ROOM = 2
_WORD = (1 << 32) - 1
_CALLS = (Kind.DATA, Kind.DATA_ACK, Kind.FIN, Kind.PROBE, Kind.SYN_ACK)
"""Kinds that are answered when there is no such connection."""


class Protocol:
    """Segments in, changes of connections and answers out.

    Parameters
    ----------
    table : ConnectionTable
    listeners : mapping
        By port.
    diagnosis : Diagnosis
        Who waits for echoes.
    """

    def __init__(
        self, table: ConnectionTable[Connection], listeners: Mapping[int, Listener], diagnosis: Diagnosis,
    ) -> None:
        self._table = table
        self._listeners = listeners
        self._diagnosis = diagnosis
        self._node = table.node
        self._transmitter = table.transmitter
        self._later: list[tuple[int, Kind, int, int]] = []

    async def arrived(self, segment: Segment) -> Connection | None:
        """Take one segment; the connection that has something to say now."""
        match segment.kind:
            case Kind.SYN:
                await self._syn(segment)
            case Kind.UNKNOWN:
                self._unknown(segment)
            case Kind.ECHO:
                rank = self._node.shape.rank_of_id(segment.source)
                await self._transmitter.control(rank, Kind.ECHO_REPLY, 0, segment.mark, 0)
            case Kind.ECHO_REPLY:
                self._diagnosis.echoed(segment.source, segment.mark)
            case _:
                return await self._to_connection(segment)
        return None

    async def send_later(self) -> None:
        """Send what is to be said when the packets that are here have been looked at."""
        later, self._later = self._later, []
        for peer, kind, number, sequence in later:
            await self._transmitter.control(peer, kind, number, 0, sequence)

    async def _to_connection(self, segment: Segment) -> Connection | None:
        connection = self._table.connections.get(segment.connection)
        if connection is None or connection.peer_id != segment.source:
            self._table.strays += 1
            if segment.kind in _CALLS:
                rank = self._node.shape.rank_of_id(segment.source)
                await self._transmitter.control(
                    rank, Kind.UNKNOWN, 0, segment.connection, segment.sequence)
            return None
        if not self.handle(connection, segment):
            self._table.bad_segments += 1
        return connection

    def handle(self, connection: Connection, segment: Segment) -> bool:
        """Take a segment of a connection's peer; False if it does not fit."""
        if connection.state == State.ASKED:
            return self._answered(connection, segment)
        match segment.kind:
            case Kind.SYN_ACK:
                # The peer has not seen the acknowledgement of this.
                connection.incoming.urgent = connection.remote_number == segment.mark
                return connection.incoming.urgent
            case Kind.RESET:
                return self._reset(connection, segment)
            case Kind.REFUSE:
                return False
        return self._open(connection, segment)

    def _open(self, connection: Connection, segment: Segment) -> bool:
        incoming, now = connection.incoming, self._node.now
        sequence = unwrap(segment.sequence, incoming.next)
        if segment.kind != Kind.DATA:
            try:
                again = connection.outgoing.acknowledge(segment.acknowledgement, segment.window, segment.gap, now)
            except SegmentError:
                return False
            if again is not None:
                connection.resend(*again)
        if segment.kind in (Kind.DATA, Kind.DATA_ACK) and segment.payload:
            if connection.silent and sequence + len(segment.payload) > incoming.next:
                connection.fail(ResetError(f"node {connection.peer} sent more after the connection was closed here"))
                self._later.append(
                    (connection.peer, Kind.RESET, connection.remote_number, connection.outgoing.next & _WORD))
                return True
            if not incoming.take(sequence, segment.payload):
                return False
        elif segment.kind == Kind.FIN and not incoming.finish(sequence):
            return False
        if segment.push or segment.kind == Kind.PROBE:
            incoming.urgent = True
        connection.heard()
        self._established(connection)
        connection.schedule(connection.outgoing.due)
        return True

    def _established(self, connection: Connection) -> None:
        if connection.state == State.ANSWERED:
            connection.state = State.OPEN
            connection.outgoing.due = None
            connection.outgoing.tries = 0
            self._accepted(connection)

    def _accepted(self, connection: Connection) -> None:
        """The peer has acknowledged what a listener answered."""
        listener = self._listeners.get(connection.local_port)
        if listener is not None:
            listener.opened(connection)
        else:
            connection.fail(ClosedError(f"port {connection.local_port} was closed"))

    def _answered(self, connection: Connection, segment: Segment) -> bool:
        """What comes before a connection we asked for is open."""
        port = connection.remote_port
        if segment.kind == Kind.REFUSE:
            if segment.extra == NOTHING_LISTENS:
                connection.fail(ResetError(f"node {connection.peer} refuses port {port}: nothing listens there"))
            else:
                connection.fail(NoRoomError(f"node {connection.peer} has no room for a connection to port {port}"))
            return True
        if segment.kind != Kind.SYN_ACK or segment.acknowledgement != (connection.first + 1) & _WORD:
            return False
        self._meet(connection, segment)
        connection.state = State.OPEN
        connection.outgoing.due = None
        connection.outgoing.tries = 0
        connection.incoming.urgent = True
        connection.heard()
        connection.opened.set()
        return True

    def _meet(self, connection: Connection, segment: Segment) -> None:
        """Numbers the peer has chosen."""
        connection.remote_number = segment.mark % CONNECTIONS
        connection.remote_first = segment.sequence
        connection.incoming = Incoming(self._node.memory, connection.areas[1], segment.sequence + 1)
        connection.outgoing.edge = connection.outgoing.first + segment.window
        self._table.met(connection)

    def _reset(self, connection: Connection, segment: Segment) -> bool:
        incoming = connection.incoming
        sequence = unwrap(segment.sequence, incoming.next)
        if not incoming.taken - 1 <= sequence <= incoming.taken + connection.areas[1].length + 1:
            return False
        connection.fail(ResetError(f"node {connection.peer} has reset the connection"))
        return True

    def _unknown(self, segment: Segment) -> None:
        """The peer has no such connection: it was closed, or the node was reset."""
        connection = self._table.by_peer.get((segment.source, segment.mark % CONNECTIONS))
        if connection is None:
            self._table.strays += 1
            return
        outgoing = connection.outgoing
        if not outgoing.first - 1 <= unwrap(segment.sequence, outgoing.first) <= outgoing.next:
            self._table.bad_segments += 1
            return
        connection.fail(ResetError(
            f"node {connection.peer} does not know the connection any more: it was closed there, or the node was "
            "reset"))

    async def _syn(self, segment: Segment) -> None:
        node = self._node
        peer, number = node.shape.rank_of_id(segment.source), segment.mark % CONNECTIONS
        known = self._table.by_peer.get((segment.source, number))
        if known is not None and known.remote_first == segment.sequence:
            if known.state == State.ANSWERED:
                await known.greet()
            return
        if known is not None:
            known.fail(ResetError(f"node {peer} began anew: it was reset"))
        await self._table.room()
        listener = self._listeners.get(segment.extra >> 16)
        if listener is None or listener.full:
            if listener is None:
                await self._refuse(peer, number, NOTHING_LISTENS)
            return
        if self._table.unanswered(peer=peer) >= self._table.most_unanswered:
            # As with a full backlog: a peer that means it asks again.
            return
        connection = Connection.begin(self._table, peer, (segment.extra >> 16, segment.extra & 0xFFFF))
        if connection is None:
            await self._refuse(peer, number, NO_ROOM)
            return
        connection.state = State.ANSWERED
        self._meet(connection, segment)
        connection.outgoing.due = node.now + connection.outgoing.patience
        connection.schedule(connection.outgoing.due)
        await connection.greet()

    async def _refuse(self, peer: int, number: int, reason: int) -> None:
        self._table.refused += 1
        await self._transmitter.control(peer, Kind.REFUSE, number, 0, 0, extra=reason)
