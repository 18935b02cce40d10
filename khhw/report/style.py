"""How pictures look: one set of colours that colour-blind readers can tell apart, and quiet axes."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

__all__ = ["ACCENT", "ALARM", "ALLOWED", "EMPTY", "FEW", "INK", "MARKERS", "MUTED", "RULE", "apart", "few_key",
           "figure", "grid", "keys_below", "plain_numbers", "quiet", "settle", "shades", "shortened", "styled",
           "time_axis"]

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
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")
"""Shapes of lines that stand beside each other: colours alone do not tell them apart in grey."""
FEW = 6
"""Samples from which their median has a 95 % interval at all: it lies outside their range in 1 of ``2**(samples - 1)``
cases. Points of fewer are hollow, and say how many they are of."""

_LETTER, _HANDLE = 0.075, 0.5
"""Width of a letter of a legend and of what stands beside its text, in inches."""

_SETTINGS: Any = {
    "font.family": "DejaVu Sans", "font.size": 9, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": MUTED,
    "axes.labelsize": 9, "axes.titlesize": 10, "axes.titlelocation": "left", "axes.linewidth": 0.8,
    "xtick.color": MUTED, "ytick.color": MUTED, "xtick.labelcolor": INK, "ytick.labelcolor": INK,
    "xtick.labelsize": 9, "ytick.labelsize": 9, "figure.dpi": 100, "savefig.dpi": 200, "figure.facecolor": "white",
    # Names of runs and kernels are no formulas.
    "text.parse_math": False,
}


def styled() -> AbstractContextManager[None]:
    """The context pictures are drawn and written in."""
    return matplotlib.rc_context(_SETTINGS)


def few_key(what: str) -> Line2D:
    """The key that says what a hollow point means; `what` it is a median of, in the plural."""
    return Line2D([], [], color=INK, marker="o", markerfacecolor="white", linestyle="none", markersize=4.5,
                  label=f"n: fewer than {FEW} {what}")


def grid(width: float, height: float, rows: int, columns: int, **options: Any) -> tuple[Figure, list[list[Axes]]]:
    """A figure with rows of axes.

    Parameters
    ----------
    width : float
        Of the figure, in inches.
    height : float
        Of one row, in inches.
    rows, columns : int
    options
        Of :meth:`matplotlib.figure.Figure.subplots`.
    """
    made = Figure(figsize=(width, rows * height), layout="constrained")
    return made, [list(row) for row in made.subplots(rows, columns, squeeze=False, **options)]


def figure(width: float, height: float, columns: int, **options: Any) -> tuple[Figure, list[Axes]]:
    """A figure of `width` by `height` inches with one row of axes."""
    made, rows = grid(width, height, 1, columns, **options)
    return made, rows[0]


def keys_below(drawing: Figure, keys: Sequence[Artist], columns: int = 0, **options: Any) -> None:
    """A legend below the axes.

    Parameters
    ----------
    drawing : matplotlib.figure.Figure
    keys : sequence of matplotlib.artist.Artist
        With their labels.
    columns : int
        By default as many as there are keys; never more than the figure is wide for.
    options
        Of :meth:`matplotlib.figure.Figure.legend`.
    """
    longest = max((len(str(key.get_label())) for key in keys), default=0)
    room = max(1, int(drawing.get_figwidth() / (longest * _LETTER + _HANDLE)))
    drawing.legend(**{
        "handles": list(keys), "loc": "outside lower center", "ncols": min(columns or len(keys), room),
        "frameon": False, "fontsize": 9, "labelcolor": INK, "handlelength": 2.4, **options})


def settle(drawing: Figure) -> None:
    """Lay a picture of matrices out: they keep their shape, which is not foreseen when it is laid out for the first
    time."""
    drawing.draw_without_rendering()


def apart(ticks: Iterable[float], least: float) -> list[float]:
    """Those of some ticks that are at least so far apart; the last always."""
    chosen: list[float] = []
    for tick in sorted(ticks, reverse=True):
        if not chosen or chosen[-1] - tick >= least:
            chosen.append(tick)
    return chosen[::-1]


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
    return [colours(0.92 if count == 1 else 0.22 + 0.7 * index / (count - 1)) for index in range(count)]


def shortened(text: str, most: int) -> str:
    """At most so many characters of a name that somebody chose: its beginning and its end."""
    if len(text) <= most:
        return text
    tail = (most - 1) // 2
    return f"{text[:most - 1 - tail]}\N{HORIZONTAL ELLIPSIS}{text[-tail:]}"
