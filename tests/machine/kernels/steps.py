"""Stops in the debugger in front of a wait, in a function that waits too."""

from khhw.node import Node


async def count(node: Node, number: int) -> int:
    """Say a number, and give the next."""
    breakpoint()
    await node.console.print(f"at {number}")
    number = number + 1
    return number


async def main(node: Node, _arguments: str) -> None:
    """Count to two."""
    number = await count(node, 1)
    await node.console.print(f"counted to {number}")
