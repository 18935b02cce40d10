"""What the guards count: refusals by reason, packets by epoch parity."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.formats import Reason
from rtl.parameters import Parameters

__all__ = ["EPOCH_COUNTERS", "GuardCounters"]

EPOCH_COUNTERS = ("injected", "delivered", "refused_in", "dropped")
"""Counters there are two of, one an epoch parity."""


class GuardCounters(wiring.Component):
    """Counts what all lanes report, exactly, however many report in one cycle. All wrap at 32 bits.

    Parameters
    ----------
    parameters : Parameters

    Members
    -------
    egress_refused, ingress_refused : In(lanes)
    egress_reasons, ingress_reasons : In, array of `lanes` reasons
    tree_refused, tree_stale : In(1)
        What was refused in this cycle, and why.
    injected, delivered, refused_in, dropped : In, array of `lanes` times {strobe, epoch}
        Packets of this cycle.
    discards : In, array of 2 counts
        Packets the router dropped in this cycle, by epoch parity.
    clear : In(1)
        `refused` is 0 from the next cycle on, whatever is refused in this one.
    refused : Out, array of 16 counts
        By :class:`~rtl.formats.Reason`; 0 for values that are no reason.
    epochs : Out, array of 4 x 2 counts
        By :data:`EPOCH_COUNTERS`, then epoch parity.
    """

    def __init__(self, parameters: Parameters):
        self.parameters = parameters
        lanes = parameters.lanes
        event = data.ArrayLayout(data.StructLayout({"strobe": 1, "epoch": 1}), lanes)
        super().__init__({
            "egress_refused": In(lanes), "egress_reasons": In(data.ArrayLayout(4, lanes)),
            "ingress_refused": In(lanes), "ingress_reasons": In(data.ArrayLayout(4, lanes)),
            "tree_refused": In(1), "tree_stale": In(1),
            **{name: In(event) for name in EPOCH_COUNTERS},
            "discards": In(data.ArrayLayout(5, 2)),
            "clear": In(1),
            "refused": Out(data.ArrayLayout(32, 16)),
            "epochs": Out(data.ArrayLayout(data.ArrayLayout(32, 2), len(EPOCH_COUNTERS))),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        lanes = range(self.parameters.lanes)

        tree = {Reason.TREE: self.tree_refused & ~self.tree_stale, Reason.STALE: self.tree_refused & self.tree_stale}
        for reason in Reason:
            strobes = [tree[reason]] if reason in tree else [
                strobe[lane] & (reasons[lane] == reason)
                for strobe, reasons, possible in (
                    (self.egress_refused, self.egress_reasons, set(Reason) - {Reason.COLUMN}),
                    (self.ingress_refused, self.ingress_reasons, {Reason.NO_TABLE, Reason.COLUMN}),
                )
                if reason in possible and reason is not Reason.NONE
                for lane in lanes
            ]
            _count(m, self.refused[reason], strobes)
        with m.If(self.clear):
            m.d.sync += self.refused.as_value().eq(0)

        for name, counts in zip(EPOCH_COUNTERS, self.epochs, strict=True):
            events = getattr(self, name)
            for epoch in range(2):
                strobes = [events[lane].strobe & (events[lane].epoch == epoch) for lane in lanes]
                _count(m, counts[epoch], strobes, self.discards[epoch] if name == "dropped" else 0)
        return m


def _count(m, counter, strobes, more=0):
    """Add the number of strobes that are up, and `more`."""
    if strobes:
        seen = Signal(len(strobes))
        m.d.comb += seen.eq(Cat(*strobes))
        m.d.sync += counter.eq(counter + sum(seen) + more)
