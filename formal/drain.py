"""Drained: what was judged before the last commit is finished, and nothing else is waited for."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import In

from formal.harness import Harness
from rtl.guard.drain import Drain

__all__ = ["DrainHarness"]

MOST = 255
"""Packets that may be unfinished at once."""

_BITS = 16
"""Of numbers of packets, modulo so much."""


class DrainHarness(Harness):
    """The drain of one way into the network interface, beside the numbers of the packets that pass."""

    ports = {"passed": In(1), "retired": In(1), "commit": In(1), "forget": In(1),
             "peek_outstanding": In(8), "peek_old": In(8), "peek_capture": In(1)}
    peeks = {f"peek_{name}": f"dut.{name}" for name in ("outstanding", "old", "capture")}
    properties = {
        "drain-exact": "DRAINED is 1 if and only if every packet judged by the tables before the last commit has been "
                       "retired, or forgotten in hold, and the commit was not in the cycle before",
    }

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = Drain()
        for name in ("passed", "retired", "commit", "forget"):
            m.d.comb += getattr(dut, name).eq(getattr(self, name))

        # Packets are numbered as they pass, and finish in that order; all below `before` were judged before the commit.
        number, finished, before = (Signal(_BITS, name=name) for name in ("number", "finished", "before"))
        following, done, waits = Signal(_BITS), Signal(_BITS), Signal()
        committed = Signal()
        m.d.comb += [
            following.eq(number + self.passed),
            done.eq(finished + (self.retired & (following != finished))),
            waits.eq(before != finished),
        ]
        m.d.sync += [number.eq(following), finished.eq(done), before.eq(Mux(waits, before, done)),
                     committed.eq(self.commit)]
        with m.If(committed):
            # A header that entered the guard in the cycle of the commit was judged before, and passes now.
            m.d.sync += before.eq(following)
        with m.If(self.forget):
            m.d.sync += [finished.eq(following), before.eq(following)]
        unfinished, old = (number - finished)[:_BITS], (before - finished)[:_BITS]
        self.assume(m, "few-unfinished", unfinished + self.passed <= MOST)

        self.claim(m, "drain-exact", dut.drained == ~(committed | waits))
        self.help(m, self.peek_capture == committed)
        self.help(m, self.peek_outstanding == unfinished)
        self.help(m, (unfinished <= MOST) & (old <= unfinished))
        self.help(m, committed | (self.peek_old == old))
        return m
