"""RDMA against TCP over the cost of software, and where the winner changes."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullLocator

from khhw.machine.results import MemcachedPoint
from khhw.report.labels import Labels
from khhw.report.memcached.estimates import doubts, hedged
from khhw.report.memcached.halves import Half, beside, panels
from khhw.report.memcached.look import DASHES, FEW_KEY, MARKERS, PATHS, draw_line, log_axis, size_label
from khhw.report.memcached.sweep import Sweep, sweeps
from khhw.report.memcached.words import NAMES, circumstances, of_size, times
from khhw.report.picture import Picture
from khhw.report.style import EMPTY, MUTED, keys_below, quiet, shades, styled, time_axis
from khhw.report.style import MARKERS as SHAPES
from khhw.report.words import listing

__all__ = ["cost_doubts", "cost_picture", "cost_sweeps", "crossings", "verdict"]

_MIDDLE = 4096
_EQUAL = 1e-9
"""Of costs, relatively."""


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
    ratios : sequence of (cost, ratio)
        Positive, costs rising.

    Returns
    -------
    list of float
        Costs, interpolated on logarithmic scales of both; a ratio that touches 1 and turns back passes nothing.
    """
    # A run of exact ones between two sides passes in its middle.
    sided = [(math.log(cost), math.log(ratio)) for cost, ratio in ratios if ratio != 1]
    even = [math.log(cost) for cost, ratio in ratios if ratio == 1]
    found = []
    for (left, before), (right, after) in pairwise(sided):
        if before * after < 0:
            between = [cost for cost in even if left < cost < right]
            found.append(sum(between) / len(between) if between
                         else left + (right - left) * before / (before - after))
    return [math.exp(cost) for cost in found]


def verdict(sweep: Sweep, op: str) -> str:
    """Who wins where, in words."""
    ratios = _ratios(sweep, op)
    changes = crossings(ratios)
    (first, start), (last, end) = ratios[0], ratios[-1]
    if changes:
        return (f"the winner changes at {listing(f'{cost:.3g}' for cost in changes)} times the model's cost: "
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
    return doubts([(f"at {cost:g}x of {of_size(sweep.first.value_bytes)}", tcp, rdma)
                   for sweep in found for cost in sweep.values
                   if (tcp := sweep.at("tcp", op, cost)) and (rdma := sweep.at("rdma", op, cost))])


def cost_picture(found: Sequence[Half], clock_hz: int) -> Picture | None:
    """Left: both latencies of one GET over the cost. Right: how many times RDMA's time TCP takes, a line a size."""
    charged = [(half, varied) for half in found if (varied := cost_sweeps(half.points))]
    if not charged:
        return None
    with styled():
        drawing = _draw(charged, clock_hz)
    rows = [(_phase(sweep, op, cost), op, round(sweep.first.value_bytes), cost, _samples(sweep, op, cost),
             *_medians(sweep, op, cost), round(ratio, 4))
            for _, varied in charged for sweep in varied for op in sweep.ops for cost, ratio in _ratios(sweep, op)]
    texts = [half.titled(_caption(varied)) for half, varied in charged]
    return Picture(name="memcached_software_cost", title="RDMA against TCP over the cost of software",
                   caption="\n".join([*texts, *beside([half for half, _ in charged])]), figure=drawing, rows=rows,
                   columns=("phase", "op", "value_bytes", "cpu_scale", "samples", "tcp_p50_cycles", "rdma_p50_cycles",
                            "tcp_over_rdma"))


def _phase(sweep: Sweep, op: str, cost: float) -> str:
    return " and ".join(dict.fromkeys(point.phase for point in _both(sweep, op, cost)))


def _samples(sweep: Sweep, op: str, cost: float) -> int:
    """Operations of the way that did fewer of them."""
    return min(point.samples for point in _both(sweep, op, cost))


def _both(sweep: Sweep, op: str, cost: float) -> list[MemcachedPoint]:
    return [point for path in ("tcp", "rdma") if (point := sweep.at(path, op, cost))]


def _kind(sweep: Sweep) -> tuple[object, ...]:
    first = sweep.first
    return first.cpu_model, first.clients, first.hops, first.distribution, first.values


def _medians(sweep: Sweep, op: str, cost: float) -> list[float]:
    return [point.latency_cycles.p50 for point in _both(sweep, op, cost)]


def _ratios(sweep: Sweep, op: str) -> list[tuple[float, float]]:
    """(cost, TCP's median over RDMA's), where both were measured."""
    return [(cost, found[0] / found[1]) for cost in sweep.values if len(found := _medians(sweep, op, cost)) == 2]


def _caption(found: list[Sweep]) -> str:
    unsure = {op: cost_doubts(found, op) for sweep in found for op in sweep.ops}
    texts = [f"{NAMES[op]} of {of_size(sweep.first.value_bytes)}: "
             f"{hedged(verdict(sweep, op), unsure[op], first=False)}."
             for sweep in found for op in sweep.ops if len(_ratios(sweep, op)) > 1]
    texts += [text for op in unsure for text in unsure[op]]
    first = found[0].first
    vary = ("cpu_scale",) if len(found) == 1 else ("cpu_scale", "value_bytes")
    return "\n".join([*texts, f"Medians; 1x is {first.cpu_model} as documented. Measured with "
                              f"{circumstances(first, *vary)}."])


def _draw(charged: Sequence[tuple[Half, list[Sweep]]], clock_hz: int) -> Figure:
    drawing, rows = panels(9.6, 4.4, charged, 2, sharex=True, sharey="col", gridspec_kw={"width_ratios": [1, 1.15]})
    labels = Labels(drawing)
    keys: dict[str, Line2D] = {}
    few = False
    for (half, found), (left, right) in zip(charged, rows, strict=True):
        few |= _latencies(left, half, found, labels)
        few |= _ratio_lines(right, half, found, labels, keys)
        for axes in (left, right):
            quiet(axes)
            axes.set_xlabel("software cost, times the model's")
            axes.tick_params(labelbottom=True)
    axes = rows[0][0]
    axes.set_xscale("log", base=2)
    axes.set_xticks(sorted({cost for _, found in charged for sweep in found for cost in sweep.values}))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}x"))
    log_axis(axes, "y")
    low, high = rows[0][1].get_ylim()
    rows[0][1].set_ylim(min(low, 0.8), max(high, 1.25))
    log_axis(rows[0][1], "y")
    for left, _ in rows:
        time_axis(left, clock_hz)
    paths = [Line2D([], [], color=PATHS[path], marker=MARKERS[path], markersize=4.5, linewidth=1.7, label=NAMES[path])
             for path in PATHS]
    every = [*paths, *keys.values(), *([FEW_KEY] if few else [])]
    keys_below(drawing, every, min(5, len(every)), columnspacing=1.4)
    labels.place()
    return drawing


