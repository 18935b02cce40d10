"""Bytes that say whose they are: the upper half of each is the rank of its writer and whether it may be shown."""

import numpy as np
import numpy.typing as npt

__all__ = ["PREFIXES", "TAINTED_NODES", "UPPER_HALVES", "Bytes", "Words", "pattern", "taint", "tainted", "words_of"]

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]

TAINTED_NODES = 8
"""Three bits of rank and one of `shown` are the upper half of a byte."""
_UPPER = 0xF0
_LOWER = 0x0F
UPPER_HALVES = int.from_bytes(bytes([_UPPER] * 8), "big")
"""Mask of the upper halves of a word's bytes."""
PREFIXES = np.array([(1 << 64) - (1 << 8 * (8 - length)) for length in range(1, 9)], np.uint64)
"""Masks of the first 1 to 8 bytes of a word."""


def taint(rank: int, *, shown: bool = False) -> int:
    """Upper half of every byte a node writes; the lower half is 0.

    Parameters
    ----------
    rank : int
        Below :data:`TAINTED_NODES`.
    shown : bool
        Whether others may read the byte from this node.
    """
    return (rank << 1 | shown) << 4


def tainted(rng: np.random.Generator, rank: int, length: int, *, shown: bool = False) -> Bytes:
    """`length` random bytes with a node's taint."""
    drawn = np.frombuffer(rng.bytes(length), np.uint8)
    return drawn & np.uint8(_LOWER) | np.uint8(taint(rank, shown=shown))


def pattern(rank: int, *, shown: bool = False) -> int:
    """Upper halves of a whole word with a node's taint, the lower halves 0."""
    return int.from_bytes(bytes([taint(rank, shown=shown)] * 8), "big")


def words_of(data: Bytes) -> Words:
    """Bytes as words of eight, the first byte most significant."""
    return np.ascontiguousarray(data).view(">u8").astype(np.uint64)
