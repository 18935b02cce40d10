"""What a connection is to the tasks that serve it: numbers, acknowledgements, deadlines."""

from typing import Any

from khhw.net.buffers import ALIGN
from khhw.net.errors import ClosedError, NetError, NoAnswerError
from khhw.net.incoming import Incoming
from khhw.net.outgoing import Chunk, Outgoing
from khhw.net.segments import PREFIX, PREFIX_BYTES, PUSH, Kind
from khhw.net.table import ConnectionTable, Entry, State
from khhw.node import Area, Event, Queue, Work
from khhw.node import timeout as time_limit

__all__ = ["Endpoint"]

MOST_TRIES = 6
"""Time-outs in a row after which the peer counts as dead."""
ACK_DELAY = 500
"""Cycles an acknowledgement waits for data to travel with."""
LINGER = 400_000
"""Cycles a closed connection waits for the peer's end of the stream."""
_FAREWELL_TRIES = 2
_PROBE_PATIENCE = 20_000
_LONGEST_SILENCE = 1 << 32
"""Cycles after which a peer that is only silent is asked whether it is there, at the latest: more than a minute."""


class Endpoint(Entry):
    """One end of a stream: two halves, and what keeps them going.

    Parameters
    ----------
    table : ConnectionTable
    number : int
        This node's number of the connection.
    peer : int
        Rank of the other end.
    ports : (int, int)
        Here and there.
    areas : (Area, Area)
        Send and receive buffer.
    first : int
        Sequence number of the SYN.
    """

    def __init__(
        self, table: ConnectionTable[Any], number: int, peer: int, ports: tuple[int, int], areas: tuple[Area, Area],
        first: int,
    ) -> None:
        node = table.node
        super().__init__(number, peer, node.shape.node_id(peer), ports, areas)
        self.remote_first = 0
        self.error: NetError | None = None
        self.first = first
        self.opened = Event(f"an answer of node {peer}")
        self.outgoing = Outgoing(areas[0], first + 1)
        self.incoming = Incoming(node.memory, areas[1], 0)
        self._table = table
        self._transmitter = table.transmitter
        self._node = node
        self._turn: Queue[None] = Queue(name="a turn to send")
        self._turn.put_nowait(None)
        self._again: tuple[int, int] | None = None
        self._heard = self._read_at = node.now
        self._probes = 0
        self._wakes_at: int | None = None
        self._acknowledge_at: int | None = None
        self._closing = self._finished = False
        self._lingers_until: int | None = None

    def __repr__(self) -> str:
        ends = f"node {self._node.rank} port {self.local_port} to node {self.peer} port {self.remote_port}"
        return f"<connection of {ends}, {self.state.name.lower()}>"

    @property
    def gone(self) -> bool:
        """Whether number and buffers belong to others."""
        return self.state == State.GONE

    @property
    def silent(self) -> bool:
        """Whether nobody here reads any more."""
        return self._closing

    async def greet(self) -> None:
        """Send SYN or SYN_ACK, first or again."""
        asking = self.state == State.ASKED
        extra = self.remote_port << 16 | self.local_port
        await self._transmitter.control(
            self.peer, Kind.SYN if asking else Kind.SYN_ACK, 0 if asking else self.remote_number,
            self.number, self.first & 0xFFFFFFFF, window=self.areas[1].length, extra=extra,
            acknowledgement=0 if asking else self.incoming.next)

    async def established(self, within: int) -> bool:
        """Wait until the peer has answered; False if that lasts longer than `within` cycles."""
        try:
            async with time_limit(within):
                while self.state == State.ASKED:
                    self.opened.clear()
                    await self.opened.wait()
        except TimeoutError:
            return False
        self.check()
        return True

    def fail(self, error: NetError) -> None:
        """The connection is no more: whoever waits for it gets `error`."""
        if self.state == State.GONE:
            return
        self.error = self.error or error
        self._table.forget(self)
        self.outgoing.moved.set()
        self.opened.set()
        self.incoming.wake()

    async def reset(self) -> None:
        """Give the connection up at once; the peer's calls fail."""
        if self.state == State.GONE:
            return
        self.fail(ClosedError(f"the connection to node {self.peer} was reset here"))
        await self._transmitter.control(
            self.peer, Kind.RESET, self.remote_number, 0, self.outgoing.next & 0xFFFFFFFF,
            acknowledgement=self.incoming.next)

    def check(self) -> None:
        """Raise what ended the connection, if it has ended."""
        if self.error is not None:
            raise type(self.error)(str(self.error))
        if self.state == State.GONE:
            raise ClosedError(f"the connection to node {self.peer} is closed")

    def _push_chunk(self, chunk: Chunk, start: int, end: int) -> None:
        """A segment, or a part of one that holds nothing but data."""
        address, length = chunk.address + start - chunk.sequence, 0 if chunk.kind == Kind.FIN else end - start
        if chunk.kind != Kind.DATA:
            address -= PREFIX_BYTES
            incoming, word = self.incoming, (1 << 32) - 1
            self._node.memory[address] = PREFIX.pack(incoming.next & word, incoming.window, incoming.gap & word, 0)
            incoming.told()
        prefix = 0 if chunk.kind == Kind.DATA else PREFIX_BYTES
        push = PUSH if chunk.push and end == chunk.end else 0
        self._transmitter.push(
            self.peer, chunk.kind | push, self.remote_number, start + length, start, address, prefix + length)

    def _push_acknowledgement(self, kind: Kind = Kind.ACK) -> None:
        incoming = self.incoming
        self._transmitter.push_control(
            self.peer, kind, self.remote_number, 0, self.outgoing.next & 0xFFFFFFFF,
            acknowledgement=incoming.next, window=incoming.window, gap=incoming.gap)
        incoming.told()

    # What the peer does. Called by the receive task.

    def heard(self) -> None:
        """The peer is alive."""
        self._heard, self._probes = self._node.now, 0
        if not self.outgoing.chunks:
            self.outgoing.tries = 0

    def resend(self, start: int, end: int) -> None:
        """Send these numbers again at the next :meth:`respond`."""
        before = self._again or (start, end)
        self._again = min(start, before[0]), max(end, before[1])

    async def respond(self) -> None:
        """After a batch of packets: send again what got lost, acknowledge what is due."""
        if self._again is not None:
            (start, end), self._again = self._again, None
            await self._send_again(max(start, self.outgoing.first), end)
        incoming = self.incoming
        if self.state != State.OPEN:
            return
        if incoming.urgent or incoming.unacknowledged >= self.areas[1].length // 4:
            await self._node.work_all({Work.SEGMENT: 1, Work.DESCRIPTOR: 1})
            await self._transmitter.ring.room(1)
            if self.state == State.OPEN and (incoming.urgent or incoming.unacknowledged):
                self._push_acknowledgement()
        elif incoming.unacknowledged and self._acknowledge_at is None:
            self._acknowledge_at = self._node.now + ACK_DELAY
            self.schedule(self._acknowledge_at)
        if self._lingers_until is not None and incoming.ended:
            await self._transmitter.ring.doorbell()
            self._table.forget(self)

    async def _send_again(self, start: int, end: int) -> None:
        for chunk, first, behind in list(self.outgoing.pieces(start, end)):
            await self._node.work_all({Work.SEGMENT: 1, Work.DESCRIPTOR: 1})
            await self._transmitter.ring.room(1)
            if self.state == State.GONE:
                return
            if chunk.end > self.outgoing.first:
                self._push_chunk(chunk, first, behind)
                chunk.sent_at = self._node.now
                chunk.again += 1
                self._table.resent += 1

    # Time.

    def schedule(self, cycle: int | None) -> None:
        """Look at the deadlines in `cycle`."""
        if cycle is not None and (self._wakes_at is None or cycle < self._wakes_at):
            self._wakes_at = cycle
            self._table.timers.at(cycle, self._due)

    def _watch_peer(self) -> None:
        self._heard = self._read_at = self._node.now
        self.schedule(self._probe_at)

    async def _due(self, now: int) -> None:
        if self._wakes_at is None or now < self._wakes_at or self.state == State.GONE:
            return
        self._wakes_at = None
        await self._look(now)
        if not self.gone:
            deadlines = [d for d in (self._acknowledge_at, self.outgoing.due, self._lingers_until) if d is not None]
            if self.incoming.reading and self.state == State.OPEN:
                deadlines.append(self._probe_at)
            if deadlines:
                self.schedule(max(now + 1, min(deadlines)))
        await self._transmitter.ring.doorbell()

    @property
    def _probe_at(self) -> int:
        """When to ask a peer that is only silent, less and less often: as long again as it has been silent."""
        silence = min(self._heard - self._read_at, _LONGEST_SILENCE)
        return self._heard + max(self._table.keepalive, silence) + self._probes * _PROBE_PATIENCE

    async def _look(self, now: int) -> None:
        if self._acknowledge_at is not None and now >= self._acknowledge_at:
            self._acknowledge_at = None
            if self.incoming.unacknowledged and self.state == State.OPEN:
                await self._control(Kind.ACK)
        if self.outgoing.due is not None and now >= self.outgoing.due:
            await self._time_out(now)
        if self.incoming.reading and self.state == State.OPEN and now >= self._probe_at:
            self._probes += 1
            if self._probes > MOST_TRIES:
                self._silence()
            else:
                await self._control(Kind.PROBE)
        if self._lingers_until is not None and now >= self._lingers_until and self.state == State.OPEN:
            await self.reset()

    async def _control(self, kind: Kind) -> None:
        await self._node.work_all({Work.SEGMENT: 1, Work.DESCRIPTOR: 1})
        await self._transmitter.ring.room(1)
        if self.state == State.OPEN:
            self._push_acknowledgement(kind)

    async def _time_out(self, now: int) -> None:
        if self.incoming.ended and self._closing and self.outgoing.tries >= _FAREWELL_TRIES:
            # All data has arrived both ways; the peer may be gone before it could acknowledge the end.
            self._table.forget(self)
            self.outgoing.moved.set()
            return
        if self.outgoing.tries >= MOST_TRIES and self.state != State.ASKED:
            self._silence()
            return
        again = self.outgoing.timed_out(now)
        if self.state in (State.ASKED, State.ANSWERED):
            await self.greet()
        elif again is not None:
            await self._send_again(*again)
        elif self.outgoing.allowance < ALIGN:
            self.outgoing.stalled(now)
            await self._control(Kind.PROBE)
        else:
            self.outgoing.due = None

    def _silence(self) -> None:
        rank = self._node.rank
        self.fail(NoAnswerError(
            f"node {self.peer} does not answer any more: it is held or reset, or packets node {self.peer} -> node "
            f"{rank} or node {rank} -> node {self.peer} are refused"))
