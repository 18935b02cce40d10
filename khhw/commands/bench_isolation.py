"""``khhw bench isolation``: its options, and its tables."""

import argparse
import json
import sys
from typing import Any

__all__ = ["add_isolation", "isolation"]


def add_isolation(benchmarks: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Options of ``khhw bench isolation``."""
    one = benchmarks.add_parser(
        "isolation", help="cycles to revoke rights under load and to rent nodes; what misbehaviour costs other domains")
    one.add_argument("--nodes", metavar="XxYxZ", action="append",
                     help="machine to revoke rights on, x even; may be given again (default: 2x2x2, 4x4x4, 8x8x8)")
    one.add_argument("--rent", metavar="NODES", type=int, action="append",
                     help="so many nodes are rented, on machines of eight times as many and more; may be given again "
                          "(default: 8)")
    one.add_argument("--only-rent", action="store_true", help="measure nothing but renting")
    one.add_argument("--packets", type=int, default=500,
                     help="packets of each measured node while others misbehave; 0 skips this (%(default)s)")
    one.add_argument("--flood-all", action="store_true",
                     help="also flood the consoles of machines of more than 64 nodes, which takes many minutes")
    one.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    one.set_defaults(measure=isolation)


def isolation(arguments: argparse.Namespace) -> int:
    """``khhw bench isolation``; 1 if a packet was lost, damaged or came too late."""
    from khhw.bench.isolation import SHAPES, measure, node_parameters
    from khhw.commands.output import report
    from khhw.commands.shapes import shape_of
    from khhw.errors import RequestError

    shapes = SHAPES if arguments.nodes is None else tuple(shape_of(text) for text in arguments.nodes)
    if odd := [text for text, shape in zip(arguments.nodes or (), shapes, strict=False) if shape[0] % 2]:
        raise RequestError(f"--nodes takes machines that can be halved in x, not {odd[0]}")
    if arguments.packets < 0:
        raise RequestError(f"--packets is 0 or more, not {arguments.packets}")
    rented = arguments.rent or [8]
    if min(rented) < 1:
        raise RequestError(f"--rent takes 1 node and more, not {min(rented)}")
    found = measure(shapes, packets=arguments.packets, flood_all=arguments.flood_all, tell=_tell, rented=rented,
                    only_rent=arguments.only_rent)
    results = found["results"]
    if arguments.json:
        parameters = {"nodes": [node_parameters(shape).as_dict() for shape in shapes], "packets": arguments.packets,
                      "rent": rented}
        # All traffic generators and the order of what software does follow from seed 1.
        print(json.dumps(report(results, seed=1, parameters=parameters, build="fast"), indent=1))
    else:
        _print(results)
    wrong = [row for row in results if row["kind"] == "revoke" and (
        row["revoked_late"] or row["errors"] or row["kept_sent"] != row["kept_received"])]
    return 1 if wrong else 0


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _print(results: list[dict[str, Any]]) -> None:
    revoked = [row for row in results if row["kind"] == "revoke"]
    if revoked:
        print(f"{'machine':<9} {'load':<10} {'cycles to revoke':>16} {'from commit':>11} {'to the end':>10} "
              f"{'revoked before':>14} {'late':>5} {'kept':>9} {'lost':>5}")
    for row in revoked:
        print(f"{'x'.join(map(str, row['shape'])):<9} {row['load']:<10} {row['revoke_cycles']:>16,} "
              f"{row['commit_cycles']:>11,} {row['change_cycles']:>10,} {row['revoked_before']:>14,} "
              f"{row['revoked_late']:>5} {row['kept_received']:>9,} {row['kept_sent'] - row['kept_received']:>5}")
    changed = [row for row in results if row["kind"] in ("random", "rent")]
    if changed:
        print(f"{chr(10) * bool(revoked)}{'machine':<9} {'change':<24} {'cycles to revoke':>16} {'to the end':>10}")
    for row in changed:
        what = f"rent {len(row['ranks'])}, {row['case']}" if row["kind"] == "rent" else "random matrices"
        print(f"{'x'.join(map(str, row['shape'])):<9} {what:<24} {row['revoke_cycles']:>16,} "
              f"{row['change_cycles']:>10,}")
    others = [row for row in results if row["kind"] == "neighbours"]
    if others:
        print(f"\n{'the other domain':<16} {'packets':>9} {'mean':>8} {'p99':>8} {'max':>6}   latency in cycles")
    for row in others:
        print(f"{row['case']:<16} {row['packets']:>9,} {row['mean']:>8.2f} {row['p99']:>8.2f} {row['max']:>6}")
    shares = [row for row in results if row["kind"] == "share"]
    if shares:
        print(f"\n{'the neighbour':<18} {'machine':<8} {'cycles':>7} {'alone':>7} {'beside':>7}        "
              f"{'the neighbour did':>17}")
    for row in shares:
        print(f"{row['case']:<18} {'x'.join(map(str, row['shape'])):<8} {row['cycles']:>7,} {row['alone']:>7,} "
              f"{row['beside']:>7,} {row['unit']:<6} {row['neighbour']:>17,}")
