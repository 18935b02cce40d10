"""Message latency of two runs."""

from collections.abc import Sequence

from matplotlib.lines import Line2D

from khhw.report.change import Change, Judgement
from khhw.report.compare.look import RUNS, legend
from khhw.report.compare.pair import Pair
from khhw.report.compare.told import tally, told
from khhw.report.estimate import median
from khhw.report.memcached.look import log_axis, size_axis
from khhw.report.picture import Picture
from khhw.report.style import ACCENT, INK, figure, plain_numbers, quiet, styled, time_axis
from khhw.report.words import count, plus

__all__ = ["latency_changes", "latency_pictures", "latency_words"]


def latency_changes(pair: Pair) -> list[Change]:
    """Medians of messages that both runs timed: the smallest by distance, all by size.

    A source sends each message after the answer to the one before, so the samples count as independent.
    """
    first, second = (run.latency() for run in (pair.first, pair.second))
    common = {tuple(row) for row in first[:, :4].tolist()} & {tuple(row) for row in second[:, :4].tolist()}
    if not common:
        return []
    kept = [samples[[tuple(row) in common for row in samples[:, :4].tolist()]] for samples in (first, second)]
    smallest = min(row[3] for row in common)
    found = []
    for hops in sorted({row[2] for row in common if row[3] == smallest}):
        medians = [median(s[(s[:, 2] == hops) & (s[:, 3] == smallest), 4]) for s in kept]
        found.append(Change(where=f"{count(smallest, 'byte')} over {count(hops, 'hop')}",
                            quantity="median, cycles", first=medians[0], second=medians[1], better="less",
                            place=hops, group="distance"))
    for each in sorted({row[3] for row in common}):
        medians = [median(s[s[:, 3] == each, 4]) for s in kept]
        found.append(Change(where=f"{count(each, 'byte')}, all distances", quantity="median, cycles",
                            first=medians[0], second=medians[1], better="less", place=each, group="size"))
    return found


def latency_words(judged: Sequence[Judgement]) -> list[str]:
    """The nearest and the farthest, the smallest and the largest; what a hop more costs; and how many differ in all."""
    if not judged:
        return []
    texts = []
    groups = {group: [each for each in judged if each.change.group == group] for group in ("distance", "size")}
    for found in groups.values():
        texts += [told(each) for each in dict.fromkeys([*found[:1], *found[-1:]])]
    if text := _by_hop(groups["distance"]):
        texts.append(text)
    return [*texts, f"In all: {tally(judged, 'median')}."]


def _by_hop(found: Sequence[Judgement]) -> str:
    """What a hop costs more, from the nearest and the farthest messages; their intervals hold together."""
    known = [(each, each.difference) for each in found if each.difference is not None]
    if len(known) < 2:
        return ""
    (near, (near_low, near_high)), (far, (far_low, far_high)) = known[0], known[-1]
    hops = far.change.place - near.change.place
    value = _moved(far) - _moved(near)
    low, high = (far_low - near_high) / hops, (far_high - near_low) / hops
    if low <= 0 <= high:
        return f"A hop more: no difference seen ({plus(low)} to {plus(high)} cycles)."
    return f"A hop more: {plus(value / hops)} cycles ({plus(low)} to {plus(high)})."


def _moved(judgement: Judgement) -> float:
    return judgement.change.second.value - judgement.change.first.value


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
        for values, dashes, colour in zip(([change.first.value for change in changes],
                                           [change.second.value for change in changes]),
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
                   rows=[(change.where, change.first.value, change.second.value, round(change.ratio, 4))
                         for change in found])
