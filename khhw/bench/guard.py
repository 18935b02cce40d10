"""``khhw bench guard``: what permission costs in hardware, and in cycles with the guard in and taken out.

Machines with each guard run the same traffic from the same seeds, on the native engine. Where a guard changes the cycle
of no packet, all counters of all nodes come out the same; that is what is compared, and not just their means.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from khhw.bench.engine import settle
from khhw.bench.guard_cost import SIZES, cost
from khhw.node.shape import Shape as Torus
from khhw.sim.engine import Engine
from khhw.sim.engine.opening import open_up
from khhw.traffic.measure import WrongPacketsError, measure_on
from khhw.traffic.point import Build, Point
from rtl.fabric import Shape
from rtl.parameters import Parameters
from rtl.registers import REGISTERS, Pattern
from rtl.traffic.source import LENGTHS

__all__ = ["CASES", "DRAIN", "GUARDS", "MEASURES", "SAMPLES", "SHAPE", "SIZES", "WARM_UP", "Case", "measure",
           "node_parameters"]

MEASURES = ("cost", "latency", "load")
GUARDS: dict[str, dict[str, str]] = {
    "in": {},
    "out": {"guard": "khhw.bench.open_guard:OpenGuard"},
    "bare": {"guard": "khhw.bench.open_guard:BareGuard"},
}
"""Parts of a node with the guard, with permission taken out of it, and without its stage at ejection as well."""
SHAPE: Shape = (4, 4, 4)
SAMPLES = 4
"""Packets to each destination, one at a time."""
WARM_UP, DRAIN = 1000, 20_000
"""Cycles before a measurement under load, and at most behind it."""
CHUNK_BYTES = 32
_RECORDING = REGISTERS["TRAFFIC_CONTROL"].pack(pattern=Pattern.TARGET, record=1, enable=1)
_COUNTERS = ("OVERRUNS", "SELF", "LATENCY_MAX", "WINDOW", "GENERATED", "GENERATED_FLITS", "INJECTED", "INJECTED_FLITS",
             "RECEIVED", "RECEIVED_FLITS", "ACCEPTED", "ACCEPTED_FLITS", "LATENCY_SUM", "HISTOGRAM")

Tell = Callable[[str], None]
_Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Case:
    """Traffic under which the guards are compared, at each of `loads`.

    Parameters
    ----------
    shape : tuple of int
        Nodes in x, y and z.
    pattern : str
        See :mod:`khhw.traffic.patterns`.
    chunks : int
        Length of all packets, in chunks of 32 bytes.
    loads : tuple of float
        Offered, in capacities of an ideal torus under uniform traffic.
    """

    shape: Shape
    pattern: str
    chunks: int
    loads: tuple[float, ...] = (0.2, 0.4, 0.6, 0.8, 1.0)


CASES = (
    Case(SHAPE, "uniform", 1), Case(SHAPE, "neighbour", 1), Case(SHAPE, "permutation", 1), Case(SHAPE, "uniform", 8),
    # An ideal torus of these shapes keeps two lanes busy all the time; one of 4x4x4 has not links enough.
    Case((3, 3, 3), "uniform", 1), Case((3, 1, 1), "uniform", 1),
)


def node_parameters(lanes: int) -> Parameters:
    """Of a node with so many lanes; the others are defaults."""
    return Parameters(lanes=lanes, traffic=True)


def measure(
    measures: Collection[str], *, guards: Collection[str], lanes: Sequence[int], sizes: Sequence[int], cycles: int,
    seed: int, tell: Tell,
) -> dict[str, Any]:
    """Measure what is asked.

    Parameters
    ----------
    measures : collection of str
        Of :data:`MEASURES`.
    guards : collection of str
        Of :data:`GUARDS`, which are compared with the guard that is in; it is always measured.
    lanes : sequence of int
        Of the nodes, each in turn; `cost` is measured for the first.
    sizes : sequence of int
        Node ids covered by the tables whose cost is measured.
    cycles : int
        Of a measurement under load.
    seed : int
        Of the traffic.
    tell : callable
        Called with what is being done.

    Returns
    -------
    dict
        ``results``: objects with a ``measure`` each. ``compared``: values, of all nodes or packets, that were compared
        with those of the guard that is in; ``difference``: how many of them differ. Both by guard.

    Raises
    ------
    BuildError
        If an engine cannot be built, or Yosys fails.
    WrongPacketsError
        If packets were lost, or arrived where they must not.
    """
    results = cost(sizes, Parameters(lanes=lanes[0]), tell) if "cost" in measures else []
    compared = [guard for guard in GUARDS if guard == "in" or guard in guards]
    for count in lanes:
        node = node_parameters(count)
        if "latency" in measures:
            results += _compared(_latency(node, compared, tell))
        if "load" in measures:
            for case in CASES:
                for load in case.loads:
                    results += _compared(_load(node, compared, case, load, cycles, seed, tell))
    found: dict[str, dict[str, int]] = {"compared": defaultdict(int), "difference": defaultdict(int)}
    for row in results:
        if row.get("compared") is not None:
            found["compared"][row["guard"]] += row["compared"]
            found["difference"][row["guard"]] += row["differing"]
    return {"results": results} | {name: dict(by_guard) for name, by_guard in found.items()}


def _compared(measured: Iterator[tuple[dict[str, Any], _Counts]]) -> list[dict[str, Any]]:
    """The rows, each with how many of its values differ from those of the same row with the guard in."""
    rows, ours = [], {}
    for row, values in measured:
        key = tuple(str(row.get(name)) for name in ("bytes", "hops"))
        if row["guard"] == "in":
            ours[key] = values
            rows.append(row | {"compared": None, "differing": None})
        else:
            rows.append(row | {"compared": values.size, "differing": int((values != ours[key]).sum())})
    return rows


def _open(shape: Shape, node: Parameters, guard: str) -> Engine:
    """A machine in which everybody may send to everybody."""
    engine = Engine.open(shape, node, GUARDS[guard], threads=1)
    open_up(engine)
    return engine


def _latency(node: Parameters, guards: Sequence[str], tell: Tell) -> Iterator[tuple[dict[str, Any], _Counts]]:
    """Single packets on an idle machine, by length and hops."""
    for guard in guards:
        tell(f"latency: guard {guard}, {node.lanes} lanes: building the engine, unless it is built; then running")
        with _open(SHAPE, node, guard) as engine:
            for chunks in (1, 8):
                for distance, values in sorted(_alone(engine, chunks).items()):
                    row = {"measure": "latency", "guard": guard, "lanes": node.lanes, "shape": list(SHAPE),
                           "bytes": chunks * CHUNK_BYTES, "hops": distance, "samples": values.size,
                           "cycles_mean": round(float(values.mean()), 2), "cycles_min": int(values.min()),
                           "cycles_max": int(values.max())}
                    yield row, values


def _alone(engine: Engine, chunks: int) -> dict[int, _Counts]:
    """Cycles of each packet from rank 0, one at a time to every other node, by hops."""
    found: dict[int, list[int]] = defaultdict(list)
    for index in range(LENGTHS):
        _set(engine, "TRAFFIC_LENGTHS", (1 << 16) * (chunks <= index + 1), index)
    _set(engine, "TRAFFIC_PROBABILITY", (1 << 32) - 1)
    settle(engine)
    torus = Torus(*engine.shape)
    for there in range(1, engine.nodes):
        x, y, z = torus.coordinate(there)
        _set(engine, "TRAFFIC_TARGET", REGISTERS["TRAFFIC_TARGET"].pack(x=x, y=y, z=z))
        before = _arrived(engine, there)
        for _ in range(SAMPLES):
            _set(engine, "TRAFFIC_COUNT", 1)
            _set(engine, "TRAFFIC_CONTROL", _RECORDING)
            settle(engine)
            now = _arrived(engine, there)
            if now[0] != before[0] + 1:
                raise WrongPacketsError(f"one packet was sent to node {there}, {now[0] - before[0]} arrived")
            found[torus.distance(0, there)].append(now[1] - before[1])
            before = now
    return {distance: np.array(cycles) for distance, cycles in found.items()}


def _set(engine: Engine, name: str, value: int, index: int = 0) -> None:
    engine.write(0, REGISTERS[name].at(index), value)


def _arrived(engine: Engine, rank: int) -> tuple[int, int]:
    """Packets that arrived at a node so far, and the sum of their latencies."""
    packets, cycles = (int(engine.read(rank, REGISTERS[name].at(0))[0])
                       for name in ("TRAFFIC_RECEIVED", "TRAFFIC_LATENCY_SUM"))
    return packets, cycles


def _load(
    node: Parameters, guards: Sequence[str], case: Case, load: float, cycles: int, seed: int, tell: Tell,
) -> Iterator[tuple[dict[str, Any], _Counts]]:
    """One point of a case with each guard: its row, and all counters of all nodes."""
    for guard in guards:
        tell(f"load: guard {guard}, {node.lanes} lanes, {'x'.join(map(str, case.shape))}, {case.pattern}, "
             f"{case.chunks * CHUNK_BYTES} bytes, {load:g}")
        point = Point(
            shape=case.shape, build=Build(node=node, parts=tuple(GUARDS[guard].items())), pattern=case.pattern,
            lengths=(case.chunks,), load=load, seed=seed, warmup=WARM_UP, cycles=cycles, drain=DRAIN, batches=10)
        with _open(case.shape, node, guard) as engine:
            found = measure_on(engine, point)
            counters = _counters(engine, node)
        yield {
            "measure": "load", "guard": guard, "lanes": node.lanes, "shape": list(case.shape), "pattern": case.pattern,
            "bytes": case.chunks * CHUNK_BYTES, "load": load, "samples": found.packets,
            "offered": found.offered, "accepted": found.accepted, "saturated": found.refused,
            "latency_mean": found.latency_mean, "latency_p99": found.latency_p99, "latency_max": found.latency_max,
            "drained": found.drained}, counters


def _counters(engine: Engine, node: Parameters) -> _Counts:
    """Everything the generators and checkers have counted."""
    ranks = np.arange(engine.nodes)
    registers = [REGISTERS[f"TRAFFIC_{name}"] for name in _COUNTERS]
    return np.array([engine.read(ranks, register.at(index))
                     for register in registers for index in range(register.elements(node))], np.int64)
