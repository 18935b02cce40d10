"""The process that starts a cloud's simulator and waits for its end: ``python -m khhw.cloud.simulator_process STATE``.

It is no child of a terminal, and nobody's child any more when the service that started it has ended.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from khhw.build.cache import digest
from khhw.cloud.machine import MachineInfo
from khhw.cloud.machine_folder import MachineFolder
from khhw.machine.file import MachineFile
from khhw.machine.machine import EngineName, Machine
from khhw.node import Layout
from khhw.sim.options import Options, State
from khhw.sim.process import Request, run

__all__ = ["HELD", "machine_info", "main", "write_launch"]

HELD = 75
"""Exit code if the machine runs already, or is just being started or ended; EX_TEMPFAIL of sysexits.h."""
_FOREVER = 1 << 62
"""Cycles: what tenants bring to a standstill is theirs, and no reason to end a machine."""
_PROGRESS_SECONDS = 3.0
"""A line of the log each time, for as long as the machine runs; and how long an idle one takes to see a signal."""


def machine_info(machine: Machine) -> MachineInfo:
    """What a cloud knows of a machine before it runs.

    Its digest is of what the hardware is and costs: shape, nodes, parts, clock and CPU model. What a machine file says
    of phases and domains is nothing to a cloud.
    """
    file = machine.file
    facts = file.model_dump(mode="json", include={"torus", "node", "parts", "host"})
    facts["host"].pop("max_cycles")
    return MachineInfo(
        shape=file.torus.shape, clock_hz=file.host.clock_hz, memory_bytes=file.node.memory_bytes,
        image_address=Layout(file.node.memory_bytes).image.base, receive_ids=file.node.receive_ids,
        digest=digest(facts))


def write_launch(folder: MachineFolder, machine: Machine, *, waits: bool) -> None:
    """Write down what :func:`main` shall simulate, and whether it stands still between calls."""
    values = {"machine": machine.file.model_dump(mode="json"), "folder": str(machine.folder.resolve()),
              "engine": machine.engine, "waits": waits}
    part = folder.launch.with_suffix(".part")
    part.write_text(json.dumps(values), encoding="utf-8")
    part.replace(folder.launch)


def _read_launch(folder: MachineFolder) -> tuple[Machine, bool]:
    values: dict[str, Any] = json.loads(folder.launch.read_text(encoding="utf-8"))
    engine: EngineName = values["engine"]
    return Machine(MachineFile.model_validate(values["machine"]), Path(values["folder"]), engine), values["waits"]


def main(state: Path) -> int:
    """Simulate the machine of a state folder until it is switched off or dies.

    Returns
    -------
    int
        Exit code: 0 if it was switched off, :data:`HELD`, or 1.
    """
    folder = MachineFolder(state)
    # It holds on to no folder of whoever started it.
    os.chdir(folder.state)
    if folder.hold("launch") is None:
        return HELD
    machine, waits = _read_launch(folder)
    file = machine.file
    info = machine_info(machine)
    request = Request(
        entry="khhw.cloud.simulator:program", nodes=file.nodes, memory_bytes=file.node.memory_bytes,
        arguments={"state": str(folder.state), "info": _plain(info), "waits": waits}, cpu=file.host.cpu,
        cpu_scale=str(file.host.cpu_scale), clock_hz=file.host.clock_hz,
        options=Options(stall_cycles=_FOREVER, progress_seconds=_PROGRESS_SECONDS))
    result = run(machine.build(), request, folder.path / "run", seed=file.seed)
    print(f"{result.state}: {result.message}", flush=True)
    return 0 if result.state in (State.FINISHED, State.INTERRUPTED) else 1


def _plain(info: MachineInfo) -> dict[str, Any]:
    return {**vars(info), "shape": list(info.shape)}


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
