"""Message latency of two runs."""

import numpy as np

from khhw.report.change import Change
from khhw.report.compare.messages import common_messages
from khhw.report.compare.pair import Pair
from khhw.report.memcached.phases import signed
from khhw.report.words import count, listing

__all__ = ["latency_changes", "latency_words"]


def latency_changes(pair: Pair) -> list[Change]:
    """Medians of messages that both runs timed: the smallest by distance, all by size."""
    kept = common_messages(pair)
    if not kept:
        return []
    common = np.unique(kept[0][:, 2:4], axis=0).tolist()
    smallest = min(size for _, size in common)
    found = []
    for hops in sorted({hops for hops, size in common if size == smallest}):
        medians = [float(np.median(s[(s[:, 2] == hops) & (s[:, 3] == smallest), 4])) for s in kept]
        found.append(Change(where=f"{count(smallest, 'byte')} over {count(hops, 'hop')}",
                            quantity="median, cycles", first=medians[0], second=medians[1], better="less",
                            place=hops, group="distance"))
    for each in sorted({size for _, size in common}):
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
