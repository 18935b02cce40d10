"""Says what it was booted with."""

from khhw.node import Node


async def main(node: Node, arguments: str) -> None:
    """One line."""
    await node.console.print(f"node {node.rank}> greetings, {arguments}")
