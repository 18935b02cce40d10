"""A synthesizable traffic generator and checker, between the network interface and the guard of a node."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from rtl.formats import Straps
from rtl.parameters import Parameters
from rtl.registers import TRAFFIC_PAGE
from rtl.signatures import FlitStream, RegisterBus
from rtl.traffic.lane import Ejection, Injection
from rtl.traffic.measure import LANES_A_BANK, Bank
from rtl.traffic.registers import TrafficRegisters
from rtl.traffic.source import PacketSource
from rtl.traffic.totals import Totals

__all__ = ["Traffic"]


class Traffic(wiring.Component):
    """Generates packets by a pattern, checks those of other generators, and measures both.

    It stands on the tenant's side of the guard: its packets are stamped and need permission like software's. A
    packet with `pid` 3 and `dma` 0 that arrives is a generator's; all others go on to the network interface. Packets
    on an adaptive channel take the next free lane; on a channel that keeps the order, one lane a destination.

    Parameters
    ----------
    parameters : Parameters
        Of the node.

    Members
    -------
    straps, node_id, now : In
        As in :func:`~rtl.signatures.ni_signature`.
    host : In(RegisterBus)
        The host port's accesses to the guard's page and beyond.
    guard : Out(RegisterBus)
        Those that are the guard's.
    from_ni, to_guard : FlitStream, arrays of `lanes`
        Injection lanes.
    from_guard, to_ni : FlitStream, arrays of `lanes`
        Ejection lanes. Drained as well as the network interface drains them.
    ni_retired : In(lanes)
        Packets the network interface has finished.
    retired : Out(lanes)
        Packets that are finished.
    quiescent : Out(1)
        Nothing is to be generated, sent, checked, cleared or answered.
    """

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        lanes = parameters.lanes
        super().__init__({
            "straps": In(Straps), "node_id": In(16), "now": In(64),
            "host": In(RegisterBus), "guard": Out(RegisterBus),
            "from_ni": In(FlitStream).array(lanes), "to_guard": Out(FlitStream).array(lanes),
            "from_guard": In(FlitStream).array(lanes), "to_ni": Out(FlitStream).array(lanes),
            "ni_retired": In(lanes), "retired": Out(lanes),
            "quiescent": Out(1),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        lanes = self._parameters.lanes
        # Registers, and the source of packets they set.
        m.submodules.registers = registers = TrafficRegisters(self._parameters)
        m.submodules.source = source = PacketSource()
        self._route_accesses(m, registers)
        connect(m, registers.settings, source.settings)
        m.d.comb += [
            registers.now.eq(self.now),
            source.straps.eq(self.straps), source.node_id.eq(self.node_id), source.now.eq(self.now[:32]),
            source.reseed.eq(registers.reseed), source.recount.eq(registers.recount),
            source.forget.eq(registers.forget), source.count.eq(registers.count),
            source.walk.eq(registers.clear), source.walk_start.eq(registers.clear_start),
        ]

        # A sender and a checker on every lane.
        injection = [Injection() for _ in range(lanes)]
        ejection = [Ejection() for _ in range(lanes)]
        for lane, (sender, checker) in enumerate(zip(injection, ejection, strict=True)):
            m.submodules[f"injection_{lane}"] = sender
            m.submodules[f"ejection_{lane}"] = checker
            connect(m, flipped(self.from_ni[lane]), sender.ni)
            connect(m, sender.o, flipped(self.to_guard[lane]))
            connect(m, flipped(self.from_guard[lane]), checker.i)
            connect(m, checker.ni, flipped(self.to_ni[lane]))
            m.d.comb += [
                checker.straps.eq(self.straps), checker.now.eq(self.now[:32]),
                checker.ni_retired.eq(self.ni_retired[lane]), self.retired[lane].eq(checker.retired),
            ]
        self._dispatch(m, source, injection)
        banks = self._banks(m, registers, ejection)
        self._count(m, registers, source, injection, banks)

        # What is still going on.
        m.d.comb += [
            registers.active.eq(source.active),
            registers.seeding.eq(source.seeding),
            registers.checking.eq(Cat(bank.busy for bank in banks).any()),
            registers.sending.eq(Cat(sender.busy for sender in injection)),
            registers.queued.eq(source.queued),
            self.quiescent.eq(~(registers.busy | source.busy | registers.checking | registers.sending.any()
                                | Cat(stream.valid for stream in self.from_guard).any())),
        ]
        return m

    def _route_accesses(self, m: Module, registers: TrafficRegisters) -> None:
        """The host's accesses to whom their address means."""
        host = self.host
        ours = Signal()
        m.d.comb += ours.eq(host.address >= TRAFFIC_PAGE)
        for bus, chosen in ((registers.bus, ours), (self.guard, ~ours)):
            m.d.comb += [
                bus.valid.eq(host.valid & chosen),
                bus.write.eq(host.write), bus.address.eq(host.address), bus.data.eq(host.data),
            ]
        for name in ("done", "error", "value"):
            m.d.comb += getattr(host, name).eq(Mux(ours, getattr(registers.bus, name), getattr(self.guard, name)))

    def _dispatch(self, m: Module, source: PacketSource, injection: list[Injection]) -> None:
        """A packet to a lane: free ones in turn, or the lane of its destination."""
        lanes = len(injection)
        header = source.packet.payload
        free = Signal(lanes)
        behind = Signal(lanes)
        chosen = Signal(lanes)
        fixed = Signal(lanes)
        spread = Signal(3)
        m.d.comb += [
            free.eq(Cat(sender.packet.ready for sender in injection)),
            spread.eq(header.x + header.y + (header.y << 1) + header.z + (header.z << 2)),
            fixed.eq(Array(Const(1 << index % lanes, lanes) for index in range(8))[spread]),
            chosen.eq(Mux(header.dynamic, _first(Mux((free & behind).any(), free & behind, free)), fixed & free)),
            source.packet.ready.eq(chosen.any()),
        ]
        with m.If(source.packet.valid & source.packet.ready):
            # Those above the one chosen.
            m.d.sync += behind.eq(~(chosen | (chosen - 1)))
        for lane, sender in enumerate(injection):
            m.d.comb += [
                sender.packet.valid.eq(source.packet.valid & chosen[lane]),
                sender.packet.payload.eq(header), sender.software.eq(source.software),
            ]

    def _banks(self, m: Module, registers: TrafficRegisters, ejection: list[Ejection]) -> list[Bank]:
        """Measurement of received packets, in as many banks as the lanes need."""
        count = -(-len(ejection) // LANES_A_BANK)
        banks = []
        for number in range(count):
            served = ejection[number::count]
            m.submodules[f"bank_{number}"] = bank = Bank(self._parameters, len(served))
            for checker, received, origin in zip(served, bank.received, bank.origin, strict=True):
                connect(m, checker.received, received)
                m.d.comb += origin.eq(checker.origin)
            m.d.comb += [
                bank.clear.eq(registers.clear), bank.entry.eq(registers.entry), bank.bin.eq(registers.bin),
            ]
            banks.append(bank)
        m.d.comb += registers.bin_count.eq(sum(bank.bin_count for bank in banks))
        return banks

    def _count(self, m: Module, registers: TrafficRegisters, source: PacketSource, injection: list[Injection],
               banks: list[Bank]) -> None:
        """All that happens to the counters."""
        m.submodules.totals = totals = Totals(len(injection), len(banks))
        connect(m, totals.totals, registers.totals)
        m.d.comb += [
            totals.now.eq(self.now), totals.record.eq(registers.settings.record), totals.clear.eq(registers.clear),
            *(getattr(totals, name).eq(getattr(source, name)) for name in (
                "generated", "overrun", "omitted", "generated_size", "omitted_recorded")),
        ]
        for sender, sent in zip(injection, totals.sent, strict=True):
            m.d.comb += [sent.strobe.eq(sender.sent), sent.size.eq(sender.size), sent.recorded.eq(sender.recorded)]
        for number, bank in enumerate(banks):
            m.d.comb += [totals.counted[number].eq(bank.counted), totals.packet[number].eq(bank.packet)]


def _first(requests: Value) -> Value:
    """The lowest bit that is set."""
    return (requests & -requests)[:len(requests)]
