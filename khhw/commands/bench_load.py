"""``khhw bench load``: its options, and its table."""

import argparse
import json
import sys
from typing import Any

__all__ = ["add_load", "load"]

_FLAT = 0.05


def add_load(benchmarks: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Options of ``khhw bench load``."""
    one = benchmarks.add_parser("load", help="cycles to load an image into 1, 2, 4, ... nodes at once")
    one.add_argument("--nodes", metavar="XxYxZ", default="4x4x4", help="the machine (%(default)s)")
    one.add_argument("--bytes", metavar="N", type=int, action="append",
                     help="size of an image; may be given again (default: 4 KiB, 64 KiB, 128 KiB)")
    one.add_argument("--seed", type=int, default=1, help="of what is in the images (%(default)s)")
    one.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    one.set_defaults(measure=load)


def load(arguments: argparse.Namespace) -> int:
    """``khhw bench load``; 0 when it was measured."""
    from khhw.bench.load import LARGEST, MEMORY_BYTES, SIZES, flatness, listeners, load_times
    from khhw.commands.output import report
    from khhw.commands.shapes import shape_of
    from khhw.errors import RequestError

    shape = shape_of(arguments.nodes)
    sizes = arguments.bytes or SIZES
    if wrong := [size for size in sizes if not 0 < size <= LARGEST]:
        raise RequestError(f"--bytes takes sizes from 1 to {LARGEST:,}, which a node has room for, not {wrong[0]}")
    x, y, z = shape
    times = load_times(shape, sizes, [*listeners(x * y * z)], arguments.seed, tell=_tell)
    flat = flatness(times)
    if arguments.json:
        parameters = {"nodes": list(shape), "memory_bytes": MEMORY_BYTES}
        results = {"loads": times, "longer": {str(size): round(more, 6) for size, more in flat.items()}}
        print(json.dumps(report(results, seed=arguments.seed, parameters=parameters, build="fast"), indent=1))
    else:
        _print(times, flat)
    return 0


def _tell(one: dict[str, Any]) -> None:
    print(f"{one['bytes']:,} bytes, {one['nodes']} nodes: {one['loaded']:,} cycles", file=sys.stderr, flush=True)


def _print(times: list[dict[str, Any]], flat: dict[int, float]) -> None:
    print(f"{'bytes':>9} {'packets':>8} {'nodes':>6} {'cycles sent':>12} {'loaded':>9}")
    for one in times:
        print(f"{one['bytes']:>9,} {one['packets']:>8,} {one['nodes']:>6} {one['sent']:>12,} {one['loaded']:>9,}")
    for size, more in flat.items():
        print(f"{size:,} bytes: the longest load takes {more:.1%} longer than the shortest; "
              f"{'flat' if more <= _FLAT else 'not flat'} within {_FLAT:.0%}")
