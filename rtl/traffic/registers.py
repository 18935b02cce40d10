"""Registers of the traffic generator: what software sets, and what it reads."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.parameters import Parameters
from rtl.register_bits import register_value, register_view
from rtl.registers import REGISTERS, Pattern, TrafficError
from rtl.signatures import RegisterBus
from rtl.traffic.measure import BINS
from rtl.traffic.source import LENGTHS, SettingsPort
from rtl.traffic.totals import WIDE, TotalsPort

__all__ = ["TrafficRegisters"]


class TrafficRegisters(wiring.Component):
    """Serves the host's accesses, one in two cycles, and walks through what is to be cleared.

    Parameters
    ----------
    parameters : Parameters
        Of the node.

    Members
    -------
    bus : In(RegisterBus)
        Only of addresses on the traffic page.
    now : In(64)
    settings : Out(SettingsPort)
    reseed, recount, forget : Out(1)
    count : Out(32)
        See :class:`~rtl.traffic.source.PacketSource`.
    clear : Out(1)
        Everything measured is being cleared, entries of memories one a cycle.
    clear_start : Out(1)
        The last cycle before.
    entry : Out(16)
    bin : Out(7)
    bin_count : In(32)
        Packets in the bin `bin` of the cycle before.
    totals : In(TotalsPort)
    active, seeding, checking : In(1)
    sending : In(lanes)
    queued : In(7)
        For TRAFFIC_STATUS.
    busy : Out(1)
        Clearing, or an access is asked for or in progress.
    """

    def __init__(self, parameters: Parameters) -> None:
        self._entries = max(parameters.table_nodes, BINS)
        super().__init__({
            "bus": In(RegisterBus), "now": In(64),
            "settings": Out(SettingsPort),
            "reseed": Out(1), "recount": Out(1), "forget": Out(1), "count": Out(32),
            "clear": Out(1, init=1), "clear_start": Out(1), "entry": Out(16),
            "bin": Out(range(BINS)), "bin_count": In(32),
            "totals": In(TotalsPort),
            "active": In(1), "seeding": In(1), "checking": In(1), "sending": In(parameters.lanes), "queued": In(7),
            "busy": Out(1),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        bus = self.bus
        begins = Signal()
        answering = Signal()
        error = Signal()
        value = Signal(32)
        of_bin = Signal()
        m.d.comb += [
            begins.eq(bus.valid & ~answering),
            self.bin.eq(bus.address[2:]),
            bus.done.eq(answering),
            bus.error.eq(error),
            bus.value.eq(Mux(of_bin, self.bin_count, value)),
            self.busy.eq(bus.valid | answering | self.clear),
        ]
        m.d.sync += answering.eq(begins)
        with m.If(begins):
            m.d.sync += [error.eq(1), value.eq(0), of_bin.eq(0)]
            with m.If(bus.write):
                self._write(m, error)
            with m.Elif((bus.address >= _HISTOGRAM.at()) & (bus.address < _HISTOGRAM.at(BINS))):
                # Until it has been cleared, a bin has what was counted before, also by another tenant.
                m.d.sync += [error.eq(0), of_bin.eq(~self.clear)]
            with m.Else():
                self._read(m, error, value)
        with m.If(self.clear):
            m.d.sync += [self.entry.eq(self.entry + 1), self.clear.eq(self.entry != self._entries - 1)]
        with m.If(self.clear_start):
            m.d.sync += [self.entry.eq(0), self.clear.eq(1)]
        return m

    def _write(self, m: Module, error: Signal) -> None:
        """What a write sets, if it is one that may be."""
        settings, written = self.settings, self.bus.data
        control = register_view("TRAFFIC_CONTROL", written)
        m.d.comb += self.count.eq(written)
        with m.Switch(self.bus.address):
            with m.Case(_at("CONTROL")):
                with m.If(control.pattern <= max(Pattern)):
                    m.d.sync += [error.eq(0), *(
                        getattr(settings, name).eq(control[name]) for name in _CONTROL)]
                    m.d.comb += self.forget.eq(1)
            with m.Case(_at("CLEAR")):
                with m.If(~self.active & ~self.clear):
                    m.d.sync += error.eq(0)
                    m.d.comb += self.clear_start.eq(1)
            with m.Case(_at("SEED")):
                m.d.sync += [error.eq(0), settings.seed.eq(written)]
                m.d.comb += self.reseed.eq(1)
            with m.Case(_at("PROBABILITY")):
                m.d.sync += [error.eq(0), settings.probability.eq(written), settings.nonzero.eq(written != 0)]
            with m.Case(_at("COUNT")):
                m.d.sync += [error.eq(0), settings.count.eq(written)]
                m.d.comb += self.recount.eq(1)
            for name in ("TARGET", "HOTSPOT"):
                with m.Case(_at(name)):
                    m.d.sync += [error.eq(0), getattr(settings, name.lower()).eq(written)]
                    m.d.comb += self.forget.eq(1)
            with m.Case(_at("HOTSPOT_PROBABILITY")):
                m.d.sync += [error.eq(0), settings.hotspot_probability.eq(written)]
                m.d.comb += self.forget.eq(1)
            for index in range(LENGTHS):
                with m.Case(_at("LENGTHS", index)):
                    m.d.sync += [error.eq(0), settings.lengths[index].eq(written)]

    def _read(self, m: Module, error: Signal, value: Signal) -> None:
        """What a read finds, but for the histogram."""
        totals = self.totals
        settings = self.settings
        high = Signal(32)
        single = {
            "CONTROL": register_value("TRAFFIC_CONTROL", **{name: getattr(settings, name) for name in _CONTROL}),
            "STATUS": register_value(
                "TRAFFIC_STATUS", queued=self.queued, lanes=self.sending, checking=self.checking, clearing=self.clear,
                seeding=self.seeding, active=self.active),
            **{name.upper(): getattr(settings, name) for name in (
                "seed", "probability", "count", "target", "hotspot", "hotspot_probability")},
            "SELF": totals.omitted, "OVERRUNS": totals.overruns, "LATENCY_MAX": totals.latency_max,
        }
        several = {"LENGTHS": settings.lengths, "ERRORS": [*totals.errors, *[0] * (8 - len(TrafficError))]}
        wide = {name.upper(): getattr(totals, name) for name in WIDE}
        wide["WINDOW"] = totals.window_closed + Mux(totals.window_open, self.now - totals.window_start, 0)
        with m.Switch(self.bus.address):
            for name, found in single.items():
                with m.Case(_at(name)):
                    m.d.sync += [error.eq(0), value.eq(found)]
            for name, elements in several.items():
                for index, element in enumerate(elements):
                    with m.Case(_at(name, index)):
                        m.d.sync += [error.eq(0), value.eq(element)]
            for name, count in wide.items():
                with m.Case(_at(name)):
                    m.d.sync += [error.eq(0), Cat(value, high).eq(count)]
            with m.Case(*(_at(name, 1) for name in wide)):
                m.d.sync += [error.eq(0), value.eq(high)]


_HISTOGRAM = REGISTERS["TRAFFIC_HISTOGRAM"]
_CONTROL = ("enable", "record", "pattern", "channel")
"""Fields of TRAFFIC_CONTROL, and the settings of the same names."""


def _at(name: str, index: int = 0) -> int:
    return REGISTERS[f"TRAFFIC_{name}"].at(index)
