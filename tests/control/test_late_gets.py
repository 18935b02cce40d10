"""What a tenant asked of a partner is not answered to the next tenant, although the partner may talk to both."""

import pytest

from khhw.bench.owned import OwnedMachine
from khhw.control.domains import Domains
from khhw.node.descriptors import get_descriptor, message_descriptor, put_descriptor
from rtl.formats import DESCRIPTOR_BYTES, Writer, pack
from rtl.ni.counters import Reader
from rtl.registers import REGISTERS, Fault
from tests.control.tenants import NODE

TAKEN, PARTNER, THIRD = 0, 1, 2
ALLOWED = Domains.from_rules(["0 1 2 -> 0 1 2", "3 -> 3"], 4)
"""Before and after."""
KEY, COUNTER, READS = 5, 3, 2
SOURCE, WINDOW = 0x1000, 0x2000
ANSWERS, OTHERS = 1, 1 + NODE.lanes
"""Injection rings of the partner: for gets, and another of the same lane."""
LONG = 0xD000
"""Bytes that take longer than handing a node over."""


class Tenants:
    """A machine, and what its nodes do with their registers."""

    def __init__(self) -> None:
        self.machine = OwnedMachine((4, 1, 1), NODE)
        self.here, self.there = (self.machine.host.nodes[rank] for rank in (TAKEN, PARTNER))

    async def offer(self) -> None:
        """The partner lets the node read, whoever has it, and answers gets."""
        write = self.machine.write
        reader = pack(Reader, open=1, any=0, node=self.machine.shape.node_id(TAKEN))
        for register, value in (("WINDOW", SOURCE), ("LIMIT", LONG), ("READER", reader)):
            await write(PARTNER, f"INJECTION_{register}", value, READS)
        self.there.poke(SOURCE, b"PARTNERS" * (LONG // 8))
        await write(PARTNER, "INJECTION_BASE", 0, ANSWERS)
        await write(PARTNER, "INJECTION_SIZE", REGISTERS["INJECTION_SIZE"].pack(chunks=32, remote=1), ANSWERS)

    async def be_busy(self) -> None:
        """The partner sends long messages to somebody else by the lane that answers gets."""
        write = self.machine.write
        message = message_descriptor(self.machine.shape.coordinate(THIRD), 0, LONG)
        self.there.poke(0x400, message * 4)
        await write(PARTNER, "INJECTION_LIMIT", NODE.memory_bytes, 0)
        for register, value in (("BASE", 0x400), ("SIZE", 0x400), ("TAIL", 4 * DESCRIPTOR_BYTES)):
            await write(PARTNER, f"INJECTION_{register}", value, OTHERS)

    async def expect(self) -> None:
        """The taken node opens a window for the partner."""
        write = self.machine.write
        writer = pack(Writer, armed=1, any=0, node=self.machine.shape.node_id(PARTNER), key=KEY)
        for register, value in (("WINDOW", WINDOW), ("LIMIT", LONG), ("VALUE", 1 << 20), ("WRITER", writer)):
            await write(TAKEN, f"RECEPTION_{register}", value, COUNTER)

    async def ask(self, length: int, count: int = 1) -> None:
        """The taken node asks the partner for bytes."""
        write, coordinate = self.machine.write, self.machine.shape.coordinate
        answer = put_descriptor(coordinate(TAKEN), COUNTER, 0, 0, length, key=KEY, counter=READS)
        self.here.poke(0x400, answer * count)
        self.here.poke(0, get_descriptor(coordinate(PARTNER), ANSWERS, 0x400, count))
        await write(TAKEN, "INJECTION_LIMIT", NODE.memory_bytes, 0)
        await write(TAKEN, "INJECTION_SIZE", 0x100, 0)
        await write(TAKEN, "INJECTION_TAIL", DESCRIPTOR_BYTES, 0)

    async def came(self) -> int:
        """Bytes that came into the window."""
        return (1 << 20) - await self.machine.read(TAKEN, "RECEPTION_VALUE", COUNTER)


@pytest.mark.parametrize(("busy", "length", "count"), [(True, 64, 3), (False, LONG, 1)], ids=["waiting", "under way"])
def test_the_next_tenant_gets_no_answer_to_the_one_before(busy: bool, length: int, count: int) -> None:
    tenants = Tenants()
    machine = tenants.machine

    async def main() -> None:
        await machine.change(ALLOWED)
        await tenants.offer()
        if busy:
            await tenants.be_busy()
        await tenants.expect()
        await tenants.ask(length, count)
        await machine.outside.sleep(300)
        assert (await tenants.came() > 0) != busy
        change = await machine.epochs.hand_over([TAKEN], ALLOWED, {}, 2)
        assert change.finished - change.started < 6000
        assert await machine.read(PARTNER, "FAULTS") == (0 if busy else 1)

        # By chance the window is that of the old request.
        await tenants.expect()
        await machine.outside.sleep(40_000)
        assert await tenants.came() == 0
        assert tenants.here.peek(WINDOW, LONG) == bytes(LONG)
        assert await machine.read(TAKEN, "COUNTER_DROPS") == 0
        assert await machine.read(PARTNER, "FAULTS") == count
        assert await machine.read(PARTNER, "LAST_FAULT") == REGISTERS["LAST_FAULT"].pack(fault=Fault.LATE, ring=ANSWERS)

        await tenants.ask(480)
        await machine.outside.sleep(30_000)
        assert await tenants.came() == 480
        assert tenants.here.peek(WINDOW, 480) == b"PARTNERS" * 60

    machine.run(main, max_cycles=400_000)


def test_a_change_that_leaves_two_nodes_allowed_leaves_their_gets_alone() -> None:
    tenants = Tenants()
    machine = tenants.machine

    async def main() -> None:
        await machine.change(ALLOWED)
        await tenants.offer()
        await tenants.expect()
        await tenants.ask(LONG)
        await machine.outside.sleep(300)
        await machine.change(Domains.from_rules(["0 1 -> 0 1", "2 3 -> 2 3"], 4))
        await machine.outside.sleep(10_000)
        assert await tenants.came() == LONG
        assert await machine.read(PARTNER, "FAULTS") == 0

    machine.run(main, max_cycles=100_000)
