"""What is ejected waits for nothing that waits for it: copies that cross on a line, and a message to oneself.

A packet from each end of a line leaves copies at the two nodes between, all in one ring. At one of these the ring
belongs to a message of that node's own while both copies come: were a copy, and the cable it goes on by, held up flit
by flit, each of the two packets could get the ring of one node and wait for that of the other, for good.
"""

import pytest

from khhw.bench.owned import OwnedMachine
from khhw.control.changes import Change
from khhw.control.domains import Domains
from khhw.control.epochs import EpochControl
from khhw.host.sync import gather
from khhw.node.descriptors import descriptor, header
from rtl.formats import DESCRIPTOR_BYTES, PAYLOAD_BYTES, FifoHeader, pack
from rtl.parameters import Parameters

pytestmark = pytest.mark.rare  # An engine of its own; testbenches of the router and of the deposit scheduler are usual.

SHAPE = (12, 1, 1)
TENANT = (FIRST, BETWEEN, _, LAST) = (4, 5, 6, 7)
OTHERS = (3, 8)
"""Their packets to each other pass the tenant's cables."""
NODE = Parameters(lanes=3, traffic=True, injection_rings=3, reception_rings=1, counters=2, table_nodes=16,
                  log_entries=4, receive_ids=1)
STREAM, OWN = 0, 2
"""Injection rings. Along x packets come on lanes 0 and 1; what a node sends itself from ring 2 comes on lane 2."""
RING_BYTES, TEXT, RECEPTION = 2048, 0x4000, 0x8000
FAR = range(0, 40, 2)
"""Cycles between the message and the packet from the far end, in turn: some of them lock three lanes that wait."""
NEAR = 5
"""Cycles between the message and the packet from the near end."""
ROUND = 200
"""Cycles in which the three packets have long arrived."""
PACKETS = 50
LIMIT = 20_000
"""Cycles a phase of a change may take."""


async def open_node(machine: OwnedMachine, rank: int, ring: int, target: int, *, deposit: int) -> None:
    """A node with an injection ring full of packets for one node, and a reception ring that nobody empties."""
    software = pack(FifoHeader, argument=PAYLOAD_BYTES)
    row = descriptor(header(machine.shape.coordinate(target), deposit=deposit), software, TEXT, PAYLOAD_BYTES)
    machine.host.memory.poke(rank, 0, row * (RING_BYTES // DESCRIPTOR_BYTES))
    for register, value, index in (
        ("INJECTION_LIMIT", NODE.memory_bytes, 0), ("INJECTION_SIZE", RING_BYTES, ring),
        ("RECEPTION_BASE", RECEPTION, 0), ("RECEPTION_SIZE", NODE.memory_bytes - RECEPTION, 0),
    ):
        await machine.write(rank, register, value, index)


async def cross(machine: OwnedMachine) -> tuple[int, Change]:
    """Let packets cross again and again; then the others talk, and the owner parts the tenant's nodes.

    Returns
    -------
    tuple of int and Change
        Bytes in the ring of the node between, and what the change took.
    """
    nodes = machine.shape.nodes
    await machine.change(Domains.from_groups({"tenant": TENANT, "others": OTHERS}, nodes))
    await open_node(machine, FIRST, STREAM, LAST, deposit=1)
    await open_node(machine, LAST, STREAM, FIRST, deposit=1)
    for rank in TENANT[1:-1]:
        await open_node(machine, rank, OWN, rank, deposit=0)

    async def send(rank: int, ring: int, wait: int, number: int) -> None:
        if wait:
            await machine.outside.sleep(wait)
        await machine.write(rank, "INJECTION_TAIL", number * DESCRIPTOR_BYTES, ring)

    for number, far in enumerate(FAR, 1):
        await gather(send(BETWEEN, OWN, 0, number), send(FIRST, STREAM, NEAR, number), send(LAST, STREAM, far, number))
        await machine.outside.sleep(ROUND)

    targets = dict([OTHERS, OTHERS[::-1]])
    await machine.send_traffic([targets.get(rank) for rank in range(nodes)], 1.0, [8], count=PACKETS)
    stored = await machine.read(BETWEEN, "RECEPTION_TAIL")
    await machine.arrived(OTHERS, len(OTHERS) * PACKETS)
    return stored, await machine.change(Domains.from_groups({"others": OTHERS}, nodes))


def test_copies_that_cross_lock_nothing() -> None:
    machine = OwnedMachine(SHAPE, NODE)
    machine.epochs = EpochControl(machine.owner, limit=LIMIT)
    stored, change = machine.run(lambda: cross(machine), max_cycles=60_000)
    assert stored == 3 * 256 * len(FAR), "two copies and a message in every round"
    assert change.phases == 2 and change.finished - change.started < LIMIT