def _latencies(axes: Axes, half: Half, found: list[Sweep], labels: Labels) -> bool:
    """Medians of the first operation at one size, and between which costs the winner changes."""
    middle = min(found, key=lambda sweep: abs(math.log(sweep.first.value_bytes / _MIDDLE)))
    op = middle.ops[0]
    few = [draw_line(axes, [(p.cpu_scale, p.latency_cycles.p50, p.samples) for p in middle.line(path, op)], labels,
                     colour=PATHS[path], marker=MARKERS[path]) for path in PATHS]
    for low, high in map(_between(_ratios(middle, op)), crossings(_ratios(middle, op))):
        axes.axvspan(low, high, color=EMPTY, zorder=0)
    axes.set_title(half.headed(f"{NAMES[op]} of {size_label(middle.first.value_bytes)}"), pad=10)
    axes.set_ylabel("median latency in cycles")
    return any(few)


def _ratio_lines(axes: Axes, half: Half, found: list[Sweep], labels: Labels, keys: dict[str, Line2D]) -> bool:
    """The lines of the right panel, and between which measured costs each passes 1."""
    few = []
    for index, (sweep, colour) in enumerate(zip(found, shades(len(found)), strict=True)):
        for op in (op for op in sweep.ops if len(_ratios(sweep, op)) > 1):
            ratios, marker = _ratios(sweep, op), SHAPES[index % len(SHAPES)]
            few.append(draw_line(axes, [(cost, ratio, _samples(sweep, op, cost)) for cost, ratio in ratios], labels,
                                 colour=colour, marker=marker, style=DASHES[op], width=1.5))
            name = f"{NAMES[op]} {size_label(sweep.first.value_bytes)}"
            keys[name] = Line2D([], [], color=colour, marker=marker, markersize=4.5, linestyle=DASHES[op],
                                linewidth=1.5, label=name)
            for cost in crossings(ratios):
                low, high = _between(ratios)(cost)
                axes.plot([low, high], [1, 1], color=colour, linewidth=6, alpha=0.35, solid_capstyle="butt", zorder=1)
                labels.add(axes, f"changes at about {cost:.3g}x", (math.sqrt(low * high), 1))
    axes.axhline(1, color=MUTED, linewidth=1)
    axes.set_title(half.headed("TCP's time over RDMA's; above 1 RDMA wins"), pad=10)
    axes.set_ylabel("times")
    return any(few)


def _between(ratios: Sequence[tuple[float, float]]) -> Callable[[float], tuple[float, float]]:
    """The measured costs below and above a cost."""
    costs = [cost for cost, _ in ratios]
    return lambda at: (max(cost for cost in costs if cost < at * (1 + _EQUAL)),
                       min(cost for cost in costs if cost > at * (1 - _EQUAL)))
