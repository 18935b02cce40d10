"""RDMA against TCP over the cost of software, and where the winner changes."""

import math
from collections.abc import Sequence
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullLocator

from khhw.machine.results import MemcachedPoint
from khhw.report.memcached.estimates import doubts
from khhw.report.memcached.look import DASHES, MARKERS, PATHS, log_axis, size_label
from khhw.report.memcached.sweep import Sweep, sweeps
from khhw.report.memcached.words import NAMES, circumstances, of_size, times
from khhw.report.picture import Picture
from khhw.report.style import INK, MUTED, figure, quiet, shades, styled, time_axis
from khhw.report.words import listing

__all__ = ["cost_doubts", "cost_picture", "cost_sweeps", "crossings", "verdict"]

_MIDDLE = 4096


def cost_sweeps(points: Sequence[MemcachedPoint]) -> list[Sweep]:
    """Sweeps over the software cost that have both ways, by size."""
    charged = [p for p in points if p.cpu_model != "ideal" and p.cpu_scale > 0 and p.loop == "closed"]
    found = [sweep for sweep in sweeps(charged, "cpu_scale") if any(len(_ratios(sweep, op)) > 1 for op in sweep.ops)]
    # Only what was measured like the first: lines of one picture differ in size alone.
    alike = [sweep for sweep in found if _kind(sweep) == _kind(found[0])]
    return sorted(alike, key=lambda sweep: sweep.first.value_bytes)


def crossings(ratios: Sequence[tuple[float, float]]) -> list[float]:
    """Where a ratio passes 1.

    Parameters
    ----------
    ratios : sequence of (place, ratio)
        Positive, places rising.

    Returns
    -------
    list of float
        Places, interpolated on logarithmic scales of both; a ratio that touches 1 and turns back passes nothing.
    """
    # A run of exact ones between two sides passes in its middle.
    sided = [(math.log(place), math.log(ratio)) for place, ratio in ratios if ratio != 1]
    even = [math.log(place) for place, ratio in ratios if ratio == 1]
    found = []
    for (left, before), (right, after) in pairwise(sided):
        if before * after < 0:
            between = [place for place in even if left < place < right]
            found.append(sum(between) / len(between) if between
                         else left + (right - left) * before / (before - after))
    return [math.exp(place) for place in found]


def verdict(sweep: Sweep, op: str) -> str:
    """Who wins where, in words."""
    ratios = _ratios(sweep, op)
    changes = crossings(ratios)
    (first, start), (last, end) = ratios[0], ratios[-1]
    if changes:
        return (f"the winner changes at {listing(f'{place:.3g}' for place in changes)} times the model's cost: "
                f"{'RDMA' if start > 1 else 'TCP'} wins at {first:g}x, {'RDMA' if end > 1 else 'TCP'} at {last:g}x")
    if all(ratio == 1 for _, ratio in ratios):
        return "both take the same time throughout"
    # An exact tie at one cost is no change of the winner.
    rdma = max(ratio for _, ratio in ratios) > 1
    winner, other = ("RDMA", "TCP") if rdma else ("TCP", "RDMA")
    leads = [ratio if rdma else 1 / ratio for ratio in (start, end)]
    return (f"{winner} wins throughout; {other} takes {times(leads[0])} its time at {first:g}x and {times(leads[1])} "
            f"at {last:g}x")


def cost_doubts(found: Sequence[Sweep], op: str) -> list[str]:
    """Where who wins is not certain, in sentences; see :func:`khhw.report.memcached.estimates.doubts`."""
    return doubts([(f"at {place:g}x of {of_size(sweep.first.value_bytes)}", tcp, rdma)
                   for sweep in found for place in sweep.places
                   if (tcp := sweep.at("tcp", op, place)) and (rdma := sweep.at("rdma", op, place))])


def cost_picture(points: Sequence[MemcachedPoint], clock_hz: int) -> Picture | None:
    """Left: both latencies of one GET over the cost. Right: how many times RDMA's time TCP takes, a line a size."""
    found = cost_sweeps(points)
    if not found:
        return None
    with styled():
        drawing = _draw(found, clock_hz)
    rows = [(op, round(sweep.first.value_bytes), place, *_medians(sweep, op, place), round(ratio, 4))
            for sweep in found for op in sweep.ops for place, ratio in _ratios(sweep, op)]
    return Picture(name="memcached_software_cost", title="RDMA against TCP over the cost of software",
                   caption=_caption(found), figure=drawing, rows=rows,
                   columns=("op", "value_bytes", "cpu_scale", "tcp_p50_cycles", "rdma_p50_cycles", "tcp_over_rdma"))


