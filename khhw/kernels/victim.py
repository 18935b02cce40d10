"""Victim: opens what a node can open, and keeps everything that arrives until the outside says stop or it is quiet.

Result table at the base of the heap: :data:`HEADER`, :data:`ENTRIES` log entries of :data:`ENTRY`, then the window
puts may write (:data:`WINDOW` bytes), then the secret (:data:`SECRET` bytes). The node ``at=`` opens the secret
to remote gets of the node ``reader=``; nobody may read that of any other node. ``quiet=`` is the number of cycles
in which nothing arrives after which the victim ends by itself.
"""

import struct

from khhw.node import ConsoleReader, Node, Packet, TreePacket, parse_options
from khhw.node.commands import parse_number
from rtl.registers import Irq

PUT_COUNTER, SECRET_COUNTER = 1, 2
"""Reception counter of the window; injection counter of the secret."""
HEADER = struct.Struct(">4sIIIII8x")
"""Magic, rank, entries, entries that found no room, faults of this node, 1 when the kernel has ended."""
ENTRY = struct.Struct(">BBHIQ")
"""Kind, number (attack or fault), stamped source, serial, cycle."""
ENTRIES, WINDOW, SECRET = 256, 1024, 32
MAGIC, SECRET_MAGIC = b"KHVI", b"SECR"
KIND_MESSAGE, KIND_CONSOLE, KIND_FAULT = 1, 2, 3


class Table:
    """Where the result table of a heap at `base` is."""

    def __init__(self, base: int) -> None:
        self.base = base
        self.log = base + HEADER.size
        self.window = self.log + ENTRIES * ENTRY.size
        self.secret = self.window + WINDOW
        self.length = self.secret + SECRET - base


class Victim:
    """One run of the victim."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.table = Table(node.layout.heap.base)
        self.reader = ConsoleReader(node.rank)
        self.entries = 0
        self.lost = 0
        self.faults = 0

    async def open(self, reader: int, at: int) -> None:
        """Open the window for puts, and the secret for its one reader."""
        node, table = self.node, self.table
        node.memory.clear(table.base, table.length)
        node.memory[table.secret] = SECRET_MAGIC + node.rank.to_bytes(4, "big")
        await node.reception_counter(PUT_COUNTER).arm(table.window, WINDOW, 0x7FFFFFFF, anybody=True)
        allowed = node.shape.node_id(reader) if node.rank == at else None
        await node.injection_counter(SECRET_COUNTER).open(table.secret, SECRET, reader=allowed)
        await node.answer_gets()

    def log(self, kind: int, number: int, source: int, serial: int) -> None:
        """Keep an entry."""
        if self.entries == ENTRIES:
            self.lost += 1
            return
        place = self.table.log + ENTRY.size * self.entries
        self.node.memory[place] = ENTRY.pack(kind, number & 0xFF, source, serial & 0xFFFFFFFF, self.node.now)
        self.entries += 1

    def message(self, packet: Packet) -> None:
        """Keep a memory-FIFO packet: the attacker's number is its function."""
        self.log(KIND_MESSAGE, packet.function, packet.source, int.from_bytes(packet.payload[-4:], "big"))

    async def console(self, packet: TreePacket) -> bool:
        """Keep text of another node; True if the outside says stop."""
        for reading in self.reader.feed(packet):
            if await self.node.console.stops(reading, "victim"):
                return True
        if not packet.external:
            words = packet.payload.decode("ascii", "replace").split()
            number = parse_number(words[1]) if len(words) > 1 else None
            self.log(KIND_CONSOLE, number or 0, packet.source, 0)
        return False

    async def step(self, quiet: int) -> bool:
        """Wait for something and keep it; False when it is over."""
        node = self.node
        causes = await node.wait(Irq.RECEPTION, Irq.CONSOLE, Irq.FAULT, timeout=quiet)
        if Irq.FAULT in causes:
            self.faults, fault = await node.faults()
            self.log(KIND_FAULT, fault, 0, 0)
        for packet in await node.reception.take():
            self.message(packet)
        stops = [await self.console(packet) for packet in await node.console.take()]
        return bool(causes) and True not in stops

    def close(self) -> None:
        """Mark the table as complete."""
        self.node.memory[self.table.base] = HEADER.pack(
            MAGIC, self.node.rank, self.entries, self.lost, self.faults, 1)


async def main(node: Node, arguments: str) -> None:
    """Open everything and keep what comes."""
    options = parse_options(arguments, reader=0, at=3, quiet=60_000)
    victim = Victim(node)
    await victim.open(options["reader"][0], options["at"][0])
    await node.console.print(f"node {node.rank}> victim: open")
    while await victim.step(options["quiet"][0]):
        pass
    victim.close()
