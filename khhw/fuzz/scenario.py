"""Where a campaign plays: a torus, who is hostile, and the matrices of isAllowed between them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from khhw.node import Shape

__all__ = ["MATRICES", "Matrix", "SCENARIOS", "Scenario"]

Matrix = npt.NDArray[np.bool_]

MATRICES = ("apart", "relay", "way in", "way out", "thin", "alone")
"""Names of the matrices every scenario has; see :meth:`Scenario.matrix`."""


@dataclass(frozen=True)
class Scenario:
    """A machine of eight nodes, half of them hostile.

    Parameters
    ----------
    name : str
    shape : Shape
    hostile : tuple of int
        Ranks. 0 is one of them: its taint is that of bytes that are 0, which are everywhere.
    """

    name: str
    shape: Shape
    hostile: tuple[int, ...]

    @property
    def honest(self) -> tuple[int, ...]:
        """Ranks of the others."""
        return tuple(rank for rank in range(self.shape.nodes) if rank not in self.hostile)

    def matrix(self, name: str) -> Matrix:
        """isAllowed[source, destination] by rank.

        ``apart``: two domains. ``relay``: the first of each side may talk to each other, as well. ``way in``: the first
        hostile node may send to the first honest one; ``way out``: only the other way round. ``thin``: the honest may
        only send to the next of them, the hostile to the next of theirs. ``alone``: each only to itself.
        """
        allowed = np.eye(self.shape.nodes, dtype=np.bool_)
        first, target = self.hostile[0], self.honest[0]
        if name == "alone":
            return allowed
        for side in (self.hostile, self.honest):
            if name == "thin":
                allowed[list(side), _turned(side)] = True
            else:
                allowed[np.ix_(side, side)] = True
        if name in ("relay", "way in"):
            allowed[first, target] = True
        if name in ("relay", "way out"):
            allowed[target, first] = True
        return allowed


def _turned(ranks: Sequence[int]) -> list[int]:
    return [*ranks[1:], ranks[0]]


SCENARIOS = (
    Scenario("cube, mixed", Shape(2, 2, 2), (0, 3, 5, 6)),
    Scenario("ring of eight", Shape(8, 1, 1), (0, 2, 5, 7)),
    Scenario("4x2, mixed", Shape(4, 2, 1), (0, 2, 5, 7)),
    Scenario("cube, halves", Shape(2, 2, 2), (0, 1, 2, 3)),
    Scenario("ring of eight, halves", Shape(8, 1, 1), (0, 1, 2, 3)),
)
"""In lines of four and eight a packet of the hostile passes honest nodes, and copies of it could stay there. In the
last the hostile have a line to themselves, on which their own copies cross."""
