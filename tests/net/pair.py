"""Two or more reference nodes with open nets, and a torus that can lose, repeat and delay packets."""

import random

from khhw.control.domains import Domains
from khhw.control.epochs import EpochControl
from khhw.host.sync import scope
from khhw.net import Net
from khhw.node import Node
from tests.reference import Rig

PORT = 7


class Nets:
    """Programs on nodes of a reference machine.

    Parameters
    ----------
    rules : sequence of str
        Who may send to whom.
    sizes : tuple of int
        Of the torus.
    options
        Of the machine.
    """

    def __init__(self, *rules, sizes=(2, 1, 1), memory_bytes=1 << 20, **options):
        self.rig = Rig(sizes, memory_bytes=memory_bytes, **options)
        self.machine = self.rig.machine
        self.scheduler = self.machine.host.scheduler
        self.allow(*(rules or ["* -> *"]))
        for task in list(self.scheduler.tasks):
            if task.rank >= 0:
                task.cancel()

    def allow(self, *rules):
        """Change who may send to whom."""
        self.rig.run(self.allowing(*rules))

    async def allowing(self, *rules):
        await EpochControl(self.rig.owner).change(Domains.from_rules(list(rules), self.machine.shape.nodes))

    def spoil(self, seed=1, *, lose=0.0, repeat=0.0, delay=0, only=lambda _source, _packet: True):
        """Lose and repeat packets at random, and deliver them up to `delay` cycles late, out of order."""
        rng, deliver = random.Random(seed), self.machine.deliver

        def spoiled(source, destination, packet, **facts):
            copies = 1
            if only(source, packet):
                copies = 0 if rng.random() < lose else 2 if rng.random() < repeat else 1
            for _ in range(copies):
                if delay:
                    self.machine.at(rng.randrange(delay), lambda: deliver(source, destination, packet, **facts))
                else:
                    deliver(source, destination, packet, **facts)

        self.machine.deliver = spoiled

    def run(self, *programs, owner=None, cycles=20_000_000, **options):
        """Run program(net) on node 0, 1, ...; their results. `options` are those of Net.open."""
        async def live(rank, program):
            async with scope():
                node = await Node.open(self.machine.host.nodes[rank])
                net = await Net.open(node, **options)
                try:
                    return await program(net)
                finally:
                    await net.close()

        tasks = [self.scheduler.spawn(live(rank, program), rank=rank) for rank, program in enumerate(programs)]
        for task in tasks:
            task.watch(lambda _task: None)

        async def everybody():
            if owner is not None:
                await owner(self)
            return [await task for task in tasks]

        return self.rig.run(everybody(), cycles=cycles)


async def accept(net, port=PORT):
    """The first connection to a port."""
    return await (await net.listen(port)).accept()


async def connect(net, peer=1, port=PORT, **options):
    """A connection to a port that node has opened by then."""
    await net.node.sleep(1000)
    return await net.connect(peer, port, **options)
