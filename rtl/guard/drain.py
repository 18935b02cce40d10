"""Drained: is what passed the ingress guard before the last commit finished."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Drain"]


class Drain(wiring.Component):
    """Counts the packets of one ejection lane, or of the tree, that were judged before a commit and are not finished.

    They finish in order, so it is enough to count. At most 255 are unfinished at once.

    Members
    -------
    passed : In(1)
        A packet was judged and will be handed to the network interface.
    retired : In(1)
        The network interface has finished a packet.
    commit : In(1)
        The tables are switched at the end of this cycle.
    forget : In(1)
        The network interface is in reset: nothing is outstanding.
    drained : Out(1)
        Every packet judged by the tables before the last `commit` is finished. 0 from the cycle after
        a commit until that is known.
    """

    passed: In(1)
    retired: In(1)
    commit: In(1)
    forget: In(1)
    drained: Out(1)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        outstanding = Signal(8)
        now = Signal(8)
        old = Signal(8)
        capture = Signal()
        m.d.comb += [
            now.eq(outstanding + self.passed - (self.retired & (self.passed | (outstanding != 0)))),
            self.drained.eq(~capture & (old == 0)),
        ]
        # A header that entered the guard in the cycle of the commit is judged in the next one.
        m.d.sync += [capture.eq(self.commit), outstanding.eq(now)]
        with m.If(capture):
            m.d.sync += old.eq(now)
        with m.Elif(self.retired & (old != 0)):
            m.d.sync += old.eq(old - 1)
        with m.If(self.forget):
            m.d.sync += [outstanding.eq(0), old.eq(0)]
        return m
