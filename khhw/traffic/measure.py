"""Measuring a point: the traffic generators of all nodes, programmed and read over the engine's batches.

The method is the usual one of open-loop traffic (W. J. Dally, B. Towles, *Principles and Practices of Interconnection
Networks*, section 24.1; the same in BookSim): generators create packets whether the network takes them or not, and
latency counts from there; nothing counts in the warm-up; packets created in the measurement are marked; under the same
load the simulation then goes on until they have arrived.
"""

import time
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from khhw.sim.engine import Engine
from khhw.sim.engine.opening import open_up
from khhw.traffic.capacity import FLITS, packets_a_cycle
from khhw.traffic.histogram import BINS, low_edges, quantile
from khhw.traffic.measurement import Batch, Measurement
from khhw.traffic.patterns import HOT_SPOT, PATTERNS, PERMUTATION, permutation
from khhw.traffic.point import Point
from rtl.fabric import Shape
from rtl.registers import REGISTERS, TrafficError, joined
from rtl.torus.coordinates import coordinate_of

__all__ = ["TAIL_PACKETS", "TrafficEngine", "WrongPacketsError", "measure", "measure_on", "set_generating",
           "start_traffic"]

TAIL_PACKETS = 1000
"""Packets from which on a 99th percentile is given."""

_FULL = 1 << 32
_LENGTHS = 7
_LENGTH_UNIT = 1 << 16
_SEED_CYCLES = 64
_LOOK_CYCLES = 256
"""Between two looks at what all nodes must have done."""

_Counts = npt.NDArray[np.int64]
_Ranks = npt.NDArray[np.integer[Any]]
_Values = int | Sequence[int] | npt.NDArray[Any]


class WrongPacketsError(RuntimeError):
    """Packets arrived that must not, or damaged."""


class TrafficEngine(Protocol):
    """What a measurement needs of :class:`khhw.sim.engine.Engine`."""

    nodes: int
    """Number of nodes."""

    @property
    def now(self) -> int:
        """Cycles since the start."""

    def write(self, ranks: _Ranks, address: int, values: _Values) -> None:
        """Write a register of some nodes."""

    def read(self, ranks: _Ranks, address: int) -> npt.NDArray[np.uint32]:
        """Read a register of some nodes."""

    def run(self, cycles: int) -> None:
        """Go on for so many cycles."""


def measure(point: Point) -> Measurement:
    """Measure a point on an engine of its own, in one thread.

    Raises
    ------
    BuildError
        If the engine cannot be built.
    WrongPacketsError
        If packets arrived that must not.
    """
    build = point.build
    with Engine.open(point.shape, build.node, dict(build.parts), threads=1, path=build.folders) as engine:
        open_up(engine)
        return measure_on(engine, point)


def measure_on(engine: TrafficEngine, point: Point) -> Measurement:
    """Measure a point on an engine whose nodes may all send to all, and have not done so yet.

    Raises
    ------
    WrongPacketsError
        If packets arrived that must not.
    """
    began, first = time.perf_counter(), engine.now
    campaign = _Campaign(engine, point)
    campaign.program()
    campaign.enable(record=False)
    engine.run(_SEED_CYCLES + point.warmup)
    campaign.read_batch()
    campaign.enable(record=True)
    batches = campaign.run_batches()
    campaign.enable(record=False)
    drained = campaign.drain()
    campaign.stop()
    return campaign.result(batches, drained=drained, cycles=engine.now - first,
                           wall_seconds=time.perf_counter() - began)


def start_traffic(engine: TrafficEngine, point: Point) -> None:
    """Let all nodes of an engine send as a point says, for ever; nothing is recorded."""
    campaign = _Campaign(engine, point)
    campaign.program()
    campaign.enable(record=False)
    engine.run(_SEED_CYCLES)


def set_generating(engine: TrafficEngine, point: Point, ranks: _Ranks, *, on: bool) -> None:
    """Let some nodes, which a point has started before, go on or stop."""
    engine.write(ranks, REGISTERS["TRAFFIC_CONTROL"].at(0), _control(point, enable=on))


