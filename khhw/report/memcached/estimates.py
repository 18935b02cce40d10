"""The numbers of a measurement of memcached with how much they may be off, and which of two ways is faster."""

import math
from collections.abc import Iterable, Sequence

from khhw.machine.results import MemcachedPoint
from khhw.report.change import Change, Judgement, confidence_of, judge
from khhw.report.estimate import Estimate, reading
from khhw.report.memcached.words import samples_of
from khhw.report.words import listing
from khhw.statistics import Interval, levels, student

__all__ = ["changed", "doubts", "hedged", "median", "rate", "server_time", "tail"]


def median(point: MemcachedPoint) -> Estimate:
    """Median latency in cycles."""
    return _quantile(point, 0.5, point.latency_cycles.p50, point.spread.p50_share if point.spread else None)


def tail(point: MemcachedPoint) -> Estimate | None:
    """99th percentile of the latency in cycles; None where there is none."""
    value = point.latency_cycles.p99
    if value is None:
        return None
    return _quantile(point, 0.99, value, point.spread.p99_share if point.spread else None)


def rate(point: MemcachedPoint) -> Estimate:
    """Operations a second."""
    spread, value = point.spread, point.ops_per_second

    def interval(confidence: float) -> Interval | None:
        if spread is None or spread.ops_per_second is None:
            return None
        # An operation may be counted or not by where the measurement begins and ends.
        half = max(student(spread.batches - 1, confidence) * spread.ops_per_second, value / point.ops)
        return value - half, value + half

    return Estimate(value=value, samples=point.ops, interval=interval)


def server_time(point: MemcachedPoint) -> Estimate:
    """Software time of the server in ns an operation: read at both ends of the measurement, once."""
    return reading(point.server_cpu_ns_per_op)


def _quantile(point: MemcachedPoint, level: float, value: float, error: float | None) -> Estimate:
    spread, known = point.spread, point.quantiles

    def interval(confidence: float) -> Interval | None:
        if spread is None or error is None:
            return None
        found = levels(level, point.samples, confidence, error=error, batches=spread.batches)
        if found is None:
            return None
        # Only whole per cent are kept: the next ones outwards.
        low, high = known[math.floor(100 * found[0])], known[math.ceil(100 * found[1])]
        return min(float(low), value), max(float(high), value)

    def enough(confidence: float) -> bool:
        return None not in (spread, error) and levels(level, point.samples, confidence) is not None

    return Estimate(value=value, samples=point.samples, interval=interval, enough=enough)


def changed(pairs: Iterable[tuple[MemcachedPoint, MemcachedPoint]]) -> list[Judgement]:
    """The medians of pairs of points, judged together."""
    changes = [Change(where="", quantity="median, cycles", first=median(first), second=median(second), better="less",
                      varied=first.value_bytes, group="") for first, second in pairs]
    return judge(changes, confidence_of(changes))


def doubts(pairs: Sequence[tuple[str, MemcachedPoint, MemcachedPoint]]) -> list[str]:
    """Where one of two medians is the shorter, and nothing says that it is.

    Parameters
    ----------
    pairs : sequence of (str, MemcachedPoint, MemcachedPoint)
        Words for the point, ``at 64 bytes``, and what was measured there.

    Returns
    -------
    list of str
        A sentence on points where the difference is within its interval, and one on those for which no interval can be
        given; none where neither is.
    """
    found = changed((first, second) for _, first, second in pairs)
    same = [where for (where, *_), each in zip(pairs, found, strict=True) if each.differs is False]
    few = [(where, first, second) for (where, first, second), each in zip(pairs, found, strict=True)
           if each.differs is None]
    texts = [f"No difference is seen {listing(same)}."] if same else []
    if few:
        texts.append(f"No interval can be given {listing(where for where, *_ in few)} "
                     f"({samples_of(point for _, *both in few for point in both)}).")
    return texts


def hedged(text: str, found: Sequence[str], *, first: bool = True) -> str:
    """Who is faster, as what samples say where :func:`doubts` found some; `first` if it begins a sentence."""
    return f"{'In' if first else 'in'} these samples {text}" if found else text
