"""A reception lane: what becomes of packets that arrive."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from rtl.formats import CHUNK_BYTES, CHUNK_FLITS, FLIT_BITS, PACKET_FLITS, WORD_FLITS, Header, PutHeader, Writer
from rtl.ni.arbiter import write_client
from rtl.ni.counters import Operation, admits, counter_client
from rtl.ni.gather import WordGather
from rtl.ni.ring import ring_client, ring_count
from rtl.parameters import Parameters
from rtl.signatures import FlitStream

__all__ = ["ReceptionLane", "Verdict", "packet_layout"]

HEADER_FLITS = 2


class Verdict(enum.IntEnum, shape=3):
    """What became of a packet."""

    STORED = 0
    RING = 1
    """No room in its reception ring."""
    COUNTER = 2
    """Its counter is not armed or does not admit its sender or key, or it would leave the window."""
    GET = 3
    """No room for its descriptors."""
    BAD = 4
    """Its tail was marked bad."""


def packet_layout(parameters: Parameters) -> data.StructLayout:
    """State of the packet on its way.

    `remaining` flits go to memory, from the first at `slot` of word `address`; behind word `last` comes
    `base` unless `linear`. The ring in `held` is to be moved to `following`; a put counts `amount` bytes.
    """
    word = range(parameters.memory_words)
    return data.StructLayout({
        "remaining": range(PACKET_FLITS), "last_bytes": 8, "slot": range(WORD_FLITS),
        "address": word, "base": word, "last": word, "linear": 1,
        "is_get": 1, "source": 16, "verdict": Verdict,
        "held": ring_count(parameters), "stale": 1, "following": word,
        "counts": 1, "counter": 8, "amount": 8,
    })


class ReceptionLane(wiring.Component):
    """Stores memory-FIFO packets, puts and remote gets as they arrive. A put loses one cycle, others two.

    A packet that needs a ring owns it from the reservation to its last write request, so the packets of two
    lanes in one ring do not mix; one that turns out bad gives its room back unseen, and the next packet
    overwrites it. A put that turns out bad may have changed memory in its window, but its counter has not
    moved. TAIL and counter move when all is in memory.

    The header of a descriptor in a remote get is stored with the requester's stamped id as its `source`, for
    :class:`~rtl.ni.descriptor.DescriptorFetch` to check.

    Parameters
    ----------
    parameters : Parameters
        Of the node.

    Members
    -------
    i : In(FlitStream)
        Always drained. A packet may wait, behind its second flit, for packets of other lanes in its ring, which have
        room; and elsewhere for nothing but the memory and, in a cycle, other clients.
    ring : Out(ring client)
    restart : In(rings)
        See :class:`~rtl.ni.ring.RingFile`.
    lookup, count : Out(counter client)
        To the reception counters.
    write : Out(write client)
    finish : Out(1)
        The last write request of a packet was taken: `verdict` is final. At most one lane in a cycle.
    verdict : Out(Verdict)
    retired : Out(1)
        One pulse a packet: all it changes is visible.
    busy : Out(1)
    """

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        super().__init__({
            "i": In(FlitStream),
            "ring": Out(ring_client(parameters)),
            "restart": In(ring_count(parameters)),
            "lookup": Out(counter_client(Writer)),
            "count": Out(counter_client(Writer)),
            "write": Out(write_client(parameters)),
            "finish": Out(1),
            "verdict": Out(Verdict),
            "retired": Out(1),
            "busy": Out(1),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.gather = gather = WordGather(self._parameters)
        connect(m, flipped(self.write), gather.write)
        packet = Signal(packet_layout(self._parameters))
        header = Header(gather.content[FLIT_BITS * 3:])
        put = PutHeader(gather.content[FLIT_BITS * 2:FLIT_BITS * 3])
        start = Signal(34)
        end = Signal(33)
        limit = Signal(32)
        admitted = Signal()

        # Flits gather into words, and words go to a ring or to a window.
        arrives = Signal()
        ends = Signal()
        m.d.comb += [
            arrives.eq(self.i.valid & self.i.ready),
            ends.eq(arrives & self.i.payload.last),
            gather.address.eq(packet.address),
            gather.flit.eq(self.i.payload.data),
            gather.bytes.eq(0xFF),
        ]
        with m.If(gather.taken):
            m.d.sync += packet.address.eq(
                Mux(~packet.linear & (packet.address == packet.last), packet.base, packet.address + 1))
        with m.If((packet.held & self.restart).any()):
            m.d.sync += packet.stale.eq(1)

        # Ask for the window of a put's counter.
        def look_up(named: data.View, wanted: Value) -> None:
            m.d.comb += [
                self.lookup.valid.eq(wanted),
                self.lookup.operation.eq(Operation.LOOKUP),
                self.lookup.index.eq(named.counter),
            ]
            m.d.sync += [
                start.eq(self.lookup.window + named.put_offset),
                end.eq(named.put_offset + named.valid_bytes),
                limit.eq(self.lookup.limit),
                admitted.eq(self.lookup.exists & admits(self.lookup.rights, packet.source, named.key)),
            ]

        # A packet: two headers, a decision by ring or counter, then its payload.
        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("HEADER") | gather.busy)
            with m.State("HEADER"):
                self._gather_header(m, gather, arrives=arrives, ends=ends, packet=packet, slot=0)
                with m.If(arrives):
                    m.d.sync += [
                        packet.source.eq(Header(self.i.payload.data).source),
                        packet.held.eq(0),
                        packet.stale.eq(0),
                        packet.counts.eq(0),
                    ]
                with m.If(arrives & ~ends):
                    m.next = "SOFTWARE"
            with m.State("SOFTWARE"):
                self._gather_header(m, gather, arrives=arrives, ends=ends, packet=packet, slot=1)
                # A put's counter is looked up while its number arrives; if others come first, in the next state.
                coming = PutHeader(self.i.payload.data)
                look_up(coming, arrives & ~ends & header.dma & ~coming.remote_get)
                with m.If(arrives):
                    m.d.sync += packet.is_get.eq(header.dma & coming.remote_get)
                    m.next = "DECIDE"
                with m.If(self.lookup.valid & self.lookup.ready):
                    m.next = "CHECK"
                with m.If(ends):
                    m.next = "HEADER"
            with m.State("DECIDE"):
                self._reserve(m, header, put, packet)
                look_up(put, header.dma & ~packet.is_get)
                m.d.comb += gather.discard.eq(header.dma | ~self.ring.accepted & self.ring.ready)
                with m.If(self.ring.ready):
                    m.next = "STORE"
                with m.If(self.lookup.ready):
                    m.next = "CHECK"
            with m.State("CHECK"):
                self._check_put(m, header, put, packet, start=start, allowed=admitted & (end <= limit))
                m.d.comb += gather.discard.eq(1)
                m.next = "STORE"
            with m.State("STORE"):
                self._store(m, gather, packet, arrives=arrives, ends=ends)
                with m.If(ends):
                    m.next = "HEADER"

        self._finish(m, gather, packet)
        return m

    def _gather_header(self, m: Module, gather: WordGather, *, arrives: Signal, ends: Signal, packet: data.View,
                       slot: int) -> None:
        """Take a header flit. A packet that ends here was cut short."""
        m.d.comb += [
            self.i.ready.eq(gather.room),
            gather.put.eq(arrives),
            gather.slot.eq(slot),
            gather.close.eq(ends),
            gather.final.eq(1),
            gather.discard.eq(ends),
        ]
        with m.If(ends):
            m.d.sync += packet.verdict.eq(Verdict.BAD)

    def _reserve(self, m: Module, header: data.View, put: data.View, packet: data.View) -> None:
        """Ask for room in the ring of a memory-FIFO packet or a remote get."""
        injection, reception = self._parameters.injection_rings, self._parameters.reception_rings
        pid = Cat(header.pid1, header.pid0)
        get_ring = Cat(put.ring == ring for ring in range(injection))
        fifo_ring = Cat(pid == ring for ring in range(reception))
        m.d.comb += [
            self.ring.valid.eq(~header.dma | packet.is_get),
            self.ring.which.eq(Mux(packet.is_get, get_ring, fifo_ring << injection)),
            self.ring.chunks.eq(header.size + ~packet.is_get),
        ]
        m.d.sync += [
            packet.slot.eq(Mux(packet.is_get, 0, HEADER_FLITS)),
            packet.remaining.eq(0),
            packet.last_bytes.eq(0xFF),
            packet.linear.eq(0),
            packet.verdict.eq(Mux(packet.is_get, Verdict.GET, Verdict.RING)),
            packet.address.eq(self.ring.first),
            packet.base.eq(self.ring.base),
            packet.last.eq(self.ring.last),
            packet.following.eq(self.ring.following),
        ]
        with m.If(self.ring.ready & self.ring.accepted):
            m.d.sync += [
                packet.held.eq(self.ring.which),
                packet.verdict.eq(Verdict.STORED),
                packet.remaining.eq(CHUNK_FLITS * header.size + Mux(packet.is_get, 0, CHUNK_FLITS - HEADER_FLITS)),
            ]

    def _check_put(self, m: Module, header: data.View, put: data.View, packet: data.View, *, start: Signal,
                   allowed: Signal) -> None:
        """Bound a put by its counter's window, by memory, and by what the packet carries."""
        fits = Signal()
        odd_bytes = Signal(3)
        m.d.comb += [
            odd_bytes.eq(put.valid_bytes),
            fits.eq(
                allowed & ~put.put_offset[:3].any()
                & (start + put.valid_bytes <= self._parameters.memory_bytes)
                & (put.valid_bytes <= CHUNK_BYTES * header.size + CHUNK_BYTES // 2)),
        ]
        m.d.sync += [
            packet.linear.eq(1),
            packet.address.eq(start >> 5),
            packet.slot.eq(start[3:]),
            packet.last_bytes.eq(Mux(odd_bytes == 0, 0xFF, ~(0xFF >> odd_bytes))),
            packet.verdict.eq(Mux(fits, Verdict.STORED, Verdict.COUNTER)),
            packet.remaining.eq(Mux(fits, (put.valid_bytes + 7) >> 3, 0)),
            packet.counts.eq(fits),
            packet.counter.eq(put.counter),
            packet.amount.eq(put.valid_bytes),
        ]

    def _store(self, m: Module, gather: WordGather, packet: data.View, *, arrives: Signal, ends: Signal) -> None:
        """Put what is wanted of the payload in its place; sink the rest."""
        wanted = Signal()
        is_header = Signal()
        m.d.comb += [
            wanted.eq(arrives & (packet.remaining != 0)),
            is_header.eq(packet.is_get & (packet.slot == 2)),
            self.i.ready.eq(gather.room),
            gather.put.eq(wanted),
            gather.slot.eq(packet.slot),
            gather.close.eq(ends | (wanted & (packet.slot == WORD_FLITS - 1))),
            gather.final.eq(ends),
        ]
        with m.If(packet.remaining == 1):
            m.d.comb += gather.bytes.eq(packet.last_bytes)
        with m.If(is_header):
            m.d.comb += Header(gather.flit).source.eq(packet.source)
        with m.If(wanted):
            m.d.sync += [packet.slot.eq(packet.slot + 1), packet.remaining.eq(packet.remaining - 1)]
        with m.If(ends & (self.i.payload.bad | (packet.remaining > 1))):
            m.d.comb += gather.discard.eq(1)
            m.d.sync += packet.counts.eq(0)
            with m.If(packet.verdict == Verdict.STORED):
                m.d.sync += packet.verdict.eq(Verdict.BAD)

    def _finish(self, m: Module, gather: WordGather, packet: data.View) -> None:
        """After the last write request: free the ring. After its acknowledgement: publish or count, retire."""
        good = Signal()
        counting = Signal()
        publish = Signal.like(packet.held)
        publish_to = Signal.like(packet.following)
        # A packet without a ring says nothing of one: clients' words are joined by OR.
        following = Mux(packet.held.any(), packet.following, 0)
        m.d.comb += [
            self.finish.eq(gather.finish),
            self.verdict.eq(packet.verdict),
            good.eq((packet.verdict == Verdict.STORED) & ~packet.stale),
            self.count.operation.eq(Operation.COUNT),
            self.count.valid.eq(gather.settled & counting),
            gather.settle.eq(gather.settled & (~counting | self.count.ready)),
            self.retired.eq(gather.settle),
        ]
        with m.If(gather.finish):
            m.d.comb += [
                self.ring.unlock.eq(packet.held),
                self.ring.reserve.eq(good),
                self.ring.reserve_to.eq(following),
            ]
            m.d.sync += [
                publish.eq(Mux(good, packet.held & ~self.restart, 0)),
                publish_to.eq(following),
                counting.eq(packet.counts),
                self.count.index.eq(packet.counter),
                self.count.amount.eq(packet.amount),
            ]
        with m.Else():
            m.d.sync += publish.eq(publish & ~self.restart)
        with m.If(gather.settle):
            m.d.comb += [self.ring.publish.eq(publish), self.ring.publish_to.eq(publish_to)]
