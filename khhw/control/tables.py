"""What the owner loads into a node for a change of domains, and how it knows it again."""

import struct
import zlib
from collections.abc import Iterable

from khhw.control.domains import Domains
from khhw.control.owner import Write
from khhw.node.shape import Shape
from rtl.registers import REGISTERS

__all__ = ["REVISIONS", "table_crc", "table_writes"]

REVISIONS = 1 << 32
"""Revisions are below this."""
_WORD_BITS = 32
_WORD = (1 << _WORD_BITS) - 1


def table_writes(domains: Domains, shape: Shape, rank: int, revision: int = 0) -> list[Write]:
    """Revision, row, column and reach values of one node, for its shadow: absolute, and all there are.

    So whatever was loaded there before and not committed makes no difference.

    Parameters
    ----------
    domains : Domains
    shape : Shape
        Of the machine.
    rank : int
        The node.
    revision : int
        32 bits.
    """
    words = shape.node_id(shape.nodes - 1) // _WORD_BITS + 1

    def table(register: str, ranks: list[int]) -> list[Write]:
        bits = sum(1 << shape.node_id(r) for r in ranks)
        return [Write(register, bits >> _WORD_BITS * word & _WORD, word) for word in range(words)]

    reach = [Write("REACH", hops, direction) for direction, hops in enumerate(domains.reach(shape, rank))]
    row, column = table("ROW", domains.row(rank)), table("COLUMN", domains.column(rank))
    # First the revision: with it TABLE_CRC begins anew.
    return [Write("REVISION", revision), *row, *column, *reach]


def table_crc(writes: Iterable[Write]) -> int:
    """What TABLE_CRC reads when these writes have been loaded and committed."""
    return zlib.crc32(b"".join(
        struct.pack("<HI", REGISTERS[write.register].at(write.index), write.value) for write in writes))
