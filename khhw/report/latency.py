"""Message latency over distance and over size."""

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from khhw.machine.results import Results
from khhw.report.labels import Labels
from khhw.report.memcached.look import log_axis, size_axis
from khhw.report.picture import Picture
from khhw.report.style import (
    ACCENT,
    FEW,
    INK,
    MARKERS,
    figure,
    keys_below,
    quiet,
    shades,
    styled,
    time_axis,
)
from khhw.report.words import count, duration, span

__all__ = ["latency_caption", "latency_picture"]

_HOPS, _SIZE, _CYCLES = 2, 3, 4
_MOST_LABELLED = 6
"""Distances up to which medians are written beside their bars."""
_WIDE = 150
"""Width of all bars of medians together, in points."""

_Samples = npt.NDArray[np.int64]


def latency_caption(results: Results) -> str:
    """What the samples say."""
    samples, clock = results.latency(), results.clock_hz
    smallest = samples[samples[:, _SIZE] == samples[:, _SIZE].min()]
    distances = _medians(smallest, _HOPS)
    size = int(smallest[0, _SIZE])
    (near, first), (far, last) = distances[0], distances[-1]
    made = [np.count_nonzero(smallest[:, _HOPS] == hops) for hops in (near, far)]
    text = (f"{count(len(samples), 'message')}, from the doorbell's register write to the destination's interrupt. "
            f"The smallest ({count(size, 'byte')}) take a median of {first:,g} cycles ({duration(first, clock)}) "
            f"over {count(near, 'hop')} (n={made[0]:,})")
    if far > near:
        text += (f" and {last:,g} ({duration(last, clock)}) over {far} (n={made[1]:,}): "
                 f"{(last - first) / (far - near):.3g} cycles a hop")
    sizes = _medians(samples, _SIZE)
    if len(sizes) > 1:
        (small, start), (large, end) = sizes[0], sizes[-1]
        text += (f". Over all distances the median grows from {start:,g} cycles at {count(small, 'byte')} to {end:,g} "
                 f"at {large:,}")
        if end > start:
            rate = (large - small) / (end - start)
            text += f": {rate:.3g} bytes a cycle, {rate * clock / 1e6:.3g} MB/s"
    return text + "."


def latency_picture(results: Results) -> Picture:
    """Left: the smallest messages by distance. Right: all messages by size, a line a distance."""
    with styled():
        drawing = _draw(results)
    return Picture(name="latency", title="Message latency", caption=latency_caption(results), figure=drawing,
                   columns=("source", "destination", "hops", "bytes", "cycles", "nanoseconds"),
                   rows=[(*map(int, row), round(int(row[_CYCLES]) * 1e9 / results.clock_hz, 1))
                         for row in results.latency()])


def _draw(results: Results) -> Figure:
    samples = results.latency()
    drawing, (left, right) = figure(9.6, 4.3, 2, gridspec_kw={"width_ratios": [1, 1.25]})
    labels = Labels(drawing)
    _by_distance(left, samples, labels)
    keys = _by_size(right, samples)
    for axes in (left, right):
        quiet(axes)
        axes.set_ylabel("cycles")
        time_axis(axes, results.clock_hz)
    keys_below(drawing, keys, min(6, len(keys)))
    labels.place()
    return drawing


def _medians(samples: _Samples, column: int) -> list[tuple[int, float]]:
    return [(int(value), float(np.median(samples[samples[:, column] == value, _CYCLES])))
            for value in np.unique(samples[:, column])]


def _by_distance(axes: Axes, samples: _Samples, labels: Labels) -> None:
    size = int(samples[:, _SIZE].min())
    chosen = samples[samples[:, _SIZE] == size]
    axes.plot(chosen[:, _HOPS], chosen[:, _CYCLES], "o", color=ACCENT, alpha=0.4, markersize=5, markeredgewidth=0)
    medians = _medians(chosen, _HOPS)
    wide = _WIDE / max(_MOST_LABELLED, len(medians))
    for hops, median in medians:
        axes.plot([hops], [median], marker="_", color=INK, markersize=wide, markeredgewidth=1.8)
        few = int(np.sum(chosen[:, _HOPS] == hops))
        if len(medians) <= _MOST_LABELLED:
            labels.add(axes, f"{median:,g}" + (f" (n = {few})" if few < FEW else ""), (hops, median), needed=False,
                       aside=wide / 2)
    axes.set_xticks(np.unique(chosen[:, _HOPS]))
    axes.margins(x=0.2, y=0.12)
    axes.set_xlabel("distance in hops")
    axes.set_title(f"over distance: {count(size, 'byte')}; bars are medians", pad=10)


def _by_size(axes: Axes, samples: _Samples) -> list[Line2D]:
    """A line a distance, all at the sizes that were sent: equal latencies cover each other."""
    distances = np.unique(samples[:, _HOPS])
    keys = []
    for index, (hops, colour) in enumerate(zip(distances, shades(len(distances)), strict=True)):
        chosen = samples[samples[:, _HOPS] == hops]
        numbers = [int(np.sum(chosen[:, _SIZE] == size)) for size in np.unique(chosen[:, _SIZE])]
        axes.plot(chosen[:, _SIZE], chosen[:, _CYCLES], ".", color=colour, alpha=0.5, markersize=4, markeredgewidth=0)
        # Later, larger distances are drawn smaller, so that what lies below is seen.
        size = 8.5 - 4.5 * index / max(1, len(distances) - 1)
        keys += axes.plot(*zip(*_medians(chosen, _SIZE), strict=True), color=colour, linewidth=1.2,
                          marker=MARKERS[index % len(MARKERS)], markersize=size,
                          markerfacecolor="white" if max(numbers) < FEW else colour,
                          label=f"{count(int(hops), 'hop')} (n = {span(numbers)})")
        few = [point for point, number in zip(_medians(chosen, _SIZE), numbers, strict=True) if number < FEW]
        axes.plot([x for x, _ in few], [y for _, y in few], color=colour, linestyle="none", markersize=size,
                  marker=MARKERS[index % len(MARKERS)], markerfacecolor="white")
    size_axis(axes, np.unique(samples[:, _SIZE]).tolist())
    axes.set_xlabel("message size")
    log_axis(axes, "y")
    axes.set_title("over size; lines are medians of n messages each", pad=10)
    return keys
