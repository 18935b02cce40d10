"""Images loaded over the multicast console: how long, by listeners and by size."""

from collections import defaultdict
from collections.abc import Iterable
from statistics import median
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from khhw.machine.results import Load, Results
from khhw.report.picture import Picture
from khhw.report.style import (
    MARKERS,
    apart,
    figure,
    keys_below,
    plain_numbers,
    quiet,
    shades,
    shortened,
    styled,
    time_axis,
)
from khhw.report.words import count, duration

__all__ = ["load_caption", "load_picture"]

_COLUMNS = 2
"""Of the legend."""
_ROW = 0.22
"""Height of one of its rows, in inches."""
_EACH: Any = {"linestyle": "none", "markersize": 5, "alpha": 0.6, "markeredgewidth": 0}
"""How one load looks: those alike are darker."""


def load_caption(results: Results) -> str:
    """What the loads say."""
    loads = results.results.load
    fastest, slowest = min(loads, key=lambda load: load.cycles), max(loads, key=lambda load: load.cycles)
    text = f"{count(len(loads), 'image load')} over one multicast console. "
    if fastest is slowest:
        return text + f"{_describe(fastest, results)}."
    text += f"Fastest: {_describe(fastest, results)}. Slowest: {_describe(slowest, results)}."
    for (kernel, _), group in _images(loads).items():
        (few, first), (many, last) = _medians(group)[0], _medians(group)[-1]
        if many > few:
            text += f" {kernel} on {count(many, 'node')} took {last / first:.2f} times its cycles on {few} (medians)."
    return text


def load_picture(results: Results) -> Picture:
    """Cycles over listeners: every load a point, a line an image through their medians. Beside it, if images differ in
    size, cycles over size."""
    with styled():
        drawing = _draw(results)
    rows = [(load.kernel, len(load.nodes), load.image_bytes, load.packets, load.cycles,
             round(load.cycles * 1e9 / results.clock_hz, 1)) for load in results.results.load]
    return Picture(name="console_load", title="Console load time", caption=load_caption(results), figure=drawing,
                   columns=("kernel", "listeners", "bytes", "packets", "cycles", "nanoseconds"), rows=rows)


def _draw(results: Results) -> Figure:
    loads = results.results.load
    several = len({load.image_bytes for load in loads}) > 1
    images = _images(loads)
    columns = _COLUMNS if several else 1
    height = 3.7 + _ROW * -(-len(images) // columns)
    drawing, axes = figure(9.6 if several else 5.4, height, 1 + several)
    keys = []
    for index, ((kernel, size), group) in enumerate(images.items()):
        look = {"color": shades(len(images))[index], "marker": MARKERS[index % len(MARKERS)]}
        axes[0].plot([len(load.nodes) for load in group], [load.cycles for load in group], **look, **_EACH)
        axes[0].plot(*zip(*_medians(group), strict=True), color=look["color"], linewidth=1.4)
        if several:
            axes[1].plot([size] * len(group), [load.cycles for load in group], **look, **_EACH)
        keys.append(Line2D([], [], linewidth=1.4, **look, label=f"{shortened(kernel, 28)}, {size:,} bytes"))
    listeners = sorted({len(load.nodes) for load in loads})
    axes[0].set_xticks(apart(listeners, 0.07 * listeners[-1]))
    axes[0].set_xlabel("listening nodes")
    axes[0].set_title("over listeners; lines join medians", pad=10)
    if several:
        axes[1].set_xlabel("image in bytes")
        axes[1].set_title("over size", pad=10)
        plain_numbers(axes[1].xaxis)
        axes[1].xaxis.set_major_locator(MaxNLocator(6))
    for each in axes:
        quiet(each)
        each.margins(x=0.08, y=0.12)
        each.set_ylim(bottom=0)
        each.set_ylabel("cycles to load")
        plain_numbers(each.yaxis)
        time_axis(each, results.clock_hz)
    keys_below(drawing, keys, columns)
    return drawing


def _medians(group: Iterable[Load]) -> list[tuple[int, float]]:
    """Median of an image's loads, by listeners."""
    found: dict[int, list[int]] = defaultdict(list)
    for load in group:
        found[len(load.nodes)].append(load.cycles)
    return [(nodes, median(found[nodes])) for nodes in sorted(found)]


def _images(loads: list[Load]) -> dict[tuple[str, int], list[Load]]:
    """Loads by image: kernel and size."""
    images: dict[tuple[str, int], list[Load]] = defaultdict(list)
    for load in loads:
        images[load.kernel, load.image_bytes].append(load)
    return dict(sorted(images.items(), key=lambda item: item[0][1]))


def _describe(load: Load, results: Results) -> str:
    nodes = f"node {load.nodes[0]}" if len(load.nodes) == 1 else count(len(load.nodes), "node")
    return (f"{load.kernel} ({load.image_bytes:,} bytes, {count(load.packets, 'packet')}) on {nodes} in "
            f"{load.cycles:,} cycles ({duration(load.cycles, results.clock_hz)})")
