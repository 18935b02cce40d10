"""What the traffic checker measures of received packets: latencies, their histogram, order, errors."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory, MemoryData
from amaranth.lib.wiring import In, Out

from rtl.parameters import Parameters
from rtl.registers import TrafficError
from rtl.round_robin import RoundRobin
from rtl.traffic.lane import Origin, Received

__all__ = ["BINS", "LANES_A_BANK", "Bank", "bin_of"]

BINS = 128
"""Bins of the histogram."""

LANES_A_BANK = 3
"""A packet has at least four flits, so that many lanes never wait for one who counts a packet a cycle."""

Newest = data.StructLayout({"number": 24, "known": 1})


def bin_of(m: Module, latency: Value) -> Signal:
    """The bin of a latency: 8 to a factor of two, see TRAFFIC_HISTOGRAM."""
    found = Signal(7)
    octave_bits = 3
    with m.If(latency[18:].any()):
        m.d.comb += found.eq(BINS - 1)
    for top in range(17, octave_bits, -1):
        with m.Elif(latency[top]):
            m.d.comb += found.eq(Cat(latency[top - octave_bits:top], Value.cast(top - octave_bits + 1)))
    with m.Else():
        m.d.comb += found.eq(latency[:octave_bits + 1])
    return found


class Bank(wiring.Component):
    """Counts the packets of some lanes, one a cycle: histogram, and the newest packet of every source.

    Parameters
    ----------
    parameters : Parameters
        Of the node.
    lanes : int
        At most :data:`LANES_A_BANK`.

    Members
    -------
    received, origin : In(stream of Received), In(Origin), arrays of `lanes`
    clear : In(1)
        Empty the entry `entry` of both memories; packets are not counted meanwhile.
    entry : In(16)
    bin : In(7)
    bin_count : Out(32)
        Packets in the `bin` of the cycle before.
    counted : Out(1)
        A packet in this cycle:
    packet : Out(Received)
        and what it was, order checked.
    busy : Out(1)
    """

    def __init__(self, parameters: Parameters, lanes: int) -> None:
        self._sources = parameters.table_nodes
        super().__init__({
            "received": In(stream.Signature(Received)).array(lanes), "origin": In(Origin).array(lanes),
            "clear": In(1), "entry": In(16),
            "bin": In(7), "bin_count": Out(32),
            "counted": Out(1), "packet": Out(Received), "busy": Out(1),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        chosen = Signal(Received)
        chosen_valid = Signal()
        taken = Signal(Received)
        taken_valid = Signal()
        taken_bin = Signal(7)
        chosen_origin = Signal(Origin)
        taken_origin = Signal(Origin)
        # First stage: choose a lane.
        m.submodules.turn = turn = RoundRobin(len(self.received))
        some = Signal()
        m.d.comb += [
            turn.requests.eq(Cat(received.valid for received in self.received)),
            some.eq(turn.requests.any()),
            turn.advance.eq(some),
        ]
        m.d.sync += chosen_valid.eq(some)
        for lane, (received, origin) in enumerate(zip(self.received, self.origin, strict=True)):
            m.d.comb += received.ready.eq(turn.grants[lane])
            with m.If(turn.grants[lane]):
                m.d.sync += [chosen.eq(received.payload), chosen_origin.eq(origin)]

        # Second stage: its bin; memories are read meanwhile.
        found = bin_of(m, chosen.latency)
        m.d.sync += taken_valid.eq(chosen_valid & ~self.clear)
        with m.If(chosen_valid):
            m.d.sync += [taken.eq(chosen), taken_origin.eq(chosen_origin), taken_bin.eq(found)]

        m.submodules.newest = newest = Memory(MemoryData(shape=Newest, depth=self._sources, init=[]))
        write_newest = newest.write_port()
        read_newest = newest.read_port(transparent_for=(write_newest,))
        m.submodules.histogram = histogram = Memory(MemoryData(shape=32, depth=BINS, init=[]))
        write_bin = histogram.write_port()
        read_bin = histogram.read_port(transparent_for=(write_bin,))
        show_bin = histogram.read_port()

        # Third stage: judge the order, count, and write back; or clear.
        step = Signal(24)
        in_order = Signal()
        good = Signal()
        m.d.comb += [
            step.eq(taken_origin.number - read_newest.data.number),
            in_order.eq(~taken.ordered | ~read_newest.data.known | ((step != 0) & ~step[-1])),
            good.eq(~taken.failed & in_order),
            self.counted.eq(taken_valid),
            self.packet.eq(taken),
            self.packet.failed.eq(~good),
            self.packet.error.eq(Mux(taken.failed, taken.error, TrafficError.ORDER)),
            self.busy.eq(chosen_valid | taken_valid | some),

            read_newest.addr.eq(chosen_origin.source), read_newest.en.eq(chosen_valid),
            write_newest.addr.eq(Mux(self.clear, self.entry, taken_origin.source)),
            write_newest.en.eq(self.clear | (taken_valid & good & taken.ordered)),
            read_bin.addr.eq(found), read_bin.en.eq(chosen_valid),
            write_bin.addr.eq(Mux(self.clear, self.entry, taken_bin)),
            write_bin.en.eq(self.clear | (taken_valid & good & taken.recorded)),
            show_bin.addr.eq(self.bin), self.bin_count.eq(show_bin.data),
        ]
        with m.If(~self.clear):
            m.d.comb += [
                write_newest.data.number.eq(taken_origin.number), write_newest.data.known.eq(1),
                write_bin.data.eq(read_bin.data + 1),
            ]
        return m
