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
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from khhw.machine.file import MachineFile
    from khhw.machine.machine import Command, Machine
    from khhw.machine.results import Results
    from khhw.machine.waves import WavesChoice

__all__ = ["add_arguments", "add_run_arguments", "run", "run_machine"]

def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``khhw run``."""
    add_run_arguments(parser)
    parser.add_argument("--schema", action="store_true", help="print the JSON schema of a machine file and stop")


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of all subcommands that run a machine file."""
    parser.add_argument("file", nargs="?", help="machine file")
    parser.add_argument("-o", dest="folder", metavar="DIR", type=Path, help="folder to write to (default: out/NAME)")
    parser.add_argument("--waves", action="store_true", help="write waveforms, and lists of signals for viewers")
    parser.add_argument("--waves-nodes", metavar="RANKS",
                        help="with --waves on the native engine: of these nodes, for example 0,3 or 0-7, or all")
    parser.add_argument("--window", metavar="A:B",
                        help="with --waves on the native engine: cycles A to B - 1; A or B may be left out")
    parser.add_argument("--seed", type=int, help="of everything random (default: the machine file's)")
    parser.add_argument("--part", dest="parts", metavar="NAME=MODULE:CLASS", action="append", default=[],
                        help="replace router, guard, ni or memory by a class of your own, as [parts] does")
    parser.add_argument("--debug", action="store_true", help="simulator build with assertions, random initial values")
    parser.add_argument("--engine", choices=("cocotb", "native"), default="cocotb",
                        help="what simulates the machine; the same cycles on both (default: %(default)s)")
    parser.add_argument("--link", dest="links", metavar="PAGE", action="append", default=[],
                        help="another page that the report links to, relative to DIR")
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
    waves = _waves(arguments)
    folder = arguments.folder or Path("out") / f"{Path(arguments.file).stem}{'' if command == 'run' else f'-{command}'}"
    lacking: list[str] = []
    results = _simulate(machine, writable_folder(folder), arguments, command, waves, lacking)
    if arguments.json:
        print(in_ascii(results.model_dump_json(indent=1)))
    else:
        _report(results, folder, arguments.file, machine.folder, arguments.links)
    if lacking:
        raise RequestError(lacking[0])
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


def _waves(arguments: argparse.Namespace) -> "bool | WavesChoice":
    from khhw.errors import RequestError
    from khhw.machine.waves import WavesChoice

    if arguments.waves_nodes is None and arguments.window is None:
        return bool(arguments.waves)
    if not arguments.waves:
        raise RequestError("--waves-nodes and --window say which waves to write: they need --waves")
    return WavesChoice.parse(arguments.waves_nodes, arguments.window)


def _simulate(
    machine: "Machine", folder: Path, arguments: argparse.Namespace, command: "Command", waves: "bool | WavesChoice",
    lacking: list[str],
) -> "Results":
    """Run the machine; why something that was asked for is not there is added to `lacking`."""
    from rich.console import Console

    from khhw.report.live import LiveView

    def simulate(view: "LiveView | None") -> "Results":
        def tell(event: dict[str, Any]) -> None:
            if event["kind"] == "no_waves":
                lacking.append(event["why"])
            if view is not None:
                view(event)

        return machine.run(folder, seed=arguments.seed, build="debug" if arguments.debug else "fast",
                           waves=waves, on_report=tell, command=command)

    if arguments.json:
        return simulate(None)
    with LiveView(machine.file.nodes, Console(highlight=False), _kind(machine, arguments), machine.folder) as view:
        results = simulate(view)
    if results.state == "done":
        view.ended(results.cycles)
    return results


def _kind(machine: "Machine", arguments: argparse.Namespace) -> str:
    """Names runs that take about the same time: the machine but for its seed, and what simulates it how."""
    from khhw.build.cache import digest

    what = machine.file.model_dump(mode="json", exclude={"seed"})
    return f"run-{digest([what, machine.engine, arguments.debug, arguments.waves])}"


def _report(results: "Results", folder: Path, source: str, modules: Path, links: list[str]) -> None:
    from khhw.report.terminal import print_summary
    from khhw.report.write import write_report

    page = write_report(results, folder, source=source, modules=modules, links=links)
    print()
    print_summary(results, page, source=source, modules=modules)
