"""Serving a machine: build it, start its simulator process, follow it until it is stopped."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from khhw.gateway.limits import Room, allow_files, files_needed
from khhw.gateway.sockets import Sockets
from khhw.gateway.wire import Wire
from khhw.kernels.image import build_image, module_files
from khhw.machine.checks import wrong_serve
from khhw.machine.file import MachineFile, Serve
from khhw.machine.lookup import find_kernel
from khhw.machine.machine import Build, Machine, OnReport
from khhw.sim.options import Options
from khhw.sim.process import ProcessResult, Request, run

__all__ = ["ServeError", "Service"]

_PROGRESS_SECONDS = 0.5


class ServeError(ValueError):
    """A machine cannot serve what it is asked to."""


@dataclass(frozen=True)
class Service:
    """A machine and what it offers on localhost.

    Parameters
    ----------
    machine : Machine
    offer : Serve
        Instead of what its file says.

    Raises
    ------
    ServeError
        If the machine has no such node, domains or kernel.
    """

    machine: Machine
    offer: Serve

    def __post_init__(self) -> None:
        if wrong := list(wrong_serve(self.offer, self.machine.file, self.machine.folder)):
            raise ServeError("\n".join(
                f"serve.{'.'.join(str(key) for key in key_path)}: {message}" for key_path, message in wrong))

    @classmethod
    def of(cls, machine: Machine, **changes: Any) -> "Service":
        """What a machine file offers, or the defaults where it does not say, with some keys changed."""
        return cls(machine, Serve.model_validate({**(machine.file.serve or Serve()).model_dump(), **changes}))

    def try_ports(self) -> None:
        """Listen on all ports for a moment, so that a taken one is known before anything is built.

        Raises
        ------
        PortError
            If one is taken.
        FilesError
            If the process may not have as many files open as there can be clients.
        """
        file = self.machine.file
        allow_files(files_needed(Room.of(self.offer, file).clients, file.nodes))
        sockets = Sockets()
        consoles = range(self.offer.console_port, self.offer.console_port + file.nodes + 1)
        try:
            for port in (self.offer.port, *(consoles if self.offer.console_port else ())):
                sockets.listen(port, _nobody, 1)
        finally:
            sockets.close()

    def run(
        self, folder: Path, *, seed: int | None = None, build: Build = "fast", on_report: OnReport | None = None,
    ) -> ProcessResult:
        """Serve until an interrupt (Ctrl-C, SIGTERM) or an error.

        Parameters
        ----------
        folder : Path
            Where the simulator's log and results are written.
        seed : int, optional
            Instead of the machine file's.
        build : str
            ``fast``, or ``debug`` with assertions.
        on_report : callable, optional
            Told what happens: what :data:`~khhw.machine.machine.OnReport` says, and the reports of
            :class:`~khhw.gateway.program.ServingProgram`.

        Returns
        -------
        ProcessResult
            The state of a service that was stopped is ``interrupted``; results say what has passed the gateway.
        """
        tell: Callable[[dict[str, Any]], None] = on_report or (lambda _: None)
        simulator = self.machine.build(build=build, on_report=tell)
        chosen = self.machine.file.seed if seed is None else seed
        return run(simulator, self._request(chosen), folder, seed=chosen, on_report=tell)

    def _request(self, seed: int) -> Request:
        file: MachineFile = self.machine.file.model_copy(update={"serve": self.offer})
        kernel = find_kernel(self.offer.kernel, self.machine.folder)
        image = build_image(kernel).hex()
        return Request(
            entry="khhw.gateway.program:program", nodes=file.nodes, memory_bytes=file.node.memory_bytes,
            arguments={"machine": file.model_dump(mode="json"), "images": {self.offer.kernel: image},
                       "seed": seed, "files": module_files({self.offer.kernel: kernel})},
            cpu=file.host.cpu, cpu_scale=str(file.host.cpu_scale), clock_hz=file.host.clock_hz,
            options=Options(progress_seconds=_PROGRESS_SECONDS))


def _nobody(_wire: Wire) -> None:
    """Nobody comes in by a door that is never opened."""
