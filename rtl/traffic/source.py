"""When packets are generated, how long they are, and the queue in which they wait for a lane."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from rtl.formats import FLIT_BITS, Header, Straps, TrafficHeader, VirtualChannel
from rtl.traffic.lane import xorshift
from rtl.traffic.pattern import Coordinate, Destination, PatternDraw

__all__ = ["LENGTHS", "QUEUE", "SEEDING", "PacketSource", "SettingsPort"]

QUEUE = 64
"""Packets that can wait; with more to come the source is no longer open loop, which is counted."""

SEEDING = 64
"""Steps the random sequences run empty behind a new seed: seeds of neighbours differ in few bits."""

LENGTHS = 7
"""Thresholds of the length distribution."""

SettingsPort = wiring.Signature({
    "enable": Out(1), "record": Out(1), "pattern": Out(3), "channel": Out(2),
    "probability": Out(32), "nonzero": Out(1), "count": Out(32), "seed": Out(32),
    "target": Out(Coordinate), "hotspot": Out(Coordinate), "hotspot_probability": Out(32),
    "lengths": Out(17).array(LENGTHS),
})
"""What registers say, seen from them. `nonzero`: of `probability`."""

Waiting = data.StructLayout({"time": 32, "recorded": 1, "size": 3})


class PacketSource(wiring.Component):
    """Generates packets by a Bernoulli trial a cycle and gives them to lanes one after the other.

    The trial does not know of the network (open loop): what cannot be sent waits, and its latency counts from the
    trial. There are two random sequences, one for trials and lengths, one for destinations.

    Members
    -------
    straps : In(Straps)
    node_id : In(16)
    now : In(32)
    settings : In(SettingsPort)
    reseed, recount, forget : In(1)
        A seed, a count or anything destinations depend on was written.
    count : In(32)
        With `recount`: packets to generate, 0 for no limit.
    walk, walk_start : In(1)
        See :class:`~rtl.traffic.pattern.PatternDraw`. Nothing is generated meanwhile.
    packet : Out(stream of Header)
        Its first flit.
    software : Out(TrafficHeader)
        Its second one.
    generated, overrun, omitted : Out(1)
        In this cycle a packet came into the queue, found it full, or was for this node itself.
    generated_size : Out(3)
        With `generated`: chunks minus one.
    omitted_recorded : Out(1)
        With `omitted`: the packet was marked.
    queued : Out(7)
    seeding, active : Out(1)
    busy : Out(1)
        There will be a change without any input.
    """

    straps: In(Straps)
    node_id: In(16)
    now: In(32)
    settings: In(SettingsPort)
    reseed: In(1)
    recount: In(1)
    forget: In(1)
    count: In(32)
    walk: In(1)
    walk_start: In(1)
    packet: Out(stream.Signature(Header))
    software: Out(TrafficHeader)
    generated: Out(1)
    overrun: Out(1)
    omitted: Out(1)
    generated_size: Out(3)
    omitted_recorded: Out(1)
    queued: Out(7)
    seeding: Out(1, init=1)
    active: Out(1)
    busy: Out(1)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        settings = self.settings
        m.submodules.queue = queue = SyncFIFOBuffered(width=Waiting.size, depth=QUEUE)
        m.submodules.draw = draw = PatternDraw()
        arrivals = Signal(FLIT_BITS)
        choices = Signal(FLIT_BITS)
        self._randomise(m, arrivals, choices, draw)
        self._generate(m, arrivals, queue)

        m.d.comb += [
            draw.straps.eq(self.straps),
            draw.walk.eq(self.walk), draw.walk_start.eq(self.walk_start),
            draw.pattern.eq(settings.pattern),
            draw.target.eq(settings.target), draw.hotspot.eq(settings.hotspot),
            draw.hotspot_probability.eq(settings.hotspot_probability[4:]),
            draw.random.eq(choices),
            draw.wanted.eq(self.active | queue.r_rdy),
            draw.forget.eq(self.forget | self.reseed),
            self.queued.eq(queue.level),
            self.busy.eq(self.active | self.seeding | (queue.level != 0) | self.packet.valid),
        ]
        self._send(m, queue, draw)
        return m

    def _randomise(self, m: Module, arrivals: Signal, choices: Signal, draw: PatternDraw) -> None:
        """The random sequences: seeded, run empty, and then stepped when used."""
        left = Signal(range(SEEDING), init=SEEDING - 1)
        loaded = Signal()
        next_arrivals, next_choices = xorshift(m, arrivals, "arrivals"), xorshift(m, choices, "choices")
        with m.If(self.seeding & ~loaded):
            rank, seed = self.straps.rank, self.settings.seed
            m.d.sync += [
                loaded.eq(1),
                arrivals.eq(Cat(seed, rank, Const(0x6B68, 16))),
                choices.eq(Cat(Const(0x6877, 16), seed, rank)),
            ]
        with m.Else():
            with m.If(self.active | self.seeding):
                m.d.sync += arrivals.eq(next_arrivals)
            with m.If(draw.draw | self.seeding):
                m.d.sync += choices.eq(next_choices)
            with m.If(self.seeding):
                m.d.sync += [left.eq(left - 1), self.seeding.eq(left != 0)]
        with m.If(self.reseed):
            m.d.sync += [self.seeding.eq(1), loaded.eq(0), left.eq(SEEDING - 1)]

    def _generate(self, m: Module, arrivals: Signal, queue: SyncFIFOBuffered) -> None:
        """A trial a cycle; a length for what comes of it."""
        settings = self.settings
        left = Signal(32)
        hit = Signal()
        limited = Signal()
        exhausted = Signal()
        waiting = Signal(Waiting)
        m.d.comb += [
            self.active.eq(settings.enable & settings.nonzero & ~exhausted & ~self.seeding & ~self.walk),
            hit.eq(self.active & (arrivals[32:] < settings.probability)),
            self.generated.eq(hit & queue.w_rdy),
            self.overrun.eq(hit & ~queue.w_rdy),
            self.generated_size.eq(sum(arrivals[:16] >= threshold for threshold in settings.lengths)),
            waiting.time.eq(self.now), waiting.recorded.eq(settings.record), waiting.size.eq(self.generated_size),
            queue.w_data.eq(waiting),
            queue.w_en.eq(self.generated),
        ]
        with m.If(self.recount):
            m.d.sync += [left.eq(self.count), limited.eq(self.count != 0), exhausted.eq(0)]
        with m.Elif(self.generated & limited):
            m.d.sync += [left.eq(left - 1), exhausted.eq(left == 1)]

    def _send(self, m: Module, queue: SyncFIFOBuffered, draw: PatternDraw) -> None:
        """The oldest packet with the destination drawn for it."""
        waiting, destination = data.View(Waiting, queue.r_data), data.View(Destination, draw.destination)
        packet = self.packet
        sequence = Signal(24)
        take = Signal()
        ordered = self.settings.channel[1]
        m.d.comb += [
            take.eq(queue.r_rdy & draw.valid & (~packet.valid | packet.ready)),
            queue.r_en.eq(take), draw.take.eq(take),
            self.omitted.eq(take & destination.here),
            self.omitted_recorded.eq(waiting.recorded),
        ]
        with m.If(packet.ready):
            m.d.sync += packet.valid.eq(0)
        header, software = packet.payload, self.software
        with m.If(take & ~destination.here):
            m.d.sync += [
                packet.valid.eq(1),
                sequence.eq(sequence + 1),
                header.pid0.eq(1), header.pid1.eq(1),
                header.size.eq(waiting.size),
                header.dynamic.eq(~ordered),
                header.source.eq(self.node_id),
                *(header[axis].eq(destination.coordinate[axis]) for axis in "xyz"),
                software.generated.eq(waiting.time), software.number.eq(sequence),
                software.recorded.eq(waiting.recorded),
            ]
            with m.If(ordered):
                m.d.sync += header.vc.eq(self.settings.channel)
            with m.Else():
                m.d.sync += header.vc.eq(Mux(sequence[0], VirtualChannel.ADAPTIVE1, VirtualChannel.ADAPTIVE0))
