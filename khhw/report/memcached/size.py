"""Latency of GET and SET over the size of the value, both ways, beside what the wire allows."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from khhw.machine.results import MemcachedPoint
from khhw.report.memcached.estimates import doubts
from khhw.report.memcached.limits import limits
from khhw.report.memcached.look import DOTS, MARKERS, PATHS, WIRE, log_axis, size_axis
from khhw.report.memcached.sweep import Sweep, best_by_model, sweeps
from khhw.report.memcached.words import NAMES, circumstances, cycles, of_size, times
from khhw.report.picture import Picture
from khhw.report.style import INK, figure, quiet, styled, time_axis
from khhw.report.words import listing

__all__ = ["size_pictures", "size_sweeps"]


def size_sweeps(points: Sequence[MemcachedPoint]) -> dict[str, Sweep]:
    """The best sweep over value sizes of each CPU model."""
    return best_by_model(sweeps([p for p in points if p.values == "fixed" and p.loop == "closed"], "value_bytes"))


def size_pictures(points: Sequence[MemcachedPoint], clock_hz: int) -> list[Picture]:
    """A picture a CPU model, of those whose value sizes were varied."""
    return [_picture(sweep, model, points, clock_hz) for model, sweep in size_sweeps(points).items()]


def _picture(sweep: Sweep, model: str, points: Sequence[MemcachedPoint], clock_hz: int) -> Picture:
    with styled():
        drawing = _draw(sweep, clock_hz)
    rows = [(p.path, p.op, round(p.value_bytes), p.samples, p.latency_cycles.p50, p.latency_cycles.p99,
             p.latency_cycles.max, round(p.wire_bound_cycles, 1), round(p.latency_cycles.p50 * 1e9 / clock_hz, 1))
            for line in sweep.lines.values() for p in line]
    return Picture(name=f"memcached_size_{model}", title=f"Latency over value size, software time {model}",
                   caption=_caption(sweep, points, clock_hz), figure=drawing, rows=rows,
                   columns=("path", "op", "value_bytes", "samples", "p50_cycles", "p99_cycles", "max_cycles",
                            "wire_bound_cycles", "p50_nanoseconds"))


def _caption(sweep: Sweep, points: Sequence[MemcachedPoint], clock_hz: int) -> str:
    texts = [_operation(sweep, op, points, clock_hz) for op in sweep.ops]
    return "\n".join([*texts, f"Measured with {circumstances(sweep.first, 'value_bytes')}."])


def _operation(sweep: Sweep, op: str, points: Sequence[MemcachedPoint], clock_hz: int) -> str:
    """A few sentences a path, and which one is faster."""
    texts = [f"{NAMES[op]} by {NAMES[path]} takes {_span(line, points, clock_hz)}." for path in PATHS
             if (line := sweep.line(path, op))]
    return " ".join([*texts, *_comparison(sweep, op)])


def _span(line: Sequence[MemcachedPoint], points: Sequence[MemcachedPoint], clock_hz: int) -> str:
    small, large = line[0], line[-1]
    first, last = (point.latency_cycles.p50 / point.wire_bound_cycles for point in (small, large))
    text = (f"a median of {cycles(small.latency_cycles.p50, clock_hz)} at {of_size(small.value_bytes)} and "
            f"{cycles(large.latency_cycles.p50, clock_hz)} at {of_size(large.value_bytes)}: {first:.3g} and "
            f"{times(last)} what the wire allows ({small.wire_bound_cycles:,.0f} and {large.wire_bound_cycles:,.0f} "
            f"cycles)")
    what = limits([small, large], points, clock_hz)
    return text + (f". What limits it is {what}" if what else "")


def _comparison(sweep: Sweep, op: str) -> list[str]:
    both = [(tcp, rdma) for tcp in sweep.line("tcp", op) if (rdma := sweep.at("rdma", op, tcp.value_bytes))]
    if not both:
        return []
    ratios = [(tcp.latency_cycles.p50 / rdma.latency_cycles.p50, tcp.value_bytes) for tcp, rdma in both]
    ahead = [of_size(value) for ratio, value in ratios if ratio < 1]
    (least, at_least), (most, at_most) = min(ratios), max(ratios)
    if len(ahead) == len(both):
        text = f"TCP is the faster one at every size, at {of_size(at_least)} by {times(1 / least)}."
    elif ahead:
        text = f"RDMA is up to {times(most)} as fast (at {of_size(at_most)}), but TCP is faster at {listing(ahead)}."
    else:
        text = (f"RDMA is the faster one at every size: {times(least)} as fast at {of_size(at_least)}, "
                f"{times(most)} at {of_size(at_most)}.")
    return [text, *doubts([(f"at {of_size(tcp.value_bytes)}", tcp, rdma) for tcp, rdma in both])]


def _draw(sweep: Sweep, clock_hz: int) -> Figure:
    ops = sweep.ops
    drawing, panels = figure(9.6, 4.1, len(ops), sharey=True)
    for axes, op in zip(panels, ops, strict=True):
        for path in PATHS:
            _line(axes, sweep.line(path, op), path)
        _wire(axes, sweep, op)
        size_axis(axes, sweep.places)
        axes.set_title(NAMES[op], pad=10, fontweight="bold")
        quiet(axes)
    log_axis(panels[0], "y")
    panels[0].set_ylabel("latency in cycles")
    time_axis(panels[-1], clock_hz)
    _legend(drawing, sweep)
    return drawing


def _line(axes: Axes, line: Sequence[MemcachedPoint], path: str) -> None:
    if not line:
        return
    x = [point.value_bytes for point in line]
    median = [point.latency_cycles.p50 for point in line]
    colour = PATHS[path]
    axes.fill_between(x, median, [point.latency_cycles.max for point in line], color=colour, alpha=0.12, linewidth=0)
    known = [point for point in line if point.latency_cycles.p99 is not None]
    axes.fill_between([point.value_bytes for point in known], [point.latency_cycles.p50 for point in known],
                      [point.latency_cycles.p99 or 0 for point in known], color=colour, alpha=0.28, linewidth=0)
    axes.plot(x, median, color=colour, marker=MARKERS[path], markersize=4.5, linewidth=1.7)


def _wire(axes: Axes, sweep: Sweep, op: str) -> None:
    """One line if both ways have the same bound."""
    lines = {path: [(point.value_bytes, point.wire_bound_cycles) for point in line]
             for path in PATHS if (line := sweep.line(path, op))}
    alike = len({tuple(line) for line in lines.values()}) == 1
    for path, places in lines.items():
        axes.plot(*zip(*places, strict=True), color=WIRE if alike else PATHS[path], linestyle=DOTS, linewidth=1.2)


def _legend(drawing: Figure, sweep: Sweep) -> None:
    paths = [path for path in PATHS if any(key[0] == path for key in sweep.lines)]
    keys: list[Line2D | Patch] = [Line2D([], [], color=PATHS[path], marker=MARKERS[path], markersize=4.5, linewidth=1.7,
                                         label=f"{NAMES[path]}, median") for path in paths]
    points = [point for line in sweep.lines.values() for point in line]
    if any(point.latency_cycles.p99 is not None for point in points):
        keys.append(Patch(color=INK, alpha=0.38, linewidth=0, label="to the 99th percentile"))
    keys.append(Patch(color=INK, alpha=0.14, linewidth=0, label="to the longest"))
    keys.append(Line2D([], [], color=WIRE, linestyle=DOTS, linewidth=1.2, label="what the wire allows"))
    drawing.legend(handles=keys, loc="outside lower center", ncols=len(keys), frameon=False, fontsize=8.5,
                   labelcolor=INK, handlelength=1.8)
