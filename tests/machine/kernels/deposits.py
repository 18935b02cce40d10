"""Sends to all, and a deposit packet along its line, which leaves copies on its way."""

from khhw.node import OWN_COUNTER, Node, descriptor, header
from rtl.formats import FifoHeader, pack


async def main(node: Node, _arguments: str) -> None:
    """Messages of many lengths, deposit packets to the node two hops on in x, and what came of others."""
    await node.sleep(1500)
    for rank in range(node.shape.nodes):
        await node.send(rank, bytes(37 * (1 + (rank + node.rank) % 5)))
    x, y, z = node.shape.coordinate(node.rank)
    if node.shape.x > 3:
        address = node.layout.heap.base
        there = header(((x + 2) % node.shape.x, y, z), deposit=1)
        text = descriptor(there, pack(FifoHeader, argument=40), address=address, length=40, counter=OWN_COUNTER)
        for _ in range(3):
            await node.sender.post(text)
    while await node.reception.receive(timeout=3000):
        pass
