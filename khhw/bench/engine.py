"""``khhw bench engine``: node-cycles a second of full nodes under uniform traffic on the native engine.

The same traffic then runs on a cocotb fabric of eight such nodes, in the same call, so that there is a ratio that does
not depend on the machine.
"""

import math
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from khhw.bench.cosim import spread
from khhw.build.design import convert
from khhw.build.simulator import BuildTime, Simulation
from khhw.errors import BuildError
from khhw.sim.engine import Engine
from khhw.sim.engine.opening import open_up
from khhw.sim.options import Options
from khhw.sim.process import Request, run
from khhw.traffic.measure import set_generating, start_traffic
from khhw.traffic.point import Build, Point
from rtl.fabric import Shape
from rtl.parameters import Parameters
from rtl.torus.coordinates import id_bits

__all__ = ["FABRIC", "FEW", "SHAPES", "WARM_UP", "lap", "measure", "node_parameters", "settle", "traffic_point"]

SHAPES: tuple[Shape, ...] = ((4, 4, 4), (8, 8, 8), (16, 16, 16))
FABRIC: Shape = (2, 2, 2)
"""The machine that cocotb runs, too."""
FEW = 256
"""On a mostly idle machine one node in so many sends."""
WARM_UP = 500
"""Cycles before the first measurement: 4x4x4 at half load is steady after about 200."""
_CHUNK = 32
"""Cycles between two looks at the clock."""
_PAGE = os.sysconf("SC_PAGE_SIZE")

Tell = Callable[[str], None]


def node_parameters(shapes: Sequence[Shape]) -> Parameters:
    """Of the full node that all these machines are made of: one build serves them all.

    Parameters
    ----------
    shapes : sequence of Shape
        Their ids must fit its tables.
    """
    ids = max(1 << id_bits(shape) for shape in shapes)
    return Parameters(traffic=True, table_nodes=max(ids, 4096))


def traffic_point(shape: Shape, parameters: Parameters, load: float, seed: int) -> Point:
    """Uniform traffic of packets of all lengths."""
    return Point(shape=shape, build=Build(node=parameters), pattern="uniform", lengths=tuple(range(1, 9)), load=load,
                 seed=seed, warmup=0, cycles=0, drain=0, batches=1)


def measure(
    shapes: Sequence[Shape], *, load: float, threads: int, evaluators: Sequence[str], repeat: int, seconds: float,
    seed: int, cocotb: bool, tell: Tell,
) -> dict[str, Any]:
    """Measure machines of these shapes.

    Parameters
    ----------
    shapes : sequence of Shape
        Nodes in x, y and z, each.
    load : float
        Offered, as in :class:`~khhw.traffic.point.Point`.
    threads : int
        Of the engine.
    evaluators : sequence of str
        Of the engine, each in turn.
    repeat : int
        Samples of each figure.
    seconds : float
        Wall time of a sample.
    seed : int
        Of the traffic.
    cocotb : bool
        Run a cocotb fabric of :data:`FABRIC` as well.
    tell : callable
        Called with what is being done.

    Returns
    -------
    dict
        ``results``: an object a machine, evaluator and kind of load. ``cocotb``: the fabric's, or None. ``ratio``:
        node-cycles a wall second over the fabric's, by number of nodes. ``build_seconds``, by evaluator.
    """
    parameters = node_parameters(shapes)
    fabric = None
    if cocotb:
        tell("2x2x2, cocotb: building a fabric, unless it is built; then running")
        fabric = _fabric(parameters, load, repeat, seconds, seed)
    results: list[dict[str, Any]] = []
    builds: dict[str, BuildTime | None] = {}
    for shape in shapes:
        for chosen in evaluators:
            tell(f"{'x'.join(map(str, shape))}, {chosen}: building the engine, unless it is built; then running")
            before = _resident()
            with Engine.open(shape, parameters, threads=threads, evaluator=chosen) as engine:
                rows = _machine(engine, traffic_point(shape, parameters, load, seed), repeat, seconds)
                builds[chosen] = taken = engine.build.time
                machine = {
                    "nodes": engine.nodes, "shape": list(shape), "evaluator": chosen, "threads": threads,
                    "build_seconds": taken.wall_seconds if taken else None, "bytes_per_node": engine.bytes_per_node,
                    "resident_bytes_per_node": round((_resident() - before) / engine.nodes)}
                results += [machine | row for row in rows]
    return {"results": results, "cocotb": fabric, "ratio": _ratio(results, fabric) if fabric else None,
            "build_seconds": {name: asdict(taken) if taken else None for name, taken in builds.items()}}


