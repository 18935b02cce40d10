"""The counters of a node that a reading holds: packets of the torus, as the guard counts them for the owner.

They are those that a change of domains is balanced with. What is billed needs meters, which count bytes and hops too.
"""

from collections.abc import Mapping, Sequence

from khhw.node.tree_packets import Control
from rtl.formats import ControlOp
from rtl.registers import REGISTERS

__all__ = ["COUNTER_BITS", "NAMES", "counter_words", "counters"]

COUNTER_BITS = 32
NAMES: Mapping[str, str] = {
    "sent_packets": "INJECTED", "received_packets": "DELIVERED", "refused_packets": "REFUSED_IN",
    "dropped_packets": "DROPPED",
}
"""Counters by name, and the registers they are in, one for each epoch parity."""
_PARITIES = 2


def counter_words() -> list[Control]:
    """The question for all of them."""
    return [Control(ControlOp.READ, REGISTERS[register].at(parity))
            for register in NAMES.values() for parity in range(_PARITIES)]


def counters(answer: Sequence[Control]) -> dict[str, int]:
    """What a node has answered: of each counter the sum over both parities, modulo 2 to the :data:`COUNTER_BITS`."""
    return {
        name: sum(word.data for word in answer[at * _PARITIES:(at + 1) * _PARITIES]) % (1 << COUNTER_BITS)
        for at, name in enumerate(NAMES)}
