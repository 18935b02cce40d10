"""How two runs share a picture: each has its colour, its line and its marker, and both are seen where they agree."""

from collections.abc import Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from khhw.report.compare.pair import Pair
from khhw.report.labels import Labels
from khhw.report.style import FEW, INK, few_key, keys_below, shortened

__all__ = ["RUNS", "draw_lines", "draw_runs", "legend", "run_keys"]

RUNS: tuple[dict[str, Any], dict[str, Any]] = (
    {"color": "#cc79a7", "linestyle": "-", "linewidth": 3.4, "marker": "s", "markersize": 8.5, "markeredgewidth": 1.8},
    {"color": INK, "linestyle": (0, (4, 1.6)), "linewidth": 1.4, "marker": "o", "markersize": 3.8})
"""The first run is wide and light; the second, drawn over it, thin, dark and dashed."""
_TEXT = ("#9c4377", INK)
"""Colours of texts about each: the light one would be hard to read."""
_NAME = 40
"""Characters of a run's name in a legend."""


def draw_lines(axes: Axes, both: Sequence[Sequence[tuple[float, float]]], **changes: Any) -> None:
    """A line a run, without points.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    both : sequence of sequence of (float, float)
        (x, y) of the points of the first run, and of the second.
    changes
        What matplotlib is told besides.
    """
    for look, points in zip(RUNS, both, strict=True):
        axes.plot([x for x, _ in points], [y for _, y in points], **{**look, "marker": "", **changes})


def draw_runs(axes: Axes, both: Sequence[Sequence[tuple[float, float, int]]], labels: Labels) -> bool:
    """A line a run through what was measured; points of few samples are hollow, with their number.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    both : sequence of sequence of (float, float, int)
        x, y, and how many samples it is of; of the points of the first run, and of the second.
    labels : Labels

    Returns
    -------
    bool
        Whether a point is hollow.
    """
    few = [[point for point in points if point[2] < FEW] for points in both]
    for look, points, hollow in zip(RUNS, both, few, strict=True):
        axes.plot([x for x, *_ in points], [y for _, y, _ in points], **look)
        axes.plot([x for x, *_ in hollow], [y for _, y, _ in hollow],
                  **{**look, "linestyle": "none", "markerfacecolor": "white"})
    for colour, hollow, other in zip(_TEXT, few, ([], few[0]), strict=True):
        for x, y, samples in hollow:
            # Where both runs agree in everything, one number is enough.
            if (x, y, samples) not in other:
                labels.add(axes, f"n = {samples}", (x, y), colour=colour)
    return any(few)


def run_keys(pair: Pair, **changes: Any) -> list[Line2D]:
    """A key a run, with its name."""
    return [Line2D([], [], **{**look, **changes}, label=shortened(name, _NAME))
            for look, name in zip(RUNS, pair.names, strict=True)]


def legend(drawing: Figure, keys: Sequence[Artist], few: str = "") -> None:
    """Keys below a picture; `few` is what its hollow points are medians of, if it has any."""
    keys_below(drawing, [*keys, *([few_key(few)] if few else [])], handlelength=4)
