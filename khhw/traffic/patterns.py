"""Where packets of synthetic traffic go."""

import math

import numpy as np
import numpy.typing as npt

from rtl.fabric import Shape
from rtl.registers import Pattern
from rtl.torus.coordinates import coordinate_of, rank_of

__all__ = ["HOT_SPOT", "PATTERNS", "PERMUTATION", "destinations", "permutation", "wrong_pattern"]

PERMUTATION = "permutation"
PATTERNS: dict[str, Pattern] = {
    PERMUTATION if pattern is Pattern.TARGET else pattern.name.lower(): pattern for pattern in Pattern}
"""Patterns of the traffic generator by the name a user gives. A permutation is one drawn from the seed."""
HOT_SPOT = Pattern.HOT_SPOT.name.lower()


def destinations(pattern: str, shape: Shape) -> list[int] | None:
    """Where each node sends, by rank; None for patterns that choose for each packet, or from the seed."""
    def target(rank: int) -> Shape:
        x, y, z = coordinate_of(rank, shape)
        match PATTERNS[pattern]:
            case Pattern.TRANSPOSE:
                return coordinate_of(rank_of((z, y, x), shape[::-1]), shape)
            case Pattern.BIT_COMPLEMENT:
                return shape[0] - 1 - x, shape[1] - 1 - y, shape[2] - 1 - z
            case Pattern.TORNADO:
                x, y, z = ((at + -(-size // 2) - 1) % size for at, size in zip((x, y, z), shape, strict=True))
            case Pattern.NEIGHBOUR:
                x, y, z = ((at + 1) % size for at, size in zip((x, y, z), shape, strict=True))
        return x, y, z

    if PATTERNS[pattern] in (Pattern.UNIFORM, Pattern.HOT_SPOT, Pattern.TARGET):
        return None
    return [rank_of(target(rank), shape) for rank in range(math.prod(shape))]


def permutation(nodes: int, seed: int) -> npt.NDArray[np.int64]:
    """A permutation of the ranks that leaves none in its place, all as likely, the same for the same seed."""
    random = np.random.default_rng(seed)
    # About one in three has no rank in its place, whatever the number of nodes.
    while True:
        drawn = random.permutation(nodes)
        if not np.any(drawn == np.arange(nodes)):
            return drawn


def wrong_pattern(pattern: str, shape: Shape) -> str | None:
    """Why a pattern makes no traffic on a torus; None if it does."""
    where = destinations(pattern, shape)
    if where is not None and all(rank == there for rank, there in enumerate(where)):
        return "every node would send to itself"
    return None
