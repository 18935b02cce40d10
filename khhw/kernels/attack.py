"""Attack: everything software of a node can try to get past its communication domain.

Runs on one node while :mod:`khhw.kernels.victim` runs on all others. Each attack leaves a :data:`RECORD` in the
result table at the base of the heap, behind a :data:`HEADER`. What was delivered is read from the victims'
memories, never from here: a record only says what was tried, when, and what the attacker itself saw.

Arguments: ``plain=`` a node this one may not reach; ``friend=`` one it may; ``forged=`` a node it may not reach
but ``friend`` may; ``forbidden=`` all it may not reach; ``closed=`` a friend whose secret is closed; ``settle=``
cycles to wait for the victims to be open.
"""

import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from khhw.node import OWN_COUNTER, BusError, Node, descriptor, header, parse_options
from rtl.formats import DESCRIPTOR_BYTES, FifoHeader, PutHeader, VirtualChannel, pack
from rtl.parameters import Parameters
from rtl.registers import GUARD_PAGE, MEMORY_WINDOW, REGISTERS, Access, Register

HEADER = struct.Struct(">4sIII16x")
"""Magic, records, rank, 1 when all attacks are over."""
RECORD = struct.Struct(">16sIIIIIIQQ10I32x")
"""Name; packets or accesses tried; bus errors; accesses that were not refused; faults; answers that came back
here; 0; first and last cycle; packets refused by this node's guard, by :class:`rtl.formats.Reason`."""
MAGIC, TOKEN_MAGIC = b"KHAT", b"ATCK"
TOKEN = struct.Struct(">4sII")
"""Magic, number of the attack, serial: payload of messages and start of what puts write."""
REASONS = 10
VICTIM_COUNTER, SECRET_COUNTER = 1, 2
_SLOT = 32
_WINDOW = 1024
_SECRET = b"SECR"
_SETTLE = 1500


@dataclass(frozen=True)
class Shot:
    """A packet to try: torus header, second header, bytes, and descriptor fields to change."""

    header: int
    software: int
    length: int = TOKEN.size
    fields: tuple[tuple[str, int], ...] = ()


class Attacker:
    """What the attacks share.

    Parameters
    ----------
    node : Node
    options : dict of str to list of int
        See the module.
    """

    def __init__(self, node: Node, options: dict[str, list[int]]) -> None:
        self.node = node
        self.options = options
        self.forbidden = options["forbidden"]
        self.number = 0
        self.tried = 0
        self.bus_errors = 0
        self.landed = 0
        self.returned = 0
        self.records = node.layout.heap.base + HEADER.size
        self.window = self.records + 32 * RECORD.size
        self.tokens = self.window + _WINDOW

    def one(self, name: str) -> int:
        """The only value of an option."""
        return self.options[name][0]

    def place(self, rank: int) -> tuple[int, int, int]:
        """Coordinate of a rank."""
        return self.node.shape.coordinate(rank)

    def message(self, rank: int, **fields: int) -> Shot:
        """A memory-FIFO message to a rank; `fields` go into its torus header."""
        return Shot(header(self.place(rank), **fields), self.fifo)

    @property
    def fifo(self) -> int:
        """Second header of this attack's messages."""
        return pack(FifoHeader, argument=TOKEN.size, function=self.number)

    def put(self, rank: int, **fields: int) -> Shot:
        """A put into the window of a rank."""
        software = pack(PutHeader, counter=VICTIM_COUNTER, put_offset=_SLOT * self.number)
        return Shot(header(self.place(rank), dma=1, **fields), software)

    async def shoot(self, *shots: Shot) -> None:
        """Inject packets, as many at a time as the ring takes."""
        room = self.node.sender.capacity
        for at in range(0, len(shots), room):
            batch = []
            for index, shot in enumerate(shots[at:at + room]):
                address = self.tokens + index * _SLOT
                self.node.memory[address] = TOKEN.pack(TOKEN_MAGIC, self.number, self.tried)
                fields = {"address": address, "length": shot.length, "counter": OWN_COUNTER, **dict(shot.fields)}
                batch.append(descriptor(shot.header, shot.software, **fields))
                self.tried += 1
            await self.node.sender.post(*batch)

    async def access(self, address: int, value: int | None) -> None:
        """One register access that must not succeed; a read if `value` is None."""
        self.tried += 1
        try:
            if value is None:
                await self.node.read_address(address)
            else:
                await self.node.write_address(address, value)
        except BusError:
            self.bus_errors += 1
        else:
            self.landed += 1

    async def refused(self) -> list[int]:
        """This node's refusal counters."""
        return [await self.node.read("REFUSED", reason) for reason in range(REASONS)]

    async def run(self, name: str, attack: Callable[["Attacker"], Awaitable[None]]) -> None:
        """One attack, and its record."""
        self.tried = self.bus_errors = self.landed = self.returned = 0
        before, faults, began = await self.refused(), (await self.node.faults())[0], self.node.now
        await attack(self)
        # Whatever is on its way shall fall into this attack's time, also at other nodes.
        await self.node.sleep(_SETTLE)
        after = await self.refused()
        reasons = [(b - a) & 0xFFFFFFFF for a, b in zip(before, after, strict=True)]
        faults = ((await self.node.faults())[0] - faults) & 0xFFFFFFFF
        self.node.memory[self.records + self.number * RECORD.size] = RECORD.pack(
            name.encode(), self.tried, self.bus_errors, self.landed, faults, self.returned, 0, began, self.node.now,
            *reasons)
        self.number += 1


