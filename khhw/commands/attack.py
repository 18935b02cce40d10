"""Attack a machine's communication domains with hostile software, and check that nothing gets through.

Half of the nodes are hostile and try everything that software can do, in random rounds and in variations of those
rounds that reached something new. A scoreboard determines for every byte that arrives which nodes may have written it.
Then the same campaign attacks machines with one mutant of the design each, which it must find. The exit code is 0 only
if nothing got through the design and every mutant was found. docs/attack.md says what is tried and checked.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from khhw.fuzz.campaign import Findings
    from rtl.parameters import Parameters

__all__ = ["add_arguments", "run"]

_PACKETS, _BUG_PACKETS = 10_000_000, 2_000_000
_LANES = 2
_SECONDS = 5.0
_INTERRUPTED = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``khhw attack``."""
    parser.add_argument("--packets", metavar="N", type=int, default=_PACKETS,
                        help=f"packets of hostile nodes to try (default: {_PACKETS:,})")
    parser.add_argument("--lanes", metavar="N", type=int, default=_LANES,
                        help=f"injection and ejection lanes of every node, 1 to 6 (default: {_LANES})")
    parser.add_argument("--seed", metavar="N", type=int, default=1, help="of everything random (default: 1)")
    parser.add_argument("--bug-packets", metavar="N", type=int, default=_BUG_PACKETS,
                        help=f"packets within which a mutant must be found; 0 tries none (default: "
                             f"{_BUG_PACKETS:,})")
    parser.add_argument("-o", dest="file", metavar="FILE", type=Path, help="file to keep the results in, as JSON")
    parser.add_argument("--show", metavar="FILE", type=Path,
                        help="print the tables of kept results, and attack nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(arguments: argparse.Namespace) -> int:
    """Attack; 0 if the design held and the mutants were found."""
    from khhw.build.cache import write_atomically
    from khhw.errors import RequestError
    from khhw.files import writable_file
    from khhw.fuzz.memory_map import NODE
    from khhw.fuzz.tables import tables
    from rtl.parameters import ParameterError

    if arguments.show is not None:
        return _show(arguments.show)
    if arguments.packets < 1 or arguments.bug_packets < 0:
        raise RequestError("--packets takes a number from 1, --bug-packets one from 0")
    try:
        node = replace(NODE, lanes=arguments.lanes)
    except ParameterError as error:
        raise RequestError(f"--lanes: {error}") from error
    if arguments.file is not None:
        # Hours later there would be nowhere to put what was found.
        writable_file(arguments.file)
    report = _attack(arguments, node)
    text = json.dumps(report, indent=1) + "\n"
    if arguments.file is not None:
        write_atomically(arguments.file, text)
    print(text if arguments.json else tables(report), end="")
    results = report["results"]
    for violation in results["design"]["violations"]:
        print(f"khhw: {violation['check']}: {violation['detail']}", file=sys.stderr)
    missed = [bug["name"] for bug in results["mutants"] if not bug["found"]]
    for name in missed:
        print(f"khhw: the mutant {name!r} was not found", file=sys.stderr)
    if any(found["interrupted"] for found in (results["design"], *(bug["findings"] for bug in results["mutants"]))):
        return _INTERRUPTED
    return 1 if results["design"]["violations"] or missed else 0


def _show(file: Path) -> int:
    from khhw.errors import RequestError
    from khhw.files import UnreadableError, read_json
    from khhw.fuzz.tables import tables
    from khhw.visible import visible

    try:
        text = tables(read_json(file))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        reason = error.message if isinstance(error, UnreadableError) else (
            f"it has no {error}" if isinstance(error, KeyError) else str(error))
        raise RequestError(f"{file} holds no results of khhw attack: {reason}. Make them with -o") from error
    print(visible(text, lines=True), end="")
    return 0


def _attack(arguments: argparse.Namespace, node: "Parameters") -> dict[str, Any]:
    from khhw.commands.output import report
    from khhw.fuzz.campaign import attack
    from khhw.fuzz.mutants import MUTANTS, parts_with

    bugs = MUTANTS if arguments.bug_packets else ()
    design = attack(node, seed=arguments.seed, packets=arguments.packets,
                    tell=_teller("the design", (1, 1 + len(bugs)), arguments.packets))
    mutants: list[dict[str, Any]] = []
    for number, bug in enumerate(bugs, 2):
        if design.interrupted or (mutants and mutants[-1]["findings"]["interrupted"]):
            break
        found = attack(node, parts_with(bug), seed=arguments.seed, packets=arguments.bug_packets,
                       tell=_teller(bug.name, (number, 1 + len(bugs))))
        mutants.append({"name": bug.name, "what": bug.what, "found": bool(found.violations),
                        "findings": found.as_dict()})
    return report({"design": design.as_dict(), "mutants": mutants}, seed=arguments.seed, parameters=node.as_dict(),
                  build="fast")


def _teller(name: str, progress: tuple[int, int], packets: int | None = None) -> "Callable[[Findings], None]":
    """Something that tells of progress on standard error, now and then.

    Parameters
    ----------
    name : str
        Of what is attacked.
    progress : (int, int)
        Which of how many it is.
    packets : int, optional
        That are tried in any case, so that it can be told how long these take: a mutant ends with what is found.
    """
    from khhw.estimate import Remaining

    number, count = progress
    # Each machine is built before it is attacked, and a build says nothing of itself.
    print(f"{number} of {count}, {name}: building, unless it is cached", file=sys.stderr, flush=True)
    last, remaining = time.monotonic(), Remaining()

    def tell(found: "Findings") -> None:
        nonlocal last
        left = None if packets is None else remaining.advance(found.packets, max(0, packets - found.packets))
        if time.monotonic() - last > _SECONDS or found.violations:
            last = time.monotonic()
            rest = "" if left is None else f"; for {name} alone {left}" if count > 1 else f"; {left}"
            print(f"{number} of {count}, {name}: {found.packets:,} packets, {found.rounds:,} rounds, "
                  f"{len(found.cover):,} cover points, {len(found.violations)} leaks{rest}",
                  file=sys.stderr, flush=True)

    return tell