def _kind(sweep: Sweep) -> tuple[object, ...]:
    first = sweep.first
    return first.cpu_model, first.clients, first.hops, first.distribution, first.values


def _medians(sweep: Sweep, op: str, place: float) -> list[float]:
    return [point.latency_cycles.p50 for path in ("tcp", "rdma") if (point := sweep.at(path, op, place))]


def _ratios(sweep: Sweep, op: str) -> list[tuple[float, float]]:
    """(cost, TCP's median over RDMA's), where both were measured."""
    return [(place, found[0] / found[1]) for place in sweep.places if len(found := _medians(sweep, op, place)) == 2]


def _caption(found: list[Sweep]) -> str:
    texts = [f"{NAMES[op]} of {of_size(sweep.first.value_bytes)}: {verdict(sweep, op)}."
             for sweep in found for op in sweep.ops if len(_ratios(sweep, op)) > 1]
    ops = dict.fromkeys(op for sweep in found for op in sweep.ops)
    texts += [text for op in ops for text in cost_doubts(found, op)]
    first = found[0].first
    vary = ("cpu_scale",) if len(found) == 1 else ("cpu_scale", "value_bytes")
    return "\n".join([*texts, f"Medians; 1x is {first.cpu_model} as documented. Measured with "
                              f"{circumstances(first, *vary)}."])


def _draw(found: list[Sweep], clock_hz: int) -> Figure:
    drawing, (left, right) = figure(9.6, 4.1, 2, gridspec_kw={"width_ratios": [1, 1.15]})
    middle = min(found, key=lambda sweep: abs(math.log(sweep.first.value_bytes / _MIDDLE)))
    op = middle.ops[0]
    for path in PATHS:
        line = middle.line(path, op)
        left.plot([p.cpu_scale for p in line], [p.latency_cycles.p50 for p in line], color=PATHS[path],
                  marker=MARKERS[path], markersize=4.5, linewidth=1.7, label=NAMES[path])
    for place in crossings(_ratios(middle, op)):
        left.axvline(place, color=INK, linewidth=1.1, linestyle=(0, (1, 1.5)))
    left.set_title(f"{NAMES[op]} of {size_label(middle.first.value_bytes)}", pad=10)
    left.set_ylabel("median latency in cycles")
    keys = _ratio_lines(right, found)
    places = sorted({place for sweep in found for place in sweep.places})
    for axes in (left, right):
        quiet(axes)
        axes.set_xscale("log", base=2)
        axes.set_xticks(places)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}x"))
        axes.set_xlabel("software cost, times the model's")
        log_axis(axes, "y")
    time_axis(left, clock_hz)
    left.legend(frameon=False, fontsize=8.5, labelcolor=INK, loc="upper left")
    drawing.legend(handles=keys, loc="outside lower right", ncols=min(6, len(keys)),
                   frameon=False, fontsize=8.5, labelcolor=INK, handlelength=2.4, columnspacing=1.4)
    return drawing


def _ratio_lines(axes: Axes, found: list[Sweep]) -> list[Line2D]:
    """The lines of the right picture, for a legend."""
    keys = []
    for sweep, colour in zip(found, shades(len(found)), strict=True):
        for op in (op for op in sweep.ops if len(_ratios(sweep, op)) > 1):
            ratios = _ratios(sweep, op)
            keys += axes.plot(*zip(*ratios, strict=True), color=colour, linestyle=DASHES[op], marker="o", markersize=4,
                              linewidth=1.5, label=f"{NAMES[op]} {size_label(sweep.first.value_bytes)}")
            for place in crossings(ratios):
                axes.plot([place], [1], marker="o", markersize=8, markerfacecolor="none", markeredgecolor=INK,
                          markeredgewidth=1.6, zorder=5)
                axes.annotate(f"{place:.3g}x", (place, 1), xytext=(6, 7), textcoords="offset points", fontsize=8.5)
    axes.axhline(1, color=MUTED, linewidth=1)
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, 0.8), max(high, 1.25))
    axes.set_title("TCP's time over RDMA's; above 1 RDMA wins", pad=10)
    axes.set_ylabel("times")
    return keys
