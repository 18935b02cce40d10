"""What happens to a machine: boot, then phase after phase. Runs in the simulator process, as the owner's task.

The order of one run, top to bottom: console keys, release, loaders ready; for each phase the change of
domains, images by multicast, boot, until all kernels have ended; then what the phase measures.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from khhw.control.console import OUTSIDE, Answer, Console, Said
from khhw.control.domains import Domains
from khhw.control.epochs import EpochControl
from khhw.control.log import RefusalLog, clear_logs, read_logs
from khhw.control.outside import Outside
from khhw.control.owner import Owner
from khhw.host.cpu import MODELS, CpuModel
from khhw.host.ports import Host
from khhw.host.scheduler import ROOT
from khhw.kernels.image import Image
from khhw.machine.failures import KernelFailures
from khhw.machine.file import KernelEntry, MachineFile, Phase
from khhw.machine.lookup import find_measurement
from khhw.machine.measurements.measurement import Measurement, Observer
from khhw.machine.results import ConsoleLine, Load, RefusalRecord, RunRecord
from khhw.machine.stuck import stuck_packets
from khhw.node import Layout, Shape
from khhw.sim.options import Outcome
from khhw.sim.reports import report

__all__ = ["MachineProgram", "program"]

DOWN, UP = 1, 2
"""Console channels: what the nodes hear, and what they speak on."""


def program(
    host: Host, arguments: Mapping[str, Any], made_by: "type[MachineProgram] | None" = None,
) -> "MachineProgram":
    """The program of a machine; the entry of a simulator process.

    Parameters
    ----------
    host : Host
        Not yet running.
    arguments : mapping
        ``machine`` (a dumped :class:`~khhw.machine.file.MachineFile`), ``images`` (kernel name to image in hex),
        ``seed``, ``folder``, where measurements of one's own are looked for, and ``files`` (kernel name to a mapping of
        its modules to their files).
    made_by : type, optional
        A kind of :class:`MachineProgram`.
    """
    machine = MachineFile.model_validate(arguments["machine"])
    images = {name: bytes.fromhex(image) for name, image in arguments["images"].items()}
    run = (made_by or MachineProgram)(
        host, machine, images, arguments["seed"], Path(arguments["folder"]), arguments["files"])
    for port in host.nodes:
        port.boot(run.failures.load)
    host.scheduler.spawn(run.run(), rank=ROOT, name="owner")
    return run


class MachineProgram:
    """One run; a ``Program``."""

    def __init__(
        self, host: Host, machine: MachineFile, images: Mapping[str, bytes], seed: int, folder: Path = Path(),
        files: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.host = host
        self.machine = machine
        self.images = images
        self.seed = seed
        self.folder = folder
        self.shape = Shape(*machine.torus.shape)
        self.layout = Layout(machine.node.memory_bytes)
        self.record = RunRecord()
        self.failures = KernelFailures(images, files or {})
        self._outside = Outside(host.root)
        self._owner = Owner(self._outside, self.shape)
        self._epochs = EpochControl(self._owner)
        self._console = Console(self._outside, self.shape, DOWN, listen=UP, observer=self._said)

    async def run(self) -> None:
        """Boot, then all phases."""
        await self.boot()
        for index, phase in enumerate(self.machine.phases):
            report("phase", name=phase.name, index=index, phases=len(self.machine.phases),
                   cycle=self.host.scheduler.now)
            await self._phase(phase)

    async def boot(self) -> None:
        """Console keys, release, and every node at its prompt."""
        await self._outside.start()
        await self._owner.set_console(None, UP, [DOWN, UP])
        await self._owner.release(None)
        await self._console.wait(range(self.shape.nodes), Answer("ready"))

    async def _phase(self, phase: Phase) -> None:
        measurement = None if phase.measure is None else find_measurement(phase.measure, self.folder)
        self.host.use_cpu(self._cpu(phase))
        if phase.domains is not None:
            await self._epochs.change(Domains(self.machine.matrix(phase.domains)))
        await clear_logs(self._owner)
        if measurement is not None and measurement.prepare is not None:
            await measurement.prepare(phase, self.shape.nodes, self._load)
        for entry in phase.kernels:
            await self._load(entry.kernel, entry.ranks(self.shape.nodes))
        await self._run_kernels(phase)
        logs = await read_logs(self._owner)
        self._keep_refusals(phase, logs)
        if measurement is not None:
            await self._measure(measurement, phase, logs)

    async def _measure(self, measurement: Measurement[Any], phase: Phase, logs: Sequence[RefusalLog]) -> None:
        observer = Observer(self.host, self.shape, self.layout, phase, self.seed, self._allowed, logs)
        await measurement.take(observer, self.record)
        report("measured", phase=phase.name, what=phase.measure, record=self.record.model_dump(mode="json"))

    def _cpu(self, phase: Phase) -> CpuModel:
        host = self.machine.host
        return MODELS[phase.cpu or host.cpu].scaled(str(phase.cpu_scale or host.cpu_scale))

    @property
    def _allowed(self) -> npt.NDArray[np.bool_]:
        return (self._epochs.current or Domains.nothing(self.shape.nodes)).matrix

    async def _load(self, kernel: str, ranks: Sequence[int]) -> None:
        """One image to all its nodes at once."""
        image = self.images[kernel]
        before = self._console.packets
        taken = await self._console.load(image, self.layout.image.base, ranks)
        self.record.load.append(Load(
            kernel=Image.parse(image).name, nodes=list(ranks), image_bytes=len(image),
            packets=self._console.packets - before, cycles=taken.loaded, check_cycles=taken.checked))

    async def _run_kernels(self, phase: Phase) -> None:
        """Services first; when all other kernels have ended, services are told to stop."""
        services = [entry for entry in phase.kernels if entry.service]
        marks = {entry: await self._boot(entry) for entry in services}
        for entry in services:
            await self._console.opened(self._name(entry), entry.ranks(self.shape.nodes), since=marks[entry])
        others = [entry for entry in phase.kernels if not entry.service]
        marks |= {entry: await self._boot(entry) for entry in others}
        for entry in others:
            await self._ended(entry, marks[entry])
        for entry in services:
            await self._console.line("stop", entry.ranks(self.shape.nodes))
            await self._ended(entry, marks[entry])

    async def _boot(self, entry: KernelEntry) -> int:
        arguments = entry.arguments.replace("{seed}", str(self.seed))
        return await self._console.boot(self.layout.image.base, arguments, entry.ranks(self.shape.nodes))

    def _name(self, entry: KernelEntry) -> str:
        """What the image calls itself, and its loader it."""
        return Image.parse(self.images[entry.kernel]).name

    async def _ended(self, entry: KernelEntry, mark: int) -> None:
        await self._console.done(self._name(entry), entry.ranks(self.shape.nodes), since=mark)

    def _keep_refusals(self, phase: Phase, logs: Sequence[RefusalLog]) -> None:
        for log in logs:
            for entry in log.entries:
                self.record.refusals.append(RefusalRecord(
                    phase=phase.name, node=entry.node, source=self._rank(entry.source),
                    destination=self._rank(entry.destination), reason=entry.reason.name, cycle=entry.cycle))

    def _rank(self, node_id: int) -> int:
        """Rank of an id; -1 for one that names no node."""
        try:
            return self.shape.rank_of_id(node_id)
        except ValueError:
            return -1

    def _said(self, said: Said) -> None:
        line = ConsoleLine(cycle=said.cycle, node=None if said.rank == OUTSIDE else said.rank, text=said.text)
        self.record.console.append(line)
        report("console", **line.model_dump())

    def results(self, _outcome: Outcome) -> dict[str, Any]:
        """What was seen so far."""
        self._console.flush()
        return {"record": self.record.model_dump(mode="json"), "failures": self.failures.told()}

    def stuck(self, read: Callable[[str], int]) -> Sequence[str]:
        """Every packet that is still in the machine, and what it waits for."""
        return stuck_packets(self.shape, self.machine.node, read)
