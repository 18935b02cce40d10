"""Points of memcached out of what the clients of a phase left in their memories."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from khhw.kernels.memcached_load.options import Plan, Point, parse_plan
from khhw.kernels.memcached_load.reader import LoadTable, TableError, load_table
from khhw.kernels.memcached_load.table import OPS, PointRecord
from khhw.kernels.memcached_load.workload import Keys
from khhw.machine.results import Breakdown, LatencySummary, MemcachedPoint
from khhw.machine.spread import spread_of
from khhw.machine.wire import ACCESS_CYCLES, MESSAGE_CYCLES, Messages, messages
from khhw.node import Shape

__all__ = ["LOAD", "Circumstances", "memcached_points"]

LOAD = "memcached_load"
"""The kernel that leaves the tables."""
_ENOUGH = 1000
"""Samples from which on a 99th percentile is told."""


@dataclass(frozen=True)
class Circumstances:
    """What does not stand in the tables.

    Parameters
    ----------
    phase : str
    shape : Shape
    cpu_model : str
    cpu_scale : float
    clock_hz : int
    """

    phase: str
    shape: Shape
    cpu_model: str
    cpu_scale: float
    clock_hz: int


def memcached_points(
    circumstances: Circumstances, memories: Mapping[int, Callable[[int, int], bytes]], base: int, arguments: str,
) -> Iterator[MemcachedPoint]:
    """What clients that were booted with the same arguments measured.

    Parameters
    ----------
    circumstances : Circumstances
    memories : mapping of int to callable
        (address, length) of each client's memory, by rank.
    base : int
        Where the tables are.
    arguments : str
        Of the clients.

    Raises
    ------
    TableError
        If a client has not ended.
    """
    plan = parse_plan(arguments, min(memories))
    tables: dict[int, LoadTable] = {}
    for rank, memory in memories.items():
        if (table := load_table(memory, base)) is None:
            raise TableError(f"node {rank} holds no table of {LOAD}")
        tables[rank] = table
    done = min(len(table.points) for table in tables.values())
    for number, point in enumerate(plan.points[:done]):
        active = [rank for rank in plan.clients[:point.clients] if rank in tables]
        for op in OPS:
            part = _Part(circumstances, plan, point, number, op, {rank: tables[rank] for rank in active},
                         tables[plan.clients[0]].points[number])
            if part.ops and sum(len(table.of(number, op)) for table in part.tables.values()):
                yield part.summary()


@dataclass(frozen=True)
class _Part:
    """One operation of one point, of all clients together."""

    circumstances: Circumstances
    plan: Plan
    point: Point
    number: int
    op: str
    tables: Mapping[int, LoadTable]
    leader: PointRecord

    @property
    def records(self) -> list[PointRecord]:
        return [table.points[self.number] for table in self.tables.values()]

    @property
    def ops(self) -> int:
        return sum(record.gets if self.op == "get" else record.sets for record in self.records)

    @property
    def all_ops(self) -> int:
        return sum(record.gets + record.sets for record in self.records)

    @property
    def path(self) -> str:
        return self.point.path if self.op == "get" or self.point.sets == "same" else self.point.sets

    @property
    def hops(self) -> float:
        shape = self.circumstances.shape
        return float(np.mean([shape.distance(rank, self.plan.server) for rank in self.tables]))

    def summary(self) -> MemcachedPoint:
        """The record of this part."""
        here, point, records = self.circumstances, self.point, self.records
        samples = np.concatenate([table.of(self.number, self.op) for table in self.tables.values()])
        cycles = samples["cycles"].astype(np.int64)
        value_bytes = float(samples["value_bytes"].mean())
        wire = messages(self.path, self.op, self._key_bytes(), value_bytes)
        return MemcachedPoint(
            phase=here.phase, path="rdma" if self.path == "rdma" else "tcp",
            op="get" if self.op == "get" else "set", value_bytes=round(value_bytes, 3),
            values="etc" if point.values == "etc" else "fixed",
            distribution="zipf" if point.distribution == "zipf" else "uniform",
            loop="open" if point.rate else "closed",
            offered_per_second=float(point.rate * point.clients) if point.rate else None, clients=point.clients,
            connections=self.plan.connections, gets_per_cent=point.gets, hops=self.hops, cpu_model=here.cpu_model,
            cpu_scale=here.cpu_scale, ops=self.ops, samples=len(cycles),
            latency_cycles=_latency(cycles), quantiles=[round(q) for q in np.percentile(cycles, range(101))],
            ops_per_second=round(self.ops * here.clock_hz / self.plan.measure, 3),
            server_cpu_ns_per_op=round(self.leader.server_ns / self.all_ops, 3),
            wire_bound_cycles=wire.bound(self.hops),
            breakdown=self._breakdown(float(cycles.mean()), wire),
            misses=sum(record.misses for record in records) if self.op == "get" else 0,
            retries=sum(record.torn + record.stale for record in records) if self.op == "get" else 0,
            errors=self._errors(),
            spread=spread_of(samples["begin"].astype(np.int64), cycles, tail=len(cycles) >= _ENOUGH,
                             whole=(self.leader.begin, self.leader.end) if len(cycles) == self.ops else None,
                             clock_hz=here.clock_hz))

    def _errors(self) -> int:
        """Wrong values are GETs; what else failed is not told apart, and counts once."""
        wrong = sum(record.wrong for record in self.records) if self.op == "get" else 0
        first = self.op == "get" or self.ops == self.all_ops
        return wrong + (sum(record.errors for record in self.records) if first else 0)

    def _key_bytes(self) -> float:
        return float(np.mean([len(name) for name in Keys(self.plan, self.point).names]))

    def _breakdown(self, mean: float, wire: Messages) -> Breakdown | None:
        """Parts of the mean operation, if operations do not overlap and are all of one kind.

        Some of the software's and the interfaces' work is done beside the operation: after its answer, or while its
        packets are on the wire. Where all of it would make the operation longer than it was, both count in proportion:
        they take that at most. What of it is wait, other phases may tell (:mod:`khhw.machine.waits`).
        """
        point, here = self.point, self.circumstances
        if point.clients > 1 or self.plan.connections > 1 or point.rate or self.ops != self.all_ops:
            return None
        (record,) = self.records
        serialization, hops = float(wire.flits), wire.bound(self.hops) - wire.flits
        left = max(0.0, mean - serialization - hops)
        software = (record.client_ns + self.leader.server_ns) / self.ops * here.clock_hz / 1e9
        accesses = (record.client_accesses + self.leader.server_accesses) / self.ops
        ni = accesses * ACCESS_CYCLES + wire.turns * MESSAGE_CYCLES
        share = min(1.0, left / (software + ni))
        return Breakdown(
            software=round(share * software, 2), ni=round(share * ni, 2), hops=round(hops, 2),
            serialization=serialization,
            wait=round(max(0.0, left - share * (software + ni)), 2))


def _latency(cycles: npt.NDArray[np.int64]) -> LatencySummary:
    p99 = float(np.percentile(cycles, 99)) if len(cycles) >= _ENOUGH else None
    return LatencySummary(p50=float(np.median(cycles)), p99=p99, max=int(cycles.max()))
