"""memcached in two runs, as numbers and in words."""

from collections.abc import Callable, Sequence

from khhw.machine.alike import held
from khhw.machine.results import MemcachedPoint
from khhw.report.change import Change, Judgement
from khhw.report.compare.pair import Pair
from khhw.report.compare.told import tally
from khhw.report.estimate import Estimate
from khhw.report.memcached.cost import cost_doubts, cost_sweeps, verdict
from khhw.report.memcached.estimates import hedged, median, rate, server_time, tail
from khhw.report.memcached.halves import Half, halves
from khhw.report.memcached.sweep import measured
from khhw.report.memcached.words import NAMES, of_size, size
from khhw.report.words import count, listing

__all__ = ["memcached_assumed", "memcached_changes", "memcached_words"]

MEDIAN, TAIL, OPERATIONS, SERVER = "median, cycles", "99th percentile, cycles", "operations/s", "server ns/op"


def memcached_changes(pair: Pair) -> list[Change]:
    """Median, 99th percentile, operations a second and the server's software time of points that both runs have."""
    others = {_key(point): point for point in reversed(measured(pair.second.results.memcached))}
    found = []
    for point in measured(pair.first.results.memcached):
        other = others.get(_key(point))
        if other is not None:
            found += _numbers(point, other)
    return found


def memcached_assumed(pair: Pair) -> list[str]:
    """What the intervals of medians and rates take for granted, each as a clause after *if*."""
    clauses = ["operations of memcached do not depend on those more than a stretch before (a twentieth of the "
               "measurement or more)"]
    if pair.first.seed != pair.second.seed and any(p.values == "etc" for p in pair.first.results.memcached):
        clauses.append("a seed chooses nothing for a whole run, as it does the sizes of ETC values")
    return clauses


def memcached_words(pair: Pair, judged: Sequence[Judgement]) -> list[str]:
    """What medians, rates and winners say."""
    texts = []
    for group in dict.fromkeys(each.change.group for each in judged):
        told = [tally(found, noun, plural) for quantity, noun, plural in (
            (MEDIAN, "median", ""), (TAIL, "99th percentile", ""),
            (OPERATIONS, "rate of operations", "rates of operations"))
            if (found := [each for each in judged if each.change.group == group and each.change.quantity == quantity])]
        texts.append(f"{group}: {'; '.join(told)}.")
    return texts + _winners(pair)


def _key(point: MemcachedPoint) -> tuple[object, ...]:
    return (point.phase, point.path, point.op, *held(point))


def _numbers(first: MemcachedPoint, second: MemcachedPoint) -> list[Change]:
    software = first.cpu_model + ("" if first.cpu_model == "ideal" else f" x {first.cpu_scale:g}")
    where = (f"{first.phase}: {NAMES[first.path]} {NAMES[first.op]}, {size(first)}, {count(first.clients, 'client')}, "
             f"{software}")
    quantities: list[tuple[str, Callable[[MemcachedPoint], Estimate | None], str]] = [
        (MEDIAN, median, "less"), (TAIL, tail, "less"), (OPERATIONS, rate, "more"), (SERVER, server_time, "less")]
    found = []
    for quantity, estimate, better in quantities:
        one, other = estimate(first), estimate(second)
        if one is not None and other is not None:
            found.append(Change(where=where, quantity=quantity, first=one, second=other,
                                better=better, varied=first.value_bytes,
                                group=f"{NAMES[first.path]} {NAMES[first.op]}"))
    return found


def _winners(pair: Pair) -> list[str]:
    """Who wins over software cost, condition by condition that both runs measured under."""
    second = {half.beside: half for half in halves(pair.second)}
    return [half.titled(text) for half in halves(pair.first) if half.beside in second
            for text in _winners_of(pair, (half, second[half.beside]))]


def _winners_of(pair: Pair, both: tuple[Half, Half]) -> list[str]:
    """Told at length only where the winner is not the same throughout both runs."""
    first, second = map(_verdicts, both)
    doubts = [cost_doubts(cost_sweeps(half.points), "get") for half in both]
    same: dict[str, list[str]] = {}
    texts = []
    for name, text in ((name, text) for name, text in first.items() if name in second):
        result = text.partition(";")[0]
        if "throughout" in result and result == second[name].partition(";")[0]:
            same.setdefault(hedged(result, doubts[0] + doubts[1], first=False), []).append(name)
        else:
            said = [f"in {run} {hedged(each, found, first=False)}"
                    for run, each, found in zip(pair.names, (text, second[name]), doubts, strict=True)]
            texts.append(f"Over software cost, GET of {name}: {'; '.join(said)}.")
    texts = [*(f"Over software cost, GET of {listing(names)}: {result} in both." for result, names in same.items()),
             *texts]
    return [*texts, *(f"In {run}: {text}" for run, found in zip(pair.names, doubts, strict=True) for text in found
                      if texts)]


def _verdicts(half: Half) -> dict[str, str]:
    return {of_size(sweep.first.value_bytes): verdict(sweep, "get") for sweep in cost_sweeps(half.points)
            if all(len(sweep.line(path, "get")) > 1 for path in ("tcp", "rdma"))}
