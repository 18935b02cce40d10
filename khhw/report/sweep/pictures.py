"""Latency over load and accepted over offered load, with intervals and where networks saturate."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.markers import CARETDOWN

from khhw.report.memcached.look import log_axis
from khhw.report.picture import Picture
from khhw.report.style import INK, MARKERS, MUTED, figure, keys_below, quiet, shortened, styled
from khhw.report.sweep.lines import Estimate, Line, Panel, panels, words_of_states
from khhw.report.words import listing
from khhw.sweep.results import SweepResults

__all__ = ["sweep_pictures", "words_of_line"]

_COLOURS = ("#1d5b8f", "#c27a00", "#1a6b3c", "#8a3a78", "#66727f", "#a02c2c")
_STATES = {True: "saturated", None: "cannot be told"}
"""What markers that are not full mean."""
_DOTS = (0, (1, 1.5))
_LABEL_LENGTH = 60
_NEAR, _ROWS = 0.11, 3
"""Part of the axis that the number of a load takes, and heights at which such numbers stand."""


def sweep_pictures(results: SweepResults) -> list[Picture]:
    """A picture for every few curves."""
    with styled():
        return [_picture(panel, results) for panel in panels(results)]


def words_of_line(line: Line) -> str:
    """What a line says."""
    text = f"{line.label}: "
    if line.zero_load_latency is not None:
        text += f"{line.zero_load_latency:,.0f} cycles without load; "
    if line.carried is not None:
        text += f"carries up to {_with_interval(line.carried)} of the capacity"
        if step := max((c.saturated - c.carried for c in line.saturation if c.saturated and c.carried), default=None):
            each = f"mean of {len(line.saturation)} seeds, each " if len(line.saturation) > 1 else ""
            text += f" ({each}found to {step:.2g})"
    if rest := words_of_states(line.saturation):
        text += f"{', ' if line.carried else ''}{rest}"
    elif line.carried is None:
        full = next((point for point in line.points if point.saturated), None)
        unclear = [f"{point.load:g}" for point in line.points if point.saturated is None]
        text += f"saturated at {full.load:g}" if full else "not saturated at any load measured"
        text += f", but {listing(unclear)} cannot be told" if unclear else ""
    most = max((point.accepted for point in line.points), key=lambda taken: taken.mean, default=Estimate(0.0, None))
    return f"{text}; accepts {_with_interval(most)} at most."


def _with_interval(value: Estimate) -> str:
    return f"{value.mean:.3f}" + (f" ± {value.half:.3f}" if value.half is not None else "")


def _picture(panel: Panel, results: SweepResults) -> Picture:
    seeds = max((point.seeds for line in panel.lines for point in line.points), default=0)
    interval = f"95 % intervals over {seeds} seeds" if seeds > 1 else "95 % intervals of batch means"
    bars = (f"Bars are {interval}; one that ends in an arrow goes down to 0. Latencies of saturated loads have none: "
            f"they are of no steady state. Dotted, the highest load that is carried. Dashed, all that is offered is "
            f"accepted.")
    caption = "\n".join([*map(words_of_line, panel.lines), bars])
    return Picture(name=panel.name, title=f"Latency over load: {panel.title}", caption=caption,
                   figure=_draw(panel, results), columns=_COLUMNS, rows=list(_rows(panel)))


_COLUMNS = ("line", "load", "seeds", "latency_mean", "latency_mean_half_ci95", "latency_p50", "latency_p99", "offered",
            "accepted", "accepted_half_ci95", "saturated")


def _rows(panel: Panel) -> Iterator[tuple[object, ...]]:
    for line in panel.lines:
        for point in line.points:
            latency = point.latency or Estimate(float("nan"), None)
            numbers = (latency.mean, latency.half, point.p50, point.p99, point.offered, point.accepted.mean,
                       point.accepted.half)
            yield (line.label, point.load, point.seeds, *map(_rounded, numbers), point.saturated)
        for load, mean, offered, accepted in line.searched:
            yield (line.label, load, 1, *map(_rounded, (mean, None, None, None, offered, accepted, None)), "")


def _rounded(value: float | None) -> float | str:
    return "" if value is None or value != value else round(value, 5)


def _draw(panel: Panel, results: SweepResults) -> Figure:
    drawing, (left, right) = figure(9.6, 4.6, 2, gridspec_kw={"width_ratios": [1.25, 1]})
    keys = []
    for line, colour, marker in zip(panel.lines, _cycle(_COLOURS), _cycle(MARKERS), strict=False):
        _latency(left, line, colour, marker)
        _accepted(right, line, colour, marker)
        keys.append(Line2D([], [], color=colour, marker=marker, markersize=4.5, linewidth=1.5,
                           label=shortened(line.label, _LABEL_LENGTH)))
    loads = [row.load for row in results.results]
    most = max(loads, default=1.0) * 1.04
    right.plot([0, most], [0, most], color=MUTED, linewidth=1, linestyle=(0, (4, 2)), zorder=0)
    for axes in (left, right):
        axes.set_xlim(0, most)
        quiet(axes)
    left.set_xlabel("load, 1 = capacity under uniform traffic")
    right.set_xlabel("offered, in capacities")
    left.set_ylabel("mean latency in cycles")
    right.set_ylabel("accepted, in capacities")
    right.set_ylim(bottom=0)
    log_axis(left, "y")
    _mark_saturation(left, panel.lines)
    if any(line.carried for line in panel.lines):
        keys.append(Line2D([], [], color=INK, linewidth=1.1, linestyle=_DOTS, label="highest load carried"))
    states = {point.saturated for line in panel.lines for point in line.points}
    keys += [Line2D([], [], color=INK, marker="o", markersize=4.5, linestyle="none", label=label,
                    **_fill(state, INK)) for state, label in _STATES.items() if state in states]
    if any(line.searched for line in panel.lines):
        keys.append(Line2D([], [], color=INK, marker=".", markersize=5, linestyle="none", label="one seed"))
    keys_below(drawing, keys, min(3, len(keys)), handlelength=2.2)
    return drawing


def _cycle(values: Sequence[str]) -> Iterator[str]:
    while True:
        yield from values


def _latency(axes: Axes, line: Line, colour: str, marker: str) -> None:
    known = [(point.load, point.latency, point.saturated) for point in line.points if point.latency]
    _bars(axes, [(load, latency) for load, latency, _ in known], colour, log=True)
    _marks(axes, [(load, latency.mean, full) for load, latency, full in known], colour, marker)
    single = [(load, latency) for load, latency, *_ in line.searched if latency is not None]
    axes.plot([load for load, _ in single], [latency for _, latency in single], ".", color=colour, markersize=5)


def _accepted(axes: Axes, line: Line, colour: str, marker: str) -> None:
    _bars(axes, [(point.offered, point.accepted) for point in line.points], colour, log=False)
    _marks(axes, [(point.offered, point.accepted.mean, point.saturated) for point in line.points], colour, marker)
    axes.plot([offered for _, _, offered, _ in line.searched], [accepted for *_, accepted in line.searched], ".",
              color=colour, markersize=5)


def _bars(axes: Axes, points: Sequence[tuple[float, Estimate]], colour: str, *, log: bool) -> None:
    """Intervals, as far down as 0; a logarithmic axis has none, so there is an arrow, as long as the bar goes up."""
    known = [(x, value.mean, value.half) for x, value in points if value.half is not None]
    for endless in (False, True):
        bars = [(x, mean, half) for x, mean, half in known if (log and half >= mean) is endless]
        if not bars:
            continue
        lower = [mean - mean**2 / (mean + half) if endless else min(half, mean) for _, mean, half in bars]
        made = axes.errorbar(
            [x for x, *_ in bars], [mean for _, mean, _ in bars], yerr=[lower, [half for *_, half in bars]], fmt="none",
            ecolor=colour, elinewidth=1.1, capsize=2.5)
        if endless:
            made.lines[1][0].set(marker=CARETDOWN, markersize=5)


def _marks(axes: Axes, points: Sequence[tuple[float, float, bool | None]], colour: str, marker: str) -> None:
    """A line through points with markers; a saturated one is hollow, an unclear one half filled.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    points : sequence of (float, float, bool or None)
        x, y, whether it is saturated; None: that is not clear.
    colour, marker : str
    """
    axes.plot([x for x, *_ in points], [y for _, y, _ in points], color=colour, linewidth=1.5, marker=marker,
              markersize=4)
    for state in _STATES:
        alike = [(x, y) for x, y, saturated in points if saturated is state]
        axes.plot([x for x, _ in alike], [y for _, y in alike], color=colour, linestyle="none", marker=marker,
                  markersize=4, **_fill(state, colour))


def _fill(state: bool | None, colour: str) -> dict[str, Any]:
    """How a marker of a point that is saturated is filled, or of one of which that is not clear."""
    return {"markerfacecolor": "white"} if state else {"fillstyle": "left", "markerfacecolor": colour,
                                                       "markerfacecoloralt": "white"}


def _mark_saturation(axes: Axes, lines: Sequence[Line]) -> None:
    """The highest load that each line carries: dotted, its number above the frame, where no data are."""
    marks = sorted((line.carried.mean, colour) for line, colour in zip(lines, _cycle(_COLOURS), strict=False)
                   if line.carried is not None)
    last, row = -math.inf, 0
    for load, colour in marks:
        axes.axvline(load, color=colour, linewidth=1.1, linestyle=_DOTS, zorder=0)
        # Numbers of lines that stand close together are at different heights.
        row = (row + 1) % _ROWS if load - last < _NEAR * axes.get_xlim()[1] else 0
        last = load
        axes.annotate(f"{load:.3f}", (load, 1), xycoords=("data", "axes fraction"), xytext=(0, 3 + 11 * row),
                      textcoords="offset points", ha="center", va="bottom", fontsize=8.5, color=colour)
