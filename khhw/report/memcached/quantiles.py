"""How latencies are distributed: the share of operations that were at least as fast."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import Affine2D, ScaledTranslation

from khhw.machine.alike import held
from khhw.machine.results import MemcachedPoint
from khhw.report.memcached.halves import Half, beside, panels
from khhw.report.memcached.look import DASHES, DOTS, FEW_KEY, MARKERS, PATHS, WIRE, log_axis, size_label
from khhw.report.memcached.words import NAMES, circumstances, of_size, times
from khhw.report.picture import Picture
from khhw.report.style import FEW, INK, keys_below, quiet, styled
from khhw.report.words import count, duration

__all__ = ["quantile_picture", "quantile_points", "steps"]

_MOST_PANELS = 3
_MIDDLE = 4096


def quantile_picture(found: Sequence[Half], clock_hz: int) -> Picture | None:
    """The picture of up to three sizes, with the CPU model that charges time if there is one."""
    chosen = [(half, panel) for half in found for panel in quantile_points(half.points)]
    if not chosen:
        return None
    # Every half shows what any of them was chosen for.
    keys = list(dict.fromkeys(held(panel[0]) for _, panel in chosen))[:_MOST_PANELS]
    groups = [(half, [every[key] for key in keys if key in every])
              for half, every in ((half, _panels(half.points)) for half in found)]
    groups = [(half, shown) for half, shown in groups if shown]
    with styled():
        drawing = _draw(groups, keys)
    rows = [(p.phase, p.path, p.op, round(p.value_bytes), p.samples, share, value, round(value * 1e9 / clock_hz, 1))
            for _, shown in groups for panel in shown for p in panel for share, value in enumerate(p.quantiles)]
    texts = [half.titled(_caption(shown, clock_hz)) for half, shown in groups]
    return Picture(name="memcached_cdf", title="Distribution of latency",
                   caption="\n".join([*texts, *beside([half for half, _ in groups])]), figure=drawing, rows=rows,
                   columns=("phase", "path", "op", "value_bytes", "samples", "per_cent", "cycles", "nanoseconds"))


def quantile_points(points: Sequence[MemcachedPoint]) -> list[list[MemcachedPoint]]:
    """Points by panel, each way and operation once; all of a panel under the same circumstances.

    If something was measured often enough for a 99th percentile, nothing else is shown.
    """
    panels_of = list(_panels(points).values())
    if charged := [panel for panel in panels_of if panel[0].cpu_model != "ideal"]:
        panels_of = charged
    enough = [panel for panel in panels_of if all(point.latency_cycles.p99 is not None for point in panel)]
    families: dict[tuple[object, ...], list[list[MemcachedPoint]]] = {}
    for panel in enough or panels_of:
        families.setdefault(held(panel[0], "value_bytes"), []).append(panel)
    chosen = [panel for family in sorted(families.values(), key=_rank) for panel in _few(family)]
    return chosen[:_MOST_PANELS]


def steps(point: MemcachedPoint) -> list[tuple[float, float]]:
    """(cycles, per cent of the operations that took at most so long): a step for each operation, at most a hundred."""
    levels = len(point.quantiles) - 1
    if point.samples > levels:
        return [(value, 100 * level / levels) for level, value in enumerate(point.quantiles)]
    last = max(1, point.samples - 1)
    ranks = [point.quantiles[round(levels * rank / last)] for rank in range(point.samples)]
    return [(ranks[0], 0.0), *((value, 100 * (rank + 1) / point.samples) for rank, value in enumerate(ranks))]


def _panels(points: Sequence[MemcachedPoint]) -> dict[tuple[object, ...], list[MemcachedPoint]]:
    """All that a panel can show, by circumstances."""
    groups: dict[tuple[object, ...], dict[tuple[str, str], MemcachedPoint]] = {}
    for point in points:
        if len(point.quantiles) > 1:
            groups.setdefault(held(point), {}).setdefault((point.path, point.op), point)
    return {key: [group[path, op] for path in PATHS for op in DASHES if (path, op) in group]
            for key, group in groups.items()}


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


def _draw(groups: Sequence[tuple[Half, list[list[MemcachedPoint]]]], keys: Sequence[tuple[object, ...]]) -> Figure:
    drawing, rows = panels(9.6, 4.2, groups, len(keys), sharey=True, sharex="col" if len(keys) > 1 else True)
    alike = len({held(panel[0], "value_bytes") for _, shown in groups for panel in shown}) == 1
    for (half, shown), row in zip(groups, rows, strict=True):
        by_key = {held(panel[0]): panel for panel in shown}
        for axes, key in zip(row, keys, strict=True):
            axes.set_visible(key in by_key)
            if key in by_key:
                _panel(axes, by_key[key], half, alike, drawing.dpi_scale_trans, 1 if len(keys) == _MOST_PANELS else 2)
        row[0].set_ylabel("per cent of the operations")
    for axes in (axes for row in rows for axes in row if axes.get_visible()):
        axes.set_ylim(-1, 103)
        axes.tick_params(labelbottom=True, labelleft=True)
        log_axis(axes, "x")
    wire = Line2D([], [], color=WIRE, linestyle=DOTS, linewidth=1.2, label="what the wire allows")
    few = any(point.samples < FEW for _, shown in groups for panel in shown for point in panel)
    keys_below(drawing, [wire, *([FEW_KEY] if few else [])])
    return drawing


def _panel(
    axes: Axes, points: Sequence[MemcachedPoint], half: Half, alike: bool, scale: Affine2D, columns: int,
) -> None:
    first = points[0]
    handles = []
    for point in points:
        look: dict[str, Any] = {"color": PATHS[point.path], "linestyle": DASHES[point.op], "linewidth": 1.6}
        axes.plot(*zip(*steps(point), strict=True), drawstyle="steps-post", **look)
        mark: dict[str, Any] = {"marker": MARKERS[point.path], "markersize": 5}
        if point.samples < FEW:
            mark["markerfacecolor"] = "white"
        axes.plot([point.quantiles[len(point.quantiles) // 2]], [50], color=PATHS[point.path], **mark)
        handles.append(Line2D([], [], **look, **mark,
                              label=f"{NAMES[point.path]} {NAMES[point.op]}, n = {point.samples:,}"))
    _wire(axes, points)
    title = "ETC sizes" if first.values == "etc" else size_label(first.value_bytes)
    if not alike:
        offered = f", {first.offered_per_second:,.0f}/s" if first.offered_per_second else ""
        title += f"\n{count(first.clients, 'client')}, {first.loop} loop{offered}"
    axes.set_title(half.titled(title), pad=10, fontweight="bold", fontsize=9.5)
    axes.set_xlabel("latency in cycles")
    quiet(axes)
    # Below the label of the axis, whatever the height of the panel.
    below = axes.transAxes + ScaledTranslation(0, -0.55, scale)
    axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0), bbox_transform=below, frameon=False,
                fontsize=8.5, labelcolor=INK, ncols=columns, handlelength=2.6, handletextpad=0.5, columnspacing=0.6,
                borderpad=0)


def _wire(axes: Axes, group: Sequence[MemcachedPoint]) -> None:
    """The bound of each way's cheapest operation; one line where these are alike."""
    bounds: dict[str, float] = {}
    for point in group:
        bounds[point.path] = min(point.wire_bound_cycles, bounds.get(point.path, point.wire_bound_cycles))
    alike = len(set(bounds.values())) == 1
    for path, bound in bounds.items():
        axes.axvline(bound, color=WIRE if alike else PATHS[path], linestyle=DOTS, linewidth=1.2)
