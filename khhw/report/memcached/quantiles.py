"""How latencies are distributed: the share of operations that were at least as fast."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from khhw.machine.results import MemcachedPoint
from khhw.report.memcached.look import DASHES, DOTS, PATHS, WIRE, log_axis, size_label
from khhw.report.memcached.sweep import held
from khhw.report.memcached.words import NAMES, circumstances, of_size, times
from khhw.report.picture import Picture
from khhw.report.style import INK, MUTED, figure, quiet, styled
from khhw.report.words import count, duration

__all__ = ["quantile_picture", "quantile_points"]

_MOST_PANELS = 3
_MIDDLE = 4096


def quantile_picture(points: Sequence[MemcachedPoint], clock_hz: int) -> Picture | None:
    """The picture of up to three sizes, with the CPU model that charges time if there is one."""
    groups = quantile_points(points)
    if not groups:
        return None
    with styled():
        drawing = _draw(groups)
    rows = [(p.path, p.op, round(p.value_bytes), share, value, round(value * 1e9 / clock_hz, 1))
            for group in groups for p in group for share, value in enumerate(p.quantiles)]
    return Picture(name="memcached_cdf", title="Distribution of latency", caption=_caption(groups, clock_hz),
                   figure=drawing, rows=rows,
                   columns=("path", "op", "value_bytes", "per_cent", "cycles", "nanoseconds"))


def quantile_points(points: Sequence[MemcachedPoint]) -> list[list[MemcachedPoint]]:
    """Points by panel, each way and operation once; all of a panel under the same circumstances.

    If something was measured often enough for a 99th percentile, nothing else is shown.
    """
    groups: dict[tuple[object, ...], dict[tuple[str, str], MemcachedPoint]] = {}
    for point in points:
        if len(point.quantiles) > 1:
            groups.setdefault(held(point), {}).setdefault((point.path, point.op), point)
    panels = [[group[path, op] for path in PATHS for op in DASHES if (path, op) in group] for group in groups.values()]
    if charged := [panel for panel in panels if panel[0].cpu_model != "ideal"]:
        panels = charged
    enough = [panel for panel in panels if all(point.latency_cycles.p99 is not None for point in panel)]
    families: dict[tuple[object, ...], list[list[MemcachedPoint]]] = {}
    for panel in enough or panels:
        families.setdefault(held(panel[0], "value_bytes"), []).append(panel)
    chosen = [panel for family in sorted(families.values(), key=_rank) for panel in _few(family)]
    return chosen[:_MOST_PANELS]


def _few(family: list[list[MemcachedPoint]]) -> list[list[MemcachedPoint]]:
    """The smallest, a middle and the largest size."""
    ordered = sorted(family, key=lambda panel: panel[0].value_bytes)
    if len(ordered) <= _MOST_PANELS:
        return ordered
    return [ordered[0], min(ordered[1:-1], key=lambda panel: abs(panel[0].value_bytes - _MIDDLE)), ordered[-1]]


def _rank(family: list[list[MemcachedPoint]]) -> tuple[float, ...]:
    first = family[0][0]
    paths = max(len({point.path for point in panel}) for panel in family)
    return -paths, abs(first.cpu_scale - 1), first.loop == "open", -min(len(family), _MOST_PANELS), first.clients


def _caption(groups: list[list[MemcachedPoint]], clock_hz: int) -> str:
    alike = len({held(group[0], "value_bytes") for group in groups}) == 1
    texts = [f"{_size(group[0]) if alike else circumstances(group[0])}: {', '.join(_tail(point) for point in group)}."
             for group in groups]
    points = [point for group in groups for point in group]
    nearest = min(points, key=lambda point: point.quantiles[0] / point.wire_bound_cycles)
    few = min(point.samples for point in points)
    texts.append(
        "Cycles within which half of the operations end, and 99 of 100"
        + (f"; of fewer than 1,000 operations ({few:,} here) the longest stands instead" if few < 1000 else "")
        + f". Nearest to the wire comes the fastest {NAMES[nearest.path]} {NAMES[nearest.op]} of {_size(nearest)}, "
          f"{duration(nearest.quantiles[0], clock_hz)}: {times(nearest.quantiles[0] / nearest.wire_bound_cycles)} its "
          f"bound." + (f" Measured with {circumstances(points[0], *(['value_bytes'] if len(groups) > 1 else []))}."
                       if alike else ""))
    return "\n".join(texts)


def _size(point: MemcachedPoint) -> str:
    return "ETC sizes" if point.values == "etc" else of_size(point.value_bytes)


def _tail(point: MemcachedPoint) -> str:
    half, tail = point.latency_cycles.p50, point.latency_cycles.p99
    most = f"{tail:,.0f}" if tail is not None else f"at most {point.latency_cycles.max:,}"
    return f"{NAMES[point.path]} {NAMES[point.op]} {half:,.0f} and {most}"


def _draw(groups: list[list[MemcachedPoint]]) -> Figure:
    drawing, panels = figure(9.6, 3.7, len(groups), sharey=True)
    alike = len({held(group[0], "value_bytes") for group in groups}) == 1
    for axes, group in zip(panels, groups, strict=True):
        for point in group:
            axes.plot(point.quantiles, range(len(point.quantiles)), color=PATHS[point.path], linestyle=DASHES[point.op],
                      linewidth=1.6)
        _wire(axes, group)
        first = group[0]
        axes.set_title("ETC sizes" if first.values == "etc" else size_label(first.value_bytes), pad=10,
                       fontweight="bold")
        if not alike:
            axes.set_title(f"{count(first.clients, 'client')}, {first.loop} loop", loc="right", pad=10, fontsize=8.5,
                           color=MUTED)
        axes.set_xlabel("latency in cycles")
        axes.set_ylim(0, 101)
        quiet(axes)
        log_axis(axes, "x")
    panels[0].set_ylabel("per cent of the operations")
    used = dict.fromkeys((point.path, point.op) for group in groups for point in group)
    keys = [Line2D([], [], color=PATHS[path], linestyle=DASHES[op], linewidth=1.6, label=f"{NAMES[path]} {NAMES[op]}")
            for path, op in used]
    keys.append(Line2D([], [], color=WIRE, linestyle=DOTS, linewidth=1.2, label="what the wire allows"))
    drawing.legend(handles=keys, loc="outside lower center", ncols=len(keys), frameon=False, fontsize=8.5,
                   labelcolor=INK, handlelength=2.4)
    return drawing


def _wire(axes: Axes, group: list[MemcachedPoint]) -> None:
    """The bound of each way's cheapest operation; one line where these are alike."""
    bounds: dict[str, float] = {}
    for point in group:
        bounds[point.path] = min(point.wire_bound_cycles, bounds.get(point.path, point.wire_bound_cycles))
    alike = len(set(bounds.values())) == 1
    for path, bound in bounds.items():
        axes.axvline(bound, color=WIRE if alike else PATHS[path], linestyle=DOTS, linewidth=1.2)
