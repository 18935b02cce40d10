"""Fails."""

from khhw.node import Node


async def main(_node: Node, _arguments: str) -> None:
    """Ask for what is not there."""
    raise KeyError("nothing there")
