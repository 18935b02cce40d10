"""Never ends, and never lets the machine come to rest."""

from khhw.node import Node


async def main(node: Node, _arguments: str) -> None:
    """Read the clock again and again."""
    while True:
        await node.read("TIME_LOW")
