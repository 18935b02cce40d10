"""Inputs of the switch: the buffered virtual channels of a link, and injection lanes."""

from collections.abc import Sequence

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, fifo, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from rtl.formats import CHUNK_FLITS, PACKET_FLITS, Flit, Header, Straps, VirtualChannel
from rtl.parameters import Bubble, Parameters
from rtl.signatures import FlitStream, ReceiverReport, TorusLink
from rtl.torus.routing import CHANNELS, DIMENSION_ORDER, Arrival, Route, Routed, route

__all__ = ["CreditReturn", "Framing", "Injection", "LinkInput", "PacketReader", "ReadPath"]

PACKET_CHUNKS = PACKET_FLITS // CHUNK_FLITS

ReadPath = wiring.Signature({
    "valid": Out(1),
    "flit": Out(Flit),
    "head": Out(1),
    "route": Out(Route),
    "take": In(1),
})
"""A path into the switch. `valid`: a flit waits; `head`: it is a header that waits for the outputs in `route`
(only then `route` means something); `take`: the switch takes the flit in this cycle."""


class PacketReader(wiring.Component):
    """Reads one queue of packets: says where each wants to go, and sinks the condemned. No latency.

    Parameters
    ----------
    order : sequence of 3 int
        Dimension order.

    Members
    -------
    valid, routed : In
        The flit at the head of the queue.
    read : Out(1)
        It goes in this cycle, taken by the switch or sunk.
    o : Out(ReadPath)
        To the switch; shows nothing of condemned packets.
    discarded : Out(2)
        A condemned packet's header that is not damaged is sunk in this cycle; one bit an epoch parity.
    """

    def __init__(self, order: Sequence[int] = DIMENSION_ORDER) -> None:
        self.order = tuple(order)
        super().__init__({
            "valid": In(1), "routed": In(Routed), "read": Out(1), "o": Out(ReadPath), "discarded": Out(2),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        flit = self.routed.flit
        header = data.View(Header, flit.data)

        condemned = Signal()
        counts = Signal()
        sinking = Signal()
        sink = Signal()
        m.d.comb += [
            condemned.eq(self.valid & flit.first & self.routed.discard),
            sink.eq(condemned | (self.valid & sinking)),
            self.read.eq(sink | self.o.take),
            counts.eq(condemned & ~self.routed.damaged),
            self.discarded.eq(Cat(counts & ~header.epoch, counts & header.epoch)),
        ]
        with m.If(sink):
            m.d.sync += sinking.eq(~flit.last)

        m.d.comb += [
            self.o.valid.eq(self.valid & ~sink),
            self.o.head.eq(self.o.valid & flit.first),
            self.o.flit.eq(flit),
            self.o.route.to.eq(Cat(route(header, self.order))),
            self.o.route.size.eq(header.size),
            self.o.route.deposit.eq(header.deposit),
            self.o.route.vc.eq(header.vc),
        ]
        return m


class CreditReturn(wiring.Component):
    """Gives the room of packets that left a buffer back to the transmitter. Latency: one cycle.

    Parameters
    ----------
    bubble : Bubble
        What a credit stands for: a packet slot, or a chunk (then one a cycle, once the tail has left).

    Members
    -------
    read : In(1)
        A flit leaves the buffer.
    first, last : In(1)
        Marks of that flit.
    size : In(3)
        With `first`: the packet's chunks minus one.
    credit : Out(1)
        One pulse an allocation unit, from a register.
    idle : Out(1)
        No credit is on its way.
    """

    read: In(1)
    first: In(1)
    last: In(1)
    size: In(3)
    credit: Out(1)
    idle: Out(1)

    def __init__(self, bubble: Bubble, slots: int) -> None:
        self.bubble = bubble
        self.slots = slots
        super().__init__()

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        tail = Signal()
        m.d.comb += tail.eq(self.read & self.last)
        if self.bubble is not Bubble.CHUNKS:
            m.d.sync += self.credit.eq(tail)
            m.d.comb += self.idle.eq(~self.credit)
            return m

        size = Signal(3)
        owed = Signal(range(self.slots * PACKET_CHUNKS + 1))
        m.d.comb += self.idle.eq(~self.credit & (owed == 0))
        m.d.sync += self.credit.eq(owed != 0)
        with m.If(self.read & self.first):
            m.d.sync += size.eq(self.size)
        with m.If(tail):
            m.d.sync += owed.eq(owed + size + (owed == 0))
        with m.Elif(owed != 0):
            m.d.sync += owed.eq(owed - 1)
        return m


class Framing(wiring.Component):
    """Keeps packets of a cable apart whatever the cable lost, and says what came. No latency.

    What comes while no packet is open and is no header is made into a packet that is condemned, as one with a damaged
    header is: its slot is freed. A packet ends with the flit its header's `size` makes the last, and a condemned one
    with the last of the longest there is. A header that comes before that, or a flit of another channel, is made into
    the end of the open packet, and what follows it has no header. Each end that is not the one due is marked bad. So
    no packet waits for an end that will not come, unless it is the last on its cable, none is longer than its buffer
    has room for, and no flit of a packet goes where the one before it goes. What an end of a cable cannot see: the
    middle of a packet lost together with a whole header behind it, so that the length is right. Where chunks are
    counted (an experiment, see :class:`~rtl.parameters.Bubble`) a lost header also loses count of room.

    Members
    -------
    valid : In(1)
        A flit came by the cable.
    vc : In(2)
        Its channel.
    i : In(Routed)
        That flit, having passed :class:`~rtl.torus.routing.Arrival`.
    o : Out(Routed)
        What to store.
    channel : Out(2)
        In the buffer of which channel.
    received, receiving, damaged : Out
        Of :data:`~rtl.signatures.ReceiverReport`.
    """

    valid: In(1)
    vc: In(2)
    i: In(Routed)
    o: Out(Routed)
    channel: Out(2)
    received: Out(2)
    receiving: Out(1)
    damaged: Out(1)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        flit = self.i.flit
        header = Header(flit.data)
        channel = Signal(2)
        left = Signal(range(PACKET_FLITS - 1))
        cut = Signal()
        due = Signal()
        headless = Signal()
        whole = Signal()
        m.d.comb += [
            cut.eq(self.receiving & (flit.first | (self.vc != channel))),
            due.eq(self.receiving & (left == 0)),
            headless.eq(~self.receiving & ~flit.first),
            whole.eq(self.valid & ~self.receiving & flit.first & ~self.i.damaged),
            self.channel.eq(Mux(self.receiving, channel, self.vc)),
            self.o.eq(self.i),
            self.o.flit.first.eq(~self.receiving),
            self.o.flit.last.eq(flit.last | cut | due),
            self.o.flit.bad.eq(flit.bad | cut | (flit.last ^ due)),
            self.o.discard.eq(self.i.discard | headless),
            self.o.damaged.eq(self.i.damaged | headless),
            self.received.eq(whole.replicate(2) & Cat(~header.epoch, header.epoch)),
            self.damaged.eq(self.valid & ~self.receiving & self.o.damaged),
        ]
        # Between the first flit and the last one that is due; a header that cannot be trusted says nothing of it.
        with m.If(self.valid & ~self.receiving):
            size = Mux(whole, header.size, PACKET_CHUNKS - 1)
            m.d.sync += [channel.eq(self.vc), left.eq(Cat(C(CHUNK_FLITS - 2, range(CHUNK_FLITS)), size))]
        with m.Elif(self.valid):
            m.d.sync += left.eq(left - 1)
        with m.If(self.valid):
            m.d.sync += self.receiving.eq(~self.o.flit.last)
        return m


class LinkInput(wiring.Component):
    """Receiving end of a torus cable: reads headers on arrival and buffers every virtual channel apart.

    A flit can be read two cycles after it arrived. The transmitter's credits keep the buffers from
    overflowing. Every channel has its own read path into the switch; adaptive channels would share them.

    Parameters
    ----------
    parameters : Parameters
        `slots` and `bubble` count.
    port : int
        Port the cable is plugged in.
    order : sequence of 3 int
        Dimension order.

    Members
    -------
    straps : In(Straps)
    rx : In(TorusLink)
        The cable.
    o : Out(ReadPath), one a channel
        To the switch.
    discarded : Out(2), one a channel
        See :class:`PacketReader`.
    report : Out(ReceiverReport)
        What is needed to find a cable that lost something.
    idle : Out(1)
        No flit and no credit is in here.
    """

    def __init__(self, parameters: Parameters, port: int, order: Sequence[int] = DIMENSION_ORDER) -> None:
        self.parameters = parameters
        self.port = port
        self.order = tuple(order)
        super().__init__({
            "straps": In(Straps),
            "rx": In(TorusLink),
            "o": Out(ReadPath).array(len(CHANNELS)),
            "discarded": Out(2).array(len(CHANNELS)),
            "report": Out(ReceiverReport),
            "idle": Out(1),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        # From the cable: straps decide the way, framing keeps packets whole.
        m.submodules.arrival = arrival = Arrival(self.port, self.order)
        m.submodules.framing = framing = Framing()
        m.d.comb += [
            arrival.straps.eq(self.straps),
            arrival.i.eq(self.rx.flit),
            framing.valid.eq(self.rx.valid),
            framing.vc.eq(self.rx.vc),
            framing.i.eq(arrival.o),
            self.report.received.eq(framing.received),
            self.report.receiving.eq(framing.receiving),
            self.report.damaged.eq(framing.damaged),
        ]

        # A buffer, a reader and returning credits for each channel.
        idle = []
        for number, channel in enumerate(CHANNELS):
            depth = self.parameters.slots * PACKET_FLITS
            m.submodules[f"buffer_{channel.name.lower()}"] = buffer = fifo.SyncFIFOBuffered(
                width=Routed.size, depth=depth)
            m.submodules[f"reader_{channel.name.lower()}"] = reader = PacketReader(self.order)
            m.submodules[f"credits_{channel.name.lower()}"] = credits = CreditReturn(
                self.parameters.bubble, self.parameters.slots)
            m.d.comb += [
                buffer.w_en.eq(self.rx.valid & (framing.channel == channel)),
                buffer.w_data.eq(framing.o),
                reader.valid.eq(buffer.r_rdy),
                reader.routed.eq(buffer.r_data),
                buffer.r_en.eq(reader.read),
                credits.read.eq(reader.read),
                credits.first.eq(reader.routed.flit.first),
                credits.last.eq(reader.routed.flit.last),
                credits.size.eq(reader.o.route.size),
                self.rx.credit[channel].eq(credits.credit),
                self.discarded[number].eq(reader.discarded),
            ]
            connect(m, reader.o, flipped(self.o[number]))
            idle += [buffer.level == 0, credits.idle]
            self._count_held(m, channel, buffer.w_en & framing.o.flit.first, credits.credit)
        m.d.comb += self.idle.eq(Cat(idle).all())
        return m

    def _count_held(self, m: Module, channel: VirtualChannel, begins: Value, credit: Value) -> None:
        """Room that what came on a channel takes, until it is given back."""
        name = channel.name.lower()
        held = Signal(range(self.parameters.link_units + 1), name=f"held_{name}")
        header = Header(self.rx.flit.data)
        units = header.size + 1 if self.parameters.bubble is Bubble.CHUNKS else 1
        m.d.sync += held.eq(held + Mux(begins, units, 0) - credit)
        m.d.comb += self.report.held[name].eq(held)


class Injection(wiring.Component):
    """An injection lane: reads headers and holds one flit, so that no path leads from the guard into the switch.

    A flit can be read one cycle after it was accepted.

    Parameters
    ----------
    order : sequence of 3 int
        Dimension order.

    Members
    -------
    straps : In(Straps)
    i : In(FlitStream)
        From the egress guard.
    o : Out(ReadPath)
        To the switch.
    discarded : Out(2)
        See :class:`PacketReader`.
    idle : Out(1)
        No flit is in here.
    """

    straps: In(Straps)
    i: In(FlitStream)
    o: Out(ReadPath)
    discarded: Out(2)
    idle: Out(1)

    def __init__(self, order: Sequence[int] = DIMENSION_ORDER) -> None:
        self.order = tuple(order)
        super().__init__()

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.arrival = arrival = Arrival(None, self.order)
        m.submodules.reader = reader = PacketReader(self.order)
        valid = Signal()
        held = Signal(Routed)
        m.d.comb += [
            arrival.straps.eq(self.straps),
            arrival.i.eq(self.i.payload),
            reader.valid.eq(valid),
            reader.routed.eq(held),
            self.i.ready.eq(~valid | reader.read),
            self.discarded.eq(reader.discarded),
            self.idle.eq(~valid),
        ]
        with m.If(self.i.ready):
            m.d.sync += valid.eq(self.i.valid)
            with m.If(self.i.valid):
                # Between guard and router nothing is damaged: what is condemned here counts by its epoch.
                m.d.sync += [held.eq(arrival.o), held.damaged.eq(0)]
        connect(m, reader.o, flipped(self.o))
        return m
