"""Message latency over distance and over size."""

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from khhw.machine.results import Results
from khhw.report.picture import Picture
from khhw.report.style import ACCENT, INK, MUTED, figure, jitter, plain_numbers, quiet, shades, styled, time_axis
from khhw.report.words import count, duration

__all__ = ["latency_caption", "latency_picture"]

_HOPS, _SIZE, _CYCLES = 2, 3, 4

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
            f"The smallest ({count(size, 'byte')}) take a median of {first:g} cycles ({duration(first, clock)}) "
            f"over {count(near, 'hop')} (n={made[0]:,})")
    if far > near:
        text += (f" and {last:g} ({duration(last, clock)}) over {far} (n={made[1]:,}): "
                 f"{(last - first) / (far - near):.3g} cycles a hop")
    sizes = _medians(samples, _SIZE)
    if len(sizes) > 1:
        (small, start), (large, end) = sizes[0], sizes[-1]
        text += (f". Over all distances the median grows from {start:g} cycles at {count(small, 'byte')} to {end:g} at "
                 f"{large:,}")
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
    drawing, (left, right) = figure(9.6, 3.9, 2, gridspec_kw={"width_ratios": [1, 1.25]})
    _by_distance(left, samples)
    _by_size(right, samples)
    for axes in (left, right):
        quiet(axes)
        axes.set_ylabel("cycles")
        time_axis(axes, results.clock_hz)
    return drawing


def _medians(samples: _Samples, column: int) -> list[tuple[int, float]]:
    return [(int(value), float(np.median(samples[samples[:, column] == value, _CYCLES])))
            for value in np.unique(samples[:, column])]


def _by_distance(axes: Axes, samples: _Samples) -> None:
    size = int(samples[:, _SIZE].min())
    chosen = samples[samples[:, _SIZE] == size]
    spread = np.array(jitter(len(chosen), 0.3))
    axes.plot(chosen[:, _HOPS] + spread, chosen[:, _CYCLES], ".", color=ACCENT, alpha=0.35, markersize=6,
              markeredgewidth=0)
    for hops, median in _medians(chosen, _HOPS):
        axes.plot([hops - 0.24, hops + 0.24], [median, median], color=INK, linewidth=1.8, solid_capstyle="butt")
        axes.annotate(f"{median:g}", (hops + 0.27, median), va="center", fontsize=8.5, color=INK)
    axes.set_xticks(np.unique(chosen[:, _HOPS]))
    axes.margins(x=0.12, y=0.1)
    axes.set_xlabel("distance in hops")
    axes.set_title(f"over distance: {count(size, 'byte')}; bars are medians", pad=10)


def _by_size(axes: Axes, samples: _Samples) -> None:
    distances = np.unique(samples[:, _HOPS])
    sizes = np.unique(samples[:, _SIZE])
    for index, (hops, colour) in enumerate(zip(distances, shades(len(distances)), strict=True)):
        chosen = samples[samples[:, _HOPS] == hops]
        # A few per cent sideways a distance, so that equal latencies do not hide each other.
        aside = 1 + 0.05 * (index - (len(distances) - 1) / 2)
        axes.plot(chosen[:, _SIZE] * aside, chosen[:, _CYCLES], ".", color=colour, alpha=0.45, markersize=5,
                  markeredgewidth=0)
        medians = _medians(chosen, _SIZE)
        axes.plot([size * aside for size, _ in medians], [median for _, median in medians], color=colour,
                  linewidth=1.6, label=str(hops))
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(sizes)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_locator(NullLocator())
    for axis in (axes.xaxis, axes.yaxis):
        plain_numbers(axis)
    axes.set_xlabel("message in bytes")
    axes.set_title("over size; lines are medians", pad=10)
    axes.legend(title="hops", frameon=False, fontsize=8.5, title_fontsize=8.5, loc="upper left", labelcolor=INK,
                handlelength=1.4).get_title().set_color(MUTED)
