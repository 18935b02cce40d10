"""Measure khhw itself: speed of simulation, cost of permissions.

cosim measures the simulated cycles a second of eight nodes, idle and under load, with khhw's build and with that of
cocotb's own runner. The latter is slow to build: the first call takes many minutes. engine measures the node-cycles a
second of up to 4,096 nodes on the native engine (docs/engine.md). guard measures what permissions cost: logic, memory,
latency and throughput, with and without them. isolation measures how long it takes to revoke a right, and what
misbehaviour costs other domains. cloud measures how long the service of a cloud takes to answer, load how long an image
takes into many nodes at once (docs/cloud-consoles.md), tree what each node gets of a flooded tree (docs/console.md),
net what Ethernet leaves of a torus link (docs/network.md).
docs/bench.md describes all others.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from khhw.commands.bench_cloud import add_cloud
from khhw.commands.bench_guard import add_guard
from khhw.commands.bench_isolation import add_isolation
from khhw.commands.bench_load import add_load
from khhw.commands.bench_net import add_net
from khhw.commands.bench_tree import add_tree
from khhw.commands.shapes import shape_of

__all__ = ["add_arguments", "cosim", "engine", "print_cosim", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``khhw bench``."""
    benchmarks = parser.add_subparsers(title="benchmarks", metavar="BENCHMARK", required=True)
    one = benchmarks.add_parser("cosim", help="cycles a second, idle and under load, against cocotb's own runner")
    one.add_argument("--repeat", type=int, default=5, help="runs of every load on each build, in turns (%(default)s)")
    one.add_argument("--seconds", type=float, default=3.0, help="length of an idle run (%(default)s)")
    one.add_argument("--machine", type=Path, metavar="FILE", help="machine file whose phases are the loads "
                     "(default: the talk's machine with probe, latency and memcached)")
    one.add_argument("--seed", type=int, help="of everything random (default: the machine file's)")
    one.add_argument("--no-stock", action="store_true",
                     help="leave out the ratio, and with it many minutes of building")
    one.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    one.set_defaults(measure=cosim)
    _add_engine(benchmarks)
    add_guard(benchmarks)
    add_isolation(benchmarks)
    add_cloud(benchmarks)
    add_load(benchmarks)
    add_tree(benchmarks)
    add_net(benchmarks)


def _add_engine(benchmarks: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    one = benchmarks.add_parser("engine", help="node-cycles a second of the native engine, and its ratio to cocotb")
    one.add_argument("--nodes", metavar="XxYxZ", help="one machine instead of 4x4x4, 8x8x8 and 16x16x16")
    one.add_argument("--load", type=float, default=0.5,
                     help="offered load, 1.0 is what an ideal torus carries (%(default)s)")
    one.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)),
                     help="that evaluate nodes (%(default)s)")
    one.add_argument("--evaluator", choices=("verilated", "lanes"),
                     help="what evaluates nodes (default: all that this processor supports)")
    one.add_argument("--repeat", type=int, default=5, help="samples of every figure (%(default)s)")
    one.add_argument("--seconds", type=float, default=2.0, help="length of a sample (%(default)s)")
    one.add_argument("--seed", type=int, default=1, help="of the traffic (%(default)s)")
    one.add_argument("--no-cocotb", action="store_true", help="leave out the ratio, and with it minutes of building")
    one.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    one.set_defaults(measure=engine)


def run(arguments: argparse.Namespace) -> int:
    """Run a benchmark; 0 when it was measured."""
    return int(arguments.measure(arguments))


def cosim(arguments: argparse.Namespace) -> int:
    """``khhw bench cosim``."""
    from khhw.bench.cosim import BUILDS, LOADS, measure
    from khhw.commands.output import report
    from khhw.errors import RequestError
    from khhw.machine.machine import Machine

    if arguments.repeat < 1 or not 0 < arguments.seconds < 3600:
        raise RequestError("--repeat takes a number from 1, --seconds one above 0")
    machine = Machine.load(arguments.machine or LOADS)
    seed = machine.file.seed if arguments.seed is None else arguments.seed
    found = measure(machine, repeat=arguments.repeat, seconds=arguments.seconds, seed=seed, tell=_tell,
                    builds=("lean",) if arguments.no_stock else BUILDS)
    parameters = {"machine": machine.file.model_dump(mode="json"), "repeat": arguments.repeat,
                  "seconds": arguments.seconds}
    results = found.pop("results")
    if arguments.json:
        common = report(results, seed=seed, parameters=parameters, build="fast", cpu_model=machine.file.host.cpu)
        print(json.dumps(common | found, indent=1))
    else:
        print_cosim(results, found)
    return 0


