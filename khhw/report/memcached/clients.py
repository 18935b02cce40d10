"""Operations a second over the number of clients, and what stops them growing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from khhw.machine.results import MemcachedPoint
from khhw.report.labels import Labels
from khhw.report.memcached.halves import Half, beside, panels
from khhw.report.memcached.limits import busy, limit
from khhw.report.memcached.look import DOTS, FEW_KEY, MARKERS, PATHS, draw_line, log_axis
from khhw.report.memcached.sweep import best_by_model, sweeps, together
from khhw.report.memcached.words import NAMES, circumstances, per_cent, times
from khhw.report.picture import Picture
from khhw.report.style import INK, keys_below, plain_numbers, quiet, styled
from khhw.report.words import count

__all__ = ["Rate", "client_pictures", "client_rates"]

_FAR_APART = 8
_SOME = 0.1
"""Share of the time from which on the server's processor has a say."""
_BOUNDS: dict[str, Any] = {"server": (0, (6, 2)), "wire": DOTS}


@dataclass(frozen=True, kw_only=True)
class Rate:
    """What all clients of one measurement did together.

    Parameters
    ----------
    point : MemcachedPoint
        Its most frequent operation.
    ops : tuple of str
        Operations in the mix.
    per_second : float
        Operations of all kinds.
    busy : float
        Share of the time the server's processor ran software.
    server_ns : float
        Its software time an operation.
    wire_per_second : float
        As many connections with one operation at a time, each as fast as the wire allows.
    """

    point: MemcachedPoint
    ops: tuple[str, ...]
    per_second: float
    busy: float
    server_ns: float
    wire_per_second: float

    @property
    def samples(self) -> int:
        """Operations of the most frequent kind whose latency was kept."""
        return self.point.samples

    @property
    def server_per_second(self) -> float | None:
        """What the server's processor would allow; None where it has next to nothing to do."""
        return 1e9 / self.server_ns if self.server_ns > 0 and self.busy >= _SOME else None


def client_rates(points: Sequence[MemcachedPoint], clock_hz: int) -> dict[str, dict[str, list[Rate]]]:
    """By CPU model and path: the best series over the number of clients, GETs and SETs of a measurement together."""
    closed = [point for point in points if point.loop == "closed"]
    found: dict[str, dict[str, list[Rate]]] = {}
    for model, sweep in best_by_model(sweeps(closed, "clients", "hops")).items():
        main = max(sweep.lines, key=lambda key: (len(sweep.lines[key]), sum(p.ops for p in sweep.lines[key])))[1]
        found[model] = {path: [_rate(point, closed, clock_hz) for point in line]
                        for path in PATHS if len(line := sweep.line(path, main)) > 1}
    return {model: rates for model, rates in found.items() if rates}


def client_pictures(found: Sequence[Half], clock_hz: int) -> list[Picture]:
    """A picture a CPU model under which the number of clients was varied."""
    rates = [(half, client_rates(half.points, clock_hz)) for half in found]
    models = dict.fromkeys(model for _, by_model in rates for model in by_model)
    return [_picture(model, [(half, by_model[model]) for half, by_model in rates if model in by_model], clock_hz)
            for model in models]


def _rate(point: MemcachedPoint, points: Sequence[MemcachedPoint], clock_hz: int) -> Rate:
    mix = together(point, points)
    every = sum(p.ops_per_second for p in mix)
    server, bound = (sum(p.ops_per_second * getattr(p, name) for p in mix) / every
                     for name in ("server_cpu_ns_per_op", "wire_bound_cycles"))
    return Rate(point=point, ops=tuple(sorted({p.op for p in mix})), per_second=every, busy=busy(point, points),
                server_ns=server, wire_per_second=point.clients * point.connections * clock_hz / bound)


def _picture(model: str, found: Sequence[tuple[Half, dict[str, list[Rate]]]], clock_hz: int) -> Picture:
    with styled():
        drawing = _draw(found)
    rows = [(rate.point.phase, path, "+".join(rate.ops), rate.point.clients, rate.samples, round(rate.per_second, 1),
             round(rate.server_ns, 1), round(rate.busy, 4), _rounded(rate.server_per_second),
             round(rate.wire_per_second, 1))
            for _, rates in found for path, line in rates.items() for rate in line]
    texts = [_caption(half, rates, clock_hz) for half, rates in found]
    return Picture(name=f"memcached_clients_{model}", title=f"Operations a second over clients, software time {model}",
                   caption="\n".join([*texts, *beside([half for half, _ in found])]), figure=drawing, rows=rows,
                   columns=("phase", "path", "ops", "clients", "samples", "operations_per_second",
                            "server_cpu_ns_per_op", "server_busy", "server_operations_per_second",
                            "wire_operations_per_second"))


