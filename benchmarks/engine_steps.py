"""What each step that made the native engine quicker is worth: node-cycles a second of one machine, from one run.

    python -m benchmarks.engine_steps [--nodes 8x8x8] [--load 0.5] [--rounds 3] [--seconds 2]

All variants run the same uniform traffic, in turns; then the same with one node in 256 sending. Prints one JSON object.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from khhw.bench.cosim import spread
from khhw.bench.engine import FEW, WARM_UP, lap, node_parameters, settle, traffic_point
from khhw.build import toolchain
from khhw.build.cache import build_once, build_root, digest
from khhw.build.design import convert
from khhw.build.engine import EngineBuild, VerilatedRecipe, build_engine
from khhw.commands.output import report
from khhw.sim.engine import Engine
from khhw.sim.engine.opening import open_up
from khhw.traffic.measure import set_generating, start_traffic
from rtl.fabric import check_shape
from rtl.parameters import Parameters

__all__ = ["main"]


class PlainRecipe(VerilatedRecipe):
    """Verilator's own evaluation, twice a cycle: the clock up, the clock down."""

    @property
    def options(self) -> tuple[str, ...]:
        return ("-DKHHW_PLAIN_EVAL",)


@dataclass(frozen=True)
class Variant:
    """A step, and all before it."""

    name: str
    build: EngineBuild
    threads: int


def plain_build(parameters: Parameters) -> EngineBuild:
    """The engine with :class:`PlainRecipe`."""
    cell, root = (convert(f"rtl.cell:{kind}", parameters.as_dict()) for kind in ("NodeCell", "RootCell"))
    recipe = PlainRecipe(cell, root, "fast", toolchain.require_tools())
    folder = build_root() / "engine" / f"plain-{digest(recipe.facts())}"
    build_once(folder, recipe.facts(), recipe.make)
    return EngineBuild(folder=folder, memory_bytes=parameters.memory_bytes)


def measure(
    variants: Sequence[Variant], shape: tuple[int, int, int], load: float, rounds: int, seconds: float,
) -> list[dict[str, Any]]:
    """All variants in turns, with everybody sending, then few."""
    parameters = node_parameters([shape])
    point = traffic_point(shape, parameters, load, seed=1)
    engines = [Engine(variant.build, shape, threads=variant.threads) for variant in variants]
    rows = []
    everybody = np.arange(engines[0].nodes)
    for engine in engines:
        open_up(engine)
        start_traffic(engine, point)
        engine.run(WARM_UP)
    for sending in ("all", f"1 of {FEW}"):
        if sending != "all":
            for engine in engines:
                set_generating(engine, point, everybody, on=False)
                settle(engine)
                set_generating(engine, point, everybody[::FEW], on=True)
                engine.run(WARM_UP)
        laps = [[lap(engine, seconds) for engine in engines] for _ in range(rounds)]
        rows += [{"step": variant.name, "threads": variant.threads, "sending": sending, "samples": rounds,
                  "node_cycles_per_second": spread([row[index] for row in laps], "node_cycles", "wall_seconds"),
                  "node_cycles_per_cpu_second": spread([row[index] for row in laps], "node_cycles", "cpu_seconds")}
                 for index, variant in enumerate(variants)]
    for engine in engines:
        engine.close()
    return rows


def main() -> None:
    """Build, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--nodes", default="8x8x8")
    parser.add_argument("--load", type=float, default=0.5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0)
    asked = parser.parse_args()
    x, y, z = (int(size) for size in asked.nodes.split("x"))
    shape = check_shape((x, y, z))
    parameters = node_parameters([shape])
    print("building", file=sys.stderr)
    verilated = build_engine(parameters.as_dict())
    lanes = build_engine(parameters.as_dict(), evaluator="lanes")
    variants = [
        Variant("two evaluations a cycle", plain_build(parameters), 1), Variant("one evaluation", verilated, 1),
        Variant("two threads", verilated, 2), Variant("lanes", lanes, 1), Variant("lanes, two threads", lanes, 2)]
    print("measuring", file=sys.stderr)
    results = measure(variants, shape, asked.load, asked.rounds, asked.seconds)
    print(json.dumps(report(results, parameters=vars(asked), also=["benchmarks/engine_steps.py"]), indent=1))


if __name__ == "__main__":
    main()
