"""The owner of the running machine: boots it, starts the load, changes the domains while the load runs.

Runs in the simulator process. Nothing here is special to this example but the order of things: all that is used of
``khhw.control`` works on any running machine.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from moving_client import HEADER, MAGIC, RECORD

from khhw.control.changes import Change
from khhw.control.console import Console
from khhw.control.domains import Domains
from khhw.control.epochs import EpochControl
from khhw.control.log import read_logs
from khhw.control.outside import Outside
from khhw.control.owner import Owner
from khhw.host.ports import Host
from khhw.host.scheduler import ROOT
from khhw.kernels.loader import run_loader
from khhw.machine.file import KernelEntry, MachineFile
from khhw.machine.stuck import stuck_packets
from khhw.node import Layout, Shape
from khhw.sim.options import Outcome

DOWN, UP = 1, 2
"""Console channels: what the nodes hear, and what they speak on."""
LEAD = 60_000
"""Cycles the clients have to connect and to store their values before the load begins."""


class MovingNode:
    """One run; a ``Program``.

    Parameters
    ----------
    host : Host
    machine : MachineFile
    images : mapping of str to bytes
        By kernel.
    seed : int
    cycles : int
        Of load. The first third is at home, the second away, the third at home again.
    """

    def __init__(self, host: Host, machine: MachineFile, images: Mapping[str, bytes], seed: int, cycles: int) -> None:
        self.host, self.machine, self.images = host, machine, images
        self.seed, self.cycles = seed, cycles
        self.shape = Shape(*machine.torus.shape)
        self.layout = Layout(host.memory_bytes)
        self.outside = Outside(host.root)
        self.owner = Owner(self.outside, self.shape)
        self.epochs = EpochControl(self.owner)
        self.console = Console(self.outside, self.shape, DOWN, listen=UP)
        self.found: dict[str, Any] = {}

    async def run(self) -> None:
        """Boot, load, move, move back."""
        await self.outside.start()
        await self.owner.set_console(None, UP, [DOWN, UP])
        await self.owner.release()
        await self.console.wait(range(self.shape.nodes), "ready")
        await self.change("home")
        servers, *load = self.machine.phases[0].kernels
        await self.boot([servers], "", "memcached: open")
        start = self.outside.now + LEAD
        clients = sorted(rank for entry in load for rank in entry.ranks(self.shape.nodes))
        mark = await self.boot(load, f" start={start} end={start + self.cycles}")
        changes = []
        for number, name in enumerate(("away", "home"), start=1):
            await self.outside.sleep(start + number * self.cycles // 3 - self.outside.now)
            changes.append({"to": name, **asdict(await self.change(name))})
        await self.console.done("moving_client", clients, since=mark)
        self.found = {"start": start, "changes": changes, "refused": await self.refused(),
                      "clients": {rank: self.records(rank) for rank in clients}}

    async def change(self, name: str) -> Change:
        """Change the domains of the running machine to those the machine file has under `name`."""
        return await self.epochs.change(Domains(self.machine.matrix(name)))

    async def boot(self, entries: Sequence[KernelEntry], arguments: str, wait_for: str = "") -> int:
        """Load a kernel into all its nodes at once and start it; where in the transcript its output begins."""
        ranks = [rank for entry in entries for rank in entry.ranks(self.shape.nodes)]
        await self.console.load(self.images[entries[0].kernel], self.layout.image.base, ranks)
        marks = []
        for entry in entries:
            text = entry.arguments.replace("{seed}", str(self.seed)) + arguments
            marks.append(await self.console.boot(self.layout.image.base, text, entry.ranks(self.shape.nodes)))
        if wait_for:
            await self.console.wait(ranks, wait_for, since=marks[0])
        return marks[0]

    async def refused(self) -> dict[str, int]:
        """Packets the guards have refused, by reason."""
        logs = await read_logs(self.owner)
        counts = {reason.name: sum(log.counts[reason] for log in logs) for reason in logs[0].counts}
        return {name: number for name, number in counts.items() if number}

    def records(self, rank: int) -> list[list[int]]:
        """What a client has noted, out of its memory: cycle, cycles it took, server, outcome."""
        base = self.layout.heap.base
        magic, count = HEADER.unpack(self.host.memory.peek(rank, base, HEADER.size))
        if magic != MAGIC:
            raise ValueError(f"node {rank} has kept no records")
        data = self.host.memory.peek(rank, base + HEADER.size, count * RECORD.size)
        return [list(record) for record in RECORD.iter_unpack(data)]

    def results(self, _outcome: Outcome) -> dict[str, Any]:
        """What was seen; nothing if the run did not come to its end."""
        return self.found

    def stuck(self, read: Callable[[str], int]) -> Sequence[str]:
        """Every packet that is still in the machine, and what it waits for."""
        return stuck_packets(self.shape, self.machine.node, read)


def program(host: Host, arguments: Mapping[str, Any]) -> MovingNode:
    """Entry of the simulator process."""
    machine = MachineFile.model_validate(arguments["machine"])
    images = {name: bytes.fromhex(image) for name, image in arguments["images"].items()}
    run = MovingNode(host, machine, images, arguments["seed"], arguments["cycles"])
    for port in host.nodes:
        port.boot(run_loader)
    host.scheduler.spawn(run.run(), rank=ROOT, name="owner")
    return run
