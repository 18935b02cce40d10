"""Bytes that say whose they are: the upper half of each is the rank of its writer and whether it may be shown."""

import numpy as np
import numpy.typing as npt

__all__ = ["Bytes", "COLOURED_NODES", "PREFIXES", "UPPER_HALVES", "Words", "colour", "paint", "pattern", "words_of"]

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]

COLOURED_NODES = 8
"""Three bits of rank and one of `shown` are the upper half of a byte."""
_UPPER = 0xF0
_LOWER = 0x0F
UPPER_HALVES = int.from_bytes(bytes([_UPPER] * 8), "big")
"""Mask of the upper halves of a word's bytes."""
PREFIXES = np.array([(1 << 64) - (1 << 8 * (8 - length)) for length in range(1, 9)], np.uint64)
"""Masks of the first 1 to 8 bytes of a word."""


def colour(rank: int, *, shown: bool = False) -> int:
    """Upper half of every byte a node writes; the lower half is 0.

    Parameters
    ----------
    rank : int
        Below :data:`COLOURED_NODES`.
    shown : bool
        Whether others may read the byte from this node.
    """
    return (rank << 1 | shown) << 4


def paint(dice: np.random.Generator, rank: int, length: int, *, shown: bool = False) -> Bytes:
    """`length` random bytes of a node's colour."""
    drawn = np.frombuffer(dice.bytes(length), np.uint8)
    return drawn & np.uint8(_LOWER) | np.uint8(colour(rank, shown=shown))


def pattern(rank: int, *, shown: bool = False) -> int:
    """Upper halves of a whole word of a node's colour, the lower halves 0."""
    return int.from_bytes(bytes([colour(rank, shown=shown)] * 8), "big")


def words_of(data: Bytes) -> Words:
    """Bytes as words of eight, the first byte most significant."""
    return np.ascontiguousarray(data).view(">u8").astype(np.uint64)
