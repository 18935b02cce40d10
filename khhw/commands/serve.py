"""Serve a machine on localhost, for memcached clients and for telnet.

FILE is a machine file; its section [serve] says which node boots memcached, which one is the gateway, and on
which TCP ports (docs/gateway.md). Ports are printed, one a line, when clients can connect. Ctrl-C ends it.
"""

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from khhw.visible import visible

if TYPE_CHECKING:
    from khhw.gateway.serve import Service
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
    view = _View(service, arguments.json)
    with view:
        ended = service.run(
            folder, seed=arguments.seed, build="debug" if arguments.debug else "fast", on_report=view)
    view.end(ended)
    return 1 if _failure(ended) else 0


def _failure(ended: "ProcessResult") -> str:
    """Why it ended, if nobody told it to; before the machine ran there is no outcome that says so."""
    if ended.state == "interrupted" or ended.message == "interrupted":
        return ""
    if ended.state == "finished":
        return str(ended.results["failure"])
    return f"{ended.state}: {ended.message}"


class _View:
    """What happens, in lines; on a terminal the figures stay on the last one."""

    def __init__(self, service: "Service", as_json: bool) -> None:
        from rich.console import Console
        from rich.status import Status

        from khhw.report.show import show

        self._show = show
        self._service = service
        self._json = as_json
        self._console = Console(highlight=False)
        terminal = self._console.is_terminal and not as_json
        self._status = Status("", console=self._console, refresh_per_second=2) if terminal else None
        self._before: dict[str, Any] = {}
        self._shown: tuple[Any, ...] = ()
        self._shown_at = 0.0

    def __enter__(self) -> "_View":
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._status is not None:
            self._status.stop()

    def __call__(self, event: dict[str, Any]) -> None:
        """An event of :class:`~khhw.gateway.serve.Service`."""
        kind = event["kind"]
        if kind == "debugger":
            self._debugged(event["stopped"])
        elif self._json:
            if kind == "serving":
                self._object({key: value for key, value in event.items() if key != "kind"})
        elif kind == "progress":
            self._progress(event)
        elif (line := self._line(event)) is not None:
            self._show(self._console, line)

    def _line(self, event: dict[str, Any]) -> str | None:
        match event["kind"]:
            case "building":
                from khhw.build.progress import Begun
                from khhw.report.progress import build_in_words

                return build_in_words(Begun(Path(event["folder"]), event["build"], event["size"]))
            case "built":
                return "booting"
            case "serving":
                return _ports(event)
            case "client":
                return f"client {event['name']}: {visible(event['problem'])}"
            case "console" if event["node"] is not None and "error:" in event["text"]:
                return f"[{event['node']}] {visible(event['text'])}"
        return None

    def _debugged(self, stopped: bool) -> None:
        """The terminal is the debugger's while somebody types."""
        if self._status is not None:
            if stopped:
                self._status.stop()
            else:
                self._status.start()

    def _progress(self, event: dict[str, Any]) -> None:
        text = _figures(event, self._before)
        if self._status is not None:
            self._status.update(text)
            self._before = event
            return
        news = (event["operations"], event["taken"], event["clients"])
        if news != self._shown and time.monotonic() - self._shown_at >= _QUIET_SECONDS:
            self._show(self._console, text)
            self._shown, self._shown_at, self._before = news, time.monotonic(), event

    def end(self, ended: "ProcessResult") -> None:
        """Say how it ended and what has passed."""
        failure = _failure(ended)
        cycles = ended.outcome.get("cycles", 0)
        passed = {**ended.results, "cycles": cycles, "wall_seconds": round(ended.outcome.get("wall_seconds", 0.0), 3)}
        if self._json:
            self._object({"state": "failed" if failure else ended.state, "message": failure or ended.message, **passed})
            return
        if ended.results:
            self._show(self._console, _figures(passed, {}))
        if failure:
            self._show(self._console, "\n".join([failure, *ended.outcome.get("stuck", []), f"its log is {ended.log}"]))
        else:
            self._show(self._console, f"{ended.results.get('ended') or 'stopped'}; its log is {ended.log}")

    def _object(self, results: dict[str, Any]) -> None:
        from khhw.commands.output import in_ascii, report

        parameters = self._service.machine.file.model_dump(mode="json")
        print(in_ascii(json.dumps(report(results, parameters=parameters))), flush=True)


def _ports(serving: dict[str, Any]) -> str:
    from khhw.gateway.sockets import LOCALHOST

    *nodes, everybody = serving["consoles"]
    lines = [f"{serving['kernel']} on node {serving['server']}: {LOCALHOST}:{serving['port']}"]
    lines += [f"console of node {rank}: {LOCALHOST}:{port}" for rank, port in enumerate(nodes)]
    return "\n".join([*lines, f"consoles of all nodes: {LOCALHOST}:{everybody}", "Ctrl-C ends it"])


def _figures(now: dict[str, Any], before: dict[str, Any]) -> str:
    """Totals, and what of them came since the last time, in a second of the machine's work."""

    def since(key: str) -> float:
        return float(now[key] - before.get(key, 0))

    working = max(1e-3, since("wall_seconds") - since("waited_seconds"))
    speed = (since("cycles") - since("skipped_cycles")) / working
    return (f"{now['clients']} clients of {now['taken']} so far, {now['failed']} lost; "
            f"{now['operations']:,} operations, {since('operations') / working:,.0f}/s; "
            f"{now['received']:,} bytes in, {now['sent']:,} out; {speed:,.0f} simulated cycles/s")
