"""Communication domains: isAllowed(source, destination) as a matrix, from the forms people write it in."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from khhw.node.shape import Shape
from rtl.formats import Direction

__all__ = ["DomainError", "Domains"]

Place = tuple[str | int, ...]
_RULE = re.compile(r"^(?P<sources>.*?)(?P<arrow><->|->)(?P<destinations>.*)$")
_PART = re.compile(r"^(\d+)(?:-(\d+))?$")


class DomainError(ValueError):
    """Domains that cannot be.

    Parameters
    ----------
    place : tuple of str and int
        Where, below the form that was given: row and column, a group's name, a rule's number.
    message : str
        What is wrong and what would be right.
    """

    def __init__(self, place: Place, message: str) -> None:
        self.place = place
        self.message = message
        where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place).removeprefix(".")
        super().__init__(f"{where}: {message}" if where else message)


@dataclass(frozen=True, eq=False)
class Domains:
    """A relation isAllowed over the nodes of a machine.

    Parameters
    ----------
    matrix : numpy array of bool, shape (nodes, nodes)
        ``matrix[source, destination]``, by dense rank.
    """

    matrix: npt.NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.matrix.ndim != 2 or self.matrix.shape[0] != self.matrix.shape[1]:
            raise DomainError((), f"A matrix of domains is square, not {'x'.join(map(str, self.matrix.shape))}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Domains) and np.array_equal(self.matrix, other.matrix)

    def __hash__(self) -> int:
        return hash(self.matrix.tobytes())

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return int(self.matrix.shape[0])

    @classmethod
    def from_matrix(cls, rows: Sequence[Sequence[int]], nodes: int) -> "Domains":
        """Domains of rows of 0 and 1, source first.

        Raises
        ------
        DomainError
            If there are not `nodes` rows of `nodes` cells, or a cell is something else.
        """
        if len(rows) != nodes:
            raise DomainError((), f"{len(rows)} rows for {nodes} nodes; the matrix must be {nodes}x{nodes}")
        for source, row in enumerate(rows):
            if len(row) != nodes:
                raise DomainError((source,), f"{len(row)} columns for {nodes} nodes; a row has {nodes} cells")
            for destination, cell in enumerate(row):
                if cell not in (0, 1):
                    raise DomainError((source, destination), f"a cell is 0 or 1, not {cell!r}")
        return cls(np.array(rows, dtype=bool).reshape(nodes, nodes))

    @classmethod
    def from_groups(cls, groups: Mapping[str, Sequence[int]], nodes: int) -> "Domains":
        """Domains of named groups: members of one may send to each other, and every node to itself."""
        matrix = np.eye(nodes, dtype=bool)
        for name, members in groups.items():
            if not members:
                raise DomainError((name,), "a group has at least one node")
            for index, member in enumerate(members):
                _check_node(member, nodes, (name, index))
                if member in members[:index]:
                    raise DomainError((name, index), f"node {member} is in the group twice")
            matrix[np.ix_(members, members)] = True
        return cls(matrix)

    @classmethod
    def from_rules(cls, rules: Sequence[str], nodes: int) -> "Domains":
        """Domains of directed rules; what no rule allows is refused, a node's way to itself too.

        A rule is ``"0 -> 0 3 4"``, or ``"1 <-> 2-5"`` for both directions; ``*`` stands for all nodes.
        """
        matrix = np.zeros((nodes, nodes), dtype=bool)
        for index, rule in enumerate(rules):
            found = _RULE.match(rule)
            if found is None:
                raise DomainError((index,), f'{rule!r} is no rule; write "0 -> 3 4"')
            sources = _nodes(found["sources"], nodes, index)
            destinations = _nodes(found["destinations"], nodes, index)
            matrix[np.ix_(sources, destinations)] = True
            if found["arrow"] == "<->":
                matrix[np.ix_(destinations, sources)] = True
        return cls(matrix)

    @classmethod
    def nothing(cls, nodes: int) -> "Domains":
        """Nobody may send to anybody."""
        return cls(np.zeros((nodes, nodes), dtype=bool))

    def __and__(self, other: "Domains") -> "Domains":
        """What both allow."""
        if self.nodes != other.nodes:
            raise DomainError((), f"Domains of {self.nodes} and of {other.nodes} nodes have nothing in common")
        return Domains(self.matrix & other.matrix)

    def row(self, source: int) -> list[int]:
        """Ranks `source` may send to."""
        return [int(rank) for rank in np.flatnonzero(self.matrix[source])]

    def column(self, destination: int) -> list[int]:
        """Ranks that may send to `destination`."""
        return [int(rank) for rank in np.flatnonzero(self.matrix[:, destination])]

    def reach(self, shape: Shape, source: int) -> list[int]:
        """Reach values of a node, by :class:`~rtl.formats.Direction`.

        The hops a packet for a whole line may travel: so far that every node up to there is allowed.
        """
        reaches = []
        for direction in Direction:
            hops = 0
            for rank in shape.line(source, direction):
                if not self.matrix[source, rank]:
                    break
                hops += 1
            reaches.append(hops)
        return reaches


def _check_node(rank: object, nodes: int, place: Place) -> None:
    if not isinstance(rank, int) or isinstance(rank, bool) or not 0 <= rank < nodes:
        raise DomainError(place, f"no node {rank!r}; nodes are 0 to {nodes - 1}")


def _nodes(text: str, nodes: int, rule: int) -> list[int]:
    """Ranks of one side of a rule."""
    parts = text.replace(",", " ").split()
    if not parts:
        raise DomainError((rule,), 'a side of the rule names no node; write "0 -> 3 4"')
    ranks: list[int] = []
    for part in parts:
        if part == "*":
            ranks += range(nodes)
            continue
        found = _PART.match(part)
        if found is None:
            raise DomainError((rule,), f"{part!r} is no node; write 3, 4-7 or *")
        low, high = int(found[1]), int(found[2] or found[1])
        _check_node(low, nodes, (rule,))
        _check_node(high, nodes, (rule,))
        if high < low:
            raise DomainError((rule,), f"{part!r} counts down; write {high}-{low}")
        ranks += range(low, high + 1)
    return sorted(set(ranks))
