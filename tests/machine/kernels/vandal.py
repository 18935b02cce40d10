"""Writes every register of this node's guard through the host port, from which none of them may change."""

from khhw.node import BusError, Node
from rtl.parameters import Parameters
from rtl.registers import GUARD_PAGE, registers_of

_VALUES = (0xFFFFFFFF, 1, 0)


async def main(node: Node, _arguments: str) -> None:
    """One line: how many writes were bus errors."""
    tried = refused = 0
    for _, _, address in registers_of(Parameters()):
        if address >= GUARD_PAGE:
            for value in _VALUES:
                tried += 1
                try:
                    await node.write_address(address, value)
                except BusError:
                    refused += 1
    await node.console.print(f"node {node.rank}> vandal: {refused} of {tried} writes refused")
