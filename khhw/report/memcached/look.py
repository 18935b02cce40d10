"""Colours and axes that all pictures of memcached share."""

import math
from collections.abc import Iterable
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter, NullLocator

from khhw.report.style import plain_numbers

__all__ = ["DASHES", "DOTS", "MARKERS", "PATHS", "WIRE", "log_axis", "size_axis", "size_label"]

PATHS = {"tcp": "#c27a00", "rdma": "#1d5b8f"}
"""Ochre and blue: apart for colour-blind readers, and in grey."""
MARKERS = {"tcp": "s", "rdma": "o"}
WIRE = "#66727f"
DASHES: dict[str, Any] = {"get": "-", "set": (0, (4, 1.6))}
DOTS: Any = (0, (2, 1.6))
"""What the wire allows."""

_STEPS: tuple[tuple[float, ...], ...] = ((1,), (1, 2, 5), (1, 1.5, 2, 3, 5, 7))
"""Ticks within a decade, from few to many."""


def size_label(value: float) -> str:
    """A size in short: ``64 B``, ``4 KiB``."""
    return f"{value / 1024:,.4g} KiB" if value >= 1024 else f"{value:.4g} B"


def size_axis(axes: Axes, sizes: Iterable[float]) -> None:
    """A logarithmic axis of value sizes, ticks at those measured."""
    ticks = sorted(sizes)
    step = -(-len(ticks) // 8)
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks[::step])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: size_label(value)))
    axes.set_xlabel("value size")


def log_axis(axes: Axes, which: str) -> None:
    """A logarithmic axis with a few round numbers, even where it spans less than a decade. Call it last."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
    enough = 3 if which == "x" else 5
    ticks = next((found for steps in _STEPS if len(found := _ticks(low, high, steps)) >= enough), None)
    axis.set_major_locator(FixedLocator(ticks) if ticks else MaxNLocator(enough))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
    plain_numbers(axis)
    (axes.set_xlim if which == "x" else axes.set_ylim)(low, high)


def _ticks(low: float, high: float, steps: tuple[float, ...]) -> list[float]:
    """Round numbers within limits: steps times powers of ten."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [tick for power in powers for step in steps if low <= (tick := step * 10.0**power) <= high]
