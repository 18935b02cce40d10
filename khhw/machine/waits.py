"""What of an operation's time is wait, from the same measurement in several phases.

Part of the work of software and network interfaces is done beside the operation, and how much cannot be counted. What a
neighbour adds would count as such work, up to all of it. But an operation is no more work because of what else goes on:
a phase in which it takes less of its time shows how much the work takes at most in every phase.
"""

from collections.abc import Iterable, Sequence

from khhw.machine.alike import held
from khhw.machine.results import Breakdown, MemcachedPoint

__all__ = ["with_waits"]


def with_waits(points: Sequence[MemcachedPoint]) -> list[MemcachedPoint]:
    """The points of a run, whose software and NI take no longer than in any phase that has the same measurement; the
    rest of their operations is wait.

    Parameters
    ----------
    points : sequence of MemcachedPoint
        Of all phases so far.
    """
    least: dict[tuple[object, ...], float] = {}
    for point, parts in _divided(points):
        least[_key(point)] = min(_work(parts), least.get(_key(point), _work(parts)))
    return [point if point.breakdown is None else point.model_copy(
        update={"breakdown": _limited(point.breakdown, least[_key(point)])}) for point in points]


def _divided(points: Iterable[MemcachedPoint]) -> Iterable[tuple[MemcachedPoint, Breakdown]]:
    return ((point, point.breakdown) for point in points if point.breakdown is not None)


def _key(point: MemcachedPoint) -> tuple[object, ...]:
    return point.path, point.op, *held(point)


def _work(parts: Breakdown) -> float:
    return parts.software + parts.ni


def _limited(parts: Breakdown, most: float) -> Breakdown:
    work = _work(parts)
    if work <= most:
        return parts
    return parts.model_copy(update={
        "software": round(parts.software * most / work, 2), "ni": round(parts.ni * most / work, 2),
        "wait": round(parts.wait + work - most, 2)})
