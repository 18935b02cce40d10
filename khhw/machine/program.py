"""What happens to a machine: boot, then phase after phase. Runs in the simulator process, as the owner's task.

The order of one run, top to bottom: console keys, release, loaders ready; for each phase the change of
domains, images by multicast, boot, until all kernels have ended; then what the phase measures.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from khhw.control.console import Console, Said
from khhw.control.domains import Domains
from khhw.control.epochs import EpochControl
from khhw.control.log import clear_logs, read_logs
from khhw.control.outside import Outside
from khhw.control.owner import Owner
from khhw.kernels.image import Image
from khhw.kernels.loader import run_loader
from khhw.machine.file import KernelEntry, MachineFile, Phase
from khhw.machine.measure import MEASURES, Observer
from khhw.machine.results import ConsoleLine, Load, RefusalRecord, RunRecord
from khhw.machine.stuck import stuck_packets
from khhw.node import Layout, Shape
from khhw.sim.host import Host
from khhw.sim.options import Outcome
from khhw.sim.reports import report
from khhw.sim.scheduler import ROOT

__all__ = ["MachineProgram", "program"]

DOWN, UP = 1, 2
"""Console channels: what the nodes hear, and what they speak on."""


def program(host: Host, arguments: Mapping[str, Any]) -> "MachineProgram":
    """The program of a machine; the entry of a simulator process.

    Parameters
    ----------
    host : Host
        Not yet running.
    arguments : mapping
        ``machine`` (a dumped :class:`~khhw.machine.file.MachineFile`), ``images`` (kernel name to image in hex)
        and ``seed``.
    """
    machine = MachineFile.model_validate(arguments["machine"])
    images = {name: bytes.fromhex(image) for name, image in arguments["images"].items()}
    run = MachineProgram(host, machine, images, arguments["seed"])
    for port in host.nodes:
        host.scheduler.spawn(run_loader(port), rank=port.rank, name=f"loader of node {port.rank}", daemon=True)
    host.scheduler.spawn(run.run(), rank=ROOT, name="owner")
    return run


class MachineProgram:
    """One run; a ``Program``."""

    def __init__(self, host: Host, machine: MachineFile, images: Mapping[str, bytes], seed: int) -> None:
        self.host = host
        self.machine = machine
        self.images = images
        self.seed = seed
        self.shape = Shape(*machine.torus.shape)
        self.layout = Layout(machine.node.memory_bytes)
        self.record = RunRecord()
        self._outside = Outside(host.root)
        self._owner = Owner(self._outside, self.shape)
        self._epochs = EpochControl(self._owner)
        self._console = Console(self._outside, self.shape, DOWN, listen=UP, observer=self._said)

    async def run(self) -> None:
        """Boot, then all phases."""
        await self._outside.start()
        await self._owner.set_console(None, UP, [DOWN, UP])
        await self._owner.release(None)
        await self._console.wait(range(self.shape.nodes), "ready")
        for index, phase in enumerate(self.machine.phases):
            report("phase", name=phase.name, index=index, phases=len(self.machine.phases))
            await self._phase(phase)

    async def _phase(self, phase: Phase) -> None:
        if phase.domains is not None:
            await self._epochs.change(Domains(self.machine.matrix(phase.domains)))
        await clear_logs(self._owner)
        observer = Observer(self.host, self.shape, self.layout, self._owner, self.seed, phase.name)
        await observer.begin()
        for entry in phase.kernels:
            await self._load(entry)
        booted = [(entry, await self._boot(entry)) for entry in phase.kernels]
        for entry, mark in booted:
            await self._ended(entry, mark)
        await self._read_refusals(phase)
        if phase.measure is not None:
            allowed = self._epochs.current.matrix if self._epochs.current else Domains.nothing(self.shape.nodes).matrix
            await MEASURES[phase.measure](observer, allowed, self.record)
            report("measured", phase=phase.name, what=phase.measure, record=self.record.model_dump(mode="json"))

    def _ranks(self, entry: KernelEntry) -> list[int]:
        return list(range(self.shape.nodes)) if entry.nodes == "all" else list(entry.nodes)

    async def _load(self, entry: KernelEntry) -> None:
        """One image to all its nodes at once."""
        ranks, image = self._ranks(entry), self.images[entry.kernel]
        before = self._console.packets
        taken = await self._console.load(image, self.layout.image.base, ranks)
        self.record.load.append(Load(
            kernel=Image.parse(image).name, nodes=ranks, image_bytes=len(image),
            packets=self._console.packets - before, cycles=taken.loaded))

    async def _boot(self, entry: KernelEntry) -> int:
        return await self._console.boot(self.layout.image.base, entry.arguments, self._ranks(entry))

    async def _ended(self, entry: KernelEntry, mark: int) -> None:
        await self._console.done(Image.parse(self.images[entry.kernel]).name, self._ranks(entry), since=mark)

    async def _read_refusals(self, phase: Phase) -> None:
        """Logs of all guards. An id that names no node stands as -1."""
        for log in await read_logs(self._owner):
            for entry in log.entries:
                self.record.refusals.append(RefusalRecord(
                    phase=phase.name, node=entry.node, source=self._rank(entry.source),
                    destination=self._rank(entry.destination), reason=entry.reason.name, cycle=entry.cycle))

    def _rank(self, node_id: int) -> int:
        try:
            return self.shape.rank_of_id(node_id)
        except ValueError:
            return -1

    def _said(self, said: Said) -> None:
        self.record.console.append(ConsoleLine(cycle=said.cycle, node=said.rank, text=said.text))
        report("console", cycle=said.cycle, node=said.rank, text=said.text)

    def results(self, _outcome: Outcome) -> dict[str, Any]:
        """What was seen so far."""
        return {"record": self.record.model_dump(mode="json")}

    def stuck(self, read: Callable[[str], int]) -> Sequence[str]:
        """Every packet that is still in the machine, and what it waits for."""
        return stuck_packets(self.shape, self.machine.node, read)
