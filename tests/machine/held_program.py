"""A program for two nodes: the owner holds a memcached server in mid-run and gives the node back."""

from collections.abc import Mapping
from typing import Any

from khhw.control.domains import Domains
from khhw.host.ports import Host
from khhw.host.scheduler import ROOT
from khhw.kernels.loader import run_loader
from khhw.machine.file import KernelEntry, MachineFile
from khhw.machine.program import DOWN, UP, MachineProgram
from khhw.sim.options import Outcome

SERVER, CLIENT = 0, 1


class Holding(MachineProgram):
    """Boots both kernels, holds the server while it works, releases it, boots it again, clears its memory."""

    cleared: dict[str, int]

    async def run(self) -> None:
        await self._outside.start()
        await self._owner.set_console(None, UP, [DOWN, UP])
        await self._owner.release(None)
        await self._console.wait([SERVER, CLIENT], "ready")
        await self._epochs.change(Domains.from_rules(["* -> *"], 2))
        await self._serve()
        await self._load("persistent.py", [CLIENT])
        entry = KernelEntry(nodes=[CLIENT], kernel="persistent.py", arguments="1")
        client = await self._boot(entry)
        await self._console.wait([CLIENT], "at work", since=client)

        await self._owner.hold(SERVER)
        await self._console.wait([CLIENT], "lost: ", since=client, refuse=())
        mark = len(self._console.transcript)
        await self._owner.release(SERVER)
        await self._console.wait([SERVER], "ready", since=mark)
        await self._ended(entry, client)

        await self._serve()
        client = await self._boot(entry)
        await self._console.wait([CLIENT], "at work", since=client)
        await self._owner.hold(SERVER)
        await self._ended(entry, client)
        await self._clear()

    async def _clear(self) -> None:
        """The next tenant of the server's node finds nothing of this one."""
        node = self.host.nodes[SERVER]
        before = node.peek(0, self.machine.node.memory_bytes)
        await self._owner.hold(SERVER, clear=True)
        await self._owner.release(SERVER)
        at_release = self._outside.now
        while (await self._owner.read(SERVER, "HOLD"))[0]:
            pass
        after = node.peek(0, self.machine.node.memory_bytes)
        self.cleared = {"before": sum(map(bool, before)), "after": sum(map(bool, after)),
                        "cycles": self._outside.now - at_release}

    def results(self, outcome: Outcome) -> dict[str, Any]:
        """Also how many bytes of the memory were not 0."""
        return super().results(outcome) | {"cleared": self.cleared}

    async def _serve(self) -> None:
        await self._load("memcached", [SERVER])
        mark = await self._boot(KernelEntry(nodes=[SERVER], kernel="memcached"))
        await self._console.wait([SERVER], "memcached: open", since=mark)


def program(host: Host, arguments: Mapping[str, Any]) -> Holding:
    """Entry of the simulator process."""
    images = {name: bytes.fromhex(image) for name, image in arguments["images"].items()}
    run = Holding(host, MachineFile.model_validate(arguments["machine"]), images, arguments["seed"])
    for port in host.nodes:
        port.boot(run_loader)
    host.scheduler.spawn(run.run(), rank=ROOT, name="owner")
    return run
