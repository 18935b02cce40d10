"""Says which tokens the probe before it found in this node's memory."""

import struct

from khhw.node import Node

_SLOTS = 32
_TOKEN = struct.Struct(">4sIII")


async def main(node: Node, _arguments: str) -> None:
    """One line: the seed and the source in each of the slots that only puts write."""
    slots = (_TOKEN.unpack(node.memory.read(node.layout.heap.base + _SLOTS * (rank + 1), _TOKEN.size))
             for rank in range(node.shape.nodes))
    found = [f"{seed}:{source}" for magic, seed, source, _ in slots if magic == b"PUT."]
    await node.console.print(f"node {node.rank}> tokens {' '.join(found)}")