async def plain(a: Attacker) -> None:
    """Send to a forbidden node as anybody would."""
    await a.shoot(a.message(a.one("plain")), a.put(a.one("plain")))


async def forged_source(a: Attacker) -> None:
    """Pretend to be another node in packets to one that would hear it."""
    source = a.node.shape.node_id(a.one("forged"))
    friend = a.one("friend")
    await a.shoot(*(
        a.message(friend, source=source, epoch=epoch, crc=crc) for epoch in (0, 1) for crc in (0, 0x55)))


async def hints(a: Attacker) -> None:
    """Every hint toward every forbidden node."""
    for rank in a.forbidden:
        await a.shoot(*(a.message(rank, hint=hint) for hint in range(64)))


async def deposit(a: Attacker) -> None:
    """Every hint with the deposit bit toward every forbidden node."""
    for rank in a.forbidden:
        await a.shoot(*(a.message(rank, hint=hint, deposit=1) for hint in range(64)))


async def deputy(a: Attacker) -> None:
    """Have a friend send to a node only the friend may reach: a remote get with descriptors that name it."""
    node, forged = a.node, a.place(a.one("forged"))
    node.memory.clear(a.window, _WINDOW)
    await node.reception_counter(VICTIM_COUNTER).arm(a.window, _WINDOW, 0x7FFFFFFF, anybody=True)
    slots = [_SLOT * a.number, _SLOT * (a.number + len(ATTACKS))]
    puts = [pack(PutHeader, counter=VICTIM_COUNTER, put_offset=slot) for slot in slots]
    named = [
        descriptor(header(forged, dma=1), puts[0], 0, 32, counter=SECRET_COUNTER),
        descriptor(header(forged, dma=1, deposit=1, hint=0x2A), puts[1], 0, 32, counter=SECRET_COUNTER),
        descriptor(header(forged), a.fifo, 0, 32, counter=SECRET_COUNTER),
    ]
    await node.remote_get(a.one("friend"), named)
    a.tried += len(named)
    await node.sleep(_SETTLE)
    a.returned = len(await node.reception.take())
    a.returned += sum(node.memory.read(a.window + slot, 4) == _SECRET for slot in slots)


async def closed_window(a: Attacker) -> None:
    """Read a window nobody may read, and have a forbidden node send."""
    node = a.node
    software = pack(PutHeader, counter=VICTIM_COUNTER, put_offset=_SLOT * a.number)
    for rank in (a.one("closed"), a.one("plain")):
        wanted = descriptor(header(a.place(node.rank), dma=1), software, 0, 32, counter=SECRET_COUNTER)
        await node.remote_get(rank, [wanted])
        a.tried += 1
    await node.sleep(_SETTLE)
    a.landed += node.memory.read(a.window + _SLOT * a.number, 4) == _SECRET


async def tree(a: Attacker) -> None:
    """Go round the torus: console packets to a forbidden node, by itself and as one of all."""
    text = f"attack {a.number}\n".encode()
    await a.node.console.send(text, vector=a.one("plain"))
    await a.node.console.send(text, vector=None)
    a.tried += 1 + len(a.forbidden)


async def priority(a: Attacker) -> None:
    """Use the priority channel without the owner's grant, even to a friend."""
    friend = a.one("friend")
    await a.shoot(a.message(friend, vc=VirtualChannel.PRIORITY), a.put(friend, vc=VirtualChannel.PRIORITY))


async def channel(a: Attacker) -> None:
    """Channels that contradict the dynamic bit."""
    pairs = ((0, VirtualChannel.ADAPTIVE0), (0, VirtualChannel.ADAPTIVE1), (1, VirtualChannel.ESCAPE),
             (1, VirtualChannel.PRIORITY))
    await a.shoot(*(a.message(a.one("friend"), dynamic=dynamic, vc=vc) for dynamic, vc in pairs))


