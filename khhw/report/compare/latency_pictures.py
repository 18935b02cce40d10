"""Message latency of two runs in one picture."""

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from khhw.report.compare.look import RUNS, draw_runs, legend, run_keys
from khhw.report.compare.messages import common_messages
from khhw.report.compare.pair import Pair
from khhw.report.labels import Labels
from khhw.report.memcached.look import log_axis, size_axis
from khhw.report.picture import Picture
from khhw.report.style import figure, plain_numbers, quiet, styled, time_axis
from khhw.report.words import count, span

__all__ = ["latency_pictures"]

_HOPS, _SIZE, _CYCLES = 2, 3, 4

_Samples = npt.NDArray[np.int64]


def latency_pictures(pair: Pair) -> list[Picture]:
    """Messages over distance and over size, if both runs timed the same ones."""
    kept = common_messages(pair)
    if not kept:
        return []
    with styled():
        return [_picture(pair, kept)]


def _picture(pair: Pair, kept: list[_Samples]) -> Picture:
    smallest = int(kept[0][:, _SIZE].min())
    drawing, (left, right) = figure(9.6, 4.3, 2)
    labels = Labels(drawing)
    by_distance = [samples[samples[:, _SIZE] == smallest] for samples in kept]
    numbers, few = _panel(left, by_distance, _HOPS, labels)
    left.set_title(f"{count(smallest, 'byte')}; lines join medians of {numbers}", pad=10)
    left.set_xticks(sorted(set(by_distance[0][:, _HOPS].tolist())))
    left.set_xlabel("distance in hops")
    plain_numbers(left.yaxis)
    numbers, also_few = _panel(right, kept, _SIZE, labels)
    right.set_title(f"all distances; lines join medians of {numbers}", pad=10)
    size_axis(right, sorted(set(kept[0][:, _SIZE].tolist())))
    right.set_xlabel("message size")
    log_axis(right, "y")
    for axes in (left, right):
        quiet(axes)
        axes.set_ylabel("cycles")
        time_axis(axes, pair.first.clock_hz)
    legend(drawing, run_keys(pair), few="messages" if few or also_few else "")
    labels.place()
    rows = [(name, *map(int, row)) for name, samples in zip(pair.names, kept, strict=True) for row in samples]
    return Picture(name="compare_latency", title="Message latency",
                   caption="Every message that both runs timed is a point: those of "
                           f"{pair.names[0]} are light, those of {pair.names[1]} dark.",
                   figure=drawing, columns=("run", "source", "destination", "hops", "bytes", "cycles"), rows=rows)


def _panel(axes: Axes, both: list[_Samples], column: int, labels: Labels) -> tuple[str, bool]:
    """Messages as points, medians as lines; of how many messages the medians are, in words, and whether one of few."""
    for samples, look, size in zip(both, RUNS, (5.0, 2.5), strict=True):
        axes.plot(samples[:, column], samples[:, _CYCLES], "o", color=look["color"], markersize=size, alpha=0.5,
                  markeredgewidth=0)
    medians = [[(value, float(np.median(samples[samples[:, column] == value, _CYCLES])), count_of)
                for value, count_of in zip(*map(np.ndarray.tolist, np.unique(samples[:, column], return_counts=True)),
                                           strict=True)] for samples in both]
    few = draw_runs(axes, medians, labels)
    return f"{span(number for run in medians for *_, number in run)} messages", few
