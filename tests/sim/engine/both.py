"""One machine on both engines: the same run twice, and where two runs begin to differ.

``python -m tests.sim.engine.both`` compares the long ones that the tests leave out, and keeps what it found in
docs/results/engine-equality.json.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from khhw.build.design import convert
from khhw.build.engine import build_engine
from khhw.build.simulator import Simulation
from khhw.commands.output import report
from khhw.sim.engine.process import NativeMachine
from khhw.sim.process import ProcessResult, Request, Simulator, run

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "docs" / "results" / "engine-equality.json"
SEED = 7
"""Of the traffic."""
WINDOW = 4096
"""Cycles between two looks while a difference is searched for."""


@dataclass(frozen=True)
class Difference:
    """Where two runs part.

    Parameters
    ----------
    cycle : int
        The first cycle after which some node's signature differs.
    nodes : list of int
        Those nodes.
    trace : Path
        A file with the signatures of both runs around that cycle.
    """

    cycle: int
    nodes: list[int]
    trace: Path

    def __str__(self) -> str:
        return f"nodes {self.nodes} did something else in cycle {self.cycle}; signatures around it are in {self.trace}"


def fabric(shape: Sequence[int], parameters: Mapping[str, Any]) -> Simulator:
    """A machine for cocotb, with signatures of its links."""
    values = {"shape": list(shape), "signatures": True, **parameters}
    return Simulation(design=convert("rtl.fabric:Fabric", values)).build()


def native(shape: Sequence[int], parameters: Mapping[str, Any]) -> Simulator:
    """The same machine for the engine."""
    x, y, z = shape
    return NativeMachine(build_engine(parameters), (x, y, z))


def first_difference(
    simulators: Sequence[Simulator], request: Request, folder: Path, **how: Any,
) -> Difference | None:
    """Run a program on two simulators and find the first cycle in which a link or an interrupt differs.

    Returns
    -------
    Difference or None
        None if every signature is the same to the end, and the end too.
    """
    def signatures(**options: int) -> list[list[list[int]]]:
        asked = replace(request, options=replace(request.options, **options))
        done = [run(simulator, asked, folder / str(number), **how) for number, simulator in enumerate(simulators)]
        return [one.outcome["signatures"] + [one.outcome["signature"]] for one in done]

    coarse = _first(signatures(sign_every=WINDOW))
    if coarse is None:
        return None
    start = max(0, coarse - 1) * WINDOW
    fine = signatures(sign_every=1, sign_from=start, max_cycles=start + 2 * WINDOW)
    index = _first(fine)
    assert index is not None, "a difference that was there is gone: a run is not the same again"
    nodes = [rank for rank, (a, b) in enumerate(zip(fine[0][index], fine[1][index], strict=True)) if a != b]
    trace = folder / "difference.json"
    shown = slice(max(0, index - 8), index + 2)
    trace.write_text(json.dumps({
        "first_cycle": start + index - 1, "nodes": nodes, "from_cycle": start + shown.start,
        "signatures": [[[f"{value:016x}" for value in row] for row in one[shown]] for one in fine],
    }, indent=1) + "\n")
    return Difference(start + index - 1, nodes, trace)


def _first(runs: Sequence[Sequence[Any]]) -> int | None:
    """Index of the first sample that differs."""
    first, second = runs
    for index, (a, b) in enumerate(zip(first, second, strict=False)):
        if a != b:
            return index
    return None if len(first) == len(second) else min(len(first), len(second))


def assert_equal(first: ProcessResult, second: ProcessResult) -> None:
    """Everything that two runs saw, but for wall time and how often a back end was woken."""
    for done in (first, second):
        assert done.state == "finished", done.message
        assert done.outcome["signature"], "the machine has no signatures"
    for name in ("state", "message", "cycles", "waiting", "signature"):
        assert first.outcome[name] == second.outcome[name], name
    for name in ("accesses", "packets"):
        assert first.outcome["statistics"][name] == second.outcome["statistics"][name], name
    assert first.results == second.results


def traffic(shape: Sequence[int], *, probability: float, packets: int, cycles: int) -> Request:
    """Every node sends `packets` packets of all lengths to all others, `probability` a cycle."""
    nodes = math.prod(shape)
    arguments = {"shape": list(shape), "seed": SEED, "probability": probability, "shares": [1 / 8] * 8,
                 "packets": packets, "channel": 0, "pattern": "UNIFORM", "cycles": cycles}
    return Request(entry="traffic_programs:run", arguments=arguments, nodes=nodes, memory_bytes=65536)


def saturated(shape: Sequence[int], folder: Path, *, packets: int, tell: Callable[[str], None]) -> dict[str, Any]:
    """A torus that is offered more than it can carry, on both engines."""
    simulators = [machine(shape, {"traffic": True}) for machine in (fabric, native)]
    request = traffic(shape, probability=0.5, packets=packets, cycles=200 * packets)
    path = [ROOT / "tests" / "rtl"]
    done, seconds = [], []
    for number, simulator in enumerate(simulators):
        tell(f"{'x'.join(map(str, shape))}: {('cocotb', 'native')[number]}")
        began = time.monotonic()
        done.append(run(simulator, request, folder / str(number), path=path))
        seconds.append(round(time.monotonic() - began, 1))
    if done[0].outcome.get("signature") != done[1].outcome.get("signature"):
        raise AssertionError(str(first_difference(simulators, request, folder / "difference", path=path)))
    assert_equal(*done)
    nodes = done[0].results["nodes"].values()
    return {"shape": list(shape), "cycles": done[0].outcome["cycles"], "packets": sum(n["RECEIVED"] for n in nodes),
            "overruns": sum(n["OVERRUNS"] for n in nodes),
            "signature": "".join(f"{value:016x}" for value in done[0].outcome["signature"]),
            "cocotb_seconds": seconds[0], "native_seconds": seconds[1]}


def main() -> None:
    """The comparison that takes minutes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", type=int, nargs=3, default=[3, 3, 3])
    parser.add_argument("--packets", type=int, default=200, help="of each node")
    parser.add_argument("--folder", type=Path, default=ROOT / "out" / "engine-equality")
    asked = parser.parse_args()
    found = saturated(asked.shape, asked.folder, packets=asked.packets, tell=lambda text: print(text, file=sys.stderr))
    kept = report(found, seed=SEED, parameters={"shape": asked.shape, "packets": asked.packets}, build="fast",
                  also=["tests/sim/engine/both.py", "tests/rtl/traffic_programs.py"])
    RESULTS.write_text(json.dumps(kept, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
