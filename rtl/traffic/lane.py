"""One lane of the traffic generator: sending packets beside the network interface's, and checking what arrives."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.formats import CHUNK_FLITS, FLIT_BITS, PACKET_FLITS, Header, Straps, TrafficHeader
from rtl.registers import TrafficError
from rtl.signatures import FlitStream

__all__ = ["KEY", "Ejection", "Injection", "Origin", "Received", "xorshift"]

KEY = 0x9E3779
"""Low 24 bits of what is mixed into the software header to begin the payload; above are place and source."""

Received = data.StructLayout({"error": 3, "failed": 1, "recorded": 1, "ordered": 1, "size": 3, "latency": 32})
"""What is known of a packet at its last flit. `error` is a :class:`~rtl.registers.TrafficError` if `failed`."""

Origin = data.StructLayout({"source": 16, "number": 24})
"""Which packet it was. Apart from :data:`Received`, so that a simulator has either in a machine word."""


def xorshift(m: Module, value: Value, name: str) -> Signal:
    """One step of the 64-bit xorshift generator with the shifts 13, 7 and 17.

    Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8 (2003): all 2^64 - 1 states but 0 follow each other.
    """
    left, right, out = (Signal(FLIT_BITS, name=f"{name}_{step}") for step in ("left", "right", "next"))
    m.d.comb += [
        left.eq(value ^ value << 13),
        right.eq(left ^ left >> 7),
        out.eq(right ^ right << 17),
    ]
    return out


class Injection(wiring.Component):
    """Sends one packet after the other without a gap, and takes turns with the network interface between packets.

    The payload is an xorshift sequence that starts from the software header mixed with destination and source.
    Packets of the network interface pass without latency.

    Members
    -------
    packet : In(stream of Header)
        The first flit of a packet to be sent; holds this node's id as `source`.
    software : In(TrafficHeader)
        With it: the second flit. The two determine all others.
    ni : In(FlitStream)
        From the network interface.
    o : Out(FlitStream)
        To the egress guard.
    sent : Out(1)
        The last flit of a packet of `packet` passes in this cycle.
    size, recorded : Out
        Of the packet being sent.
    busy : Out(1)
        A packet is being sent.
    """

    packet: In(stream.Signature(Header))
    software: In(TrafficHeader)
    ni: In(FlitStream)
    o: Out(FlitStream)
    sent: Out(1)
    size: Out(3)
    recorded: Out(1)
    busy: Out(1)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        word = Signal(FLIT_BITS)
        follow = Signal(FLIT_BITS)
        first = Signal()
        last = Signal()
        left = Signal(range(PACKET_FLITS))
        step = Signal()

        # `follow` is the second flit while `word` is the first, then the key of the payload, then nothing.
        mixed = Signal(FLIT_BITS)
        m.d.comb += mixed.eq(word ^ follow)
        following = xorshift(m, mixed, "payload")
        with m.If(step):
            m.d.sync += [first.eq(0), last.eq(left == 1), left.eq(left - 1)]
            with m.If(first):
                m.d.sync += [word.eq(follow), follow.eq(Cat(Const(KEY, 24), word[:40]))]
            with m.Else():
                m.d.sync += [word.eq(following), follow.eq(0)]
        m.d.comb += [self.sent.eq(step & last), self.packet.ready.eq(~self.busy | self.sent)]
        with m.If(self.packet.ready):
            m.d.sync += self.busy.eq(self.packet.valid)
        with m.If(self.packet.ready & self.packet.valid):
            header = self.packet.payload
            m.d.sync += [
                word.eq(header), follow.eq(self.software),
                first.eq(1), last.eq(0), left.eq(header.size * CHUNK_FLITS + CHUNK_FLITS - 1),
                self.size.eq(header.size), self.recorded.eq(self.software.recorded),
            ]

        # What was offered stays until its last flit has passed.
        held = Signal()
        held_ours = Signal()
        ours = Signal()
        turn = Signal()
        m.d.comb += [
            ours.eq(Mux(held, held_ours, self.busy & (turn | ~self.ni.valid))),
            self.o.valid.eq(Mux(ours, self.busy, self.ni.valid)),
            self.o.payload.eq(self.ni.payload),
            step.eq(ours & self.busy & self.o.ready),
            self.ni.ready.eq(~ours & self.o.ready),
        ]
        with m.If(ours):
            m.d.comb += self.o.payload.eq(Cat(word, Const(0, 1), last, first))
        with m.If(self.o.valid):
            m.d.sync += [held.eq(~(self.o.ready & self.o.payload.last)), held_ours.eq(ours), turn.eq(~ours)]
        return m


class Ejection(wiring.Component):
    """Takes the generator's packets out of an ejection lane and checks them; all others go on without latency.

    Packets must finish in order: one of the generator waits, at most, until the network interface has finished those
    before it. Nothing that is in a packet makes the lane wait.

    Members
    -------
    straps : In(Straps)
    now : In(32)
    i : In(FlitStream)
        From the ingress guard.
    ni : Out(FlitStream)
        To the network interface.
    ni_retired : In(1)
        The network interface has finished a packet of this lane.
    retired : Out(1)
        A packet of this lane is finished.
    received : Out(stream of Received)
        Must be taken within three cycles, or the next packet's last flit waits.
    origin : Out(Origin)
        With it.
    """

    straps: In(Straps)
    now: In(32)
    i: In(FlitStream)
    ni: Out(FlitStream)
    ni_retired: In(1)
    retired: Out(1)
    received: Out(stream.Signature(Received))
    origin: Out(Origin)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        i, flit = self.i, self.i.payload
        header = Header(flit.data)
        ours = Signal()
        inside_ours = Signal()
        take = Signal()
        unfinished = Signal(8)
        m.d.comb += [
            ours.eq(Mux(flit.first, header.pid0 & header.pid1 & ~header.dma, inside_ours)),
            self.ni.valid.eq(i.valid & ~ours),
            self.ni.payload.eq(flit),
            take.eq(i.valid & ours & ~(flit.first & (unfinished != 0)) & ~(flit.last & self.received.valid)),
            i.ready.eq(Mux(ours, take, self.ni.ready)),
        ]
        with m.If(i.valid & i.ready):
            m.d.sync += inside_ours.eq(ours)

        # What the network interface has begun and not finished.
        began = Signal()
        m.d.comb += began.eq(self.ni.valid & self.ni.ready & flit.first)
        with m.If(began != self.ni_retired):
            m.d.sync += unfinished.eq(Mux(began, unfinished + 1, unfinished - (unfinished != 0)))
        finished = Signal()
        m.d.sync += finished.eq(take & flit.last)
        m.d.comb += self.retired.eq(self.ni_retired | finished)

        self._check(m, take)
        return m

    def _check(self, m: Module, take: Signal) -> None:
        """Follow the flits of a packet and say what it was."""
        flit, received = self.i.payload, self.received.payload
        header = Signal(Header)
        software = Signal(TrafficHeader)
        coming = Header(flit.data)
        count = Signal(range(PACKET_FLITS + 1))
        state = Signal(FLIT_BITS)
        wrong = Signal()
        misrouted = Signal()
        expected = xorshift(m, state, "expected")
        differs = Signal()
        elsewhere = Signal()
        short = Signal()
        straps = self.straps
        # A flit beside what it must be.
        m.d.comb += [
            differs.eq(wrong | (flit.data != expected)),
            elsewhere.eq((Cat(coming.z, coming.y, coming.x)
                          != Cat(straps.z, Const(0, 2), straps.y, Const(0, 2), straps.x, Const(0, 2)))
                         | coming.deposit),
            short.eq(count != header.size * CHUNK_FLITS + CHUNK_FLITS - 1),
        ]
        # Keep what the header says, and follow the sequence its payload must have.
        with m.If(take):
            with m.If(flit.first):
                m.d.sync += [header.eq(flit.data), count.eq(1), wrong.eq(0), misrouted.eq(elsewhere)]
            with m.Else():
                m.d.sync += count.eq(count + (count != PACKET_FLITS))
                with m.If(count == 1):
                    coordinate = Cat(header.source, straps.z, Const(0, 2), straps.y, Const(0, 2), straps.x, Const(0, 2))
                    m.d.sync += [software.eq(flit.data), state.eq(flit.data ^ Cat(Const(KEY, 24), coordinate))]
                with m.Else():
                    m.d.sync += [state.eq(expected), wrong.eq(differs)]

        # At the tail: what was received, and the first thing that is wrong with it.
        latency = Signal(32)
        m.d.comb += latency.eq(self.now - software.generated)
        with m.If(self.received.ready):
            m.d.sync += self.received.valid.eq(0)
        with m.If(take & flit.last):
            m.d.sync += [
                self.received.valid.eq(1),
                received.failed.eq(1),
                received.recorded.eq(software.recorded),
                received.ordered.eq(~header.dynamic),
                received.size.eq(header.size),
                received.latency.eq(latency),
                self.origin.source.eq(header.source),
                self.origin.number.eq(software.number),
            ]
            with m.If(flit.bad):
                m.d.sync += received.error.eq(TrafficError.BAD)
            with m.Elif(flit.first | short):
                m.d.sync += received.error.eq(TrafficError.LENGTH)
            with m.Elif(misrouted):
                m.d.sync += received.error.eq(TrafficError.MISROUTED)
            with m.Elif(differs):
                m.d.sync += received.error.eq(TrafficError.CONTENT)
            with m.Elif(latency[-1]):
                m.d.sync += received.error.eq(TrafficError.TIME)
            with m.Else():
                m.d.sync += received.failed.eq(0)
