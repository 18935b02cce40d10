"""A machine that serves: booted once, with sockets beside it, until it is stopped. Runs in the simulator process."""

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from khhw.control.console import OUTSIDE, Answer, ConsoleError, Said
from khhw.control.domains import Domains
from khhw.gateway.client import Client
from khhw.gateway.consoles import Consoles
from khhw.gateway.daemon import Daemon
from khhw.gateway.limits import Room, allow_files, files_needed
from khhw.gateway.sockets import Sockets
from khhw.gateway.wire import Wire
from khhw.host.inbox import Inbox
from khhw.host.ports import Host
from khhw.host.scheduler import ROOT
from khhw.kernels.image import Image
from khhw.machine.file import KernelEntry, MachineFile, Serve
from khhw.machine.program import MachineProgram
from khhw.sim.options import Outcome
from khhw.sim.reports import report

__all__ = ["ServingProgram", "program"]

_LINES = 4096
"""Lines of the consoles that are kept for what waits for an answer."""


def program(host: Host, arguments: Mapping[str, Any]) -> "ServingProgram":
    """The program of a machine that serves; the entry of a simulator process.

    Parameters
    ----------
    host : Host
        Not yet running; is given an inbox.
    arguments : mapping
        As :func:`khhw.machine.program.program` takes them; the machine has a ``serve``.

    Raises
    ------
    PortError
        If a TCP port is taken.
    FilesError
        If the process may not have as many files open as there can be clients.
    """
    machine = MachineFile.model_validate(arguments["machine"])
    images = {name: bytes.fromhex(image) for name, image in arguments["images"].items()}
    host.inbox = Inbox()
    run = ServingProgram(host, machine, images, arguments["seed"], files=arguments["files"])
    for port in host.nodes:
        port.boot(run.daemon.run if port.rank == run.serve.gateway else run.failures.load)
    host.scheduler.spawn(run.run(), rank=ROOT, name="owner")
    return run


class ServingProgram(MachineProgram):
    """One run that ends when it is stopped, or its server ends; a ``Program``.

    A server that failed is not started again: what it stored is gone, and its clients must not take an empty one for
    the one they knew. Results say why it ended, as ``failure``.

    Reports ``serving`` with all ports when clients can come, ``client`` for each that was lost, and with each
    ``progress`` what has passed the gateway.
    """

    def __init__(
        self, host: Host, machine: MachineFile, images: Mapping[str, bytes], seed: int, *,
        files: Mapping[str, Mapping[str, str]],
    ) -> None:
        super().__init__(host, machine, images, seed, files=files)
        assert machine.serve is not None and host.inbox is not None
        self.serve: Serve = machine.serve
        self._room = Room.of(self.serve, machine)
        self.daemon = Daemon(self.serve.gateway, self.serve.server, self.serve.stream_port, self._room.connections)
        self._console.keep = _LINES
        self._inbox = host.inbox
        allow_files(files_needed(self._room.clients, self.shape.nodes))
        self._sockets = Sockets()
        self._server = Image.parse(self.images[self.serve.kernel]).name
        self._door = self._sockets.listen(self.serve.port, self._enter, self._room.clients)
        self._consoles = Consoles(
            host, self._sockets, self.shape.nodes, self.serve.console_port, {self.serve.server: self._server})
        self._sockets.start()
        self._failure = self._message = ""
        host.figures = self._figures

    async def run(self) -> None:
        """Boot the machine and its server, then let clients in, until the server ends."""
        await self.boot()
        await self._epochs.change(self._domains())
        arguments = self.serve.arguments.replace("{epoch}", str(int(time.time())))
        arguments = arguments.replace("{clock_hz}", str(self.host.clock_hz))
        arguments = arguments.replace("{connections}", str(self._room.connections))
        server = KernelEntry(nodes=[self.serve.server], kernel=self.serve.kernel, arguments=arguments)
        await self._load(server.kernel, [self.serve.server])
        mark = await self._boot(server)
        await self._console.opened(self._server, [self.serve.server], since=mark)
        self._consoles.open(self._console)
        self._sockets.open(self._door)
        report("serving", kernel=self.serve.kernel, server=self.serve.server, gateway=self.serve.gateway,
               port=self._door.port, consoles=[*self._consoles.ports.values()])
        await self._until_ended(mark)

    async def _until_ended(self, mark: int) -> None:
        name, rank = self._server, self.serve.server
        try:
            await self._console.done(name, [rank], since=mark, refuse=[Answer(f"error: kernel {name} failed")])
            self._message = f"{name} on node {rank} has ended"
        except ConsoleError as error:
            self._failure = "\n".join([
                f"{name} on node {rank} has ended, and what it held is gone: {error}", *self.failures.told()])

    def _domains(self) -> Domains:
        if self.serve.domains is not None:
            return Domains(self.machine.matrix(self.serve.domains))
        return Domains.from_groups({"serve": [self.serve.server, self.serve.gateway]}, self.shape.nodes)

    def _enter(self, wire: Wire) -> None:
        """A TCP client is there; in the sockets' thread."""
        client = Client(wire, self._inbox, self.serve.gateway)
        self._inbox.post(self.serve.gateway, lambda: self.daemon.enter(client), client.name)

    def _said(self, said: Said) -> None:
        """What goes to the consoles' clients is kept in no results: a machine may serve for days."""
        self._consoles.said(said)
        report("console", cycle=said.cycle, node=None if said.rank == OUTSIDE else said.rank, text=said.text)

    def _figures(self) -> dict[str, Any]:
        return {**asdict(self.daemon.traffic), "skipped_cycles": self._inbox.skipped_cycles,
                "waited_seconds": round(self._inbox.waited_seconds, 3)}

    def results(self, _outcome: Outcome) -> dict[str, Any]:
        """What has passed, and how the server ended if it has; closes all sockets."""
        self._sockets.close()
        return {**self._figures(), "failure": self._failure, "ended": self._message}
