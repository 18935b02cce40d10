"""Message latency of two runs."""

import numpy as np
from matplotlib.lines import Line2D

from khhw.report.change import Change
from khhw.report.compare.look import RUNS, legend
from khhw.report.compare.pair import Pair
from khhw.report.memcached.look import log_axis, size_axis
from khhw.report.memcached.phases import signed
from khhw.report.picture import Picture
from khhw.report.style import ACCENT, INK, figure, plain_numbers, quiet, styled, time_axis
from khhw.report.words import count, listing

__all__ = ["latency_changes", "latency_pictures", "latency_words"]


def latency_changes(pair: Pair) -> list[Change]:
    """Medians of messages that both runs timed: the smallest by distance, all by size."""
    first, second = (run.latency() for run in (pair.first, pair.second))
    common = {tuple(row) for row in first[:, :4].tolist()} & {tuple(row) for row in second[:, :4].tolist()}
    if not common:
        return []
    kept = [samples[[tuple(row) in common for row in samples[:, :4].tolist()]] for samples in (first, second)]
    smallest = min(row[3] for row in common)
    found = []
    for hops in sorted({row[2] for row in common if row[3] == smallest}):
        medians = [float(np.median(s[(s[:, 2] == hops) & (s[:, 3] == smallest), 4])) for s in kept]
        found.append(Change(where=f"{count(smallest, 'byte')} over {count(hops, 'hop')}",
                            quantity="median, cycles", first=medians[0], second=medians[1], better="less",
                            place=hops, group="distance"))
    for each in sorted({row[3] for row in common}):
        medians = [float(np.median(s[s[:, 3] == each, 4])) for s in kept]
        found.append(Change(where=f"{count(each, 'byte')}, all distances", quantity="median, cycles",
                            first=medians[0], second=medians[1], better="less", place=each, group="size"))
    return found


def latency_words(pair: Pair) -> list[str]:
    """What the medians say."""
    found = latency_changes(pair)
    texts = []
    for group, what, noun in (("distance", "the smallest messages", "hop"),
                              ("size", "messages of all distances", "byte")):
        changes = [change for change in found if change.group == group]
        if changes:
            ends = dict.fromkeys([changes[0], changes[-1]])
            parts = [f"{change.second:g} cycles instead of {change.first:g} ({signed(change.ratio)}) "
                     f"{'over' if noun == 'hop' else 'at'} {count(round(change.place), noun)}" for change in ends]
            texts.append(f"In {pair.names[1]} {what} take a median of {listing(parts)}.")
    return texts


def latency_pictures(pair: Pair) -> list[Picture]:
    """Medians over distance and over size, if both runs timed the same messages."""
    found = latency_changes(pair)
    with styled():
        return [_picture(pair, found)] if found else []


def _picture(pair: Pair, found: list[Change]) -> Picture:
    drawing, panels = figure(9.6, 3.9, 2)
    for axes, group in zip(panels, ("distance", "size"), strict=True):
        changes = [change for change in found if change.group == group]
        places = [change.place for change in changes]
        for values, dashes, colour in zip(([change.first for change in changes], [change.second for change in changes]),
                                          RUNS, (INK, ACCENT), strict=True):
            axes.plot(places, values, color=colour, linestyle=dashes, marker="o", markersize=4, linewidth=1.6)
        quiet(axes)
        axes.set_ylabel("median in cycles")
        if group == "size":
            size_axis(axes, places)
            axes.set_xlabel("message size")
            log_axis(axes, "y")
        else:
            axes.set_xticks(places)
            axes.set_xlabel("distance in hops")
            plain_numbers(axes.yaxis)
        axes.set_title("the smallest messages" if group == "distance" else "all distances", pad=10)
        time_axis(axes, pair.first.clock_hz)
    keys = [Line2D([], [], color=colour, linestyle=dashes, marker="o", markersize=4, label=name)
            for name, dashes, colour in zip(pair.names, RUNS, (INK, ACCENT), strict=True)]
    legend(drawing, keys)
    return Picture(name="compare_latency", title="Message latency", caption="Medians of messages that both runs timed.",
                   figure=drawing, columns=("where", "first_cycles", "second_cycles", "ratio"),
                   rows=[(change.where, change.first, change.second, round(change.ratio, 4)) for change in found])
