"""Where the time of one GET goes: software, NI, hops, serialization, wait; both ways, by size."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from khhw.machine.results import MemcachedPoint
from khhw.report.memcached.look import DOTS, size_label
from khhw.report.memcached.sweep import Sweep, best_by_model, sweeps
from khhw.report.memcached.words import NAMES, PARTS, circumstances, cycles, of_size, parts, per_cent
from khhw.report.picture import Picture
from khhw.report.style import INK, MUTED, figure, quiet, shades, styled
from khhw.report.words import duration, listing

__all__ = ["parts_pictures"]

_MOST_SIZES = 6


def parts_pictures(points: Sequence[MemcachedPoint], clock_hz: int) -> list[Picture]:
    """A picture a CPU model whose GETs have been taken apart."""
    known = [p for p in points if p.op == "get" and p.breakdown is not None and p.values == "fixed"
             and sum(parts(p.breakdown).values()) > 0]
    found = best_by_model(sweeps(known, "value_bytes", least=1))
    return [_picture(sweep, model, clock_hz) for model, sweep in found.items()]


def _picture(sweep: Sweep, model: str, clock_hz: int) -> Picture:
    with styled():
        drawing = _draw(sweep, clock_hz)
    rows = [(p.path, round(p.value_bytes), *(round(value, 1) for value in parts(p.breakdown).values()),
             round(p.wire_bound_cycles, 1)) for line in sweep.lines.values() for p in line if p.breakdown]
    return Picture(name=f"memcached_parts_{model}", title=f"Where one GET's time goes, software time {model}",
                   caption=_caption(sweep, clock_hz), figure=drawing, rows=rows,
                   columns=("path", "value_bytes", *(f"{part}_cycles" for part in PARTS), "wire_bound_cycles"))


def _total(point: MemcachedPoint) -> float:
    return sum(parts(point.breakdown).values()) if point.breakdown else 0.0


def _caption(sweep: Sweep, clock_hz: int) -> str:
    texts = [f"{_sentence(sweep, place, clock_hz)}." for place in dict.fromkeys([sweep.places[0], sweep.places[-1]])]
    return "\n".join([*texts, f"Measured with {circumstances(sweep.first, 'value_bytes')}."])


def _sentence(sweep: Sweep, place: float, clock_hz: int) -> str:
    found = [point for path in NAMES if (point := sweep.at(path, "get", place))]
    wire = [per_cent((p.breakdown.hops + p.breakdown.serialization) / _total(p)) for p in found if p.breakdown]
    return (f"The mean GET of {of_size(place)} takes {', '.join(_share(point, clock_hz) for point in found)}. Hops and "
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


def _draw(sweep: Sweep, clock_hz: int) -> Figure:
    sizes = _chosen(sweep.places)
    paths = [path for path in ("tcp", "rdma") if sweep.line(path, "get")]
    bars = len(sizes) * (len(paths) + 0.6)
    drawing, (axes,) = figure(9.6, 1.3 + 0.27 * bars, 1)
    colours = dict(zip(PARTS, shades(len(PARTS))[::-1], strict=True))
    ticks, names = [], []
    at = 0.0
    for place in sizes:
        longest = max(_total(point) for path in paths if (point := sweep.at(path, "get", place)))
        first = at
        for path in paths:
            if point := sweep.at(path, "get", place):
                _bar(axes, point, at, longest, colours, clock_hz)
                axes.text(-0.8, at, NAMES[path], ha="right", va="center", fontsize=8.5)
                at += 1
        ticks.append((first + at - 1) / 2)
        names.append(size_label(place))
        at += 0.6
    quiet(axes)
    axes.grid(axis="y", visible=False)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.set_yticks(ticks, names, fontweight="bold")
    axes.tick_params(axis="y", length=0, pad=42)
    axes.set_ylim(at - 0.8, -0.8)
    axes.set_xlim(0, 124)
    axes.set_xticks(range(0, 101, 25))
    axes.set_xlabel("per cent of the slower way's mean, size by size", loc="left", color=MUTED)
    keys: list[Patch | Line2D] = [Patch(color=colours[part], label=PARTS[part]) for part in PARTS]
    keys.append(Line2D([], [], color=INK, linestyle=DOTS, linewidth=1.6, label="what the wire allows"))
    drawing.legend(handles=keys, loc="outside lower center", ncols=len(keys), frameon=False, fontsize=8.5,
                   labelcolor=INK, handlelength=1.2)
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
    axes.annotate(f"{left * longest / 100:,.0f} cycles, {duration(left * longest / 100, clock_hz)}", (left, at),
                  xytext=(6, 0), textcoords="offset points", va="center", fontsize=8.5)
