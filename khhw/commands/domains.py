"""Show communication domains: who reaches whom, directly and through relays, and what a change does.

FILE is a machine file (docs/machine-file.md); nothing is built or run. The command shows every named state of
isAllowed, or those that --domains names: the matrix, to which nodes each node may send, and which it reaches only if
nodes between forward, with a shortest chain. --change shows what a change from one state to another adds, revokes and
keeps, and its effect on chains. In large machines a line stands for nodes with equal permissions.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from khhw.control.reach import DomainChange, Reach
    from khhw.machine.file import MachineFile
    from khhw.report.domains.groups import Chain, Groups
    from khhw.report.picture import Picture

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``khhw domains``."""
    parser.add_argument("file", metavar="FILE", help="machine file")
    parser.add_argument("--domains", metavar="NAME", action="append", default=[],
                        help="only this state; may be given again (default: all, or none with --change)")
    parser.add_argument("--change", metavar=("A", "B"), nargs=2, help="what a change from A to B does")
    parser.add_argument("-o", dest="folder", metavar="DIR", type=Path, help="folder for a picture of each, with CSV")
    parser.add_argument("--png", metavar="FILE", type=Path, help="picture of the change, or of all states side by side")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(arguments: argparse.Namespace) -> int:
    """Show them; 0 when done."""
    from khhw.control.domains import Domains
    from khhw.control.reach import DomainChange, Reach
    from khhw.errors import RequestError
    from khhw.files import writable_file, writable_folder

    if arguments.png is not None and arguments.png.suffix != ".png":
        raise RequestError(f"--png takes the name of a .png file, not {arguments.png}")
    machine = _load(arguments)
    if arguments.folder is not None:
        writable_folder(arguments.folder)
    if arguments.png is not None:
        writable_file(arguments.png)
    shown = arguments.domains or ([] if arguments.change else list(machine.domains))
    states = {name: Reach(Domains(machine.matrix(name))) for name in shown}
    change = None
    if arguments.change:
        old, new = (Domains(machine.matrix(name)) for name in arguments.change)
        change = DomainChange(old, new)
    written = _draw(arguments, states, change)
    if arguments.json:
        _print_json(arguments, machine, states, change, written)
    else:
        _print(arguments, machine, states, change, written)
    return 0


def _load(arguments: argparse.Namespace) -> "MachineFile":
    """The machine file; all names that are asked for are in it."""
    from khhw.errors import RequestError
    from khhw.machine.reading import load

    machine = load(arguments.file)
    if not machine.domains:
        raise RequestError(f"{arguments.file}: domains: the machine has none; add a table [domains.NAME] with rules, "
                           "groups or a matrix (docs/machine-file.md)")
    for name in [*arguments.domains, *(arguments.change or ())]:
        if name not in machine.domains:
            raise RequestError(f"{arguments.file}: domains: no {name!r}; there are {', '.join(machine.domains)}")
    return machine


def _draw(
    arguments: argparse.Namespace, states: "dict[str, Reach]", change: "DomainChange | None",
) -> list[str]:
    """Write the pictures that are asked for; their paths."""
    import re
    from dataclasses import replace

    from khhw.report.domains import change_picture, state_picture, states_picture

    def save(picture: "Picture", folder: Path, name: str) -> str:
        return str(replace(picture, name=re.sub(r"[^\w.-]", "_", name)).save(folder))

    written = []
    names = tuple(arguments.change or ())
    if arguments.folder is not None:
        pictures = [state_picture(name, reach) for name, reach in states.items()]
        pictures += [change_picture(names, change)] if change is not None else []
        written += [save(picture, arguments.folder, picture.name) for picture in pictures]
    if arguments.png is not None:
        picture = states_picture(states) if change is None else change_picture(names, change)
        written.append(save(picture, arguments.png.parent, arguments.png.stem))
    return written


def _print(
    arguments: argparse.Namespace, machine: "MachineFile", states: "dict[str, Reach]", change: "DomainChange | None",
    written: list[str],
) -> None:
    from rich.console import Console

    from khhw.report.domains import print_change, print_relays, print_state
    from khhw.report.show import show
    from khhw.report.words import count

    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, emoji=False, width=118)
    show(console, f"{machine.name}: {count(machine.nodes, 'node')}, {'x'.join(map(str, machine.torus.shape))}; "
                  f"domains {', '.join(machine.domains)}")
    for name, reach in states.items():
        print_state(name, reach, console)
    print_relays(states.values(), console)
    if change is not None:
        print_change(tuple(arguments.change), change, console)
    if written:
        show(console)
    for path in written:
        show(console, f"picture  {path}")


def _print_json(
    arguments: argparse.Namespace, machine: "MachineFile", states: "dict[str, Reach]", change: "DomainChange | None",
    written: list[str],
) -> None:
    from khhw.commands.output import report

    results: dict[str, Any] = {
        "name": machine.name, "nodes": machine.nodes, "shape": list(machine.torus.shape),
        "states": [_state(name, reach) for name, reach in states.items()],
        "change": None if change is None else _change(arguments.change, change), "pictures": written}
    print(json.dumps(report(results, seed=machine.seed, parameters=machine.node.as_dict()), indent=1))


def _state(name: str, reach: "Reach") -> dict[str, Any]:
    from khhw.report.domains.groups import Groups

    groups = Groups(reach.domains)
    return {"name": name, "matrix": reach.domains.matrix.astype(int).tolist(), "hops": reach.hops.tolist(),
            "unreached": reach.unreached, "mute": reach.mute, "groups": groups.members,
            "relayed": _chains(groups, reach, reach.relayed)}


def _change(names: list[str], change: "DomainChange") -> dict[str, Any]:
    from khhw.report.domains.groups import Groups

    groups = Groups(change.old, change.new)
    return {
        "from": names[0], "to": names[1], "added": _pairs(change.added), "revoked": _pairs(change.revoked),
        "kept": _pairs(change.kept.matrix), "first_phase": change.kept.matrix.astype(int).tolist(),
        "groups": groups.members, "evaded": _chains(groups, change.after, change.evaded),
        "gained": _chains(groups, change.after, change.gained), "lost": _chains(groups, change.before, change.lost),
        "carried": [{"source": source, "destination": destination, "by": carrier}
                    for _, _, source, destination, carrier in groups.carriers(change)]}


def _pairs(mask: "npt.NDArray[np.bool_]") -> list[list[int]]:
    import numpy as np

    pairs: list[list[int]] = np.argwhere(mask).tolist()
    return pairs


def _chains(groups: "Groups", reach: "Reach", mask: "npt.NDArray[np.bool_]") -> "list[dict[str, Any]]":
    found: list[Chain] = [chain for line in groups.chains(reach, mask) for chain in line]
    return [{"source": chain.source, "destination": chain.destination, "via": list(chain.via)} for chain in found]
