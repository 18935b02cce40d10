"""Latency of GET and SET over the size of the value, both ways, beside what the wire allows."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from khhw.machine.results import MemcachedPoint
from khhw.report.labels import Labels
from khhw.report.memcached.estimates import doubts, hedged
from khhw.report.memcached.halves import Half, beside, panels
from khhw.report.memcached.limits import limits
from khhw.report.memcached.look import DOTS, FEW_KEY, MARKERS, PATHS, WIRE, draw_line, log_axis, size_axis
from khhw.report.memcached.sweep import Sweep, best_by_model, fastest, sweeps
from khhw.report.memcached.words import NAMES, circumstances, cycles, of_size, times
from khhw.report.picture import Picture
from khhw.report.style import INK, keys_below, quiet, styled, time_axis
from khhw.report.words import listing

__all__ = ["size_pictures", "size_sweeps"]


def size_sweeps(points: Sequence[MemcachedPoint]) -> dict[str, Sweep]:
    """The best sweep over value sizes of each CPU model."""
    return best_by_model(sweeps([p for p in points if p.values == "fixed" and p.loop == "closed"], "value_bytes"))


def size_pictures(found: Sequence[Half], clock_hz: int) -> list[Picture]:
    """A picture a CPU model, of those whose value sizes were varied."""
    sweeps_found = [(half, size_sweeps(half.points)) for half in found]
    models = dict.fromkeys(model for _, by_model in sweeps_found for model in by_model)
    return [_picture([(half, by_model[model]) for half, by_model in sweeps_found if model in by_model], model, clock_hz)
            for model in models]


def _picture(found: Sequence[tuple[Half, Sweep]], model: str, clock_hz: int) -> Picture:
    with styled():
        drawing = _draw(found, clock_hz)
    rows = [(p.phase, p.path, p.op, round(p.value_bytes), p.samples, fastest(p), p.latency_cycles.p50,
             p.latency_cycles.p99, p.latency_cycles.max, round(p.wire_bound_cycles, 1),
             round(p.latency_cycles.p50 * 1e9 / clock_hz, 1))
            for _, sweep in found for line in sweep.lines.values() for p in line]
    texts = [_caption(half, sweep, clock_hz) for half, sweep in found]
    return Picture(name=f"memcached_size_{model}", title=f"Latency over value size, software time {model}",
                   caption="\n".join([*texts, *beside([half for half, _ in found])]), figure=drawing, rows=rows,
                   columns=("phase", "path", "op", "value_bytes", "samples", "min_cycles", "p50_cycles", "p99_cycles",
                            "max_cycles", "wire_bound_cycles", "p50_nanoseconds"))


def _caption(half: Half, sweep: Sweep, clock_hz: int) -> str:
    texts = [half.titled(_operation(sweep, op, half.points, clock_hz)) for op in sweep.ops]
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
    unsure = doubts([(f"at {of_size(tcp.value_bytes)}", tcp, rdma) for tcp, rdma in both])
    return [hedged(text, unsure), *unsure]


def _draw(found: Sequence[tuple[Half, Sweep]], clock_hz: int) -> Figure:
    ops = sorted({op for _, sweep in found for op in sweep.ops})
    drawing, rows = panels(9.6, 4.3, found, len(ops), sharex=True, sharey=True)
    labels = Labels(drawing)
    few = False
    for (half, sweep), row in zip(found, rows, strict=True):
        for axes, op in zip(row, ops, strict=True):
            for path in PATHS:
                few |= _line(axes, sweep.line(path, op), path, labels)
            _wire(axes, sweep, op)
            size_axis(axes, {size for _, each in found for size in each.values})
            axes.set_title(half.titled(NAMES[op]), pad=10, fontweight="bold")
            axes.tick_params(labelbottom=True, labelleft=True)
            quiet(axes)
        row[0].set_ylabel("latency in cycles")
    log_axis(rows[0][0], "y")
    for row in rows:
        time_axis(row[-1], clock_hz)
    _legend(drawing, [sweep for _, sweep in found], few)
    labels.place()
    return drawing


def _line(axes: Axes, points: Sequence[MemcachedPoint], path: str, labels: Labels) -> bool:
    """Medians as a line; at each, thin from the fastest to the longest, thick up to the 99th percentile."""
    colour = PATHS[path]
    x = [point.value_bytes for point in points]
    axes.vlines(x, [fastest(point) for point in points], [point.latency_cycles.max for point in points], color=colour,
                linewidth=1.2, alpha=0.6)
    known = [(point.value_bytes, point.latency_cycles.p50, tail) for point in points
             if (tail := point.latency_cycles.p99) is not None]
    axes.vlines([size for size, _, _ in known], [median for _, median, _ in known], [tail for _, _, tail in known],
                color=colour, linewidth=3.6, alpha=0.6)
    return draw_line(axes, [(point.value_bytes, point.latency_cycles.p50, point.samples) for point in points], labels,
                     colour=colour, marker=MARKERS[path])


def _wire(axes: Axes, sweep: Sweep, op: str) -> None:
    """One line if both ways have the same bound."""
    lines = {path: [(point.value_bytes, point.wire_bound_cycles) for point in line]
             for path in PATHS if (line := sweep.line(path, op))}
    alike = len({tuple(line) for line in lines.values()}) == 1
    for path, points in lines.items():
        axes.plot(*zip(*points, strict=True), color=WIRE if alike else PATHS[path], linestyle=DOTS, linewidth=1.2)


def _legend(drawing: Figure, found: Sequence[Sweep], few: bool) -> None:
    paths = [path for path in PATHS if any(key[0] == path for sweep in found for key in sweep.lines)]
    keys = [Line2D([], [], color=PATHS[path], marker=MARKERS[path], markersize=4.5, linewidth=1.7,
                   label=f"{NAMES[path]}, median") for path in paths]
    keys.append(Line2D([], [], color=INK, alpha=0.6, linewidth=1.2, linestyle="none", marker="|", markersize=11,
                       label="fastest to longest"))
    points = [point for sweep in found for line in sweep.lines.values() for point in line]
    if any(point.latency_cycles.p99 is not None for point in points):
        keys.append(Line2D([], [], color=INK, alpha=0.6, linestyle="none", marker="|", markersize=9,
                           markeredgewidth=3.6, label="to the 99th percentile"))
    keys.append(Line2D([], [], color=WIRE, linestyle=DOTS, linewidth=1.2, label="what the wire allows"))
    keys_below(drawing, [*keys, *([FEW_KEY] if few else [])], handlelength=1.8, columnspacing=1.4)
