"""``khhw bench cloud``: its options, and its tables."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

__all__ = ["add_cloud", "cloud"]


def add_cloud(benchmarks: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Options of ``khhw bench cloud``."""
    one = benchmarks.add_parser("cloud", help="how long the service of a cloud takes to answer, with many in flight")
    one.add_argument("--machine", type=Path, metavar="FILE",
                     help="machine file of the cloud (default: eight nodes, as the talk's)")
    one.add_argument("--seconds", type=float, default=5.0, help="length of each measurement of reads (%(default)s)")
    one.add_argument("--leases", type=int, default=20, help="how often a node is rented and handed back (%(default)s)")
    one.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    one.set_defaults(measure=cloud)


def cloud(arguments: argparse.Namespace) -> int:
    """``khhw bench cloud``; 1 if a request was not answered as it should be."""
    from khhw.commands.extra import need_cloud
    from khhw.errors import RequestError

    need_cloud()
    from khhw.bench.cloud import cores, measure, running
    from khhw.bench.cosim import LOADS
    from khhw.commands.output import report

    if not 0 < arguments.seconds < 3600 or arguments.leases < 1:
        raise RequestError("--seconds takes a number above 0, --leases one from 1")
    machine = arguments.machine or Path(LOADS)
    with running(machine, _tell) as service:
        results = measure(service, seconds=arguments.seconds, number=arguments.leases, tell=_tell)
    if arguments.json:
        parameters = {"machine": str(machine), "seconds": arguments.seconds, "leases": arguments.leases,
                      "cores": cores()}
        print(json.dumps(report(results, parameters=parameters, build="fast"), indent=1))
    else:
        _print(results)
    return 1 if any(row["errors"] for row in results["reads"]) else 0


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _print(results: dict[str, Any]) -> None:
    print(f"{'in flight':>9} {'requests':>9} {'a second':>9} {'errors':>6} {'p50':>8} {'p99':>8} {'max':>8}   "
          "reads, in milliseconds")
    for row in results["reads"]:
        print(f"{row['in_flight']:>9} {row['requests']:>9,} {row['requests_per_second']:>9,} {row['errors']:>6} "
              f"{row['p50_ms']:>8} {row['p99_ms']:>8} {row['max_ms']:>8}")
    print(f"\n{'change':<9} {'number':>9} {'p50':>8} {'p99':>8} {'max':>8}   until the machine has it, in milliseconds")
    for name in ("acquire", "release"):
        row = results["changes"][name]
        print(f"{name:<9} {results['changes']['number']:>9} {row['p50_ms']:>8} {row['p99_ms']:>8} {row['max_ms']:>8}")
