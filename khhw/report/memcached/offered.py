"""Latency over offered load: open-loop clients ask at a rate of their own, whether answers come or not."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from khhw.machine.results import MemcachedPoint
from khhw.report.change import RATE
from khhw.report.memcached.estimates import rate
from khhw.report.memcached.limits import limit
from khhw.report.memcached.look import MARKERS, PATHS, log_axis
from khhw.report.memcached.sweep import sweeps, together
from khhw.report.memcached.words import NAMES, circumstances, per_cent, samples_of
from khhw.report.picture import Picture
from khhw.report.style import INK, MUTED, figure, plain_numbers, quiet, styled, time_axis
from khhw.report.words import listing

__all__ = ["offered_picture", "saturation"]

_KEEPS_UP = 0.95


def offered_picture(points: Sequence[MemcachedPoint], clock_hz: int) -> Picture | None:
    """Left: latency of the more frequent operation. Right: operations done over operations offered."""
    opened = [p for p in points if p.loop == "open" and p.offered_per_second]
    found = sweeps(opened, "offered_per_second")
    if not found:
        return None
    sweep = found[0]
    op = max(sweep.ops, key=lambda op: sum(p.ops for path in PATHS for p in sweep.line(path, op)))
    lines = {path: [(point, _done(point, opened)) for point in line]
             for path in PATHS if (line := sweep.line(path, op))}
    with styled():
        drawing = _draw(lines, op, clock_hz)
    rows = [(path, op, point.offered_per_second, round(done, 1), point.latency_cycles.p50, point.latency_cycles.p99)
            for path, line in lines.items() for point, done in line]
    return Picture(name="memcached_offered", title="Latency over offered load", figure=drawing, rows=rows,
                   caption=_caption(lines, op, opened, sweep.first, clock_hz),
                   columns=("path", "op", "offered_per_second", "done_per_second", "p50_cycles", "p99_cycles"))


def saturation(line: Sequence[tuple[MemcachedPoint, float]]) -> MemcachedPoint | None:
    """The first point of a line, each with the operations done a second, at which these fall behind the offer with all
    of their interval."""
    return next((point for point, done in line if _keeps_up(point, done) is False), None)


def _keeps_up(point: MemcachedPoint, done: float) -> bool | None:
    """Whether operations done a second reach the offer; None where their interval does not tell."""
    wanted, found = _KEEPS_UP * (point.offered_per_second or 0), rate(point).interval(1 - RATE)
    if found is None:
        return None
    # A mix is measured as its operations together; the interval is that of one of them.
    low, high = (done * end / point.ops_per_second for end in found)
    return True if low >= wanted else False if high < wanted else None


def _done(point: MemcachedPoint, points: Sequence[MemcachedPoint]) -> float:
    """Operations of all kinds a second: the offer counts all kinds too."""
    return sum(p.ops_per_second for p in together(point, points))


def _caption(
    lines: dict[str, list[tuple[MemcachedPoint, float]]], op: str, points: Sequence[MemcachedPoint],
    first: MemcachedPoint, clock_hz: int,
) -> str:
    texts = []
    for path, line in lines.items():
        (low, _), (last, done) = line[0], line[-1]
        text = (f"{NAMES[op]} by {NAMES[path]}: a median of {low.latency_cycles.p50:,.0f} cycles at "
                f"{low.offered_per_second:,.0f} operations/s offered, {last.latency_cycles.p50:,.0f} at "
                f"{last.offered_per_second:,.0f}. ")
        full = saturation(line)
        unclear = [point for point, done in line if _keeps_up(point, done) is None]
        if full is None and unclear:
            text += (f"Whether all is done that is offered is not certain at "
                     f"{listing(f'{point.offered_per_second:,.0f}' for point in unclear)} ({samples_of(unclear)}).")
        elif full is None:
            text += "All that was offered was done."
        else:
            text += (f"From {full.offered_per_second:,.0f} on it does not keep up; at the most offered it does "
                     f"{done:,.0f}, {per_cent(done / (last.offered_per_second or 1))} of it.")
            if what := limit(last, points, clock_hz):
                text += f" What limits it is {what}."
        texts.append(text)
    return "\n".join([*texts, f"Measured with {circumstances(first, 'offered_per_second')}."])


def _draw(lines: dict[str, list[tuple[MemcachedPoint, float]]], op: str, clock_hz: int) -> Figure:
    drawing, (left, right) = figure(9.6, 3.9, 2)
    for path, line in lines.items():
        offered = [point.offered_per_second or 0 for point, _ in line]
        left.plot(offered, [point.latency_cycles.p50 for point, _ in line], color=PATHS[path], marker=MARKERS[path],
                  markersize=4.5, linewidth=1.7)
        known = [(point.offered_per_second or 0, tail) for point, _ in line
                 if (tail := point.latency_cycles.p99) is not None]
        left.plot([place for place, _ in known], [tail for _, tail in known],
                  color=PATHS[path], linestyle=(0, (4, 1.6)), linewidth=1.2)
        right.plot(offered, [done for _, done in line], color=PATHS[path], marker=MARKERS[path], markersize=4.5,
                   linewidth=1.7)
    ends = [function(point.offered_per_second or 0 for line in lines.values() for point, _ in line)
            for function in (min, max)]
    right.plot(ends, ends, color=MUTED, linewidth=1, zorder=0)
    far = ends[1] > 20 * ends[0]
    for axes, label in ((left, f"latency of a {NAMES[op]} in cycles"), (right, "operations a second done")):
        quiet(axes)
        axes.set_xlabel("operations a second offered")
        axes.set_ylabel(label)
        axes.locator_params(axis="x", nbins=6)
        plain_numbers(axes.xaxis)
        plain_numbers(axes.yaxis)
        if far:
            log_axis(axes, "x")
    log_axis(left, "y")
    if far:
        log_axis(right, "y")
    time_axis(left, clock_hz)
    keys = [Line2D([], [], color=PATHS[path], marker=MARKERS[path], markersize=4.5, linewidth=1.7, label=NAMES[path])
            for path in lines]
    keys += [Line2D([], [], color=INK, linestyle=(0, (4, 1.6)), linewidth=1.2, label="99th percentile"),
             Line2D([], [], color=MUTED, linewidth=1, label="all that is offered")]
    drawing.legend(handles=keys, loc="outside lower center", ncols=len(keys), frameon=False, fontsize=8.5,
                   labelcolor=INK, handlelength=2.2)
    return drawing