class _Campaign:
    """One measurement on one engine."""

    _BATCH = ("TRAFFIC_GENERATED_FLITS", "TRAFFIC_OVERRUNS", "TRAFFIC_SELF", "TRAFFIC_ACCEPTED_FLITS",
              "TRAFFIC_RECEIVED", "TRAFFIC_LATENCY_SUM")
    """What is read at the ends of batches, low halves."""

    def __init__(self, engine: TrafficEngine, point: Point) -> None:
        self._engine, self._point = engine, point
        self._ranks = np.arange(engine.nodes)
        self._last: dict[str, tuple[int, _Counts]] = {}
        self._overruns = 0

    def program(self) -> None:
        """Everything but the start."""
        point, engine = self._point, self._engine
        self._write("TRAFFIC_SEED", point.seed)
        self._write("TRAFFIC_COUNT", 0)
        packets = packets_a_cycle(point.load, point.shape, point.build.node.lanes, point.lengths)
        self._write("TRAFFIC_PROBABILITY", min(_FULL - 1, round(packets * _FULL)))
        for index in range(_LENGTHS):
            shorter = sum(length <= index + 1 for length in point.lengths) / len(point.lengths)
            self._write("TRAFFIC_LENGTHS", round(shorter * _LENGTH_UNIT), index)
        if point.pattern == HOT_SPOT:
            self._write("TRAFFIC_HOTSPOT", _packed(point.hot_node, point.shape))
            self._write("TRAFFIC_HOTSPOT_PROBABILITY", min(_FULL - 1, round(point.hot_share * _FULL)))
        if point.pattern == PERMUTATION:
            self._write("TRAFFIC_TARGET", [_packed(int(there), point.shape)
                                           for there in permutation(engine.nodes, point.seed)])
        # A checker forgets everything when its node is released, which takes a cycle for each entry of its tables.
        while np.any(REGISTERS["TRAFFIC_STATUS"].codec.take(self._read("TRAFFIC_STATUS"), "clearing")):
            engine.run(_LOOK_CYCLES)

    def enable(self, *, record: bool) -> None:
        """Generate packets, marked or not."""
        self._write("TRAFFIC_CONTROL", _control(self._point, enable=True, record=record))

    def stop(self) -> None:
        """Generate nothing any more, so that the rest is quick."""
        self._write("TRAFFIC_CONTROL", _control(self._point, enable=False))

    def run_batches(self) -> list[Batch]:
        """The measurement."""
        point, engine = self._point, self._engine
        start, length = engine.now, point.cycles // point.batches
        batches = []
        for number in range(1, point.batches + 1):
            engine.run(max(0, start + number * length - engine.now))
            batches.append(self.read_batch())
        return batches

    def read_batch(self) -> Batch:
        """What the counters say since the last time.

        Reading takes cycles while traffic goes on, so each counter is divided by the time between its own two reads.
        """
        rate: dict[str, float] = {}
        total: dict[str, int] = {}
        for name in self._BATCH:
            now, values = self._engine.now, self._read(name)
            before, old = self._last.get(name, (now - 1, values))
            self._last[name] = now, values
            # Low halves: a difference is right although the counter may have gone round.
            total[name] = int(((values - old) % _FULL).sum())
            rate[name] = total[name] / ((now - before) * self._engine.nodes)
        self._overruns += total["TRAFFIC_OVERRUNS"]
        packets = total["TRAFFIC_RECEIVED"]
        extra = FLITS * sum(self._point.lengths) / len(self._point.lengths)
        return Batch(
            offered=rate["TRAFFIC_GENERATED_FLITS"] + extra * (rate["TRAFFIC_OVERRUNS"] - rate["TRAFFIC_SELF"]),
            accepted=rate["TRAFFIC_ACCEPTED_FLITS"], packets=packets,
            latency_mean=total["TRAFFIC_LATENCY_SUM"] / packets if packets else None)

    def drain(self) -> bool:
        """Run on until all marked packets have arrived; whether they did."""
        expected = self._sum("TRAFFIC_GENERATED") - self._sum("TRAFFIC_SELF")
        end = self._engine.now + self._point.drain
        while self._sum("TRAFFIC_RECEIVED") < expected:
            if self._engine.now >= end:
                return False
            self._engine.run(min(_LOOK_CYCLES, end - self._engine.now))
        return True

    def result(self, batches: Sequence[Batch], *, drained: bool, cycles: int, wall_seconds: float) -> Measurement:
        """What it came to."""
        errors = {kind.name.lower(): count for kind in TrafficError
                  if (count := int(self._read("TRAFFIC_ERRORS", kind).sum()))}
        if errors:
            raise WrongPacketsError("packets arrived wrong: " + ", ".join(f"{n} {kind}" for kind, n in errors.items()))
        window = self._sum("TRAFFIC_WINDOW")
        extra = FLITS * sum(self._point.lengths) / len(self._point.lengths)
        offered = self._sum("TRAFFIC_GENERATED_FLITS") + extra * (self._overruns - self._sum("TRAFFIC_SELF"))
        packets = self._sum("TRAFFIC_RECEIVED")
        longest = int(self._read("TRAFFIC_LATENCY_MAX").max()) if packets else None
        counts = self._histogram(longest or 0)
        some, many = longest is not None, packets >= TAIL_PACKETS
        return Measurement(
            offered=offered / window, accepted=self._sum("TRAFFIC_ACCEPTED_FLITS") / window, packets=packets,
            latency_mean=self._sum("TRAFFIC_LATENCY_SUM") / packets if some else None,
            latency_p50=quantile(counts, 0.5, longest) if longest is not None else None,
            latency_p99=quantile(counts, 0.99, longest) if longest is not None and many else None,
            latency_max=longest, errors=0, drained=drained, batches=tuple(batches), cycles=cycles,
            wall_seconds=wall_seconds)

    def _histogram(self, longest: int) -> _Counts:
        """Packets by bin; bins above the longest latency are empty."""
        counts = np.zeros(BINS, np.int64)
        for index in np.flatnonzero(low_edges()[:BINS] <= longest):
            counts[index] = self._read("TRAFFIC_HISTOGRAM", int(index)).sum()
        return counts

    def _write(self, name: str, values: _Values, index: int = 0) -> None:
        self._engine.write(self._ranks, REGISTERS[name].at(index), values)

    def _read(self, name: str, index: int = 0) -> _Counts:
        return self._engine.read(self._ranks, REGISTERS[name].at(index)).astype(np.int64)

    def _sum(self, name: str) -> int:
        """Of all nodes; of a counter of two words, both."""
        low = int(self._read(name).sum())
        return joined(low, int(self._read(name, 1).sum())) if REGISTERS[name].count == 2 else low


def _packed(rank: int, shape: Shape) -> int:
    x, y, z = coordinate_of(rank, shape)
    return REGISTERS["TRAFFIC_TARGET"].pack(x=x, y=y, z=z)


def _control(point: Point, *, enable: bool, record: bool = False) -> int:
    """TRAFFIC_CONTROL of a point."""
    return REGISTERS["TRAFFIC_CONTROL"].pack(
        pattern=PATTERNS[point.pattern], enable=int(enable), record=int(record))
