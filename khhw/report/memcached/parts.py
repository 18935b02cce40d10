"""Where the time of one GET goes: hops, serialization, NI, software, wait; both ways, by size."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from khhw.machine.results import MemcachedPoint
from khhw.report.memcached.halves import Half, beside
from khhw.report.memcached.look import DOTS, size_label
from khhw.report.memcached.sweep import Sweep, best_by_model, sweeps
from khhw.report.memcached.words import NAMES, PARTS, circumstances, cycles, of_size, parts, per_cent
from khhw.report.picture import Picture
from khhw.report.style import INK, RULE, figure, keys_below, quiet, shades, styled
from khhw.report.words import duration, listing

__all__ = ["parts_pictures"]

_MOST_SIZES = 6
_BOUNDED = {"ni": " at most", "software": " at most", "wait": " at least"}
"""What of their work is done beside the operation is not known (``docs/memcached.md``)."""
_HEAD, _GAP = 0.9, 0.3
"""Room for the heading of a group of bars and below one, in bars."""
_ROOM = 1.36
"""Width of the axis, in longest bars: numbers stand behind the bars."""


def parts_pictures(found: Sequence[Half], clock_hz: int) -> list[Picture]:
    """A picture a CPU model whose GETs have been taken apart."""
    apart = [(half, _by_model(half.points)) for half in found]
    models = dict.fromkeys(model for _, by_model in apart for model in by_model)
    return [_picture([(half, by_model[model]) for half, by_model in apart if model in by_model], model, clock_hz)
            for model in models]


def _by_model(points: Sequence[MemcachedPoint]) -> dict[str, Sweep]:
    known = [p for p in points if p.op == "get" and p.breakdown is not None and p.values == "fixed"
             and sum(parts(p.breakdown).values()) > 0]
    return best_by_model(sweeps(known, "value_bytes", least=1))


def _picture(found: Sequence[tuple[Half, Sweep]], model: str, clock_hz: int) -> Picture:
    with styled():
        drawing = _draw(found, clock_hz)
    rows = [(p.phase, p.path, round(p.value_bytes), p.samples,
             *(round(value, 1) for value in parts(p.breakdown).values()), round(p.wire_bound_cycles, 1))
            for _, sweep in found for line in sweep.lines.values() for p in line if p.breakdown]
    texts = [_caption(half, sweep, clock_hz) for half, sweep in found]
    return Picture(name=f"memcached_parts_{model}", title=f"Where one GET's time goes, software time {model}",
                   caption="\n".join([*texts, *beside([half for half, _ in found])]), figure=drawing, rows=rows,
                   columns=("phase", "path", "value_bytes", "samples", *(f"{part}_cycles" for part in PARTS),
                            "wire_bound_cycles"))


def _total(point: MemcachedPoint) -> float:
    return sum(parts(point.breakdown).values()) if point.breakdown else 0.0


def _caption(half: Half, sweep: Sweep, clock_hz: int) -> str:
    ends = dict.fromkeys([sweep.values[0], sweep.values[-1]])
    texts = [half.titled(f"{_sentence(sweep, size, clock_hz)}.") for size in ends]
    return "\n".join([*texts, f"Measured with {circumstances(sweep.first, 'value_bytes')}."])


def _sentence(sweep: Sweep, size: float, clock_hz: int) -> str:
    found = [point for path in NAMES if (point := sweep.at(path, "get", size))]
    wire = [per_cent((p.breakdown.hops + p.breakdown.serialization) / _total(p)) for p in found if p.breakdown]
    return (f"The mean GET of {of_size(size)} takes {', '.join(_share(point, clock_hz) for point in found)}. Hops and "
            f"serialization, the wire's part, are {listing(wire)}")


def _share(point: MemcachedPoint, clock_hz: int) -> str:
    found = parts(point.breakdown) if point.breakdown is not None else {}
    largest = max(found, key=lambda part: found[part])
    text = (f"{cycles(_total(point), clock_hz)} by {NAMES[point.path]}, the largest part of it {PARTS[largest]} "
            f"({per_cent(found[largest] / _total(point))}")
    if point.breakdown is not None and point.breakdown.software > 0:
        server = point.server_cpu_ns_per_op * clock_hz * 1e-9
        text += f"; the server's processor spends {f'{server:,.0f} cycles' if server >= 0.5 else 'none'} on it"
    return text + ")"


def _draw(found: Sequence[tuple[Half, Sweep]], clock_hz: int) -> Figure:
    """Bars size by size, of one size by halves; what the wire takes comes first, so that its bound is where it ends."""
    groups = [(size, half, [point for path in ("tcp", "rdma") if (point := sweep.at(path, "get", size))])
              for size in _chosen(sorted({size for _, sweep in found for size in sweep.values}))
              for half, sweep in found]
    groups = [group for group in groups if group[2]]
    drawing, (axes,) = figure(9.6, 1.4 + 0.27 * sum(len(points) + _HEAD + _GAP for *_, points in groups), 1)
    colours = dict(zip(PARTS, shades(len(PARTS))[::-1], strict=True))
    ticks, names = [], []
    at = 0.0
    for size, half, points in groups:
        longest = max(_total(point) for of, _, others in groups if of == size for point in others)
        axes.text(0, at, half.titled(size_label(size)), ha="left", va="center", fontweight="bold", fontsize=9.5)
        at += _HEAD
        for point in points:
            _bar(axes, point, at, longest, colours, clock_hz)
            ticks.append(at)
            names.append(NAMES[point.path])
            at += 1
        at += _GAP
    quiet(axes)
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", color=RULE, linewidth=0.7)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.set_yticks(ticks, names)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(at - _GAP, -0.8)
    axes.set_xlim(0, 100 * _ROOM)
    axes.set_xticks(range(0, 101, 25))
    axes.set_xlabel("time of the mean GET, per cent of the longest of the same value size")
    keys: list[Patch | Line2D] = [Patch(color=colours[part], label=f"{PARTS[part]}{_BOUNDED.get(part, '')}")
                                  for part in PARTS]
    keys.append(Line2D([], [], color=INK, linestyle=DOTS, linewidth=1.6, label="what the wire allows"))
    keys_below(drawing, keys, handlelength=1.2)
    return drawing


def _chosen(sizes: list[float]) -> list[float]:
    """At most six sizes, the first and the last among them."""
    if len(sizes) <= _MOST_SIZES:
        return sizes
    return [sizes[round(index * (len(sizes) - 1) / (_MOST_SIZES - 1))] for index in range(_MOST_SIZES)]


def _bar(axes: Axes, point: MemcachedPoint, at: float, longest: float, colours: dict[str, object],
         clock_hz: int) -> None:
    left = 0.0
    assert point.breakdown is not None
    for part, value in parts(point.breakdown).items():
        width = 100 * value / longest
        axes.barh(at, width, left=left, height=0.84, color=colours[part], edgecolor="white", linewidth=0.6)
        left += width
    wire = 100 * point.wire_bound_cycles / longest
    axes.plot([wire, wire], [at - 0.46, at + 0.46], color="white", linewidth=3.2, solid_capstyle="butt")
    axes.plot([wire, wire], [at - 0.46, at + 0.46], color=INK, linestyle=DOTS, linewidth=1.6)
    total = _total(point)
    axes.annotate(f"{total:,.0f} cycles, {duration(total, clock_hz)}, n = {point.samples:,}", (left, at),
                  xytext=(6, 0), textcoords="offset points", va="center", fontsize=9,
                  bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})
