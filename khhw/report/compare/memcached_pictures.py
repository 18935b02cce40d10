"""memcached of two runs in one picture: a panel for each way and operation, a line in it for each run."""

from collections.abc import Callable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from khhw.machine.alike import held
from khhw.machine.results import MemcachedPoint
from khhw.report.compare.look import RUNS, draw_lines, draw_runs, legend, run_keys
from khhw.report.compare.pair import Pair
from khhw.report.labels import Labels
from khhw.report.memcached.clients import Rate, client_rates
from khhw.report.memcached.halves import Half, halves
from khhw.report.memcached.look import DOTS, PATHS, WIRE, log_axis, size_axis, size_label
from khhw.report.memcached.quantiles import quantile_points, steps
from khhw.report.memcached.size import size_sweeps
from khhw.report.memcached.sweep import Sweep, fastest
from khhw.report.memcached.words import NAMES, circumstances
from khhw.report.picture import Picture
from khhw.report.style import grid, plain_numbers, quiet, styled, time_axis
from khhw.report.words import span

__all__ = ["memcached_pictures"]

_FAR_APART = 8
_Halves = tuple[Half, Half]
"""The same half of both runs."""


def memcached_pictures(pair: Pair) -> list[Picture]:
    """Every picture that both runs have the data for."""
    second = {half.beside: half for half in halves(pair.second)}
    both = [(half, second[half.beside]) for half in halves(pair.first) if half.beside in second]
    with styled():
        found = [*_sizes(pair, both), *_quantiles(pair, both), *_clients(pair, both)]
    return found


def _by_model(both: Sequence[_Halves], found: Callable[[Half], dict[str, Any]]) -> dict[str, list[tuple[Half, Any]]]:
    """What was found in the halves of both runs, by CPU model: of each half its first and the pair."""
    models: dict[str, list[tuple[Half, Any]]] = {}
    for one, other in both:
        first, second = found(one), found(other)
        for model in (model for model in first if model in second):
            models.setdefault(model, []).append((one, (first[model], second[model])))
    return models


def _sizes(pair: Pair, both: Sequence[_Halves]) -> list[Picture]:
    return [_size_picture(pair, model, found)
            for model, found in _by_model(both, lambda half: size_sweeps(half.points)).items()]


def _size_picture(pair: Pair, model: str, found: Sequence[tuple[Half, tuple[Sweep, Sweep]]]) -> Picture:
    ops = sorted({op for _, sweeps in found for op in sweeps[0].ops})
    lines = [(half, sweeps, path) for half, sweeps in found for path in PATHS
             if any(key[0] == path for key in sweeps[0].lines)]
    drawing, panels = grid(9.6, 3.3, len(lines), len(ops), sharex=True, sharey=True)
    labels, few = Labels(drawing), False
    rows = []
    for (half, sweeps, path), row in zip(lines, panels, strict=True):
        for axes, op in zip(row, ops, strict=True):
            points = [sweep.line(path, op) for sweep in sweeps]
            _ranges(axes, points)
            few |= draw_runs(axes, [[(p.value_bytes, p.latency_cycles.p50, p.samples) for p in line]
                                    for line in points], labels)
            axes.plot([p.value_bytes for p in points[1]], [p.wire_bound_cycles for p in points[1]], color=WIRE,
                      linestyle=DOTS, linewidth=1.2)
            size_axis(axes, {size for _, each in found for sweep in each for size in sweep.values})
            _finish(axes, half.titled(f"{NAMES[path]} {NAMES[op]}{_numbers(points)}"))
            rows += [(name, p.phase, path, op, round(p.value_bytes), p.samples, fastest(p), p.latency_cycles.p50,
                      p.latency_cycles.max, round(p.wire_bound_cycles, 1))
                     for name, line in zip(pair.names, points, strict=True) for p in line]
        row[0].set_ylabel("latency in cycles")
    log_axis(panels[0][0], "y")
    for row in panels:
        time_axis(row[-1], pair.first.clock_hz)
    keys = [*run_keys(pair), Line2D([], [], color=WIRE, linestyle=DOTS, linewidth=1.2, label="what the wire allows")]
    legend(drawing, keys, few="operations" if few else "")
    labels.place()
    return Picture(name=f"compare_memcached_size_{model}", title=f"Latency over value size, software time {model}",
                   caption="Medians of n operations; vertical lines from the fastest to the longest. Measured with "
                           f"{circumstances(found[0][1][0].first, 'value_bytes')}.",
                   figure=drawing, columns=("run", "phase", "path", "op", "value_bytes", "samples", "min_cycles",
                                            "p50_cycles", "max_cycles", "wire_bound_cycles"), rows=rows)


def _ranges(axes: Axes, both: Sequence[Sequence[MemcachedPoint]]) -> None:
    for points, look in zip(both, RUNS, strict=True):
        axes.vlines([p.value_bytes for p in points], [fastest(p) for p in points],
                    [p.latency_cycles.max for p in points], color=look["color"], linewidth=look["linewidth"], alpha=0.6)


def _numbers(both: Sequence[Sequence[MemcachedPoint]]) -> str:
    samples = [point.samples for points in both for point in points]
    return f", n = {span(samples)}" if samples else ""


