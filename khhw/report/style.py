"""How pictures look: one set of colours that colour-blind readers can tell apart, and quiet axes."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

__all__ = ["ACCENT", "ALARM", "ALLOWED", "EMPTY", "INK", "MUTED", "figure", "jitter", "plain_numbers", "quiet",
           "shades", "styled", "time_axis"]

INK = "#1b2733"
MUTED = "#66727f"
RULE = "#d9dfe5"
ALLOWED = "#1d5b8f"
"""A cell of isAllowed that is 1."""
EMPTY = "#eef2f5"
"""A cell of isAllowed that is 0."""
ACCENT = "#1d5b8f"
ALARM = "#d55e00"
"""What must not be: the vermilion of the Okabe-Ito palette."""

_SETTINGS: Any = {
    "font.family": "DejaVu Sans", "font.size": 9, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": MUTED,
    "axes.labelsize": 9, "axes.titlesize": 10, "axes.titlelocation": "left", "axes.linewidth": 0.8,
    "xtick.color": MUTED, "ytick.color": MUTED, "xtick.labelcolor": INK, "ytick.labelcolor": INK,
    "xtick.labelsize": 8.5, "ytick.labelsize": 8.5, "figure.dpi": 100, "savefig.dpi": 200, "figure.facecolor": "white",
}


def styled() -> AbstractContextManager[None]:
    """The context pictures are drawn and written in."""
    return matplotlib.rc_context(_SETTINGS)


def figure(width: float, height: float, columns: int, **options: Any) -> tuple[Figure, Sequence[Axes]]:
    """A figure of `width` by `height` inches with one row of axes."""
    made = Figure(figsize=(width, height), layout="constrained")
    return made, list(made.subplots(1, columns, squeeze=False, **options)[0])


def quiet(axes: Axes) -> None:
    """Leave only the two axis lines and pale horizontal rules."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=RULE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(length=3)


def plain_numbers(axis: Any) -> None:
    """Label an axis with plain numbers, thousands apart."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_formatter(NullFormatter())


def time_axis(axes: Axes, clock_hz: int) -> None:
    """A second scale at the right of an axis in cycles, in nanoseconds or microseconds."""
    name, unit = ("microseconds", 1e-6) if axes.get_ylim()[1] / clock_hz > 1e-5 else ("nanoseconds", 1e-9)
    scale = 1 / clock_hz / unit

    def to_time(cycles: Any) -> Any:
        return cycles * scale

    def to_cycles(time: Any) -> Any:
        return time / scale

    second = axes.secondary_yaxis("right", functions=(to_time, to_cycles))
    second.set_ylabel(name, color=MUTED)
    second.spines["right"].set_visible(False)
    second.tick_params(which="both", length=0, labelcolor=MUTED)
    if axes.get_yscale() == "log":
        second.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    plain_numbers(second.yaxis)


def shades(count: int) -> list[Any]:
    """`count` ordered colours from light to dark, readable on white and in grey."""
    colours = matplotlib.colormaps["viridis_r"]
    return [colours(0.18 + 0.74 * index / max(1, count - 1)) for index in range(count)]


def jitter(count: int, width: float) -> list[float]:
    """Offsets that keep equal points apart: spread evenly in `width`, the same each time."""
    return [((index * 0.6180339887498949) % 1 - 0.5) * width for index in range(count)]
