"""Counters of the traffic generator and checker."""

from functools import reduce
from operator import or_

from amaranth.hdl import Module, Mux, Signal, Value, ValueLike
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.formats import CHUNK_FLITS
from rtl.registers import TrafficError
from rtl.traffic.lane import Received

__all__ = ["Sent", "Totals", "TotalsPort", "WIDE"]

Sent = data.StructLayout({"strobe": 1, "recorded": 1, "size": 3})
"""A packet has left in this cycle, if `strobe`."""

WIDE = ("generated", "generated_flits", "injected", "injected_flits", "received", "received_flits", "accepted",
         "accepted_flits", "latency_sum")
"""What has 64 bits."""

TotalsPort = wiring.Signature({
    **{name: Out(64) for name in WIDE}, "overruns": Out(32), "omitted": Out(32), "latency_max": Out(32),
    "errors": Out(32).array(len(TrafficError)),
    "window_closed": Out(64), "window_start": Out(64), "window_open": Out(1),
})
"""Registers by name; the window is closed plus, while it is open, the time since its start."""


class Totals(wiring.Component):
    """Adds up what the source, the lanes and the banks report.

    Parameters
    ----------
    lanes, banks : int
        That report.

    Members
    -------
    now : In(64)
    record, clear : In(1)
    generated, overrun, omitted : In(1)
        See :class:`~rtl.traffic.source.PacketSource`.
    generated_size : In(3)
    omitted_recorded : In(1)
    sent : In(Sent), array of `lanes`
    counted, packet : In, arrays of `banks`
        See :class:`~rtl.traffic.measure.Bank`.
    totals : Out(TotalsPort)
    """

    def __init__(self, lanes: int, banks: int) -> None:
        super().__init__({
            "now": In(64), "record": In(1), "clear": In(1),
            "generated": In(1), "overrun": In(1), "omitted": In(1), "generated_size": In(3), "omitted_recorded": In(1),
            "sent": In(Sent).array(lanes),
            "counted": In(1).array(banks), "packet": In(Received).array(banks),
            "totals": Out(TotalsPort),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        totals = self.totals
        with m.If(self.generated & self.record):
            _add(m, totals, "generated", 1, self.generated_size + 1)
        with m.If(self.overrun & self.record):
            m.d.sync += totals.overruns.eq(totals.overruns + 1)
        with m.If(self.omitted & self.omitted_recorded):
            m.d.sync += totals.omitted.eq(totals.omitted + 1)

        leaving = [sent.strobe & sent.recorded for sent in self.sent]
        with m.If(reduce(or_, leaving)):
            _add(m, totals, "injected", sum(leaving),
                 sum(Mux(leaves, sent.size + 1, 0) for leaves, sent in zip(leaving, self.sent, strict=True)))

        with m.If(reduce(or_, self.counted)):
            self._receive(m)

        open_ = totals.window_open
        m.d.sync += open_.eq(self.record)
        with m.If(self.record & ~open_):
            m.d.sync += totals.window_start.eq(self.now)
        with m.If(~self.record & open_):
            m.d.sync += totals.window_closed.eq(totals.window_closed + self.now - totals.window_start)
        with m.If(self.clear):
            m.d.sync += [
                *(Value.cast(count).eq(0) for _, _, count in totals.signature.flatten(totals)),
                totals.window_start.eq(self.now), open_.eq(self.record),
            ]
        return m

    def _receive(self, m: Module) -> None:
        """Count what the banks have in this cycle."""
        totals = self.totals
        right, recorded, latest = [], [], totals.latency_max
        for bank, (counted, packet) in enumerate(zip(self.counted, self.packet, strict=True)):
            fine = Signal(name=f"fine_{bank}")
            marked = Signal(name=f"marked_{bank}")
            m.d.comb += [fine.eq(counted & ~packet.failed), marked.eq(fine & packet.recorded)]
            right.append(fine)
            recorded.append(marked)
            latest = Mux(marked & (packet.latency > latest), packet.latency, latest)

        def chunks(which: list[Signal]) -> ValueLike:
            return sum(Mux(one, packet.size + 1, 0) for one, packet in zip(which, self.packet, strict=True))

        with m.If(self.record):
            _add(m, totals, "accepted", sum(right), chunks(right))
        _add(m, totals, "received", sum(recorded), chunks(recorded))
        m.d.sync += [
            totals.latency_max.eq(latest),
            totals.latency_sum.eq(totals.latency_sum + sum(
                Mux(marked, packet.latency, 0) for marked, packet in zip(recorded, self.packet, strict=True))),
        ]
        for kind in TrafficError:
            wrong = [counted & packet.failed & (packet.error == kind)
                     for counted, packet in zip(self.counted, self.packet, strict=True)]
            m.d.sync += totals.errors[kind].eq(totals.errors[kind] + sum(wrong))


def _add(m: Module, totals: wiring.PureInterface, name: str, packets: ValueLike, chunks: ValueLike) -> None:
    count, flits = getattr(totals, name), getattr(totals, f"{name}_flits")
    m.d.sync += [
        count.eq(count + packets),
        flits.eq(flits + chunks * CHUNK_FLITS),
    ]
