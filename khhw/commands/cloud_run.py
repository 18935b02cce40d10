"""``khhw cloud run``: its options, and playing a scenario."""

import argparse
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from khhw.cloud.scenario.record import Happened

__all__ = ["add_run", "run_scenario"]


def add_run(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Options of ``khhw cloud run``."""
    text = "play a scenario: who rents, shares and hands back what in which cycle; the same each time"
    one = commands.add_parser("run", help=text, description=f"{text[:1].upper()}{text[1:]}.")
    one.add_argument("file", metavar="SCENARIO", help="scenario, for example examples/lease_scenario.toml")
    one.add_argument("-o", dest="folder", metavar="DIR", type=Path, help="folder to write to (default: out/NAME)")
    one.add_argument("--seed", type=int, help="of everything random (default: the scenario's)")
    one.add_argument("--engine", choices=("cocotb", "native"), default="native",
                     help="what simulates the machine; the same cycles on both (%(default)s)")
    one.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    one.set_defaults(act="run")


def run_scenario(arguments: argparse.Namespace) -> int:
    """Play it; 0 if all was as it should be.

    Parameters
    ----------
    arguments : argparse.Namespace
        As :func:`add_run` makes it.
    """
    from khhw.cloud.scenario.play import play
    from khhw.cloud.scenario.reading import load
    from khhw.commands.output import in_ascii, report
    from khhw.errors import RequestError
    from khhw.files import writable_folder
    from khhw.machine.machine import Machine
    from khhw.report.cloud.page import Played, write_page
    from khhw.report.cloud.terminal import print_event, print_summary
    from khhw.report.coming_up import ComingUp
    from khhw.report.terminal import summary_console
    from khhw.visible import shell_command

    if arguments.seed is not None and not 0 <= arguments.seed < 1 << 32:
        raise RequestError(f"--seed must be from 0 to {(1 << 32) - 1}, not {arguments.seed}")
    scenario, machine = load(arguments.file)
    seed = scenario.seed if arguments.seed is None else arguments.seed
    scenario, machine = scenario.model_copy(update={"seed": seed}), machine.model_copy(update={"seed": seed})
    source = Path(arguments.file)
    folder = writable_folder(arguments.folder or Path("out") / source.stem)
    console = summary_console()

    def happened(event: "Happened") -> None:
        if not arguments.json:
            print_event(console, event)

    with _state_in(folder) as state:
        record = play(
            scenario, Machine(machine, (source.parent / scenario.machine).parent, arguments.engine), source.parent,
            state / "state", on_report=None if arguments.json else ComingUp(machine.nodes, console),
            on_happened=happened)
    parameters = {"scenario": scenario.model_dump(mode="json"), "machine": machine.model_dump(mode="json"),
                  "engine": arguments.engine}
    results = json.dumps(report(record.model_dump(mode="json"), seed=seed, parameters=parameters, build="fast",
                                cpu_model=machine.host.cpu), indent=1)
    (folder / "scenario.json").write_text(f"{results}\n", encoding="utf-8")
    engine = [] if arguments.engine == "native" else ["--engine", arguments.engine]
    command = shell_command(["khhw", "cloud", "run", arguments.file, *engine, "-o", folder, "--seed", seed], "utf-8")
    played = Played(scenario=scenario, machine=machine, engine=arguments.engine, seed=seed, command=command,
                    record=record)
    page = write_page(played, folder)
    if arguments.json:
        print(in_ascii(results))
    else:
        print_summary(console, played, page)
    return 1 if record.shortcomings else 0


@contextmanager
def _state_in(folder: Path) -> Iterator[Path]:
    """A folder for the state of the cloud, until the scenario is over; one whose machine failed stays, with its log."""
    from khhw.cloud.machine import MachineError

    state, stays = Path(tempfile.mkdtemp(prefix=".state-", dir=folder)), False
    try:
        yield state
    except MachineError:
        stays = True
        raise
    finally:
        if not stays:
            shutil.rmtree(state, ignore_errors=True)
