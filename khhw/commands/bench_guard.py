"""``khhw bench guard``: its options, and its tables."""

import argparse
import json
import sys
from typing import Any

__all__ = ["add_guard", "guard"]


def add_guard(benchmarks: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Options of ``khhw bench guard``."""
    one = benchmarks.add_parser("guard", help="what permission costs in an FPGA, and in cycles")
    one.add_argument("--only", nargs="+", choices=("cost", "latency", "load"), help="what to measure (default: all)")
    one.add_argument("--sizes", type=int, nargs="+", metavar="N",
                     help="node ids of the tables that are synthesised (default: 8 64 512 1024 4096 65536)")
    one.add_argument("--lanes", type=int, nargs="+", metavar="N", default=[2],
                     help="lanes of the nodes, 1 to 6; cost is measured for the first (default: 2)")
    one.add_argument("--guards", nargs="+", choices=("out", "bare"), default=["out", "bare"],
                     help="what the guard is compared with (default: both)")
    one.add_argument("--cycles", type=int, default=4000, help="measured under each load (%(default)s)")
    one.add_argument("--seed", type=int, default=1, help="of the traffic (%(default)s)")
    one.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    one.set_defaults(measure=guard)


def guard(arguments: argparse.Namespace) -> int:
    """``khhw bench guard``."""
    from khhw.bench.guard import DRAIN, MEASURES, SAMPLES, SIZES, WARM_UP, measure, node_parameters
    from khhw.commands.output import report
    from khhw.errors import RequestError
    from rtl.parameters import ParameterError, Parameters

    sizes = arguments.sizes or SIZES
    try:
        nodes = [node_parameters(lanes) for lanes in arguments.lanes]
        for size in sizes:
            Parameters(table_nodes=size)
    except ParameterError as error:
        raise RequestError(f"--sizes or --lanes: {error}") from error
    if not 100 <= arguments.cycles <= 1_000_000:
        raise RequestError(f"--cycles is from 100 to 1,000,000, not {arguments.cycles}")
    found = measure(arguments.only or MEASURES, guards=arguments.guards,
                    lanes=arguments.lanes, sizes=sizes, cycles=arguments.cycles, seed=arguments.seed, tell=_tell)
    results = found.pop("results")
    if arguments.json:
        parameters = {"nodes": [node.as_dict() for node in nodes], "sizes": list(sizes), "warmup": WARM_UP,
                      "cycles": arguments.cycles, "drain": DRAIN, "samples": SAMPLES}
        print(json.dumps(report(results, seed=arguments.seed, parameters=parameters, build="fast") | found, indent=1))
    else:
        _print(results, found)
    return 0


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _print(results: list[dict[str, Any]], rest: dict[str, Any]) -> None:
    tables = (
        ("cost", ("guard", "lanes", "table_nodes", "lut4", "flip_flops", "block_ram", "distributed_ram", "table_bits")),
        ("latency", ("guard", "lanes", "bytes", "hops", "samples", "cycles_min", "cycles_mean", "cycles_max",
                     "differing")),
        ("load", ("guard", "lanes", "shape", "pattern", "bytes", "load", "samples", "offered", "accepted",
                  "latency_mean", "latency_p99", "differing")),
    )
    for measured, columns in tables:
        rows = [row for row in results if row["measure"] == measured]
        if rows:
            print("  ".join(f"{name.replace('_', ' '):>15}" for name in columns))
        for row in rows:
            print("  ".join(f"{_cell(row[name]):>15}" for name in columns))
    for name, differing in rest["difference"].items():
        print(f"guard {name}: {differing:,} of {rest['compared'][name]:,} values differ from those with the guard in")


def _cell(value: Any) -> str:
    match value:
        case None:
            return "-"
        case float():
            return f"{value:.4g}"
        case list():
            return "x".join(map(str, value))
        case int():
            return f"{value:,}"
    return str(value)