def _rounded(value: float | None) -> float | str:
    return "" if value is None else round(value, 1)


def _caption(half: Half, rates: dict[str, list[Rate]], clock_hz: int) -> str:
    texts = []
    for path, line in rates.items():
        first, last = line[0], line[-1]
        text = (f"{NAMES[path]}: {first.per_second:,.0f} operations/s with {count(first.point.clients, 'client')}, "
                f"{last.per_second:,.0f} ({times(last.per_second / first.per_second)} as many) with "
                f"{last.point.clients}. ")
        if what := limit(last.point, half.points, clock_hz):
            text += f"What limits these is {what}. "
        text += (f"The wire would allow these clients, each alone on it, {last.wire_per_second:,.0f} "
                 f"({times(last.wire_per_second / last.per_second)} as many). The server's processor ")
        if last.server_ns <= 0:
            text += "runs no software for them."
        else:
            text += f"is {per_cent(last.busy)} busy"
            text += "." if last.server_per_second is None else f" and allows {last.server_per_second:,.0f}."
        texts.append(half.titled(text))
    last = next(iter(rates.values()))[-1]
    mix = " and ".join(f"{NAMES[op]}s" for op in last.ops)
    return "\n".join([*texts, f"{mix}{' together' if len(last.ops) > 1 else ''}. Measured with "
                              f"{circumstances(last.point, 'clients')}."])


def _draw(found: Sequence[tuple[Half, dict[str, list[Rate]]]]) -> Figure:
    drawing, rows = panels(9.6, 4.1, found, 1, sharex=True, sharey=True)
    labels = Labels(drawing)
    keys: dict[str, Line2D] = {}
    for (half, rates), (axes,) in zip(found, rows, strict=True):
        for path, line in rates.items():
            keys |= _way(axes, path, line, labels)
        axes.margins(x=0.06, y=0.08)
        axes.set_title(half.titled(""), pad=10, fontweight="bold")
        axes.tick_params(labelleft=True)
        axes.set_xlabel("clients")
        axes.set_ylabel("operations a second")
        plain_numbers(axes.yaxis)
        quiet(axes)
    every = [rate for _, rates in found for line in rates.values() for rate in line]
    axes = rows[0][0]
    axes.set_xticks(sorted({rate.point.clients for rate in every}))
    values = [value for rate in every for value in (rate.per_second, rate.wire_per_second, rate.server_per_second)
              if value is not None]
    # What is far apart is read on a logarithmic scale only.
    if max(values) > _FAR_APART * min(values):
        log_axis(axes, "y")
    else:
        axes.set_ylim(bottom=0)
    order = sorted(keys, key=list(_KEYS).index)
    keys_below(drawing, [keys[name] for name in order], handlelength=2.2, columnspacing=1.4)
    labels.place()
    return drawing


_KEYS = {"tcp": "TCP", "rdma": "RDMA", "server": "what the server's processor allows", "wire": "what the wire allows",
         "few": ""}
"""Of the legend, in order."""


def _way(axes: Axes, path: str, line: Sequence[Rate], labels: Labels) -> dict[str, Line2D]:
    """What was measured one way, and what the server's processor and the wire would allow; the keys it needs."""
    colour, marker = PATHS[path], MARKERS[path]
    few = draw_line(axes, [(rate.point.clients, rate.per_second, rate.samples) for rate in line], labels, colour=colour,
                    marker=marker)
    keys = {path: Line2D([], [], color=colour, marker=marker, markersize=4.5, linewidth=1.7, label=_KEYS[path])}
    bounds = {"server": [(rate.point.clients, rate.server_per_second) for rate in line if rate.server_per_second],
              "wire": [(rate.point.clients, rate.wire_per_second) for rate in line]}
    for name, points in bounds.items():
        if points:
            axes.plot(*zip(*points, strict=True), color=colour, linestyle=_BOUNDS[name], linewidth=1.1)
            keys[name] = Line2D([], [], color=INK, linestyle=_BOUNDS[name], linewidth=1.1, label=_KEYS[name])
    return keys | ({"few": FEW_KEY} if few else {})
