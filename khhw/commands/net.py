"""Run Linux programs on the nodes of a machine, with Ethernet over its torus.

up gives every node of a machine file's networks a network of its own, whose frames cross the RTL, and runs the machine
until it is stopped: by Ctrl-C, or by down. exec runs a program on a node. change changes who may send to whom while
programs run, status says what has passed and what guards have refused (docs/network.md).
"""

import argparse
import json
from pathlib import Path
from typing import Any

from khhw.commands.serving_view import ServingView, rates, stopped

__all__ = ["add_arguments", "run"]

_DOWN_SECONDS = 30.0
_COLUMNS = (
    "sent", "received", "copies", "runt", "jumbo", "unknown", "foreign", "forged", "bad", "incomplete", "unread")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``khhw net``."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    up = actions.add_parser("up", help="run a machine with Linux on its nodes, until it is stopped")
    up.add_argument("file", help="machine file with networks")
    up.add_argument("--name", help="of the machine (default: the file's, without .toml)")
    up.add_argument("-o", dest="folder", metavar="DIR", type=Path, help="folder to write to (default: out/net)")
    up.add_argument("--seed", type=int, help="of everything random (default: the machine file's)")
    up.add_argument("--debug", action="store_true", help="simulator build with assertions, random initial values")
    up.add_argument("--engine", choices=("cocotb", "native"), default="native",
                    help="what simulates the machine; the same cycles on both (default: %(default)s)")
    up.add_argument("--json", action="store_true",
                    help="print one JSON object a line: the nodes when programs can run, what passed at the end")
    up.set_defaults(act=_up)
    one = actions.add_parser("exec", help="run a program on a node")
    _add_name(one)
    one.add_argument("rank", type=int, help="the node")
    one.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND", help="program and arguments")
    one.set_defaults(act=_exec)
    change = actions.add_parser("change", help="change who may send to whom")
    _add_name(change)
    change.add_argument("domains", nargs="?", help="domains of the machine file (default: who shares a network)")
    change.set_defaults(act=_change)
    status = actions.add_parser("status", help="what has passed, and what guards have refused")
    _add_name(status)
    status.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    status.set_defaults(act=_status)
    down = actions.add_parser("down", help="end a machine, and every program on its nodes")
    down.add_argument("name", nargs="?", help="of the machine (default: the only one)")
    down.set_defaults(act=_down)


def _add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", help="of the machine (default: the only one)")


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked for; 0 if it was done."""
    return int(arguments.act(arguments))


def _up(arguments: argparse.Namespace) -> int:
    from khhw.errors import RequestError
    from khhw.files import writable_folder
    from khhw.linux.directory import claimed
    from khhw.linux.namespaces import check_programs
    from khhw.linux.plan import Plan
    from khhw.linux.service import serve
    from khhw.machine.machine import Machine

    if arguments.seed is not None and not 0 <= arguments.seed < 1 << 32:
        raise RequestError(f"--seed must be from 0 to {(1 << 32) - 1}, not {arguments.seed}")
    machine = Machine.load(arguments.file, engine=arguments.engine)
    try:
        Plan(machine.file)
    except RequestError as error:
        raise RequestError(f"{arguments.file}: {error}") from None
    check_programs()
    name = arguments.name or Path(arguments.file).name.removesuffix(".toml")
    with claimed(name) as claim:
        folder = writable_folder(arguments.folder or Path("out") / "net")
        with _View(machine.file.model_dump(mode="json"), arguments.json, _figures) as view:
            view.name = name
            ended = serve(machine, name, arguments.file, claim, folder, seed=arguments.seed,
                          build="debug" if arguments.debug else "fast", on_report=view)
    failure = "" if stopped(ended) else f"{ended.state}: {ended.message}"
    view.end(ended, failure, "stopped")
    return 1 if failure else 0


def _exec(arguments: argparse.Namespace) -> int:
    from khhw.errors import RequestError
    from khhw.linux.directory import find
    from khhw.linux.enter import enter

    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if not command:
        raise RequestError("no program to run; name one behind the node, as in `khhw net exec 0 ping node1`")
    enter(find(arguments.name), arguments.rank, command)


def _change(arguments: argparse.Namespace) -> int:
    from khhw.linux.control import call
    from khhw.linux.directory import find

    call(Path(find(arguments.name).folder) / "control", {"change": arguments.domains})
    return 0


def _status(arguments: argparse.Namespace) -> int:
    from khhw.commands.output import in_ascii
    from khhw.linux.control import call
    from khhw.linux.directory import find

    said = call(Path(find(arguments.name).folder) / "control", {"status": True})
    if arguments.json:
        print(in_ascii(json.dumps(said)))
        return 0
    print("node " + " ".join(f"{name:>10}" for name in (*_COLUMNS, "refused")))
    for node in said["nodes"]:
        cells = [node[name] for name in _COLUMNS] + [sum(node["refused"].values())]
        print(f"{node['rank']:>4} " + " ".join(f"{cell:>10,}" for cell in cells))
    return 0


def _down(arguments: argparse.Namespace) -> int:
    import os
    import signal
    from contextlib import suppress

    from khhw.errors import BuildError
    from khhw.linux.directory import find

    machine = find(arguments.name)
    with suppress(ProcessLookupError):
        os.kill(machine.process, signal.SIGTERM)
    if not machine.ended(_DOWN_SECONDS):
        raise BuildError(f"process {machine.process}, which runs {machine.name}, has not ended after "
                         f"{_DOWN_SECONDS:g} s; `kill -9 {machine.process}` ends it and all it started")
    return 0


class _View(ServingView):
    """Says how to run programs on nodes.

    Attributes
    ----------
    name : str
        Of the machine.
    """

    name = ""

    def announcement(self, serving: dict[str, Any]) -> dict[str, Any]:
        """See :class:`ServingView`."""
        return {"name": self.name, "nodes": serving["nodes"]}

    def line(self, event: dict[str, Any]) -> str | None:
        """See :class:`ServingView`."""
        if event["kind"] == "serving":
            return (f"{self.name} is up: Linux on {len(event['nodes'])} nodes; `khhw net exec RANK COMMAND...` runs a "
                    "program on one, Ctrl-C ends it")
        return super().line(event)


def _figures(now: dict[str, Any], before: dict[str, Any]) -> str:
    """Totals, and what came since the last time in a second of the machine's work."""
    frames, speed = rates(now, before, "frames")
    return (f"{now['frames']:,} frames, {now['bytes']:,} bytes; {frames:,.0f} frames/s, "
            f"{speed:,.0f} simulated cycles/s of the wall's time")