def _finish(axes: Axes, title: str) -> None:
    axes.set_title(title, pad=8, fontweight="bold", fontsize=9.5)
    axes.tick_params(labelbottom=True, labelleft=True)
    quiet(axes)


def _quantiles(pair: Pair, both: Sequence[_Halves]) -> list[Picture]:
    """Distributions of the first operation, a row a half and way."""
    columns = [(one, group, other_group) for one, other in both for group in quantile_points(one.points)
               for other_group in quantile_points(other.points) if held(group[0]) == held(other_group[0])]
    if not columns:
        return []
    op = columns[0][1][0].op
    cells = [(half, path, points) for half, *groups in columns for path in PATHS
             if len(points := [p for group in groups for p in group if (p.path, p.op) == (path, op)]) == len(groups)]
    wide = len({held(group[0]) for _, group, _ in columns})
    cells.sort(key=lambda cell: ([half for half, _ in both].index(cell[0]), list(PATHS).index(cell[1])))
    per_row = wide if wide > 1 else min(2, len(cells))
    drawing, panels = grid(9.6, 3.5, -(-len(cells) // per_row), per_row, sharey=True,
                           sharex="col" if len({half.name for half, *_ in cells}) > 1 else False)
    flat = [axes for row in panels for axes in row]
    labels, few = Labels(drawing), False
    rows = []
    for axes, (half, path, points) in zip(flat, cells, strict=False):
        draw_lines(axes, [steps(point) for point in points], drawstyle="steps-post")
        few |= draw_runs(axes, [[(point.quantiles[len(point.quantiles) // 2], 50, point.samples)] for point in points],
                         labels)
        size = "ETC sizes" if points[0].values == "etc" else size_label(points[0].value_bytes)
        _finish(axes, half.headed(f"{NAMES[path]} {NAMES[op]}, {size}, n = {span(p.samples for p in points)}"))
        axes.set_xlabel("latency in cycles")
        rows += [(name, p.phase, path, op, round(p.value_bytes), p.samples, share, value)
                 for name, p in zip(pair.names, points, strict=True) for share, value in enumerate(p.quantiles)]
    for axes in flat[:len(cells)]:
        axes.set_ylim(-1, 103)
        log_axis(axes, "x")
    for axes in flat[len(cells):]:
        axes.set_visible(False)
    for row in panels:
        row[0].set_ylabel(f"per cent of the {NAMES[op]}s")
    legend(drawing, run_keys(pair), few="operations" if few else "")
    labels.place()
    return [Picture(name="compare_memcached_cdf", title=f"Distribution of latency, {NAMES[op]}",
                    caption=f"Measured with {circumstances(columns[0][1][0], 'value_bytes')}.", figure=drawing,
                    rows=rows, columns=("run", "phase", "path", "op", "value_bytes", "samples", "per_cent", "cycles"))]


def _clients(pair: Pair, both: Sequence[_Halves]) -> list[Picture]:
    clock = pair.first.clock_hz
    return [_client_picture(pair, model, found)
            for model, found in _by_model(both, lambda half: client_rates(half.points, clock)).items()]


def _client_picture(
    pair: Pair, model: str, found: Sequence[tuple[Half, tuple[dict[str, list[Rate]], dict[str, list[Rate]]]]],
) -> Picture:
    paths = [path for path in PATHS if any(path in rates for _, both in found for rates in both)]
    drawing, panels = grid(9.6, 3.9, len(found), len(paths), sharex=True, sharey=True)
    labels, few = Labels(drawing), False
    rows = []
    for (half, both), row in zip(found, panels, strict=True):
        for axes, path in zip(row, paths, strict=True):
            lines = [rates.get(path, []) for rates in both]
            few |= draw_runs(axes, [[(rate.point.clients, rate.per_second, rate.samples) for rate in line]
                                    for line in lines], labels)
            _finish(axes, half.titled(f"{NAMES[path]}{_numbers([[rate.point for rate in line] for line in lines])}"))
            axes.set_xlabel("clients")
            plain_numbers(axes.yaxis)
            rows += [(name, rate.point.phase, path, rate.point.clients, rate.samples, round(rate.per_second, 1))
                     for name, line in zip(pair.names, lines, strict=True) for rate in line]
        row[0].set_ylabel("operations a second")
    _client_axes(panels[0][0], rows)
    legend(drawing, run_keys(pair), few="operations" if few else "")
    labels.place()
    point = next(iter(found[0][1][0].values()))[0].point
    return Picture(
        name=f"compare_memcached_clients_{model}", title=f"Operations a second over clients, software time {model}",
        caption=f"Operations of all kinds. Measured with {circumstances(point, 'clients')}.", figure=drawing,
        columns=("run", "phase", "path", "clients", "samples", "operations_per_second"), rows=rows)


def _client_axes(axes: Axes, rows: Sequence[tuple[Any, ...]]) -> None:
    """Limits and ticks of all panels, which share them."""
    rates = [row[-1] for row in rows]
    axes.set_xticks(sorted({row[3] for row in rows}))
    if max(rates) > _FAR_APART * min(rates):
        log_axis(axes, "y")
    else:
        axes.set_ylim(bottom=0)
