"""Make a machine a cloud: principals rent nodes, and reach them by consoles (khhw ctl, khhw console, ssh).

FILE is a machine file (docs/machine-file.md); of it the cloud takes shape, nodes and engine, and neither phases nor
domains: who may talk to whom follows from who has rented what. DIR keeps all that must last. init makes it, and writes
the token of the machine's owner to a file. serve starts the machine, as a process of its own, or finds the one that
runs, and serves until Ctrl-C; the machine runs on. check compares store and machine while nobody serves. audit moves
the audit log to a file that check can follow. off ends the machine. run plays a scenario on a machine and a cloud of
its own. docs/cloud.md explains all of it.
"""

import argparse
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from khhw.commands.cloud_run import add_run, run_scenario

if TYPE_CHECKING:
    from khhw.cloud.client import SimulatedMachine
    from khhw.cloud.core import Core
    from khhw.cloud.serve import Service
    from khhw.machine.machine import Machine
    from khhw.report.coming_up import ComingUp

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Commands of ``khhw cloud``."""
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, text: str) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=text, description=f"{text[:1].upper()}{text[1:]}.")
        one.add_argument("file", metavar="FILE", help="machine file")
        one.add_argument("--state", metavar="DIR", type=Path, required=True, help="folder with all that must last")
        one.add_argument("--engine", choices=("cocotb", "native"), default="native",
                         help="what simulates the machine (%(default)s)")
        one.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
        one.set_defaults(act=name)
        return one

    one = add("init", "make a state folder, and the token of the machine's owner")
    one.add_argument("--owner", metavar="NAME", default="owner", help="what to call him (%(default)s)")
    one.add_argument("--token-file", metavar="FILE", type=Path,
                     help="file to write the token to (NAME.token in this folder)")
    one = add("serve", "serve, until Ctrl-C")
    one.add_argument("--host", default="127.0.0.1", help="address to listen on; others than localhost need TLS, which "
                     "is switched on (%(default)s)")
    one.add_argument("--port", type=int, default=8480, help="for HTTP; 0 takes one that is free (%(default)s)")
    one.add_argument("--ssh-port", type=int, default=2222, help="for ssh; 0 takes one that is free (%(default)s)")
    one.add_argument("--no-ssh", action="store_true", help="nobody comes in by ssh")
    one.add_argument("--tls", action="store_true", help="HTTP over TLS on localhost, too")
    one.add_argument("--certificate", metavar="FILE", type=Path,
                     help="for TLS, in PEM (default: one that is made, DIR/tls.crt)")
    one.add_argument("--key", metavar="FILE", type=Path, help="of the certificate, in PEM")
    one = add("check", "compare store and machine, while nobody serves; changes nothing")
    one.add_argument("--archive", metavar="FILE", type=Path, action="append", default=[],
                     help="archive of the audit log that is to be looked at too; may be given again")
    one = add("audit", "move the audit log but its last entries to a file, while nobody serves")
    one.add_argument("--archive", metavar="FILE", type=Path, required=True, help="file to write; nothing may be there")
    one.add_argument("--keep", metavar="N", type=int, default=1000, help="how many entries stay (%(default)s)")
    add("off", "end the machine, while nobody serves; its nodes lose what is in them")
    add_run(commands)


def run(arguments: argparse.Namespace) -> int:
    """Carry out a command; 0 when done, 1 if the machine failed or `check` has found something."""
    from khhw.commands.extra import need_cloud

    need_cloud()
    from khhw.cloud.machine import MachineError
    from khhw.errors import BuildError

    act = {"init": _init, "serve": _serve, "check": _check, "audit": _audit, "off": _off, "run": run_scenario}[
        arguments.act]
    try:
        return act(arguments)
    except MachineError as error:
        raise BuildError(str(error)) from error


def _machine(
    arguments: argparse.Namespace, machine: "Machine | None" = None, view: "ComingUp | None" = None,
) -> "SimulatedMachine":
    from khhw.cloud.client import SimulatedMachine

    return SimulatedMachine(arguments.state, machine or _described(arguments), on_report=view)


def _described(arguments: argparse.Namespace) -> "Machine":
    from khhw.machine.machine import Machine

    return Machine.load(arguments.file, engine=arguments.engine)


def _print(arguments: argparse.Namespace, results: dict[str, Any], text: str) -> None:
    from khhw.commands.output import in_ascii, report

    if arguments.json:
        print(in_ascii(json.dumps(report(results, parameters={"file": arguments.file}))), flush=True)
    else:
        print(text, flush=True)


def _init(arguments: argparse.Namespace) -> int:
    from khhw.cloud.core import Core
    from khhw.cloud.credentials import new_token
    from khhw.cloud.tls import write_secret
    from khhw.errors import RequestError

    owner = _owner(arguments.owner)
    file = arguments.token_file or Path(f"{owner}.token")
    if file.exists():
        raise RequestError(f"{file} is there already; name another file with --token-file")
    machine = _machine(arguments)
    # It is on the disk before there is a cloud: nobody else could make another one.
    token = new_token()
    write_secret(file, f"{token}\n".encode())
    try:
        Core.init(arguments.state, machine.info, owner=owner, token=token)
    except BaseException:
        file.unlink()
        raise
    x, y, z = machine.info.shape
    _print(arguments, {"state": str(arguments.state), "owner": arguments.owner, "token_file": str(file),
                       "nodes": machine.info.nodes},
           f"{arguments.state}: a cloud of {machine.info.nodes} nodes ({x}x{y}x{z}) of {arguments.owner}, whose token "
           f"is in {file}, which only you can read\n"
           f"khhw cloud serve {arguments.file} --state {arguments.state}\nexport KHHW_TOKEN_FILE={file}")
    return 0


def _owner(name: str) -> str:
    """A name that the owner of the machine can have.

    Raises
    ------
    RequestError
        If it is none.
    """
    from pydantic import ValidationError

    from khhw.cloud.http.bodies import NewPrincipal
    from khhw.cloud.http.problems import sentence
    from khhw.errors import RequestError

    try:
        return NewPrincipal(name=name).name
    except ValidationError as error:
        raise RequestError(f"--owner: {sentence(error.errors())}") from None


def _serve(arguments: argparse.Namespace) -> int:
    from contextlib import nullcontext

    from rich.console import Console

    from khhw.cloud.core import Core
    from khhw.cloud.serve import Service
    from khhw.cloud.settings import Settings
    from khhw.report.coming_up import ComingUp

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # What httpx and asyncssh tell of each request would be addresses that clients have made up.
    settings = Settings(
        arguments.host, arguments.port, None if arguments.no_ssh else arguments.ssh_port,
        arguments.certificate, arguments.key, arguments.tls)
    described = _described(arguments)
    view = None if arguments.json else ComingUp(described.file.nodes, Console(highlight=False))
    machine = _machine(arguments, described, view)
    core = Core.open(arguments.state, machine.info)
    try:
        service = Service(arguments.state, core, machine, settings)
        with view or nullcontext():
            clock = machine.connect()
        if view is not None:
            print(f"the machine runs: boot {clock.boot}, process {machine.pid}", flush=True)
        service.run(lambda: _say_where(arguments, service))
    finally:
        core.close()
        machine.close()
    if not arguments.json:
        print(f"no longer served; the machine runs on: khhw cloud off {arguments.file} --state {arguments.state} "
              "ends it", flush=True)
    return 0


def _say_where(arguments: argparse.Namespace, service: "Service") -> None:
    lines = [f"HTTP: {service.url} (its description: {service.url}/openapi.json)"]
    if service.certificate is not None:
        lines.append(f"clients check it with {service.certificate}: khhw ctl --cafile, $KHHW_CAFILE")
    if service.ssh_port is not None:
        lines.append(f"ssh: port {service.ssh_port}")
    lines.append("Ctrl-C ends it")
    _print(arguments, {"url": service.url, "ssh_port": service.ssh_port,
                       "certificate": None if service.certificate is None else str(service.certificate)},
           "\n".join(lines))


def _alone(arguments: argparse.Namespace, machine: "SimulatedMachine", instead: str) -> "Core":
    """The store, while nobody serves; `instead` is what can be done while somebody does."""
    from khhw.cloud.core import Core
    from khhw.cloud.errors import StoreError

    try:
        return Core.open(arguments.state, machine.info)
    except StoreError as error:
        if "is served already" not in str(error):
            raise
        raise StoreError(f"{error}; {instead}") from None


def _check(arguments: argparse.Namespace) -> int:
    from khhw.cloud.ctl.show import checked

    machine = _machine(arguments)
    core = _alone(arguments, machine, "ask that service: khhw ctl check")
    try:
        running = machine.find() is not None
        found = core.check(machine if running else None, arguments.archive)
    finally:
        core.close()
        machine.close()
    results = found.model_dump(mode="json")
    unasked = ("the machine runs, and was not asked: a change is on its way, which khhw cloud serve ends" if running
               else "the machine does not run")
    _print(arguments, results, checked(results, unasked).rstrip("\n"))
    return 0 if found.clean else 1


def _audit(arguments: argparse.Namespace) -> int:
    machine = _machine(arguments)
    core = _alone(arguments, machine, "end that first")
    try:
        made = core.archive_audit(arguments.archive, keep=arguments.keep)
    finally:
        core.close()
    _print(arguments, made.model_dump(),
           f"entries {made.first:,} to {made.last:,} of the audit log are in {arguments.archive}, and no longer in the "
           f"store; keep the file: khhw cloud check {arguments.file} --state {arguments.state} "
           f"--archive {arguments.archive} follows the chain through it")
    return 0


def _off(arguments: argparse.Namespace) -> int:
    from khhw.cloud.machine import MachineError
    from khhw.cloud.words import nodes_in_words

    machine = _machine(arguments)
    # Only with the store in hand is it certain that nobody serves.
    core = _alone(arguments, machine, "end that first")
    read, why = list[int](), None
    try:
        running = machine.find() is not None
        if running:
            try:
                read = core.switch_off(machine)
            except MachineError as error:
                # Nobody could end a machine that is broken otherwise.
                why = str(error)
                machine.switch_off()
    finally:
        core.close()
        machine.close()
    said = "the machine is off" if running else "the machine did not run"
    if read:
        said += f"; what leases had used of {nodes_in_words(read)} is kept: khhw ctl readings LEASE"
    if why is not None:
        said += f"; what leases have used since it was switched on could not be read, and is lost: {why}"
    _print(arguments, {"was_running": running, "read": read, "why": why}, said)
    return 0 if why is None else 1
