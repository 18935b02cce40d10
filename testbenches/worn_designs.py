"""Blocks whose counters start just below their wrap, as after years of service."""

from typing import Any

from amaranth.hdl import Shape, Signal
from amaranth.lib import data, wiring

from rtl.guard.counters import GuardCounters
from rtl.parameters import Parameters

__all__ = ["START", "guard_counters"]

START = 2**32 - 4
"""What a 32-bit counter starts with."""


def guard_counters(parameters: Parameters) -> GuardCounters:
    """The guard's counters, each at `START`."""
    return _worn(GuardCounters(parameters), "refused", "epochs")


def _worn(component: Any, *outputs: str) -> Any:
    """The component with each 32-bit number of some of its output ports at `START` after a reset."""
    for name in outputs:
        member: wiring.Member = component.signature.members[name]
        width = Shape.cast(member.shape).width
        init = sum(START << place for place in range(0, width, 32))
        port = Signal(width, name=name, init=init)
        setattr(component, name, member.shape(port) if isinstance(member.shape, data.Layout) else port)
    return component
