"""Bringing a machine up with Linux on its nodes: namespaces, then its simulator process, until it is stopped."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from khhw.linux.directory import RunningMachine
from khhw.linux.namespaces import Namespaces
from khhw.linux.plan import Plan
from khhw.machine.machine import Build, Machine
from khhw.sim.options import Options
from khhw.sim.process import ProcessResult, Request, run

__all__ = ["serve"]

_PROGRESS_SECONDS = 0.5


def serve(
    machine: Machine, name: str, file: str, claim: Path, folder: Path, *, seed: int | None = None,
    build: Build = "fast", on_report: Callable[[dict[str, Any]], None],
) -> ProcessResult:
    """Run a machine until an interrupt (Ctrl-C, SIGTERM) or an error. Nothing is left then of its namespaces.

    Parameters
    ----------
    machine : Machine
        With networks.
    name, file : str
        Of the machine, and of its machine file, for others.
    claim : Path
        The folder of :func:`khhw.linux.directory.claimed`.
    folder : Path
        Where the simulator's log and results are written.
    seed : int, optional
        Instead of the machine file's.
    build : str
        ``fast``, or ``debug`` with assertions.
    on_report : callable
        Told what happens: what :data:`~khhw.machine.machine.OnReport` says, and ``serving`` when programs of nodes can
        reach each other, and the machine can be found by its name.

    Returns
    -------
    ProcessResult

    Raises
    ------
    RequestError
        If there can be no namespaces; says why and what helps.
    """
    plan = Plan(machine.file)
    simulator = machine.build(build=build, on_report=on_report)
    chosen = machine.file.seed if seed is None else seed
    with Namespaces(plan, claim) as namespaces:
        found = RunningMachine(
            name, str(claim), file, os.getpid(), namespaces.init,
            {str(rank): one for rank, one in namespaces.nodes.items()}, plan.as_dict())

        def tell(event: dict[str, Any]) -> None:
            if event["kind"] == "serving":
                found.announce()
            on_report(event)

        return run(simulator, _request(machine, chosen, claim), folder, seed=chosen, on_report=tell)


def _request(machine: Machine, seed: int, claim: Path) -> Request:
    file = machine.file
    return Request(
        entry="khhw.linux.program:program", nodes=file.nodes, memory_bytes=file.node.memory_bytes,
        arguments={"machine": file.model_dump(mode="json"), "seed": seed, "folder": str(claim)},
        cpu=file.host.cpu, cpu_scale=str(file.host.cpu_scale), clock_hz=file.host.clock_hz,
        options=Options(progress_seconds=_PROGRESS_SECONDS))
