"""Colours and axes that all pictures of memcached share."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter, NullLocator

from khhw.report.labels import Labels
from khhw.report.style import FEW, apart, few_key, plain_numbers

__all__ = ["DASHES", "DOTS", "FEW_KEY", "MARKERS", "PATHS", "WIRE", "draw_line", "log_axis", "size_axis", "size_label"]

PATHS = {"tcp": "#c27a00", "rdma": "#1d5b8f"}
"""Ochre and blue: apart for colour-blind readers, and in grey."""
MARKERS = {"tcp": "s", "rdma": "o"}
WIRE = "#66727f"
DASHES: dict[str, Any] = {"get": "-", "set": (0, (4, 1.6))}
DOTS: Any = (0, (2, 1.6))
"""What the wire allows."""

FEW_KEY = few_key("operations")
"""What a hollow point means."""

_CLOSE = {"x": 0.13, "y": 0.06}
"""Part of an axis that a label takes."""
_STEPS: tuple[tuple[float, ...], ...] = ((1,), (1, 2, 5), (1, 1.5, 2, 3, 5, 7))
"""Ticks within a decade, from few to many."""


def draw_line(
    axes: Axes, points: Sequence[tuple[float, float, int]], labels: Labels, *, colour: str, marker: str,
    style: Any = "-", size: float = 4.5, width: float = 1.7,
) -> bool:
    """A line through what was measured; points of few operations are hollow, with their number.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    points : sequence of (float, float, int)
        x, y, and how many operations it is of.
    labels : Labels
    colour, marker : str
    style
        Of the line, as matplotlib takes it.
    size, width : float
        Of markers and line, in points.

    Returns
    -------
    bool
        Whether a point is hollow.
    """
    axes.plot([x for x, _, _ in points], [y for _, y, _ in points], color=colour, linestyle=style, linewidth=width,
              marker=marker, markersize=size)
    few = [point for point in points if point[2] < FEW]
    axes.plot([x for x, _, _ in few], [y for _, y, _ in few], color=colour, linestyle="none", marker=marker,
              markersize=size, markerfacecolor="white")
    for x, y, samples in few:
        labels.add(axes, f"n = {samples}", (x, y), colour=colour)
    return bool(few)


def size_label(value: float) -> str:
    """A size in short: ``64 B``, ``4 KiB``."""
    return f"{value / 1024:,.4g} KiB" if value >= 1024 else f"{value:.4g} B"


def size_axis(axes: Axes, sizes: Iterable[float]) -> None:
    """A logarithmic axis of sizes, ticks at those measured; of those that stand close together, at the last."""
    powers = [math.log2(size) for size in sizes]
    axes.set_xscale("log", base=2)
    axes.set_xticks([2**power for power in apart(powers, _CLOSE["x"] * (max(powers) - min(powers)))])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: size_label(value)))
    axes.set_xlabel("value size")


def log_axis(axes: Axes, which: str) -> None:
    """A logarithmic axis with a few round numbers, even where it spans less than a decade. Call it last."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
    enough = 3 if which == "x" else 5
    ticks = next((found for steps in _STEPS if len(found := _ticks(low, high, steps)) >= enough), [])
    room = _CLOSE[which] * (1.7 if which == "x" else 1) * math.log10(high / low)
    ticks = [10**power for power in apart(map(math.log10, ticks), room)]
    axis.set_major_locator(FixedLocator(ticks) if ticks else MaxNLocator(enough))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
    plain_numbers(axis)
    (axes.set_xlim if which == "x" else axes.set_ylim)(low, high)


def _ticks(low: float, high: float, steps: tuple[float, ...]) -> list[float]:
    """Round numbers within limits: steps times powers of ten."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [tick for power in powers for step in steps if low <= (tick := step * 10.0**power) <= high]
