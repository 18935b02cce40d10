"""Which measurements of memcached belong into one picture: those that differ in one thing only."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from khhw.machine.alike import held, mixed
from khhw.machine.results import MemcachedPoint

__all__ = ["Sweep", "best_by_model", "fastest", "measured", "sweeps", "together"]


@dataclass(frozen=True)
class Sweep:
    """Points that differ in one thing, and in path and operation.

    Parameters
    ----------
    lines : dict
        By (path, operation): points by what was varied, which rises; one point a value.
    vary : str
        What was varied, an attribute of :class:`MemcachedPoint`.
    """

    lines: dict[tuple[str, str], list[MemcachedPoint]]
    vary: str

    @property
    def first(self) -> MemcachedPoint:
        """Any of its points, for what they have in common."""
        return next(iter(self.lines.values()))[0]

    @property
    def ops(self) -> list[str]:
        """Operations, ``get`` first."""
        return sorted({op for _, op in self.lines})

    @property
    def values(self) -> list[float]:
        """Every value of what was varied."""
        return sorted({float(getattr(point, self.vary)) for line in self.lines.values() for point in line})

    def line(self, path: str, op: str) -> list[MemcachedPoint]:
        """Points of one line; none if it was not measured."""
        return self.lines.get((path, op), [])

    def at(self, path: str, op: str, value: float) -> MemcachedPoint | None:
        """One point of a line."""
        return next((point for point in self.line(path, op) if getattr(point, self.vary) == value), None)


def together(point: MemcachedPoint, points: Iterable[MemcachedPoint]) -> list[MemcachedPoint]:
    """The points of the measurement that a point belongs to: itself, and the other operation of a mix."""
    if not mixed(point):
        return [point]
    key = point.phase, point.path, held(point)
    return [other for other in points if (other.phase, other.path, held(other)) == key]


def measured(points: Iterable[MemcachedPoint]) -> list[MemcachedPoint]:
    """Points in which at least one operation succeeded."""
    return [p for p in points if p.samples and p.latency_cycles.p50 > 0 and p.wire_bound_cycles > 0
            and p.ops_per_second > 0]


def fastest(point: MemcachedPoint) -> float:
    """Cycles of its fastest operation."""
    return point.quantiles[0] if point.quantiles else point.latency_cycles.p50


def sweeps(points: Iterable[MemcachedPoint], vary: str, *also: str, least: int = 2) -> list[Sweep]:
    """Groups of points that differ in `vary` (and in `also`, which follows from it), the most complete first.

    Parameters
    ----------
    points : iterable of MemcachedPoint
        Where two are alike but for the phase, the first counts.
    vary : str
        Attribute drawn from left to right.
    also : str
        Attributes that change with it.
    least : int
        Points the longest line of a group must have.
    """
    groups: dict[tuple[object, ...], dict[tuple[str, str], dict[float, MemcachedPoint]]] = {}
    for point in points:
        lines = groups.setdefault(held(point, vary, *also), defaultdict(dict))
        lines[point.path, point.op].setdefault(float(getattr(point, vary)), point)
    found = [Sweep({key: [line[value] for value in sorted(line)] for key, line in sorted(lines.items())}, vary)
             for lines in groups.values()]
    return sorted((sweep for sweep in found if max(map(len, sweep.lines.values())) >= least), key=_rank)


def best_by_model(found: Sequence[Sweep]) -> dict[str, Sweep]:
    """The first group of each CPU model, models that charge time before ``ideal``."""
    chosen: dict[str, Sweep] = {}
    for sweep in found:
        chosen.setdefault(sweep.first.cpu_model, sweep)
    return dict(sorted(chosen.items(), key=lambda item: (item[0] == "ideal", item[0])))


def _rank(sweep: Sweep) -> tuple[float, ...]:
    """Both ways, many points, the model's own cost, one client."""
    first = sweep.first
    paths = len({path for path, _ in sweep.lines})
    scale = 0.0 if sweep.vary == "cpu_scale" or first.cpu_scale <= 0 else abs(math.log(first.cpu_scale))
    return -paths, -sum(map(len, sweep.lines.values())), scale, first.clients, first.value_bytes
