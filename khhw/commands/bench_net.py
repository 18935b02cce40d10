"""``khhw bench net``: what of a torus link Ethernet frames leave to those who use them."""

import argparse
import json
from dataclasses import asdict

__all__ = ["add_net", "net"]

_LEAST = 10


def add_net(benchmarks: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Its options."""
    one = benchmarks.add_parser("net", help="payload of Ethernet frames over one torus link")
    one.add_argument("--frames", type=int, default=60, help="of each MTU (%(default)s)")
    one.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    one.set_defaults(measure=net)


def net(arguments: argparse.Namespace) -> int:
    """Measure, and print."""
    from khhw.bench.ethernet import MTUS, measure
    from khhw.commands.output import report
    from khhw.errors import RequestError

    if arguments.frames < _LEAST:
        raise RequestError(f"--frames takes a number from {_LEAST}, not {arguments.frames}")
    found = [measure(mtu, arguments.frames) for mtu in MTUS]
    if arguments.json:
        results = [asdict(one) | {"ceiling": one.ceiling, "reached": one.reached} for one in found]
        print(json.dumps(report(results, parameters={"frames": arguments.frames}, build="fast"), indent=1))
        return 0
    print("payload of TCP, as a part of the link:")
    for one in found:
        print(f"MTU {one.mtu:>5,}: {one.reached:.1%} of {one.ceiling:.1%} that the format allows, "
              f"{one.reached / one.ceiling:.1%} of that")
    return 0
