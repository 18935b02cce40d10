"""Message latency of two runs."""

from collections.abc import Sequence

import numpy as np

from khhw.report.change import Change, Judgement
from khhw.report.compare.messages import common_messages
from khhw.report.compare.pair import Pair
from khhw.report.compare.told import tally, told
from khhw.report.estimate import median
from khhw.report.words import count, plus

__all__ = ["latency_changes", "latency_words"]


def latency_changes(pair: Pair) -> list[Change]:
    """Medians of messages that both runs timed: the smallest by distance, all by size.

    A source sends each message after the answer to the one before, so the samples count as independent.
    """
    kept = common_messages(pair)
    if not kept:
        return []
    common = np.unique(kept[0][:, 2:4], axis=0).tolist()
    smallest = min(size for _, size in common)
    found = []
    for hops in sorted({hops for hops, size in common if size == smallest}):
        medians = [median(s[(s[:, 2] == hops) & (s[:, 3] == smallest), 4]) for s in kept]
        found.append(Change(where=f"{count(smallest, 'byte')} over {count(hops, 'hop')}",
                            quantity="median, cycles", first=medians[0], second=medians[1], better="less",
                            varied=hops, group="distance"))
    for each in sorted({size for _, size in common}):
        medians = [median(s[s[:, 3] == each, 4]) for s in kept]
        found.append(Change(where=f"{count(each, 'byte')}, all distances", quantity="median, cycles",
                            first=medians[0], second=medians[1], better="less", varied=each, group="size"))
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
    hops = far.change.varied - near.change.varied
    value = _moved(far) - _moved(near)
    low, high = (far_low - near_high) / hops, (far_high - near_low) / hops
    if low <= 0 <= high:
        return f"A hop more: no difference seen ({plus(low)} to {plus(high)} cycles)."
    return f"A hop more: {plus(value / hops)} cycles ({plus(low)} to {plus(high)})."


def _moved(judgement: Judgement) -> float:
    return judgement.change.second.value - judgement.change.first.value
