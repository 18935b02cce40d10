"""Serve a machine on localhost, for memcached clients and for telnet.

FILE is a machine file; its section [serve] says which node boots memcached, which one is the gateway, and on
which TCP ports (docs/gateway.md). Ports are printed, one a line, when clients can connect. Ctrl-C ends it.
"""

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from khhw.commands.serving_view import ServingView, rates, stopped
from khhw.visible import visible

if TYPE_CHECKING:
    from khhw.sim.process import ProcessResult

__all__ = ["add_arguments", "run"]

_QUIET_SECONDS = 10.0
"""Between two lines of figures where there is no terminal."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``khhw serve``."""
    parser.add_argument("file", help="machine file")
    parser.add_argument("-o", dest="folder", metavar="DIR", type=Path, help="folder to write to (default: out/serve)")
    parser.add_argument("--port", type=int, help="TCP port for clients, 0 for any (default: the machine file's)")
    parser.add_argument("--console-port", type=int, metavar="PORT",
                        help="TCP port of node 0's console, 0 for any (default: the machine file's)")
    parser.add_argument("--seed", type=int, help="of everything random (default: the machine file's)")
    parser.add_argument("--debug", action="store_true", help="simulator build with assertions, random initial values")
    parser.add_argument("--engine", choices=("cocotb", "native"), default="cocotb",
                        help="what simulates the machine; the same cycles on both (default: %(default)s)")
    parser.add_argument("--json", action="store_true",
                        help="print one JSON object a line: the ports when clients can connect, what passed at the end")


def run(arguments: argparse.Namespace) -> int:
    """Serve until stopped; 0 if it was, 1 if the machine or its server failed."""
    from khhw.errors import RequestError
    from khhw.files import writable_folder
    from khhw.gateway.limits import FilesError
    from khhw.gateway.serve import ServeError, Service
    from khhw.gateway.sockets import PortError
    from khhw.machine.machine import Machine

    asked = {"port": arguments.port, "console_port": arguments.console_port}
    changes = {name: value for name, value in asked.items() if value is not None}
    for name, value in changes.items():
        if not 0 <= value <= 65535:
            raise RequestError(f"--{name.replace('_', '-')} must be from 0 to 65535, not {value}")
    if arguments.seed is not None and not 0 <= arguments.seed < 1 << 32:
        raise RequestError(f"--seed must be from 0 to {(1 << 32) - 1}, not {arguments.seed}")
    machine = Machine.load(arguments.file, engine=arguments.engine)
    folder = writable_folder(arguments.folder or Path("out") / "serve")
    try:
        service = Service.of(machine, **changes)
        service.try_ports()
    except ServeError as error:
        said = str(error)
        for name in changes:
            # The file does not say it.
            said = said.replace(f"serve.{name}:", f"--{name.replace('_', '-')}:")
        raise RequestError(said) from error
    except (FilesError, PortError) as error:
        raise RequestError(str(error)) from error
    with _View(machine.file.model_dump(mode="json"), arguments.json, _figures) as view:
        ended = service.run(
            folder, seed=arguments.seed, build="debug" if arguments.debug else "fast", on_report=view)
    failure = _failure(ended)
    view.end(ended, failure, ended.results.get("ended") or "stopped")
    return 1 if failure else 0


def _failure(ended: "ProcessResult") -> str:
    """Why it ended, if nobody told it to."""
    if stopped(ended):
        return ""
    if ended.state == "finished":
        return str(ended.results["failure"])
    return f"{ended.state}: {ended.message}"


class _View(ServingView):
    """Where there is no terminal, figures are printed now and then, if clients have done something."""

    _shown: tuple[Any, ...] = ()
    _shown_at = 0.0

    def line(self, event: dict[str, Any]) -> str | None:
        """See :class:`ServingView`."""
        match event["kind"]:
            case "serving":
                return _ports(event)
            case "client":
                return f"client {event['name']}: {visible(event['problem'])}"
        return super().line(event)

    def progress(self, event: dict[str, Any]) -> None:
        """See :class:`ServingView`."""
        super().progress(event)
        news = (event["operations"], event["taken"], event["clients"])
        if self._status is None and news != self._shown and time.monotonic() - self._shown_at >= _QUIET_SECONDS:
            self.show(_figures(event, self._before))
            self._shown, self._shown_at, self._before = news, time.monotonic(), event


def _ports(serving: dict[str, Any]) -> str:
    from khhw.gateway.sockets import LOCALHOST

    *nodes, everybody = serving["consoles"]
    lines = [f"{serving['kernel']} on node {serving['server']}: {LOCALHOST}:{serving['port']}"]
    lines += [f"console of node {rank}: {LOCALHOST}:{port}" for rank, port in enumerate(nodes)]
    return "\n".join([*lines, f"consoles of all nodes: {LOCALHOST}:{everybody}", "Ctrl-C ends it"])


def _figures(now: dict[str, Any], before: dict[str, Any]) -> str:
    """Totals, and what of them came since the last time, in a second of the machine's work."""
    operations, speed = rates(now, before, "operations")
    return (f"{now['clients']} clients of {now['taken']} so far, {now['failed']} lost; "
            f"{now['operations']:,} operations, {operations:,.0f}/s; "
            f"{now['received']:,} bytes in, {now['sent']:,} out; {speed:,.0f} simulated cycles/s")
