"""memcached of two runs in one picture."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from khhw.machine.results import MemcachedPoint
from khhw.report.compare.look import RUNS, legend
from khhw.report.compare.pair import Pair
from khhw.report.memcached.clients import client_rates
from khhw.report.memcached.look import DOTS, MARKERS, PATHS, WIRE, log_axis, size_axis, size_label
from khhw.report.memcached.quantiles import quantile_points
from khhw.report.memcached.size import size_sweeps
from khhw.report.memcached.sweep import Sweep, held, measured
from khhw.report.memcached.words import NAMES, circumstances
from khhw.report.picture import Picture
from khhw.report.style import figure, plain_numbers, quiet, styled, time_axis

__all__ = ["memcached_pictures"]

_WIRE_KEY = Line2D([], [], color=WIRE, linestyle=DOTS, linewidth=1.2, label="what the wire allows")


def memcached_pictures(pair: Pair) -> list[Picture]:
    """Every picture that both runs have the data for."""
    with styled():
        points = [measured(run.results.memcached) for run in (pair.first, pair.second)]
        sizes = [size_sweeps(each) for each in points]
        found = [_sizes(pair, model, (sizes[0][model], sizes[1][model])) for model in sizes[0] if model in sizes[1]]
        distributions = [quantile_points(each) for each in points]
        if all(distributions):
            found.append(_quantiles(pair, distributions))
        found += _clients(pair)
    return found


def _sizes(pair: Pair, model: str, both: tuple[Sweep, Sweep]) -> Picture:
    ops = both[0].ops
    drawing, panels = figure(9.6, 4.1, len(ops), sharey=True)
    rows = []
    for axes, op in zip(panels, ops, strict=True):
        for sweep, dashes, name in zip(both, RUNS, pair.names, strict=True):
            for path in PATHS:
                line = sweep.line(path, op)
                axes.plot([p.value_bytes for p in line], [p.latency_cycles.p50 for p in line], color=PATHS[path],
                          linestyle=dashes, marker=MARKERS[path], markersize=4, linewidth=1.6)
                rows += [(name, path, op, round(p.value_bytes), p.latency_cycles.p50, round(p.wire_bound_cycles, 1))
                         for p in line]
        _wire(axes, both[1], op)
        size_axis(axes, both[0].places)
        axes.set_title(NAMES[op], pad=10, fontweight="bold")
        quiet(axes)
    log_axis(panels[0], "y")
    panels[0].set_ylabel("median in cycles")
    time_axis(panels[-1], pair.first.clock_hz)
    paths = [path for path in PATHS if any(key[0] == path for key in both[0].lines)]
    legend(drawing, [*_keys(pair, paths), _WIRE_KEY])
    return Picture(name=f"compare_memcached_size_{model}", title=f"Latency over value size, software time {model}",
                   caption=f"Medians. Measured with {circumstances(both[0].first, 'value_bytes')}.", figure=drawing,
                   columns=("run", "path", "op", "value_bytes", "p50_cycles", "wire_bound_cycles"), rows=rows)


def _quantiles(pair: Pair, both: Sequence[list[list[MemcachedPoint]]]) -> Picture:
    op = both[0][0][0].op
    panels = [group for group in both[0] if any(_alike(group, other) for other in both[1])]
    drawing, axes_row = figure(9.6, 3.7, max(1, len(panels)), sharey=True)
    rows = []
    for axes, group in zip(axes_row, panels, strict=False):
        other = next(other for other in both[1] if _alike(group, other))
        for points, dashes, name in zip((group, other), RUNS, pair.names, strict=True):
            for point in (point for point in points if point.op == op):
                axes.plot(point.quantiles, range(len(point.quantiles)), color=PATHS[point.path], linestyle=dashes,
                          linewidth=1.6)
                rows += [(name, point.path, op, round(point.value_bytes), share, value)
                         for share, value in enumerate(point.quantiles)]
        axes.set_title("ETC sizes" if group[0].values == "etc" else size_label(group[0].value_bytes), pad=10,
                       fontweight="bold")
        axes.set_xlabel("latency in cycles")
        axes.set_ylim(0, 101)
        quiet(axes)
        log_axis(axes, "x")
    axes_row[0].set_ylabel(f"per cent of the {NAMES[op]}s")
    legend(drawing, _keys(pair, dict.fromkeys(point.path for group in panels for point in group if point.op == op)))
    return Picture(name="compare_memcached_cdf", title=f"Distribution of latency, {NAMES[op]}",
                   caption=f"Measured with {circumstances(both[0][0][0], 'value_bytes')}.", figure=drawing, rows=rows,
                   columns=("run", "path", "op", "value_bytes", "per_cent", "cycles"))


def _alike(group: Sequence[MemcachedPoint], other: Sequence[MemcachedPoint]) -> bool:
    return held(group[0]) == held(other[0])


def _clients(pair: Pair) -> list[Picture]:
    both = [client_rates(measured(run.results.memcached), run.clock_hz) for run in (pair.first, pair.second)]
    found = []
    for model in (model for model in both[0] if model in both[1]):
        drawing, (axes,) = figure(9.6, 3.9, 1)
        rows = []
        for rates, dashes, name in zip((both[0][model], both[1][model]), RUNS, pair.names, strict=True):
            for path, line in rates.items():
                axes.plot([rate.point.clients for rate in line], [rate.per_second for rate in line], color=PATHS[path],
                          linestyle=dashes, marker=MARKERS[path], markersize=4.5, linewidth=1.6)
                rows += [(name, path, rate.point.clients, round(rate.per_second, 1)) for rate in line]
        every = [row[3] for row in rows]
        axes.set_xticks(sorted({row[2] for row in rows}))
        axes.set_xlabel("clients")
        axes.set_ylabel("operations a second")
        plain_numbers(axes.yaxis)
        if max(every) > 8 * min(every):
            log_axis(axes, "y")
        else:
            axes.set_ylim(bottom=0)
        quiet(axes)
        legend(drawing, _keys(pair, both[0][model]))
        point = next(iter(both[0][model].values()))[0].point
        found.append(Picture(
            name=f"compare_memcached_clients_{model}", title=f"Operations a second over clients, software time {model}",
            caption=f"Operations of all kinds. Measured with {circumstances(point, 'clients')}.", figure=drawing,
            columns=("run", "path", "clients", "operations_per_second"), rows=rows))
    return found


def _wire(axes: Axes, sweep: Sweep, op: str) -> None:
    lines = {tuple((p.value_bytes, p.wire_bound_cycles) for p in line)
             for path in PATHS if (line := sweep.line(path, op))}
    for bound in sorted(lines):
        axes.plot(*zip(*bound, strict=True), color=WIRE, linestyle=DOTS, linewidth=1.2)


def _keys(pair: Pair, paths: Any) -> list[Line2D]:
    return [Line2D([], [], color=PATHS[path], linestyle=dashes, marker=MARKERS[path], markersize=4, linewidth=1.6,
                   label=f"{NAMES[path]}, {name}")
            for path in paths for name, dashes in zip(pair.names, RUNS, strict=True)]
