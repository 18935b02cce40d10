"""Which points a sweep needs next, and what all of them came to."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from khhw.sweep.results import CurveSaturation, Row
from khhw.sweep.saturation import Found, Known, is_saturated, loads_needed, most_steps, outcome
from khhw.sweep.spec import SweepSpec
from khhw.sweep.statistics import half_width
from khhw.sweep.store import Record
from khhw.traffic.capacity import capacity
from khhw.traffic.measurement import Measurement
from khhw.traffic.point import Point

__all__ = ["Plan", "cost"]

_MEASURED = (
    "offered", "accepted", "accepted_ci95", "latency_mean", "latency_mean_ci95", "latency_p50", "latency_p99",
    "latency_max", "packets", "errors", "drained", "saturated", "simulated_cycles", "wall_seconds")
"""Columns of a row that a point without a measurement does not have."""


def cost(point: Point) -> float:
    """How long a point takes, in units that compare points: nodes and cycles."""
    return float(point.nodes * (point.warmup + point.cycles))


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
        """Points of a curve to measure next; those that are being measured are among them."""
        return [curve.at(load) for load in
                loads_needed(self._spec.saturation, self._spec.grid.loads, self._measured(curve))]

    def add(self, record: Record) -> None:
        """A point has ended."""
        self._records[record.point.at(0.0)][record.point.load] = record

    def left(self, curve: Point) -> int:
        """Points of a curve that may still be needed."""
        needed = len(self.needed(curve))
        if not needed:
            return 0
        most = len(set(self._spec.grid.loads)) + most_steps(self._spec.saturation, self._spec.grid.loads)
        return max(needed, most - len(self._records[curve]))

    def rows(self) -> Iterator[Row]:
        """A row a point that has ended, curve by curve, loads rising."""
        for curve, records in self._records.items():
            zero = self._found(curve).zero_load_latency if self._spec.saturation.search else None
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


def _row(record: Record, zero: float | None, limit: float, role: Literal["grid", "search"]) -> Row:
    point = record.point
    common = {**_of_curve(point), "id": record.id, "state": record.state, "reason": record.reason, "role": role,
              "load": point.load, "warmup": point.warmup, "cycles": point.cycles, "drain": point.drain,
              "batches": point.batches, "worker": record.worker, "lost_workers": record.lost_workers,
              "version": record.version, "build": record.build}
    return Row.model_validate(common | _numbers(record.measurement, _capacity(point), zero, limit))


def _numbers(found: Measurement | None, unit: float, zero: float | None, limit: float) -> dict[str, object]:
    if found is None:
        return dict.fromkeys(_MEASURED)
    width = half_width([batch.accepted / unit for batch in found.batches])
    means = [batch.latency_mean for batch in found.batches if batch.latency_mean is not None]
    return {"offered": found.offered / unit, "accepted": found.accepted / unit, "accepted_ci95": width,
            "latency_mean": found.latency_mean, "latency_mean_ci95": half_width(means),
            "latency_p50": found.latency_p50, "latency_p99": found.latency_p99, "latency_max": found.latency_max,
            "packets": found.packets, "errors": found.errors, "drained": found.drained,
            "saturated": is_saturated(found, zero, limit), "simulated_cycles": found.cycles,
            "wall_seconds": found.wall_seconds}
