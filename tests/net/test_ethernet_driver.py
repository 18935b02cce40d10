"""The Ethernet driver on the RTL of four nodes: frames arrive where guards let them, and as they were sent."""

import random

import pytest

from khhw.bench.owned import OwnedMachine
from khhw.control.domains import Domains
from khhw.net.ethernet import BROADCAST, EthernetDriver, EthernetNetwork, mac_of
from khhw.net.ethernet.driver import RING
from khhw.net.ethernet.limits import LINK_HEADER
from khhw.node import Node, message_descriptor
from rtl.formats import DESCRIPTOR_BYTES, Descriptor, FifoHeader, Protocol, Reason, TorusLinkHeader, pack, unpack
from rtl.parameters import Parameters

BLUE = EthernetNetwork(3, frozenset({0, 1, 2}), 1500)
GREEN = EthernetNetwork(4, frozenset({2, 3}), 1500)
GROUPS = {"blue": [0, 1, 2], "green": [2, 3]}
SETTLE = 20_000


def function_of(descriptor):
    return unpack(FifoHeader, unpack(Descriptor, int.from_bytes(descriptor, "big"))["software"])["function"]


class Machine:
    """Four nodes; node 2 is in two networks, which to the guards are one domain each pair."""

    def __init__(self):
        self.owned = OwnedMachine((2, 2, 1), Parameters())
        self.received = {rank: [] for rank in range(4)}
        self.drivers = {}
        self.nodes = {}

    def run(self, program):
        """Run program(self) as the owner, with drivers on all nodes."""
        async def main():
            await self.owned.change(Domains.from_groups(GROUPS, 4))
            for rank in range(4):
                self.owned.host.nodes[rank].boot(self.live)
            while len(self.drivers) < 4:
                await self.owned.outside.sleep(100)
            return await program(self)

        return self.owned.run(main, max_cycles=5_000_000)

    async def live(self, port):
        node = self.nodes[port.rank] = await Node.open(port)
        networks = [one for one in (BLUE, GREEN) if port.rank in one.members]
        driver = await EthernetDriver.open(node, networks, adaptive=True)
        self.drivers[port.rank] = driver
        await driver.receive(lambda network, frame: self.received[port.rank].append((network, frame)))

    async def send(self, rank, *frames):
        """Have frames sent by a node, and wait until the torus is empty."""
        task = self.owned.host.scheduler.spawn(self.drivers[rank].send(frames), rank=rank, name="sender")
        await task
        await self.owned.outside.sleep(SETTLE)

    async def refused(self, reason):
        return await self.owned.owner.read_all("REFUSED", reason)

    def counts(self, rank):
        return self.drivers[rank].counts


@pytest.fixture(scope="module")
def found():
    """What one run of all has shown."""
    machine, found = Machine(), {}

    async def program(machine):
        shape = machine.owned.shape
        mac = [mac_of(shape.coordinate(rank)) for rank in range(4)]
        rng = random.Random(3)

        def frame(to, source, length):
            return (to + mac[source] + b"\x88\xb5" + rng.randbytes(length - 14))

        found["unicast"] = [(3, frame(mac[1], 0, length)) for length in (14, 60, 228, 229, 700, 1514, 1518)]
        await machine.send(0, *found["unicast"])
        found["got"] = list(machine.received[1])
        ring = machine.nodes[0].layout.heap.base
        found["numbers"] = [function_of(machine.nodes[0].memory.read(ring + at * DESCRIPTOR_BYTES, DESCRIPTOR_BYTES))
                            for at in range(len(found["unicast"]))]
        found["group"] = (3, frame(BROADCAST, 0, 300))
        await machine.send(0, found["group"])
        found["everybody"] = {rank: got[-1:] for rank, got in machine.received.items()}

        before = await machine.refused(Reason.ROW)
        await machine.send(0, (3, frame(mac[3], 0, 1000)))
        found["to a stranger"] = [b - a for a, b in zip(before, await machine.refused(Reason.ROW), strict=True)]
        found["stranger got"] = list(machine.received[3])

        await machine.send(1, (3, frame(mac[2], 0, 100)))
        found["forged"] = machine.counts(2).forged, len(machine.received[2])
        wrong = [frame(mac[1], 0, 14)[:13], frame(mac[1], 0, 1519), frame(b"\x02" * 6, 0, 99)]
        await machine.send(0, *((3, one) for one in wrong))
        found["own"] = machine.counts(0)
        found["lies"] = await machine_lies(machine, frame, mac)

    async def machine_lies(machine, frame, mac):
        """Node 0 runs software of its own: another network's number, and another node's coordinate."""
        data = frame(mac[2], 3, 64)
        head = pack(TorusLinkHeader, dst_key=4, length=LINK_HEADER + 64, protocol=Protocol.ETHERNET) >> 32
        message = head.to_bytes(LINK_HEADER, "big") + data
        node = machine.nodes[0]
        node.memory[node.layout.staging.base] = message
        before = {rank: len(got) for rank, got in machine.received.items()}

        async def lie():
            for rank in (2, 3):
                await node.sender.post(message_descriptor(
                    machine.owned.shape.coordinate(rank), node.layout.staging.base, len(message), ring=RING))

        refused = sum(await machine.refused(Reason.ROW))
        await machine.owned.host.scheduler.spawn(lie(), rank=0, name="liar")
        await machine.owned.outside.sleep(SETTLE)
        return {"refused": sum(await machine.refused(Reason.ROW)) - refused, "foreign": machine.counts(2).foreign,
                "got": [len(got) - before[rank] for rank, got in machine.received.items()]}

    machine.run(program)
    return found


def test_frames_of_every_length_arrive_as_they_were_sent(found):
    assert sorted(found["got"]) == sorted(found["unicast"])


def test_frames_are_numbered(found):
    assert found["numbers"] == [1, 2, 3, 4, 5, 6, 7]


def test_a_broadcast_reaches_the_network_as_counted_copies(found):
    assert found["everybody"] == {0: [], 1: [found["group"]], 2: [found["group"]], 3: []}
    assert found["own"].copies == 2


def test_guards_refuse_frames_for_nodes_without_a_common_network(found):
    """Five packets of one frame, at the sender."""
    assert found["to a stranger"] == [5, 0, 0, 0]
    assert found["stranger got"] == []


def test_frames_that_do_not_name_their_sender_are_dropped(found):
    assert found["forged"] == (1, 1), "one is counted, and the broadcast is all that was received"


def test_what_cannot_be_sent_is_counted(found):
    own = found["own"]
    assert (own.runt, own.jumbo, own.unknown) == (1, 1, 1)


def test_forged_networks_and_sources_reach_nobody(found):
    """To node 3 the guard refuses it; at node 2, which may be sent to, the driver sees that node 0 is not of green."""
    assert found["lies"] == {"refused": 1, "foreign": 1, "got": [0, 0, 0, 0]}