def engine(arguments: argparse.Namespace) -> int:
    """``khhw bench engine``."""
    from khhw.bench.engine import SHAPES, measure, node_parameters
    from khhw.build.lanes.demands import missing_for_lanes
    from khhw.commands.output import report
    from khhw.errors import RequestError

    if arguments.repeat < 1 or not 0 < arguments.seconds < 3600 or arguments.threads < 1:
        raise RequestError("--repeat and --threads take a number from 1, --seconds one above 0")
    if not 0 < arguments.load <= 2:
        raise RequestError(f"--load is above 0 and at most 2, not {arguments.load:g}")
    evaluators = (arguments.evaluator,) if arguments.evaluator else \
        ("verilated",) if missing_for_lanes() else ("verilated", "lanes")
    shapes = SHAPES if arguments.nodes is None else (shape_of(arguments.nodes),)
    found = measure(
        shapes, load=arguments.load, threads=arguments.threads, evaluators=evaluators, repeat=arguments.repeat,
        seconds=arguments.seconds, seed=arguments.seed, cocotb=not arguments.no_cocotb, tell=_tell)
    results = found.pop("results")
    if arguments.json:
        parameters = {
            "node": node_parameters(shapes).as_dict(), "load": arguments.load, "repeat": arguments.repeat,
            "seconds": arguments.seconds, "threads": arguments.threads}
        print(json.dumps(report(results, seed=arguments.seed, parameters=parameters, build="fast") | found, indent=1))
    else:
        _print_engine(results, found)
    return 0


def _print_engine(results: list[dict[str, Any]], rest: dict[str, Any]) -> None:
    print(f"{'machine':<10} {'sending':>9} {'load':>5} {'evaluator':>10}  node-cycles/s  evaluated  bytes a node")
    for row in results:
        print(f"{'x'.join(map(str, row['shape'])):<10} {row['sending']:>9} {row['load']:>5g} {row['evaluator']:>10} "
              f"{row['node_cycles_per_second']['median']:>14,} {row['evaluated']:>9.1%} {row['bytes_per_node']:>13,}")
    if rest["cocotb"]:
        print(f"{'2x2x2':<10} {'all':>9} {rest['cocotb']['load']:>5g} {'cocotb':>10} "
              f"{rest['cocotb']['node_cycles_per_second']['median']:>14,}")
        print("over cocotb: " + ", ".join(f"{nodes} nodes {ratio:g}x" for nodes, ratio in rest["ratio"].items()))
    for name, taken in rest["build_seconds"].items():
        if taken:
            print(f"{name}: one build for all sizes, {taken['wall_seconds']:g} s, {taken['cpu_seconds']:g} s of CPU")


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def print_cosim(results: list[dict[str, Any]], rest: dict[str, Any]) -> None:
    """The table of ``khhw bench cosim``, of `results` and the `rest` of :func:`khhw.bench.cosim.summary`."""
    speed = {(row["build"], row["load"]): row["cycles_per_second"]["median"] for row in results}
    print(f"{'load':<12} {'lean':>12} {'stock':>12}   ratio   cycles a second, median of {results[0]['samples']}")
    for load in [load for build, load in speed if build == "lean"]:
        print(f"{load:<12} {speed['lean', load]:>12,}"
              + (f" {speed['stock', load]:>12,} {rest['ratio'][load]['wall']:>6.1f}x" if load in rest["ratio"] else ""))
    for name, taken in rest["build_seconds"].items():
        if taken:
            print(f"{name} build: {taken['wall_seconds']:g} s, {taken['cpu_seconds']:g} s of CPU")
    if rest["cycles_per_hop"] is not None:
        print(f"a hop: {rest['cycles_per_hop']:g} cycles")
