"""List what is in the build cache, and remove what is not needed any more.

The cache is the build folder: $KHHW_BUILD if that is set, else sim_build of the checkout, else khhw in the user's cache
folder. It holds converted Verilog, compiled simulators and engines, and what runs of testbenches left. Everything in it
is made again when it is needed. What somebody uses now is never removed, nor is what is kept of how long builds took.
Builds that nothing used for 14 days are removed by themselves when another one of their name is made.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from khhw.build.stored import Stored

__all__ = ["add_arguments", "run"]

_DAY = 86400.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``khhw cache``."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    one = actions.add_parser("list", help="what is there: name, kind, size, age, last use; the last used at the end")
    one.set_defaults(act=_list)
    two = actions.add_parser(
        "clean", help="remove what is not in use, by name, by age, or all",
        description="Remove builds and what runs left. By names, --older, both, or --all. What is in use stays.")
    two.add_argument("names", metavar="NAME", nargs="*", help="as `khhw cache list` shows it, with or without the hash "
                     "at its end; the name of a top module; or a pattern in quotes, 'router*'")
    two.add_argument("--older", metavar="DAYS", type=float, help="only what nothing used for so many days")
    two.add_argument("--all", action="store_true", help="everything")
    two.add_argument("--dry-run", action="store_true", help="say what would be removed, and remove nothing")
    two.set_defaults(act=_clean)
    for each in (one, two):
        each.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(arguments: argparse.Namespace) -> int:
    """List or clean; 0 if that was done."""
    return int(arguments.act(arguments))


def _list(arguments: argparse.Namespace) -> int:
    from khhw.build.cache import build_root
    from khhw.build.stored import stored
    from khhw.commands.output import report

    found = stored()
    if arguments.json:
        print(json.dumps(report([_plain(each) for each in found], parameters={"folder": str(build_root())}), indent=1))
        return 0
    _print(found)
    print(f"{len(found)} in {build_root()}, {_size(sum(each.size_bytes for each in found))}")
    return 0


def _clean(arguments: argparse.Namespace) -> int:
    from khhw.build.cache import build_root
    from khhw.build.stored import clean
    from khhw.commands.output import report
    from khhw.errors import RequestError
    from khhw.visible import visible

    if arguments.all and (arguments.names or arguments.older is not None):
        raise RequestError("--all takes no names and no --older: it means everything")
    if not arguments.all and not arguments.names and arguments.older is None:
        raise RequestError("say what to remove: names as `khhw cache list` shows them, --older DAYS, or --all")
    if arguments.older is not None and not 0 <= arguments.older < 1e6:
        raise RequestError(f"--older takes days, 0 or more, not {arguments.older:g}")
    gone, kept = clean(arguments.names, unused_days=arguments.older or 0.0, dry_run=arguments.dry_run)
    failed = [each for each in kept if not each.in_use]
    if arguments.json:
        results = {"removed": [_plain(each) for each in gone], "in_use": [_plain(each) for each in kept if each.in_use],
                   "failed": [_plain(each) for each in failed], "dry_run": arguments.dry_run}
        print(json.dumps(report(results, parameters={"folder": str(build_root())}), indent=1))
        return 1 if failed else 0
    if arguments.names and not gone and not kept:
        raise RequestError(f"nothing in {build_root()} has such a name{' and age' if arguments.older else ''}: "
                           f"{', '.join(arguments.names)}; `khhw cache list` shows what there is")
    _print(gone)
    what = "would be removed" if arguments.dry_run else "removed"
    print(f"{len(gone)} {what}, {_size(sum(each.size_bytes for each in gone))}")
    for each in kept:
        if each.in_use:
            print(f"kept, it is in use: {visible(each.name)}")
    for each in failed:
        print(f"could not be removed; see who may write to it: {visible(str(each.folder))}", file=sys.stderr)
    return 1 if failed else 0


def _plain(each: "Stored") -> dict[str, Any]:
    return {"name": each.name, "kind": each.kind, "folder": str(Path(each.folder)), "size_bytes": each.size_bytes,
            "made": round(each.made), "used": round(each.used), "in_use": each.in_use}


def _print(found: "list[Stored]") -> None:
    from khhw.visible import visible

    if not found:
        return
    width = max(len(visible(each.name)) for each in found)
    print(f"{'name':<{width}}  {'kind':<9} {'size':>8} {'made':>8} {'used':>8}")
    now = time.time()
    for each in found:
        print(f"{visible(each.name):<{width}}  {each.kind:<9} {_size(each.size_bytes):>8} {_ago(now - each.made):>8} "
              f"{'now' if each.in_use else _ago(now - each.used):>8}")


def _size(count: int) -> str:
    """``12 MB``, in powers of 1,000."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} B"


def _ago(seconds: float) -> str:
    """How long ago: ``5 min``, ``3 h``, ``12 d``."""
    for unit, factor in (("d", _DAY), ("h", 3600.0), ("min", 60.0)):
        if seconds >= factor:
            return f"{seconds / factor:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
