"""Which points a sweep needs next, and what all of them came to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any, Literal

from khhw.statistics import batch_half_width
from khhw.sweep.results import CurveSaturation, Row
from khhw.sweep.saturation import Found, Known, is_precise, is_saturated, loads_needed, outcome, steps_left
from khhw.sweep.spec import SweepSpec
from khhw.sweep.store import Record
from khhw.traffic.capacity import capacity
from khhw.traffic.measurement import Measurement
from khhw.traffic.point import Point

__all__ = ["Ahead", "Plan", "cost"]

_MEASURED = (
    "offered", "accepted", "accepted_ci95", "latency_mean", "latency_mean_ci95", "latency_p50", "latency_p99",
    "latency_max", "packets", "errors", "drained", "saturated", "simulated_cycles", "wall_seconds")
"""Columns of a row that a point without a measurement does not have."""
_LONGER = 4
"""How many times longer a point is measured whose measurement does not tell whether its load is carried."""


def cost(point: Point) -> float:
    """How long a point takes, in units that compare points: nodes and cycles."""
    return float(point.nodes * (point.warmup + point.cycles))


@dataclass(frozen=True)
class Ahead:
    """What is still to be done, as far as it can be seen.

    Parameters
    ----------
    points : int
        To be measured for the first time.
    again : int
        To be measured again, for longer.
    work : float
        Of all that, in units of :func:`cost`, with what is measured again of the first.
    """

    points: int
    again: int
    work: float


class Plan:
    """The curves of a sweep and what is known of them.

    Parameters
    ----------
    spec : SweepSpec
        Checked.
    curves : sequence of Point
        See :func:`khhw.sweep.grid.curves`.
    """

    def __init__(self, spec: SweepSpec, curves: Sequence[Point]) -> None:
        self._spec, self._curves = spec, curves
        self._records: dict[Point, dict[float, Record]] = {curve: {} for curve in curves}

    @property
    def known(self) -> int:
        """Points that have a record."""
        return sum(map(len, self._records.values()))

    def needed(self, curve: Point) -> list[Point]:
        """Points of a curve to measure next; those that are being measured are among them.

        The loads of the grid, and no load; then again for longer those whose measurements do not tell, no load first as
        the others are compared with it; then the search, which may come to more of these.
        """
        rule, records = self._spec.saturation, self._records[curve]
        known = self._measured(curve)
        wanted = loads_needed(rule, self._spec.grid.loads, known)
        if len(wanted) > 1 or any(load in self._spec.grid.loads or load == rule.zero_load for load in wanted):
            return [curve.at(load) for load in wanted]
        zero = self._zero(curve)
        if zero is not None and not is_precise(zero, rule.latency):
            if longer := self._longer(records[rule.zero_load].point):
                return [longer]
        again = [longer for load, point in known.items() if point is not None
                 and is_saturated(point, zero, rule.latency) is None and (longer := self._longer(records[load].point))]
        return again or [curve.at(load) for load in wanted]

    def _longer(self, point: Point) -> Point | None:
        """The same point with more cycles; None beyond the bound."""
        cycles = point.cycles * _LONGER
        bound = self._spec.measure.cycles * self._spec.measure.extend
        return replace(point, cycles=cycles) if cycles <= bound else None

    def curve_of(self, point: Point) -> Point:
        """The curve that a point is on."""
        return replace(point.at(0.0), cycles=self._spec.measure.cycles)

    def add(self, record: Record) -> None:
        """A point has ended. Of a load that was measured again the longest counts."""
        records = self._records[self.curve_of(record.point)]
        before = records.get(record.point.load)
        if before is None or before.point.cycles <= record.point.cycles:
            records[record.point.load] = record

    def ahead(self) -> Ahead:
        """What is still to be done. Points of the grid that are to come are expected to be measured again as often as
        those so far, and points of the search, which are near saturation, as often as the one that was most often."""
        times, again, work = [], 0, 0.0
        for curve, records in self._records.items():
            for record in records.values():
                base, rest = cost(curve), self._again(curve, record)
                again += rest > 0
                work += rest
                if record.measurement is not None:
                    times.append((sum(map(cost, self._shorter(record.point))) + rest) / base)
        points = 0
        for curve in filter(self.needed, self._curves):
            grid = len(set(self._spec.grid.loads) - self._records[curve].keys())
            left = steps_left(self._spec.saturation, self._spec.grid.loads, self._measured(curve))
            points += left
            search = max(0, left - grid)
            work += cost(curve) * ((left - search) * fmean(times or [1.0]) + search * max(times, default=1.0))
        return Ahead(points, again, work)

    def _shorter(self, point: Point) -> Iterator[Point]:
        """A point and those that it was measured with before."""
        while point.cycles >= self._spec.measure.cycles:
            yield point
            point = replace(point, cycles=point.cycles // _LONGER)

    def _again(self, curve: Point, record: Record) -> float:
        """Work to measure a point again, if its measurement does not tell: each time tells in half of the cases."""
        found, zero, limit = record.measurement, self._zero(curve), self._spec.saturation.latency
        if found is None:
            return 0.0
        if is_precise(found, limit) if found is zero else is_saturated(found, zero, limit) is not None:
            return 0.0
        work, chance, longer = 0.0, 1.0, self._longer(record.point)
        while longer is not None:
            work += chance * cost(longer)
            chance, longer = chance / 2, self._longer(longer)
        return work

    def rows(self) -> Iterator[Row]:
        """A row a point that has ended, curve by curve, loads rising."""
        for curve, records in self._records.items():
            zero = self._zero(curve)
            for load, record in sorted(records.items()):
                yield _row(record, zero, self._spec.saturation.latency,
                           "grid" if load in self._spec.grid.loads else "search")

    def saturation(self) -> Iterator[CurveSaturation]:
        """What the searches came to, a curve each."""
        if not self._spec.saturation.search:
            return
        for curve in self._curves:
            found, unit = self._found(curve), _capacity(curve)
            yield CurveSaturation(
                **_of_curve(curve), state=found.state, zero_load_latency=found.zero_load_latency,
                carried=found.carried, saturated=found.saturated,
                accepted=None if found.accepted is None else found.accepted / unit)

    def _zero(self, curve: Point) -> Measurement | None:
        """What was measured at no load; None without a search, as it is then not measured, or means nothing."""
        rule = self._spec.saturation
        return self._measured(curve).get(rule.zero_load) if rule.search else None

    def _found(self, curve: Point) -> Found:
        return outcome(self._spec.saturation, self._spec.grid.loads, self._measured(curve))

    def _measured(self, curve: Point) -> Known:
        return {load: record.measurement for load, record in self._records[curve].items()}


def _capacity(point: Point) -> float:
    return capacity(point.shape, point.build.node.lanes)


def _of_curve(point: Point) -> dict[str, Any]:
    values = point.as_dict()
    return {**{name: values[name] for name in ("shape", "pattern", "lengths", "seed", "hot_node", "hot_share", "node",
                                               "parts")}, "capacity": _capacity(point)}


def _row(record: Record, zero: Measurement | None, limit: float, role: Literal["grid", "search"]) -> Row:
    point = record.point
    common = {**_of_curve(point), "id": record.id, "state": record.state, "reason": record.reason, "role": role,
              "load": point.load, "warmup": point.warmup, "cycles": point.cycles, "drain": point.drain,
              "batches": point.batches, "worker": record.worker, "lost_workers": record.lost_workers,
              "version": record.version, "build": record.build}
    return Row.model_validate(common | _numbers(record.measurement, _capacity(point), zero, limit))


def _numbers(found: Measurement | None, unit: float, zero: Measurement | None, limit: float) -> dict[str, object]:
    if found is None:
        return dict.fromkeys(_MEASURED)
    width = batch_half_width([batch.accepted / unit for batch in found.batches])
    saturated = is_saturated(found, zero, limit)
    return {"offered": found.offered / unit, "accepted": found.accepted / unit, "accepted_ci95": width,
            "latency_mean": found.latency_mean, "latency_mean_ci95": None if saturated else found.latency_half(0.95),
            "latency_p50": found.latency_p50, "latency_p99": found.latency_p99, "latency_max": found.latency_max,
            "packets": found.packets, "errors": found.errors, "drained": found.drained,
            "saturated": saturated, "simulated_cycles": found.cycles,
            "wall_seconds": found.wall_seconds}
