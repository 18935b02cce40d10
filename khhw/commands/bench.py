"""Measure khhw itself.

The benchmark cosim measures simulated cycles a second of eight nodes, idle and under load, on khhw's build and on
that of cocotb's own runner (docs/bench.md). The other build is slow to make: the first call takes many minutes.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

__all__ = ["add_arguments", "cosim", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``khhw bench``."""
    benchmarks = parser.add_subparsers(title="benchmarks", metavar="BENCHMARK", required=True)
    one = benchmarks.add_parser("cosim", help="cycles a second, idle and under load, against cocotb's own runner")
    one.add_argument("--repeat", type=int, default=5, help="runs of every load on each build, in turns (%(default)s)")
    one.add_argument("--seconds", type=float, default=3.0, help="length of an idle run (%(default)s)")
    one.add_argument("--machine", type=Path, metavar="FILE", help="machine file whose phases are the loads "
                     "(default: the talk's machine with probe, latency and memcached)")
    one.add_argument("--seed", type=int, help="of everything random (default: the machine file's)")
    one.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    one.set_defaults(measure=cosim)


def run(arguments: argparse.Namespace) -> int:
    """Run a benchmark; 0 when it was measured."""
    return int(arguments.measure(arguments))


def cosim(arguments: argparse.Namespace) -> int:
    """``khhw bench cosim``."""
    from khhw.bench.cosim import LOADS, measure
    from khhw.build.errors import RequestError
    from khhw.commands.output import report
    from khhw.machine.machine import Machine
    from khhw.machine.reading import MachineFileError

    if arguments.repeat < 1 or not 0 < arguments.seconds < 3600:
        raise RequestError("--repeat takes a number from 1, --seconds one above 0")
    try:
        machine = Machine.load(arguments.machine or LOADS)
    except MachineFileError as error:
        raise RequestError(str(error)) from error
    seed = machine.file.seed if arguments.seed is None else arguments.seed
    found = measure(machine, repeat=arguments.repeat, seconds=arguments.seconds, seed=seed, tell=_tell)
    parameters = {"machine": machine.file.model_dump(mode="json"), "repeat": arguments.repeat,
                  "seconds": arguments.seconds}
    results = found.pop("results")
    if arguments.json:
        common = report(results, seed=seed, parameters=parameters, build="fast", cpu_model=machine.file.host.cpu)
        print(json.dumps(common | found, indent=1))
    else:
        _print_cosim(results, found)
    return 0


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _print_cosim(results: list[dict[str, Any]], rest: dict[str, Any]) -> None:
    speed = {(row["build"], row["load"]): row["cycles_per_second"]["median"] for row in results}
    print(f"{'load':<12} {'lean':>12} {'stock':>12}   ratio   cycles a second, median of {results[0]['samples']}")
    for load, ratio in rest["ratio"].items():
        print(f"{load:<12} {speed['lean', load]:>12,} {speed['stock', load]:>12,} {ratio['wall']:>6.1f}x")
    for name, taken in rest["build_seconds"].items():
        if taken:
            print(f"{name} build: {taken['wall_seconds']:g} s, {taken['cpu_seconds']:g} s of CPU")
    if rest["cycles_per_hop"] is not None:
        print(f"a hop: {rest['cycles_per_hop']:g} cycles")