def _ratio(results: Sequence[Mapping[str, Any]], fabric: Mapping[str, Any]) -> dict[str, float]:
    """Node-cycles a second of each machine with everybody sending, its better evaluator, over the fabric's."""
    best: dict[str, float] = {}
    for row in results:
        if row["sending"] == "all":
            speed = row["node_cycles_per_second"]["median"] / fabric["node_cycles_per_second"]["median"]
            best[str(row["nodes"])] = max(best.get(str(row["nodes"]), 0.0), round(speed, 1))
    return best


def _machine(engine: Engine, point: Point, repeat: int, seconds: float) -> list[dict[str, Any]]:
    """All nodes send, then few, then none."""
    open_up(engine)
    start_traffic(engine, point)
    engine.run(WARM_UP)
    rows = [_row(engine, "all", point.load, repeat, seconds)]
    everybody = np.arange(engine.nodes)
    senders = {f"1 of {FEW}": everybody[::FEW], "one": everybody[:1], "none": everybody[:0]}
    for sending, ranks in senders.items():
        set_generating(engine, point, everybody, on=False)
        settle(engine)
        if len(ranks):
            set_generating(engine, point, ranks, on=True)
            engine.run(WARM_UP)
        if sending == "one" or len(ranks) != 1:
            rows.append(_row(engine, sending, point.load if len(ranks) else 0.0, repeat, seconds))
    return rows


def settle(engine: Engine) -> None:
    """Let what is under way arrive."""
    engine.run_until(cycle=engine.now + 100_000, vector=engine.quiescent, every=True)


def _row(engine: Engine, sending: str, load: float, repeat: int, seconds: float) -> dict[str, Any]:
    laps = [lap(engine, seconds) for _ in range(repeat)]
    return {"sending": sending, "load": load, "samples": repeat,
            "cycles": int(np.median([one["cycles"] for one in laps])),
            "evaluated": round(float(np.median([one["evaluated"] for one in laps])), 4),
            "node_cycles_per_second": spread(laps, "node_cycles", "wall_seconds"),
            "node_cycles_per_cpu_second": spread(laps, "node_cycles", "cpu_seconds")}


def lap(engine: Engine, seconds: float) -> Mapping[str, float]:
    """Run for a while: ``cycles``, ``node_cycles``, ``wall_seconds``, ``cpu_seconds``, and the share ``evaluated``."""
    cycles, chunk, evaluated = 0, _CHUNK, engine.evaluations
    wall, cpu = time.perf_counter(), time.process_time()
    while (passed := time.perf_counter() - wall) < seconds:
        engine.run(chunk)
        cycles += chunk
        # A machine that does nothing is so quick that looking at the clock would cost most.
        chunk = chunk * 2 if passed < seconds / 8 else chunk
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"cycles": cycles, "node_cycles": cycles * engine.nodes, "wall_seconds": wall, "cpu_seconds": cpu,
            "evaluated": (engine.evaluations - evaluated) / (cycles * engine.nodes)}


def _fabric(parameters: Parameters, load: float, repeat: int, seconds: float, seed: int) -> dict[str, Any]:
    """The same traffic on a fabric in cocotb, whose host sleeps meanwhile."""
    values = {**parameters.as_dict(), "shape": list(FABRIC)}
    built = Simulation(design=convert("rtl.fabric:Fabric", values)).build()
    request = Request(
        entry="khhw.bench.programs:traffic", nodes=math.prod(FABRIC), memory_bytes=parameters.memory_bytes,
        arguments={"point": traffic_point(FABRIC, parameters, load, seed).as_dict(), "repeat": repeat,
                   "seconds": seconds},
        options=Options(jump=False))
    with tempfile.TemporaryDirectory() as scratch:
        done = run(built, request, Path(scratch), seed=seed)
    if not done.finished:
        raise BuildError(f"the fabric's run ended as {done.state}: {done.message}", done.log)
    laps = [{**one, "node_cycles": one["cycles"] * math.prod(FABRIC)} for one in done.results["laps"]]
    return {"nodes": math.prod(FABRIC), "shape": list(FABRIC), "load": load, "samples": repeat,
            "node_cycles_per_second": spread(laps, "node_cycles", "wall_seconds"),
            "node_cycles_per_cpu_second": spread(laps, "node_cycles", "cpu_seconds"),
            "build_seconds": asdict(built.time) if built.time else None}


def _resident() -> int:
    """Bytes of memory this process holds."""
    return int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1]) * _PAGE
