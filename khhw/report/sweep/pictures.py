"""Latency over load and accepted over offered load, with intervals and where networks saturate."""

from collections.abc import Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from khhw.report.memcached.look import log_axis
from khhw.report.picture import Picture
from khhw.report.style import INK, MUTED, figure, quiet, styled
from khhw.report.sweep.lines import Estimate, Line, Panel, panels, words_of_states
from khhw.report.words import listing
from khhw.sweep.results import SweepResults

__all__ = ["sweep_pictures", "words_of_line"]

_COLOURS = ("#1d5b8f", "#c27a00", "#1a6b3c", "#8a3a78", "#66727f", "#a02c2c")
_MARKERS = ("o", "s", "^", "D", "v", "P")
_DOTS = (0, (1, 1.5))
_LABEL = {"facecolor": "white", "edgecolor": "none", "pad": 1.2}
_NEAR_AXIS = 0.1
_HIGHEST = 20.0
"""Latencies above so many times that of no load are outside the picture: they grow as long as one measures."""


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
        full = next((place for place in line.places if place.saturated), None)
        unclear = [f"{place.load:g}" for place in line.places if place.saturated is None]
        text += f"saturated at {full.load:g}" if full else "not saturated at any load measured"
        text += f", but {listing(unclear)} cannot be told" if unclear else ""
    most = max((place.accepted for place in line.places), key=lambda taken: taken.mean, default=Estimate(0.0, None))
    return f"{text}; accepts {_with_interval(most)} at most."


def _with_interval(value: Estimate) -> str:
    return f"{value.mean:.3f}" + (f" ± {value.half:.3f}" if value.half is not None else "")


def _picture(panel: Panel, results: SweepResults) -> Picture:
    seeds = max((place.seeds for line in panel.lines for place in line.places), default=0)
    interval = f"95 % intervals over {seeds} seeds" if seeds > 1 else "95 % intervals of batch means"
    caption = "\n".join([*map(words_of_line, panel.lines), f"Bars are {interval}; dotted, the highest load that is "
                         f"carried. Dashed, all that is offered is accepted."])
    return Picture(name=panel.name, title=f"Latency over load: {panel.title}", caption=caption,
                   figure=_draw(panel, results), columns=_COLUMNS, rows=list(_rows(panel)))


_COLUMNS = ("line", "load", "seeds", "latency_mean", "latency_mean_half_ci95", "latency_p50", "latency_p99", "offered",
            "accepted", "accepted_half_ci95", "saturated")


def _rows(panel: Panel) -> Iterator[tuple[object, ...]]:
    for line in panel.lines:
        for place in line.places:
            latency = place.latency or Estimate(float("nan"), None)
            numbers = (latency.mean, latency.half, place.p50, place.p99, place.offered, place.accepted.mean,
                       place.accepted.half)
            yield (line.label, place.load, place.seeds,
                   *("" if value is None or value != value else round(value, 5) for value in numbers), place.saturated)


def _draw(panel: Panel, results: SweepResults) -> Figure:
    drawing, (left, right) = figure(9.6, 4.3, 2, gridspec_kw={"width_ratios": [1.25, 1]})
    keys = []
    for line, colour, marker in zip(panel.lines, _cycle(_COLOURS), _cycle(_MARKERS), strict=False):
        _latency(left, line, colour, marker)
        _accepted(right, line, colour, marker)
        keys.append(Line2D([], [], color=colour, marker=marker, markersize=4.5, linewidth=1.5, label=line.label))
    loads = [row.load for row in results.results]
    most = max(loads, default=1.0) * 1.04
    right.plot([0, most], [0, most], color=MUTED, linewidth=1, linestyle=(0, (4, 2)), zorder=0)
    for axes in (left, right):
        axes.set_xlim(0, most)
        quiet(axes)
    _limit(left, panel.lines)
    left.set_xlabel("load, 1 = capacity under uniform traffic")
    right.set_xlabel("offered, in capacities")
    left.set_ylabel("mean latency in cycles")
    right.set_ylabel("accepted, in capacities")
    right.set_ylim(bottom=0)
    _mark_saturation(left, panel.lines)
    drawing.legend(handles=keys, loc="outside lower center", ncols=min(3, len(keys)) if len(keys) != 4 else 2,
                   frameon=False, fontsize=8.5, labelcolor=INK, handlelength=2.2)
    return drawing


def _cycle(values: Sequence[str]) -> Iterator[str]:
    while True:
        yield from values


def _latency(axes: Axes, line: Line, colour: str, marker: str) -> None:
    known = [(place.load, place.latency) for place in line.places if place.latency]
    axes.errorbar([load for load, _ in known], [latency.mean for _, latency in known],
                  yerr=[latency.half or 0.0 for _, latency in known], color=colour, marker=marker, markersize=4,
                  linewidth=1.5, elinewidth=1.1, capsize=2.5)
    single = [(load, latency) for load, latency, *_ in line.searched if latency is not None]
    axes.plot([load for load, _ in single], [latency for _, latency in single], ".", color=colour, markersize=4,
              alpha=0.45)


def _accepted(axes: Axes, line: Line, colour: str, marker: str) -> None:
    axes.errorbar([place.offered for place in line.places], [place.accepted.mean for place in line.places],
                  yerr=[place.accepted.half or 0.0 for place in line.places], color=colour, marker=marker, markersize=4,
                  linewidth=1.5, elinewidth=1.1, capsize=2.5)
    axes.plot([offered for _, _, offered, _ in line.searched], [accepted for *_, accepted in line.searched], ".",
              color=colour, markersize=4, alpha=0.45)


def _limit(axes: Axes, lines: Sequence[Line]) -> None:
    """Leave out what has no end: queues of a saturated network."""
    least = [min(values) for line in lines if (values := [p.latency.mean for p in line.places if p.latency])]
    most = [max(values) for line in lines if (values := [p.latency.mean for p in line.places if p.latency])]
    if least:
        axes.set_ylim(min(least) / 1.15, min(max(most) * 1.15, _HIGHEST * min(least)))
    log_axis(axes, "y")


def _mark_saturation(axes: Axes, lines: Sequence[Line]) -> None:
    bottom, top = axes.get_ylim()
    marks = sorted((line.carried.mean, colour) for line, colour in zip(lines, _cycle(_COLOURS), strict=False)
                   if line.carried is not None)
    for index, (place, colour) in enumerate(marks):
        axes.axvline(place, color=colour, linewidth=1.1, linestyle=_DOTS, zorder=0)
        # Labels of lines that stand close together are at different heights.
        height = top / (top / bottom) ** (0.05 + 0.07 * (index % 3))
        right = place < _NEAR_AXIS * axes.get_xlim()[1]
        axes.annotate(f"{place:.3f}", (place, height), xytext=(4 if right else -3, 0), textcoords="offset points",
                      ha="left" if right else "right", va="center", fontsize=8, color=colour, bbox=_LABEL)


