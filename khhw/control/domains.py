"""Communication domains: isAllowed(source, destination) as a matrix, from the forms people write it in."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from khhw.node.shape import Shape
from rtl.formats import Direction

__all__ = ["DomainError", "Domains", "wrong_groups", "wrong_matrix", "wrong_rules"]

KeyPath = tuple[str | int, ...]
_ONE_LEASE = np.zeros(0, np.int64)
"""Stands for as many zeros as there are nodes."""
_RULE = re.compile(r"^(?P<sources>.*?)(?P<arrow><->|->)(?P<destinations>.*)$")
_PART = re.compile(r"^(\d{1,9})(?:-(\d{1,9}))?$")


class DomainError(ValueError):
    """Domains that cannot be.

    Parameters
    ----------
    key_path : tuple of str and int
        Where, below the form that was given: row and column, a group's name, a rule's number.
    message : str
        What is wrong and what would be right.
    """

    def __init__(self, key_path: KeyPath, message: str) -> None:
        self.key_path = key_path
        self.message = message
        where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in key_path).removeprefix(".")
        super().__init__(f"{where}: {message}" if where else message)


@dataclass(frozen=True, eq=False)
class Domains:
    """A relation isAllowed over the nodes of a machine, and which of them are of one lease.

    Parameters
    ----------
    matrix : numpy array of bool, shape (nodes, nodes)
        ``matrix[source, destination]``, by dense rank.
    leases : numpy array of int, shape (nodes,), optional
        A number for the lease of each node, by dense rank; which numbers they are means nothing. Traffic between two
        leases is counted apart (:class:`~rtl.meter_lines.MeterLine`). By default all nodes are of one.

    Raises
    ------
    DomainError
        If the matrix is not square, or there are more or fewer leases than nodes.
    """

    matrix: npt.NDArray[np.bool_]
    leases: npt.NDArray[np.int64] = field(default_factory=lambda: _ONE_LEASE)

    def __post_init__(self) -> None:
        if self.matrix.ndim != 2 or self.matrix.shape[0] != self.matrix.shape[1]:
            raise DomainError((), f"A matrix of domains is square, not {'x'.join(map(str, self.matrix.shape))}")
        if self.leases is _ONE_LEASE:
            object.__setattr__(self, "leases", np.zeros(self.nodes, np.int64))
        if self.leases.shape != (self.nodes,):
            raise DomainError(("leases",), f"a lease for each of {self.nodes} nodes, not an array of shape "
                              f"{'x'.join(map(str, self.leases.shape))}")

    def __eq__(self, other: object) -> bool:
        return (isinstance(other, Domains) and np.array_equal(self.matrix, other.matrix)
                and np.array_equal(self.shared, other.shared))

    def __hash__(self) -> int:
        return hash(self.matrix.tobytes())

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return int(self.matrix.shape[0])

    @property
    def shared(self) -> npt.NDArray[np.bool_]:
        """Pairs of nodes of different leases, one of which may send to the other: shape (nodes, nodes)."""
        return self.shared_by(list(range(self.nodes)))

    def shared_by(self, ranks: Sequence[int]) -> npt.NDArray[np.bool_]:
        """Of some nodes, the nodes of other leases that they have to do with: shape (ranks, nodes).

        Between all others there is nothing to tell apart; so nodes whose leases have to do with nobody say the same,
        and who rents them changes nothing elsewhere.
        """
        shared: npt.NDArray[np.bool_] = (self.matrix[ranks] | self.matrix.T[ranks]) & (
            self.leases[ranks, None] != self.leases)
        return shared

    @classmethod
    def from_matrix(cls, rows: Sequence[Sequence[int]], nodes: int) -> "Domains":
        """Domains of rows of 0 and 1, source first.

        Raises
        ------
        DomainError
            If there are not `nodes` rows of `nodes` cells, or a cell is something else.
        """
        _raise_first(wrong_matrix(rows, nodes))
        return cls(np.array(rows, dtype=bool).reshape(nodes, nodes))

    @classmethod
    def from_groups(cls, groups: Mapping[str, Sequence[int]], nodes: int) -> "Domains":
        """Domains of named groups: members of one may send to each other, and every node to itself."""
        _raise_first(wrong_groups(groups, nodes))
        matrix = np.eye(nodes, dtype=bool)
        for members in groups.values():
            matrix[np.ix_(members, members)] = True
        return cls(matrix)

    @classmethod
    def from_rules(cls, rules: Sequence[str], nodes: int) -> "Domains":
        """Domains of directed rules; what no rule allows is refused, a node's way to itself too.

        A rule is ``"0 -> 0 3 4"``, or ``"1 <-> 2-5"`` for both directions; ``*`` stands for all nodes.
        """
        _raise_first(wrong_rules(rules, nodes))
        matrix = np.zeros((nodes, nodes), dtype=bool)
        for rule in rules:
            source, arrow, destination = _parts(rule)
            sources, destinations = _ranks(source, nodes), _ranks(destination, nodes)
            matrix[np.ix_(sources, destinations)] = True
            if arrow == "<->":
                matrix[np.ix_(destinations, sources)] = True
        return cls(matrix)

    @classmethod
    def nothing(cls, nodes: int) -> "Domains":
        """Nobody may send to anybody."""
        return cls(np.zeros((nodes, nodes), dtype=bool))

    def __and__(self, other: "Domains") -> "Domains":
        """What both allow, with the leases of the first: they hold until nothing of it is under way any more."""
        if self.nodes != other.nodes:
            raise DomainError((), f"Domains of {self.nodes} and of {other.nodes} nodes have nothing in common")
        return Domains(self.matrix & other.matrix, self.leases)

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


def wrong_matrix(rows: Sequence[Sequence[int]], nodes: int) -> Iterator[DomainError]:
    """All that is wrong with what :meth:`Domains.from_matrix` takes."""
    if len(rows) != nodes:
        yield DomainError((), f"{len(rows)} rows for {nodes} nodes; the matrix must be {nodes}x{nodes}")
    for source, row in enumerate(rows):
        if len(row) != nodes:
            yield DomainError((source,), f"{len(row)} columns for {nodes} nodes; a row has {nodes} cells")
        for destination, cell in enumerate(row):
            if cell not in (0, 1):
                yield DomainError((source, destination), f"a cell is 0 or 1, not {cell!r}")


def wrong_groups(groups: Mapping[str, Sequence[int]], nodes: int) -> Iterator[DomainError]:
    """All that is wrong with what :meth:`Domains.from_groups` takes."""
    for name, members in groups.items():
        if not members:
            yield DomainError((name,), "a group has at least one node")
        for index, member in enumerate(members):
            if not isinstance(member, int) or isinstance(member, bool) or not 0 <= member < nodes:
                yield DomainError((name, index), _no_node(member, nodes))
            elif member in members[:index]:
                yield DomainError((name, index), f"node {member} is in the group twice")


def wrong_rules(rules: Sequence[str], nodes: int) -> Iterator[DomainError]:
    """All that is wrong with what :meth:`Domains.from_rules` takes."""
    for index, rule in enumerate(rules):
        if _RULE.match(rule) is None:
            yield DomainError((index,), f'{rule!r} is no rule; write "0 -> 3 4"')
            continue
        source, _, destination = _parts(rule)
        for side in (source, destination):
            if not side:
                yield DomainError((index,), 'a side of the rule names no node; write "0 -> 3 4"')
            yield from (DomainError((index,), wrong) for part in side if (wrong := _wrong_part(part, nodes)))


def _raise_first(wrong: Iterator[DomainError]) -> None:
    for error in wrong:
        raise error


def _no_node(rank: object, nodes: int) -> str:
    return f"no node {rank!r}; nodes are 0 to {nodes - 1}"


def _parts(rule: str) -> tuple[list[str], str, list[str]]:
    """What a rule has on the left, its arrow, and what is on the right."""
    found = _RULE.match(rule)
    assert found is not None
    left, right = (found[side].replace(",", " ").split() for side in ("sources", "destinations"))
    return left, found["arrow"], right


def _wrong_part(part: str, nodes: int) -> str | None:
    """Why a part of a side of a rule names no nodes."""
    if part == "*":
        return None
    if (found := _PART.match(part)) is None:
        return f"{part!r} is no node; write 3, 4-7 or *"
    low, high = int(found[1]), int(found[2] or found[1])
    if (outside := next((rank for rank in (low, high) if rank >= nodes), None)) is not None:
        return _no_node(outside, nodes)
    return f"{part!r} counts down; write {high}-{low}" if high < low else None


def _ranks(side: Sequence[str], nodes: int) -> list[int]:
    """Ranks that the parts of a side of a rule name."""
    ranks: set[int] = set()
    for part in side:
        low, _, high = ("0", "-", str(nodes - 1)) if part == "*" else part.partition("-")
        ranks.update(range(int(low), int(high or low) + 1))
    return sorted(ranks)
