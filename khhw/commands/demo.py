"""Run a demonstration: `khhw demo list` lists them, `khhw demo NAME` runs one.

All run on the same eight nodes on a 2x2x2 torus, so that the simulator is built only once; then each takes less than
two minutes. A demonstration is a machine file; the list says where it is, so that you can copy and change it.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from khhw.machine.results import MemcachedPoint, Results
    from khhw.report.memcached.phases import Change

__all__ = ["add_arguments", "demonstrations", "run"]

FOLDER = Path(__file__).parents[1] / "demos"
_ORDER = ("domains", "consoles", "memcached", "noisy")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``khhw demo``."""
    parser.add_argument("name", help="list, or the name of a demonstration")
    parser.add_argument("-o", dest="folder", metavar="DIR", type=Path, help="folder to write to (default: out/NAME)")
    parser.add_argument("--seed", type=int, help="of everything random (default: the demonstration's)")
    parser.add_argument("--engine", choices=("cocotb", "native"), default="cocotb",
                        help="what simulates the machine; the same cycles on both (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(arguments: argparse.Namespace) -> int:
    """List them, or run one; 0 if it showed what it should."""
    from khhw.commands.output import report
    from khhw.errors import RequestError

    known = demonstrations()
    if arguments.name == "list":
        if arguments.json:
            print(json.dumps(report([{"name": name, "shows": text} for name, text in known.items()]), indent=1))
        else:
            for name, text in known.items():
                print(f"{name:<{max(map(len, known)) + 2}}{text}")
            print(f"\nmachine files: {FOLDER}")
        return 0
    if arguments.name not in known:
        raise RequestError(f"no demonstration {arguments.name!r}; there are {', '.join(known)}")
    return _show(arguments)


def demonstrations() -> dict[str, str]:
    """What each demonstration shows, by name: the comment at the head of its machine file."""
    return {name: (FOLDER / f"{name}.toml").read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
            for name in _ORDER}


def _show(arguments: argparse.Namespace) -> int:
    """Run it as ``khhw run`` does."""
    from khhw.commands import run as run_command
    from khhw.machine.results import Results

    folder = arguments.folder or Path("out") / arguments.name
    words = [str(FOLDER / f"{arguments.name}.toml"), "-o", str(folder), "--engine", arguments.engine]
    words += ["--json"] if arguments.json else []
    words += ["--seed", str(arguments.seed)] if arguments.seed is not None else []
    parser = argparse.ArgumentParser()
    run_command.add_arguments(parser)
    code = run_command.run(parser.parse_args(words))
    if code == 0 and not arguments.json:
        _print_changes(Results.read(folder / "results.json"))
    return code


def _print_changes(results: "Results") -> None:
    """What measurements of one phase became in a later one, if any was taken twice."""
    from khhw.report.memcached.phases import changes

    found = changes(results.results.memcached)
    if not found:
        return
    before, after = found[0].before.phase, found[0].after.phase
    print(f"\n{'latency in cycles':<24} {before:>32} {after:>32}   change of the median")
    for change in found:
        name = f"{change.after.path} {change.after.op}, {change.after.value_bytes:g} bytes"
        print(f"{name:<24} {_latency(change.before):>32} {_latency(change.after):>32}   {_verdict(change)}")


def _verdict(change: "Change") -> str:
    from khhw.report.words import signed

    words = {True: "", False: ", no difference seen", None: ", no interval can be given"}
    return signed(change.median) + words[change.differs]


def _latency(point: "MemcachedPoint") -> str:
    latency = point.latency_cycles
    tail = f"max {latency.max:,}" if latency.p99 is None else f"p99 {latency.p99:,.0f}"
    return f"p50 {latency.p50:,.0f}, {tail} (n={point.samples:,})"
