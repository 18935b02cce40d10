"""Run a machine: build its RTL, boot its nodes, run its phases, write a report.

FILE is a machine file (docs/machine-file.md). The folder gets results.json, report.html, pictures with their
numbers as CSV, and the simulator's log. The exit code is 0 only if the run was completed, every observed
matrix equals the configured one and the hardware held every attack.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from khhw.machine.file import MachineFile
    from khhw.machine.machine import Command, Machine
    from khhw.machine.results import Results

__all__ = ["add_arguments", "add_run_arguments", "run", "run_machine"]

_FIRST_BUILD = 120.0
_WORTH_KEEPING = 10.0
"""Seconds; what is quicker was found in the cache."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``khhw run``."""
    add_run_arguments(parser)
    parser.add_argument("--schema", action="store_true", help="print the JSON schema of a machine file and stop")


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of all subcommands that run a machine file."""
    parser.add_argument("file", nargs="?", help="machine file")
    parser.add_argument("-o", dest="folder", metavar="DIR", type=Path, help="folder to write to (default: out/NAME)")
    parser.add_argument("--waves", action="store_true", help="write waveforms, and lists of signals for viewers")
    parser.add_argument("--seed", type=int, help="of everything random (default: the machine file's)")
    parser.add_argument("--part", dest="parts", metavar="NAME=MODULE:CLASS", action="append", default=[],
                        help="replace router, guard, ni or memory by a class of your own, as [parts] does")
    parser.add_argument("--debug", action="store_true", help="simulator build with assertions, random initial values")
    parser.add_argument("--engine", choices=("cocotb", "native"), default="cocotb",
                        help="what simulates the machine; the same cycles on both (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the results as JSON and nothing else")


def run(arguments: argparse.Namespace) -> int:
    """Run it; 0 if everything was as it should be."""
    from khhw.machine.file import schema

    if arguments.schema:
        print(json.dumps(schema(), indent=1))
        return 0
    return run_machine(arguments)


def run_machine(
    arguments: argparse.Namespace, *, command: "Command" = "run",
    prepare: "Callable[[MachineFile], MachineFile]" = lambda file: file,
) -> int:
    """Run a machine file and report.

    Parameters
    ----------
    arguments : argparse.Namespace
        As :func:`add_run_arguments` makes it.
    command : str
        The subcommand.
    prepare : callable
        Turns what the file says into what is run.

    Returns
    -------
    int
        Exit code: 0 if everything was as it should be.
    """
    from khhw.commands.output import in_ascii
    from khhw.errors import RequestError
    from khhw.files import writable_folder
    from khhw.machine.machine import Machine

    if arguments.file is None:
        raise RequestError(f"khhw {command} needs a machine file, for example examples/talk.toml")
    if arguments.seed is not None and not 0 <= arguments.seed < 1 << 32:
        raise RequestError(f"--seed must be from 0 to {(1 << 32) - 1}, not {arguments.seed}")
    machine = Machine.load(arguments.file, parts=_parts(arguments.parts), engine=arguments.engine)
    machine = replace(machine, file=prepare(machine.file))
    folder = arguments.folder or Path("out") / f"{Path(arguments.file).stem}{'' if command == 'run' else f'-{command}'}"
    results = _simulate(machine, writable_folder(folder), arguments, command)
    if arguments.json:
        print(in_ascii(results.model_dump_json(indent=1)))
    else:
        _report(results, folder, arguments.file, machine.folder)
    if results.state == "interrupted":
        return 130
    return 0 if results.passed else 1


def _parts(given: list[str]) -> dict[str, str]:
    from khhw.errors import RequestError
    from rtl.node import PARTS

    parts = dict(part.partition("=")[::2] for part in given)
    for name, path in parts.items():
        if name not in PARTS or not path:
            raise RequestError(f"--part takes NAME=MODULE:CLASS, NAME one of {', '.join(PARTS)}; not {name}={path}")
    return parts


def _simulate(machine: "Machine", folder: Path, arguments: argparse.Namespace, command: "Command") -> "Results":
    from rich.console import Console

    from khhw.report.live import LiveView

    def simulate(view: "LiveView | None") -> "Results":
        return machine.run(folder, seed=arguments.seed, build="debug" if arguments.debug else "fast",
                           waves=arguments.waves, on_report=view, command=command)

    if arguments.json:
        return simulate(None)
    with LiveView(machine.file.nodes, Console(highlight=False), _last_build(), machine.folder) as view:
        results = simulate(view)
    if view.built_after > _WORTH_KEEPING:
        _last_build_file().write_text(f"{view.built_after:.1f}\n", encoding="utf-8")
    return results


def _last_build_file() -> Path:
    from khhw.build.cache import build_root

    return build_root() / "last-build-seconds"


def _last_build() -> float:
    """Seconds the last build took that was not found in the cache; a guess before the first."""
    file = _last_build_file()
    try:
        return float(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return _FIRST_BUILD


def _report(results: "Results", folder: Path, source: str, modules: Path) -> None:
    from khhw.report.terminal import print_summary
    from khhw.report.write import write_report

    page = write_report(results, folder, source=source, modules=modules)
    print()
    print_summary(results, page, source=source, modules=modules)
