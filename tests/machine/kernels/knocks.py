"""Sends what is refused, stops in the debugger, and fails in a function of its own."""

from khhw.node import Node

TABLE: dict[str, str] = {}


def look_up(key: str) -> str:
    """Ask for what is not there."""
    return TABLE[key]


async def main(node: Node, _arguments: str) -> None:
    """Send to whom this node may not, and to itself."""
    for _ in range(2):
        await node.send(1, b"hello")
    await node.send(node.rank, b"hello")
    breakpoint()
    await node.console.print(look_up("a key"))
