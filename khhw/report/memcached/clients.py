"""Operations a second over the number of clients, and what stops them growing."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from khhw.machine.results import MemcachedPoint
from khhw.report.memcached.limits import busy, limit
from khhw.report.memcached.look import DOTS, MARKERS, PATHS, log_axis
from khhw.report.memcached.sweep import best_by_model, sweeps, together
from khhw.report.memcached.words import NAMES, circumstances, per_cent, times
from khhw.report.picture import Picture
from khhw.report.style import INK, figure, plain_numbers, quiet, styled
from khhw.report.words import count

__all__ = ["Rate", "client_pictures", "client_rates"]

_FAR_APART = 8
_SOME = 0.1


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


def client_rates(points: Sequence[MemcachedPoint], clock_hz: int) -> dict[str, dict[str, list[Rate]]]:
    """By CPU model and path: the best series over the number of clients, GETs and SETs of a measurement together."""
    closed = [point for point in points if point.loop == "closed"]
    found: dict[str, dict[str, list[Rate]]] = {}
    for model, sweep in best_by_model(sweeps(closed, "clients", "hops")).items():
        main = max(sweep.lines, key=lambda key: (len(sweep.lines[key]), sum(p.ops for p in sweep.lines[key])))[1]
        found[model] = {path: [_rate(point, closed, clock_hz) for point in line]
                        for path in PATHS if len(line := sweep.line(path, main)) > 1}
    return {model: rates for model, rates in found.items() if rates}


def client_pictures(points: Sequence[MemcachedPoint], clock_hz: int) -> list[Picture]:
    """A picture a CPU model under which the number of clients was varied."""
    return [_picture(model, rates, points, clock_hz) for model, rates in client_rates(points, clock_hz).items()]


def _rate(point: MemcachedPoint, points: Sequence[MemcachedPoint], clock_hz: int) -> Rate:
    mix = together(point, points)
    every = sum(p.ops_per_second for p in mix)
    server, bound = (sum(p.ops_per_second * getattr(p, name) for p in mix) / every
                     for name in ("server_cpu_ns_per_op", "wire_bound_cycles"))
    return Rate(point=point, ops=tuple(sorted({p.op for p in mix})), per_second=every, busy=busy(point, points),
                server_ns=server, wire_per_second=point.clients * point.connections * clock_hz / bound)


def _picture(
    model: str, rates: dict[str, list[Rate]], points: Sequence[MemcachedPoint], clock_hz: int,
) -> Picture:
    with styled():
        drawing = _draw(rates)
    rows = [(path, "+".join(rate.ops), rate.point.clients, round(rate.per_second, 1), round(rate.server_ns, 1),
             round(rate.busy, 4), round(rate.wire_per_second, 1))
            for path, line in rates.items() for rate in line]
    return Picture(name=f"memcached_clients_{model}", title=f"Operations a second over clients, software time {model}",
                   caption=_caption(rates, points, clock_hz), figure=drawing, rows=rows,
                   columns=("path", "ops", "clients", "operations_per_second", "server_cpu_ns_per_op", "server_busy",
                            "wire_operations_per_second"))


def _caption(rates: dict[str, list[Rate]], points: Sequence[MemcachedPoint], clock_hz: int) -> str:
    texts = []
    for path, line in rates.items():
        first, last = line[0], line[-1]
        text = (f"{NAMES[path]}: {first.per_second:,.0f} operations/s with {count(first.point.clients, 'client')}, "
                f"{last.per_second:,.0f} ({times(last.per_second / first.per_second)} as many) with "
                f"{last.point.clients}. ")
        if what := limit(last.point, points, clock_hz):
            text += f"What limits these is {what}. "
        text += (f"The wire would allow these clients, each alone on it, {last.wire_per_second:,.0f} "
                 f"({times(last.wire_per_second / last.per_second)} as many). The server's processor ")
        if last.server_ns <= 0:
            text += "runs no software for them."
        else:
            text += f"is {per_cent(last.busy)} busy"
            text += f" and allows {1e9 / last.server_ns:,.0f}." if last.busy >= _SOME else "."
        texts.append(text)
    last = next(iter(rates.values()))[-1]
    mix = " and ".join(f"{NAMES[op]}s" for op in last.ops)
    return "\n".join([*texts, f"{mix}{' together' if len(last.ops) > 1 else ''}. Measured with "
                              f"{circumstances(last.point, 'clients')}."])


def _draw(rates: dict[str, list[Rate]]) -> Figure:
    drawing, (axes,) = figure(9.6, 3.9, 1)
    for path, line in rates.items():
        clients = [rate.point.clients for rate in line]
        axes.plot(clients, [rate.per_second for rate in line], color=PATHS[path], marker=MARKERS[path], markersize=5,
                  linewidth=1.7)
    every = [rate.per_second for line in rates.values() for rate in line]
    # Ways that are far apart are read on a logarithmic scale only.
    apart = max(every) > _FAR_APART * min(every)
    top = max(every) * (3 if apart else 1.18)
    kinds = _bounds(axes, rates, top)
    axes.set_ylim(min(every) / 1.6 if apart else 0, top)
    if apart:
        log_axis(axes, "y")
    axes.set_xticks(sorted({rate.point.clients for line in rates.values() for rate in line}))
    axes.margins(x=0.06)
    axes.set_xlabel("clients")
    axes.set_ylabel("operations a second")
    plain_numbers(axes.yaxis)
    quiet(axes)
    keys = [Line2D([], [], color=PATHS[path], marker=MARKERS[path], markersize=5, linewidth=1.7, label=NAMES[path])
            for path in rates] + kinds
    drawing.legend(handles=keys, loc="outside lower center", ncols=len(keys), frameon=False, fontsize=8.5,
                   labelcolor=INK, handlelength=2.2)
    return drawing


def _bounds(axes: Axes, rates: dict[str, list[Rate]], top: float) -> list[Line2D]:
    """Lines of what the server's processor and the wire would allow, as far as they are in the picture."""
    keys: dict[str, Line2D] = {}
    for path, line in rates.items():
        clients = [rate.point.clients for rate in line]
        server = [1e9 / rate.server_ns if rate.server_ns > 0 else top * 10 for rate in line]
        if min(server) < top:
            axes.plot(clients, server, color=PATHS[path], linestyle=(0, (6, 2)), linewidth=1.1)
            keys["server"] = Line2D([], [], color=INK, linestyle=(0, (6, 2)), linewidth=1.1,
                                    label="what the server's processor allows")
        wire = [rate.wire_per_second for rate in line]
        if min(wire) < top:
            axes.plot(clients, wire, color=PATHS[path], linestyle=DOTS, linewidth=1.1)
            keys["wire"] = Line2D([], [], color=INK, linestyle=DOTS, linewidth=1.1, label="what the wire allows")
    return list(keys.values())
