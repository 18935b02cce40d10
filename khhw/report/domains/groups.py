"""What is told in one line: a node of a small machine, a group of nodes of a large one that are treated alike."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from string import ascii_uppercase

import numpy as np
import numpy.typing as npt

from khhw.control.domains import Domains
from khhw.control.reach import DomainChange, Reach, between, twins

__all__ = ["MOST_NODES", "Chain", "Groups", "ranges"]

MOST_NODES = 16
"""Nodes up to which each has a line of its own."""


@dataclass(frozen=True)
class Chain:
    """A shortest chain from one line to another.

    Parameters
    ----------
    source, destination : int
        Ranks: the first nodes of the two groups that are not the same.
    to : str
        Name of the destination's line.
    via : tuple of int
        Ranks between, in order.
    """

    source: int
    destination: int
    to: str
    via: tuple[int, ...]


class Groups:
    """The lines of a machine's domains.

    Parameters
    ----------
    *states : Domains
        All that are told together; nodes of one line are alike in each.

    Attributes
    ----------
    members : list of list of int
        Ranks of each line.
    names : list of str
        Of the lines: the rank of a single node, or letters.
    """

    def __init__(self, *states: Domains) -> None:
        nodes = states[0].nodes
        self.single = nodes <= MOST_NODES
        self.members = [[rank] for rank in range(nodes)] if self.single else twins(*states)
        letters = _letters()
        self.names = [str(group[0]) if self.single else next(letters) for group in self.members]

    def cells(self, *masks: npt.NDArray[np.bool_]) -> list[list[int]]:
        """For each pair of lines the number, from 1, of the mask that has it, or 0.

        On the diagonal stands what holds between two members, or of a single node itself.
        """
        cells = np.zeros((len(self.members), len(self.members)), dtype=int)
        for number, mask in enumerate(masks, start=1):
            found = between(mask, self.members)
            for index, group in enumerate(self.members):
                if len(group) == 1:
                    found[index, index] = mask[group[0], group[0]]
            cells[found] = number
        rows: list[list[int]] = cells.tolist()
        return rows

    def others(self, mask: npt.NDArray[np.bool_]) -> list[list[str]]:
        """For each line the names of the lines with other nodes that the mask has for it."""
        cells = between(mask, self.members)
        return [[self.names[index] for index in np.flatnonzero(row)] for row in cells]

    def chains(self, reach: Reach, mask: npt.NDArray[np.bool_]) -> list[list[Chain]]:
        """For each line the chains to all that the mask has for it, the shortest first."""
        found = []
        for index, row in enumerate(between(mask & reach.connected, self.members)):
            chains = []
            for other in np.flatnonzero(row):
                source, destination = self.ends(index, int(other))
                chains.append(Chain(source, destination, self.names[other], reach.relays(source, destination)))
            found.append(sorted(chains, key=lambda chain: (len(chain.via), chain.via, chain.destination)))
        return found

    def ends(self, source: int, destination: int) -> tuple[int, int]:
        """Ranks that stand for two lines, given by their indices."""
        return self.members[source][0], self.members[destination][source == destination]

    def carriers(self, change: DomainChange) -> list[tuple[str, str, int, int, int]]:
        """Names and ranks of lines between which a node carries something across a change, and that node."""
        found = []
        for index, other in np.argwhere(between(change.carried, self.members)).tolist():
            source, destination = self.ends(index, other)
            found.append((self.names[index], self.names[other], source, destination,
                          change.carrier(source, destination)))
        return found


def ranges(ranks: Sequence[int]) -> str:
    """Ranks as a machine file's rules take them: ``0-3 8``."""
    parts: list[list[int]] = []
    for rank in ranks:
        if parts and rank == parts[-1][1] + 1:
            parts[-1][1] = rank
        else:
            parts.append([rank, rank])
    return " ".join(str(low) if low == high else f"{low}-{high}" for low, high in parts)


def _letters() -> Iterator[str]:
    """A to Z, AA to ZZ, AAA ..."""
    length = 0
    while True:
        length += 1
        yield from map("".join, product(ascii_uppercase, repeat=length))