async def outside(a: Attacker) -> None:
    """Destinations that are not in the machine."""
    x, y, z = a.node.shape.sizes
    places = ((x, 0, 0), (0, y, 0), (0, 0, z), (255, 255, 255), (64, 64, 64), (x - 1, y - 1, 128))
    await a.shoot(*(Shot(header(place), a.fifo) for place in places))


async def descriptors(a: Attacker) -> None:
    """Descriptors that mean nothing, or something outside the memory."""
    friend, memory = a.one("friend"), len(a.node.memory)
    message, put = a.message(friend), a.put(friend)
    get = Shot(header(a.place(friend), dma=1), pack(PutHeader, remote_get=1, ring=1))
    wrong: list[tuple[Shot, dict[str, int]]] = [
        (message, {"address": a.tokens + 4}),
        (message, {"address": memory}),
        (message, {"address": memory - 8, "length": 64}),
        (message, {"address": 0xFFFFFFF8}),
        (message, {"length": 0xFFFFFFFF}),
        (message, {"counter": 255}),
        (message, {"counter": VICTIM_COUNTER}),
        (message, {"prefetch": 1}),
        (message, {"local_copy": 1}),
        (put, {"length": 0}),
        (get, {"length": 33}),
        (get, {"length": 8 * DESCRIPTOR_BYTES}),
    ]
    await a.shoot(*(Shot(shot.header, shot.software, shot.length, tuple(fields.items())) for shot, fields in wrong))


async def rings(a: Attacker) -> None:
    """Heads and tails outside their rings."""
    size = a.node.layout.injection.length
    closed = (await a.node.read_fields("RESOURCES"))["injection_rings"] - 1
    for name, index, value in (
        ("INJECTION_TAIL", 0, size), ("INJECTION_TAIL", 0, size + 32), ("INJECTION_TAIL", 0, 1),
        ("INJECTION_TAIL", 0, 0xFFFFFFE0), ("INJECTION_TAIL", closed, 32),
        ("RECEPTION_HEAD", 0, a.node.layout.reception.length), ("RECEPTION_HEAD", 0, 16),
        ("RECEPTION_HEAD", 0, 0xFFFFFFE0), ("CONSOLE_HEAD", 0, a.node.layout.console.length), ("CONSOLE_HEAD", 0, 8),
    ):
        await a.access(REGISTERS[name].at(index), value)


def _elements(register: Register) -> list[int]:
    """Addresses of the first and the last element every node has."""
    return sorted({register.at(0), register.at(register.elements(Parameters(table_nodes=32)) - 1)})


async def registers(a: Attacker) -> None:
    """Write tables, commit, hold, grants, keys and all the rest that is not the tenant's, and read it."""
    for register in REGISTERS.values():
        for address in _elements(register)[:1 if register.address < GUARD_PAGE else 2]:
            if register.host in (Access.NONE, Access.RO, Access.WO):
                await a.access(address, 0)
                await a.access(address, 0xFFFFFFFF)
            if register.host in (Access.NONE, Access.WO):
                await a.access(address, None)


async def unmapped(a: Attacker) -> None:
    """Addresses behind which there is nothing."""
    for address in (0x030, 0x1FF0, 0x5FF0, 0xF000, 0x10000 + REGISTERS["HOLD"].address, 0x400000,
                    MEMORY_WINDOW + len(a.node.memory)):
        await a.access(address, None)
        await a.access(address, 0)


DEFAULTS: dict[str, int | list[int]] = {
    "plain": 1, "friend": 3, "forged": 6, "forbidden": [1, 2, 5, 6, 7], "closed": 4, "settle": 6000,
}
"""Options for node 0 of the talk's machine on its first slide."""

ATTACKS = {
    "plain": plain, "forged source": forged_source, "hints": hints, "deposit": deposit, "deputy": deputy,
    "closed window": closed_window, "tree": tree, "priority": priority, "channel": channel, "outside": outside,
    "descriptors": descriptors, "rings": rings, "registers": registers, "unmapped": unmapped,
}
"""Every attack by name; their order numbers them."""


async def main(node: Node, arguments: str) -> None:
    """Try all attacks, one after the other."""
    options = parse_options(arguments, **DEFAULTS)
    attacker = Attacker(node, options)
    node.memory.clear(node.layout.heap.base, HEADER.size + len(ATTACKS) * RECORD.size)
    await node.sleep(options["settle"][0])
    for name, attack in ATTACKS.items():
        await attacker.run(name, attack)
        await node.console.print(f"node {node.rank}> attack: {name}: {attacker.tried} tried")
    node.memory[node.layout.heap.base] = HEADER.pack(MAGIC, len(ATTACKS), node.rank, 1)
