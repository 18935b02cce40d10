"""skeleton: the design under test."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Skeleton"]


class Skeleton(wiring.Component):
    """Adds up numbers.

    Parameters
    ----------
    width : int
        Bits of the sum; it wraps.

    Members
    -------
    enable : In(1)
        Whether `value` counts in this cycle.
    value : In(8)
        A number.
    total : Out(width)
        Sum of all so far, from the next cycle on.
    """

    def __init__(self, width=16):
        super().__init__({"enable": In(1), "value": In(8), "total": Out(width)})

    def elaborate(self, platform):
        m = Module()
        with m.If(self.enable):
            m.d.sync += self.total.eq(self.total + self.value)
        return m
