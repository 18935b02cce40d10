"""How two runs share a picture: each has its colour, its line and its marker, and both are seen where they agree."""

from collections.abc import Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from khhw.report.compare.pair import Pair
from khhw.report.style import INK, keys_below, shortened

__all__ = ["RUNS", "draw_runs", "legend", "run_keys"]

RUNS: tuple[dict[str, Any], dict[str, Any]] = (
    {"color": "#cc79a7", "linestyle": "-", "linewidth": 3.4, "marker": "s", "markersize": 8.5,
     "markerfacecolor": "white", "markeredgewidth": 1.8},
    {"color": INK, "linestyle": (0, (4, 1.6)), "linewidth": 1.4, "marker": "o", "markersize": 3.8})
"""The first run is wide, light and hollow; the second, drawn over it, thin, dark, dashed and filled."""
_NAME = 40
"""Characters of a run's name in a legend."""


def draw_runs(axes: Axes, both: Sequence[Sequence[tuple[float, float]]], **changes: Any) -> None:
    """A line a run.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    both : sequence of sequence of (float, float)
        Places and values, of the first run and of the second.
    changes
        What matplotlib is told besides.
    """
    for look, places in zip(RUNS, both, strict=True):
        axes.plot([x for x, _ in places], [y for _, y in places], **{**look, **changes})


def run_keys(pair: Pair, **changes: Any) -> list[Line2D]:
    """A key a run, with its name."""
    return [Line2D([], [], **{**look, **changes}, label=shortened(name, _NAME))
            for look, name in zip(RUNS, pair.names, strict=True)]


def legend(drawing: Figure, keys: Sequence[Artist]) -> None:
    """Keys below a picture."""
    keys_below(drawing, keys, handlelength=4)
