"""Images loaded over the multicast console: how long, by listeners and by size."""

from collections import defaultdict

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from khhw.machine.results import Load, Results
from khhw.report.picture import Picture
from khhw.report.style import INK, figure, plain_numbers, quiet, shades, styled, time_axis
from khhw.report.words import count, duration, listing

__all__ = ["load_caption", "load_picture"]

_NEAR = 0.15, 0.07
"""Parts of the picture, across and up, within which two labels would cover each other."""
_LONG = 16


def load_caption(results: Results) -> str:
    """What the loads say."""
    loads = results.results.load
    fastest, slowest = min(loads, key=lambda load: load.cycles), max(loads, key=lambda load: load.cycles)
    text = f"{count(len(loads), 'image load')} over one multicast console. "
    if fastest is slowest:
        return text + f"{_describe(fastest, results)}."
    text += f"Fastest: {_describe(fastest, results)}. Slowest: {_describe(slowest, results)}."
    for (kernel, _), group in _images(loads).items():
        few, many = min(group, key=lambda load: len(load.nodes)), max(group, key=lambda load: len(load.nodes))
        if len(many.nodes) > len(few.nodes):
            text += (f" {kernel} on {count(len(many.nodes), 'node')} took {many.cycles / few.cycles:.2f} times its "
                     f"cycles on {len(few.nodes)}.")
    return text


def load_picture(results: Results) -> Picture:
    """Cycles over listeners, a line an image; beside it, if images differ in size, cycles over size."""
    with styled():
        drawing = _draw(results)
    rows = [(load.kernel, len(load.nodes), load.image_bytes, load.packets, load.cycles,
             round(load.cycles * 1e9 / results.clock_hz, 1)) for load in results.results.load]
    return Picture(name="console_load", title="Console load time", caption=load_caption(results), figure=drawing,
                   columns=("kernel", "listeners", "bytes", "packets", "cycles", "nanoseconds"), rows=rows)


def _draw(results: Results) -> Figure:
    loads = results.results.load
    several = len({load.image_bytes for load in loads}) > 1
    drawing, axes = figure(9.6 if several else 5.4, 3.7, 1 + several)
    images = _images(loads)
    colours = dict(zip(images, shades(len(images)), strict=True))
    for key, group in images.items():
        points = sorted((len(load.nodes), load.cycles) for load in group)
        axes[0].plot(*zip(*points, strict=True), "o-", color=colours[key], linewidth=1.4, markersize=5)
        if several:
            axes[1].plot([key[1]] * len(group), [load.cycles for load in group], "o", color=colours[key], markersize=5,
                         alpha=0.8)
    _label(axes[0], {key: max((len(load.nodes), load.cycles) for load in group) for key, group in images.items()})
    listeners = sorted({len(load.nodes) for load in loads})
    axes[0].set_xticks(listeners if len(listeners) < 12 else listeners[::len(listeners) // 8])
    axes[0].set_xlabel("listening nodes")
    axes[0].set_title("over listeners", pad=10)
    if several:
        _label(axes[1], {key: (key[1], max(load.cycles for load in group)) for key, group in images.items()},
               inwards=True)
        axes[1].set_xlabel("image in bytes")
        axes[1].set_title("over size", pad=10)
        plain_numbers(axes[1].xaxis)
    for each in axes:
        quiet(each)
        each.margins(x=0.26, y=0.12)
        each.set_ylim(bottom=0)
        each.set_ylabel("cycles to load")
        plain_numbers(each.yaxis)
        time_axis(each, results.clock_hz)
    return drawing


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


def _label(axes: Axes, places: dict[tuple[str, int], tuple[int, int]], *, inwards: bool = False) -> None:
    """Names of images beside their points, `inwards` left of the rightmost; images near each other share a label."""
    wide, high = (max(1, max(values) - min(values)) for values in zip(*places.values(), strict=True))
    groups: list[tuple[tuple[int, int], list[str]]] = []
    for (kernel, _), place in sorted(places.items(), key=lambda item: item[1], reverse=True):
        near = next((names for (x, y), names in groups
                     if x - place[0] <= _NEAR[0] * wide and abs(y - place[1]) <= _NEAR[1] * high), None)
        if near is None:
            groups.append((place, [kernel]))
        else:
            near.append(kernel)
    for place, kernels in groups:
        text = listing(dict.fromkeys(kernels))
        rightmost = place == groups[0][0] and len(groups) > 1
        left, above = rightmost and inwards, rightmost and not inwards and len(text) > _LONG
        axes.annotate(text, place, xytext=(6, 10) if above else (-8 if left else 8, 0), textcoords="offset points",
                      ha="right" if left or above else "left", va="center", fontsize=8.5, color=INK)
