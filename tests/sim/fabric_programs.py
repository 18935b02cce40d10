"""A program for a real fabric: the owner opens it, the nodes talk at random."""

import random

from programs import Program

from khhw.control.domains import Domains
from khhw.control.epochs import EpochControl
from khhw.control.outside import Outside
from khhw.control.owner import Owner
from khhw.node import BusError, Node, Shape

OPENED = 60_000
"""By this cycle the owner is ready."""


async def open_all(program, host, shape):
    """Release all nodes and let everybody send to everybody."""
    outside = Outside(host.root)
    await outside.start()
    owner = Owner(outside, shape)
    await owner.release()
    everybody = list(range(shape.nodes))
    await EpochControl(owner).change(Domains.from_groups({"all": everybody}, shape.nodes))
    program.note(host.root, "open")


async def talk(program, transport, shape, seed, messages):
    """Messages of random length to random nodes at random times; takes what the others send."""
    rng = random.Random(f"{seed} {transport.rank}")
    while True:
        try:
            node = await Node.open(transport)
            break
        except BusError:
            await transport.sleep(50)
    await transport.sleep(OPENED - transport.now)
    for _ in range(messages):
        length = rng.randint(1, 600)
        await node.send(rng.randrange(shape.nodes), rng.randbytes(length))
        await transport.sleep(rng.choice([0, 0, 7, 300, 5000]))
    while packets := await node.reception.receive(timeout=20_000):
        for packet in packets:
            program.note(transport, transport.rank, packet.source, packet.payload.hex())


def chatter(host, arguments):
    """Everybody talks; results are what arrived where and when."""
    program = Program(host)
    shape = Shape(*arguments["shape"])
    host.scheduler.spawn(open_all(program, host, shape), name="owner")
    for port in host.nodes:
        task = talk(program, port, shape, arguments["seed"], arguments["messages"])
        host.scheduler.spawn(task, rank=port.rank, name=f"talker {port.rank}")
    return program
