"""Probe: sends to every node, itself included, and keeps what arrives. It does not know who is allowed.

Result table, at the base of the heap: :data:`HEADER`; then for each rank one :data:`SLOT` that only puts of
that rank write; then for each rank one :data:`FIFO` slot with the number of memory-FIFO packets whose
*stamped* source it is, and the last such packet's token.

Arguments: ``seed=`` of the tokens; ``settle=`` cycles between opening windows and sending, for the slowest
node to be ready; ``quiet=`` cycles without a packet after which the probe ends.
"""

import struct

from khhw.node import Node, Packet, parse_options

COUNTER = 1
"""Reception counter the puts go to."""
HEADER = struct.Struct(">4sIIIII8x")
"""Magic, nodes, seed, rank, packets received, 1 when the probe has ended."""
SLOT = struct.Struct(">4sIII16x")
"""Magic, seed, source and destination as the sender believes."""
FIFO = struct.Struct(">I4sIII12x")
"""Packets, then the last token."""
MAGIC, PUT, MESSAGE = b"KHPR", b"PUT.", b"FIFO"
_TOKEN = struct.Struct(">4sIII")


class Table:
    """Where the result table is.

    Parameters
    ----------
    base : int
        Byte address of the heap.
    nodes : int
        Nodes of the machine.
    """

    def __init__(self, base: int, nodes: int) -> None:
        self.base = base
        self.slots = base + HEADER.size
        self.fifo = self.slots + nodes * SLOT.size
        self.length = HEADER.size + nodes * (SLOT.size + FIFO.size)


class Probe:
    """One run of the probe."""

    def __init__(self, node: Node, seed: int) -> None:
        self.node = node
        self.seed = seed
        self.received = 0
        self.counts = [0] * node.shape.nodes
        self.table = Table(node.layout.heap.base, node.shape.nodes)

    async def open(self) -> None:
        """Clear the table and accept puts."""
        self.node.memory.clear(self.table.base, self.table.length)
        limit = self.node.shape.nodes * SLOT.size
        await self.node.reception_counter(COUNTER).arm(self.table.slots, limit, 0x7FFFFFFF, anybody=True)

    async def send(self, destination: int) -> None:
        """Put a token in this node's slot at the destination, and send it a message."""
        node = self.node
        put = SLOT.pack(PUT, self.seed, node.rank, destination)
        await node.put(destination, COUNTER, SLOT.size * node.rank, put)
        await node.send(destination, _TOKEN.pack(MESSAGE, self.seed, node.rank, destination))

    def keep(self, packets: list[Packet]) -> None:
        """Count packets by the source hardware stamped."""
        for packet in packets:
            rank = self.node.shape.rank_of_id(packet.source)
            self.received += 1
            self.counts[rank] += 1
            token = _TOKEN.unpack(packet.payload.ljust(_TOKEN.size, b"\0")[:_TOKEN.size])
            self.node.memory[self.table.fifo + FIFO.size * rank] = FIFO.pack(self.counts[rank], *token)

    def close(self) -> None:
        """Mark the table as complete."""
        node = self.node
        node.memory[self.table.base] = HEADER.pack(MAGIC, node.shape.nodes, self.seed, node.rank, self.received, 1)


async def main(node: Node, arguments: str) -> None:
    """Open the windows, send to all, wait until it is quiet."""
    options = parse_options(arguments, seed=1, settle=3000, quiet=6000)
    probe = Probe(node, options["seed"][0])
    await probe.open()
    await node.sleep(options["settle"][0])
    for step in range(node.shape.nodes):
        await probe.send((node.rank + step) % node.shape.nodes)
        probe.keep(await node.reception.take())
    while packets := await node.reception.receive(options["quiet"][0]):
        probe.keep(packets)
    probe.close()
    senders = [str(rank) for rank, count in enumerate(probe.counts) if count]
    await node.console.print(f"node {node.rank}> probe: heard {' '.join(senders) or 'nobody'}")
