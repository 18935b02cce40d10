"""Blocks whose counters start just below their wrap, as after years of service."""

from typing import Any

from amaranth.hdl import Module, Shape, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, connect, flipped

from rtl.guard.counters import GuardCounters
from rtl.parameters import Parameters
from rtl.signatures import RegisterBus
from rtl.traffic.registers import TrafficRegisters
from rtl.traffic.totals import WIDE, Totals, TotalsPort

__all__ = ["START", "TrafficCounts", "guard_counters", "start_of"]

START = 2**32 - 4
"""What a number of 32 bits starts with, and the low half of one of 64."""


def start_of(name: str) -> int:
    """What a total of the traffic checker starts with."""
    return (0xA5C3_0F69 * (WIDE.index(name) + 1) % 2**32) << 32 | START if name in WIDE else START


def guard_counters(parameters: Parameters) -> GuardCounters:
    """The guard's counters, each at `START`."""
    counters = GuardCounters(parameters)
    for name in ("refused", "epochs"):
        shape: Any = counters.signature.members[name].shape
        worn = sum(START << offset for offset in range(0, Shape.cast(shape).width, 32))
        setattr(counters, name, Signal(shape, name=name, init=shape.from_bits(worn)))
    return counters


class TrafficCounts(wiring.Component):
    """What the traffic checker adds up, each at :func:`start_of`, and the registers it is read by.

    Members
    -------
    bus
        Of :class:`~rtl.traffic.registers.TrafficRegisters`.
    others
        The events of :class:`~rtl.traffic.totals.Totals`, for two lanes and banks.
    """

    def __init__(self, parameters: Parameters) -> None:
        self.totals = Totals(lanes=2, banks=2)
        self.registers = TrafficRegisters(parameters)
        events = {name: member for name, member in self.totals.signature.members.items() if name != "totals"}
        super().__init__({"bus": In(RegisterBus), **events})
        for name in (*WIDE, "overruns", "omitted"):
            setattr(self.totals.totals, name, Signal(64 if name in WIDE else 32, name=name, init=start_of(name)))

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.totals = totals = self.totals
        m.submodules.registers = registers = self.registers
        # A connection wants the initial values of the signature.
        names = [name for name in TotalsPort.members if name != "errors"]
        m.d.comb += [getattr(registers.totals, name).eq(getattr(totals.totals, name)) for name in names]
        m.d.comb += [read.eq(count) for read, count in zip(registers.totals.errors, totals.totals.errors, strict=True)]
        connect(m, flipped(self.bus), registers.bus)
        for path, member, inner in totals.signature.flatten(totals):
            if member.flow is In and path[0] != "totals":
                outer: Any = self
                for step in path:
                    outer = outer[step] if isinstance(step, int) else getattr(outer, step)
                m.d.comb += inner.eq(outer)
        m.d.comb += registers.now.eq(self.now)
        return m
