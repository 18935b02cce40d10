"""What the second run measured differently, as numbers and in words."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from khhw.machine.results import MemcachedPoint, Results
from khhw.report.compare.pair import Pair
from khhw.report.memcached.cost import cost_sweeps, verdict
from khhw.report.memcached.phases import signed
from khhw.report.memcached.sweep import held, measured
from khhw.report.memcached.words import NAMES, of_size, size
from khhw.report.words import count, listing

__all__ = ["Change", "latency_changes", "matrix_changes", "matrix_words", "memcached_changes", "words"]

_MOST_NAMED = 6


@dataclass(frozen=True, kw_only=True)
class Change:
    """One number of both runs.

    Parameters
    ----------
    what : str
        ``latency`` or ``memcached``.
    where : str
        Which measurement.
    quantity : str
        What was measured, with its unit.
    first, second : float
        In each run.
    better : str
        ``less`` or ``more``.
    place : float
        Value size or distance, for texts.
    group : str
        Measurements that are told together.
    """

    what: str
    where: str
    quantity: str
    first: float
    second: float
    better: str
    place: float
    group: str

    @property
    def ratio(self) -> float:
        """Second over first; 1 where both are 0."""
        return self.second / self.first if self.first else 1.0 if not self.second else math.inf


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
        found.append(Change(what="latency", where=f"{count(smallest, 'byte')} over {count(hops, 'hop')}",
                            quantity="median, cycles", first=medians[0], second=medians[1], better="less",
                            place=hops, group="distance"))
    for each in sorted({row[3] for row in common}):
        medians = [float(np.median(s[s[:, 3] == each, 4])) for s in kept]
        found.append(Change(what="latency", where=f"{count(each, 'byte')}, all distances", quantity="median, cycles",
                            first=medians[0], second=medians[1], better="less", place=each, group="size"))
    return found


def matrix_changes(pair: Pair) -> dict[str, list[tuple[int, int]]]:
    """(source, destination) of cells that only one of the runs observed, by phase that both measured."""
    found = {}
    for phase in pair.first.results.matrix:
        if phase in pair.second.results.matrix:
            unlike = pair.first.matrix(phase, "observed") != pair.second.matrix(phase, "observed")
            found[phase] = [(int(source), int(destination)) for source, destination in np.argwhere(unlike)]
    return found


def memcached_changes(pair: Pair) -> list[Change]:
    """Median, 99th percentile, operations a second and the server's software time of points that both runs have."""
    others = {_key(point): point for point in reversed(measured(pair.second.results.memcached))}
    found = []
    for point in measured(pair.first.results.memcached):
        other = others.get(_key(point))
        if other is not None:
            found += _numbers(point, other)
    return found


def words(pair: Pair) -> dict[str, list[str]]:
    """The differences in sentences, by section: ``latency``, ``memcached``."""
    return {"latency": _latency_words(pair), "memcached": _memcached_words(pair)}


def matrix_words(pair: Pair) -> list[str]:
    """What the matrices say: a sentence a phase that differs, one for all that do not."""
    found = matrix_changes(pair)
    same = [phase for phase, cells in found.items() if not cells]
    texts = [f"Both runs observed the same cells in {listing(same)}."] if same else []
    for phase, cells in found.items():
        if cells:
            seen = pair.second.matrix(phase, "observed")
            named = [f"{source}→{destination} only in {pair.names[bool(seen[source, destination])]}"
                     for source, destination in cells[:_MOST_NAMED]]
            more = f" and {len(cells) - _MOST_NAMED} more" if len(cells) > _MOST_NAMED else ""
            texts.append(f"{phase}: {count(len(cells), 'cell differs', 'cells differ')}: {', '.join(named)}{more}.")
    return texts


def _key(point: MemcachedPoint) -> tuple[object, ...]:
    return (point.phase, point.path, point.op, *held(point))


def _numbers(first: MemcachedPoint, second: MemcachedPoint) -> list[Change]:
    software = first.cpu_model + ("" if first.cpu_model == "ideal" else f" x {first.cpu_scale:g}")
    where = (f"{first.phase}: {NAMES[first.path]} {NAMES[first.op]}, {size(first)}, {count(first.clients, 'client')}, "
             f"{software}")
    quantities: list[tuple[str, Callable[[MemcachedPoint], float | None], str]] = [
        ("median, cycles", lambda point: point.latency_cycles.p50, "less"),
        ("99th percentile, cycles", lambda point: point.latency_cycles.p99, "less"),
        ("operations/s", lambda point: point.ops_per_second, "more"),
        ("server ns/op", lambda point: point.server_cpu_ns_per_op, "less")]
    found = []
    for quantity, read, better in quantities:
        one, other = read(first), read(second)
        if one is not None and other is not None:
            found.append(Change(what="memcached", where=where, quantity=quantity, first=one, second=other,
                                better=better, place=first.value_bytes,
                                group=f"{NAMES[first.path]} {NAMES[first.op]}"))
    return found


def _latency_words(pair: Pair) -> list[str]:
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


def _memcached_words(pair: Pair) -> list[str]:
    found = memcached_changes(pair)
    texts = []
    for group in dict.fromkeys(change.group for change in found):
        medians = [change for change in found if change.group == group and change.quantity == "median, cycles"]
        rates = [change for change in found if change.group == group and change.quantity == "operations/s"]
        texts.append(f"{group}: {_spread(medians)}; operations/s {signed(_mean(rates))}.")
    texts += _winners(pair)
    return texts


def _spread(changes: Sequence[Change]) -> str:
    """The mean change of medians, and the extremes."""
    low, high = (function(changes, key=lambda change: change.ratio) for function in (min, max))
    if signed(low.ratio) == signed(high.ratio):
        return f"medians {signed(low.ratio)} in all {count(len(changes), 'measurement')}"
    return (f"medians {signed(_mean(changes))} on average over {count(len(changes), 'measurement')}, from "
            f"{signed(low.ratio)} ({of_size(low.place)}) to {signed(high.ratio)} ({of_size(high.place)})")


def _mean(changes: Sequence[Change]) -> float:
    """Geometric mean of the ratios."""
    return math.exp(sum(math.log(change.ratio) for change in changes) / len(changes))


def _winners(pair: Pair) -> list[str]:
    """Who wins over software cost; told at length only where that is not the same throughout both runs."""
    first, second = (_verdicts(run) for run in (pair.first, pair.second))
    same: dict[str, list[str]] = {}
    texts = []
    for name, text in ((name, text) for name, text in first.items() if name in second):
        result = text.partition(";")[0]
        if "throughout" in result and result == second[name].partition(";")[0]:
            same.setdefault(result, []).append(name)
        else:
            texts.append(f"Over software cost, GET of {name}: in {pair.names[0]} {text}; in {pair.names[1]} "
                         f"{second[name]}.")
    return [*(f"Over software cost, GET of {listing(names)}: {result} in both." for result, names in same.items()),
            *texts]


def _verdicts(run: Results) -> dict[str, str]:
    return {of_size(sweep.first.value_bytes): verdict(sweep, "get")
            for sweep in cost_sweeps(measured(run.results.memcached))
            if all(len(sweep.line(path, "get")) > 1 for path in ("tcp", "rdma"))}
