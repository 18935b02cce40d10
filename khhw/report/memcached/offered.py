"""Latency over offered load: open-loop clients ask at a rate of their own, whether answers come or not."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from khhw.machine.results import MemcachedPoint
from khhw.report.change import RATE
from khhw.report.labels import Labels
from khhw.report.memcached.estimates import rate
from khhw.report.memcached.halves import Half, beside, panels
from khhw.report.memcached.limits import limit
from khhw.report.memcached.look import FEW_KEY, MARKERS, PATHS, draw_line, log_axis
from khhw.report.memcached.sweep import sweeps, together
from khhw.report.memcached.words import NAMES, circumstances, per_cent, samples_of
from khhw.report.picture import Picture
from khhw.report.style import INK, MUTED, keys_below, plain_numbers, quiet, styled, time_axis
from khhw.report.words import listing

__all__ = ["offered_picture", "saturation"]

_KEEPS_UP = 0.95
_FAR = 20
_TAIL: Any = (0, (4, 1.6))
"""How the 99th percentile is drawn."""


def offered_picture(found: Sequence[Half], clock_hz: int) -> Picture | None:
    """Left: latency of the more frequent operation. Right: operations done over operations offered."""
    offers = [offer for half in found if (offer := _offer(half))]
    if not offers:
        return None
    with styled():
        drawing = _draw(offers, clock_hz)
    rows = [(point.phase, path, offer.op, point.samples, point.offered_per_second, round(done, 1),
             point.latency_cycles.p50, point.latency_cycles.p99)
            for offer in offers for path, line in offer.lines.items() for point, done in line]
    texts = [_caption(offer, clock_hz) for offer in offers]
    return Picture(name="memcached_offered", title="Latency over offered load", figure=drawing, rows=rows,
                   caption="\n".join([*texts, *beside([offer.half for offer in offers])]),
                   columns=("phase", "path", "op", "samples", "offered_per_second", "done_per_second", "p50_cycles",
                            "p99_cycles"))


@dataclass(frozen=True)
class _Offer:
    """What clients offered in a half: by path the points of an operation, each with the operations done a second."""

    half: Half
    op: str
    lines: dict[str, list[tuple[MemcachedPoint, float]]]

    @property
    def points(self) -> list[tuple[MemcachedPoint, float]]:
        return [pair for line in self.lines.values() for pair in line]


def _offer(half: Half) -> _Offer | None:
    opened = [p for p in half.points if p.loop == "open" and p.offered_per_second]
    found = sweeps(opened, "offered_per_second")
    if not found:
        return None
    sweep = found[0]
    op = max(sweep.ops, key=lambda op: sum(p.ops for path in PATHS for p in sweep.line(path, op)))
    return _Offer(half, op, {path: [(point, _done(point, opened)) for point in line]
                             for path in PATHS if (line := sweep.line(path, op))})


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


def _caption(offer: _Offer, clock_hz: int) -> str:
    texts = []
    for path, line in offer.lines.items():
        (low, _), (last, done) = line[0], line[-1]
        text = (f"{NAMES[offer.op]} by {NAMES[path]}: a median of {low.latency_cycles.p50:,.0f} cycles at "
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
            if what := limit(last, offer.half.points, clock_hz):
                text += f" What limits it is {what}."
        texts.append(offer.half.titled(text))
    return "\n".join([*texts, f"Measured with {circumstances(offer.points[0][0], 'offered_per_second')}."])


def _draw(offers: Sequence[_Offer], clock_hz: int) -> Figure:
    drawing, rows = panels(9.6, 4.2, offers, 2, sharex=True, sharey="col")
    labels = Labels(drawing)
    few = False
    for offer, (left, right) in zip(offers, rows, strict=True):
        for path, line in offer.lines.items():
            few |= _way(left, right, path, line, labels)
        loads = [point.offered_per_second or 0 for point, _ in offer.points]
        right.plot([min(loads), max(loads)], [min(loads), max(loads)], color=MUTED, linewidth=1, zorder=0)
        for axes, label in ((left, f"latency of a {NAMES[offer.op]} in cycles"), (right, "operations a second done")):
            quiet(axes)
            axes.set_xlabel("operations a second offered")
            axes.set_ylabel(label)
            axes.tick_params(labelbottom=True)
            axes.set_title(offer.half.titled(""), pad=10, fontweight="bold")
            axes.locator_params(axis="x", nbins=6)
            plain_numbers(axes.xaxis)
            plain_numbers(axes.yaxis)
    every = [point.offered_per_second or 0 for offer in offers for point, _ in offer.points]
    if max(every) > _FAR * min(every):
        log_axis(rows[0][0], "x")
        log_axis(rows[0][1], "x")
        log_axis(rows[0][1], "y")
    log_axis(rows[0][0], "y")
    for left, _ in rows:
        time_axis(left, clock_hz)
    paths = [path for path in PATHS if any(path in offer.lines for offer in offers)]
    keys = [Line2D([], [], color=PATHS[path], marker=MARKERS[path], markersize=4.5, linewidth=1.7,
                   label=f"{NAMES[path]}, median") for path in paths]
    keys += [Line2D([], [], color=INK, linestyle=_TAIL, marker="_", markersize=7, linewidth=1.2,
                    label="99th percentile"),
             Line2D([], [], color=MUTED, linewidth=1, label="all that is offered")]
    keys_below(drawing, [*keys, *([FEW_KEY] if few else [])])
    labels.place()
    return drawing


def _way(
    left: Axes, right: Axes, path: str, line: Sequence[tuple[MemcachedPoint, float]], labels: Labels,
) -> bool:
    """Latency and operations done one way; whether a point is of few operations."""
    known = [(point.offered_per_second or 0, tail) for point, _ in line
             if (tail := point.latency_cycles.p99) is not None]
    left.plot([load for load, _ in known], [tail for _, tail in known], color=PATHS[path], linestyle=_TAIL,
              marker="_", markersize=7, linewidth=1.2)
    right.plot([point.offered_per_second or 0 for point, _ in line], [done for _, done in line], color=PATHS[path],
               marker=MARKERS[path], markersize=4.5, linewidth=1.7)
    return draw_line(left, [(point.offered_per_second or 0, point.latency_cycles.p50, point.samples)
                            for point, _ in line], labels, colour=PATHS[path], marker=MARKERS[path])
