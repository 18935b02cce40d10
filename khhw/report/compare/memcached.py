"""memcached in two runs, as numbers and in words."""

import math
from collections.abc import Callable, Sequence

from khhw.machine.results import MemcachedPoint, Results
from khhw.report.change import Change
from khhw.report.compare.pair import Pair
from khhw.report.memcached.cost import cost_sweeps, verdict
from khhw.report.memcached.phases import signed
from khhw.report.memcached.sweep import held, measured
from khhw.report.memcached.words import NAMES, of_size, size
from khhw.report.words import count, listing

__all__ = ["memcached_changes", "memcached_words"]


def memcached_changes(pair: Pair) -> list[Change]:
    """Median, 99th percentile, operations a second and the server's software time of points that both runs have."""
    others = {_key(point): point for point in reversed(measured(pair.second.results.memcached))}
    found = []
    for point in measured(pair.first.results.memcached):
        other = others.get(_key(point))
        if other is not None:
            found += _numbers(point, other)
    return found


def memcached_words(pair: Pair) -> list[str]:
    """What medians, rates and winners say."""
    found = memcached_changes(pair)
    texts = []
    for group in dict.fromkeys(change.group for change in found):
        medians = [change for change in found if change.group == group and change.quantity == "median, cycles"]
        rates = [change for change in found if change.group == group and change.quantity == "operations/s"]
        texts.append(f"{group}: {_spread(medians)}; operations/s {signed(_mean(rates))}.")
    texts += _winners(pair)
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
            found.append(Change(where=where, quantity=quantity, first=one, second=other,
                                better=better, place=first.value_bytes,
                                group=f"{NAMES[first.path]} {NAMES[first.op]}"))
    return found


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
