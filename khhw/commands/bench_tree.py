"""``khhw bench tree``: its options, and its tables."""

import argparse
import json
import sys
from typing import Any

__all__ = ["add_tree", "tree"]


def add_tree(benchmarks: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Options of ``khhw bench tree``."""
    one = benchmarks.add_parser("tree", help="what each node gets of the tree when all flood it with texts")
    one.add_argument("--nodes", metavar="XxYxZ", default="4x4x4", help="the machine (%(default)s)")
    one.add_argument("--cycles", type=int, default=60_000,
                     help="in which texts are counted, behind a warm-up (%(default)s)")
    one.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    one.set_defaults(measure=tree)


def tree(arguments: argparse.Namespace) -> int:
    """``khhw bench tree``; 1 if a node got less than half of its fair share."""
    from khhw.bench.isolation import node_parameters
    from khhw.bench.tree import least_share, tree_shares
    from khhw.commands.output import report
    from khhw.commands.shapes import shape_of
    from khhw.errors import RequestError

    shape = shape_of(arguments.nodes)
    if arguments.cycles < 1:
        raise RequestError(f"--cycles is 1 or more, not {arguments.cycles}")
    parameters = node_parameters(shape)
    found = tree_shares(shape, parameters, cycles=arguments.cycles, tell=_tell)
    if arguments.json:
        given = {"node": parameters.as_dict(), "cycles": arguments.cycles}
        print(json.dumps(report(found, parameters=given, build="fast"), indent=1))
    else:
        _print(found)
    return 0 if least_share(found) >= 0.5 else 1


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _print(found: dict[str, Any]) -> None:
    print(f"all flood: {found['texts']:,} texts in {found['cycles']:,} cycles, fair share {found['fair_share']:.1f}")
    print(f"{'depth':>5} {'nodes':>6} {'least':>6} {'most':>6} {'alone':>7}   texts of a node; "
          f"alone in {found['alone_cycles']:,} cycles")
    for row in found["depths"]:
        print(f"{row['depth']:>5} {row['nodes']:>6,} {row['least']:>6,} {row['most']:>6,} {row['alone']:>7,}")
    print(f"\n{'the owner asks all':<18} {'mean':>8} {'most':>6}   cycles to the answer")
    for load, ways in found["owner"].items():
        for way, taken in ways.items():
            print(f"{load + ', ' + way:<18} {taken['mean']:>8,.1f} {taken['most']:>6,}")
