"""Who reaches whom: directly, as isAllowed says, and through relays, if software on the nodes between forwards.

Hardware decides about one packet at a time. Whether node 3 passes on to 6 what 0 has told it is a matter of the
software on 3; so what nodes that may not talk can still tell each other is the transitive closure of isAllowed.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from khhw.control.domains import DomainError, Domains

__all__ = ["DomainChange", "Reach", "between", "twins"]

Mask = npt.NDArray[np.bool_]


class Reach:
    """Who reaches whom under some domains.

    Parameters
    ----------
    domains : Domains

    Attributes
    ----------
    domains : Domains
    hops : numpy array of int, shape (nodes, nodes)
        Sends that it takes from source to destination at least: 1 where isAllowed is 1, n where n - 1 nodes between
        must forward, 0 where no chain leads. On the diagonal isAllowed itself.
    """

    def __init__(self, domains: Domains) -> None:
        self.domains = domains
        self.hops = _hops(domains.matrix)

    @property
    def connected(self) -> Mask:
        """Pairs with a chain between them, of whatever length: shape (nodes, nodes)."""
        connected: Mask = self.hops > 0
        return connected

    @property
    def relayed(self) -> Mask:
        """Pairs that only relays connect: shape (nodes, nodes)."""
        relayed: Mask = self.hops > 1
        return relayed

    def relays(self, source: int, destination: int) -> tuple[int, ...]:
        """Nodes between, in the order a message passes them, on a shortest chain; none if it may be sent directly.

        Raises
        ------
        ValueError
            If no chain leads there.
        """
        length = int(self.hops[source, destination])
        if not length:
            raise ValueError(f"nothing leads from node {source} to node {destination}")
        chain: list[int] = []
        behind = destination
        for left in range(length - 1, 0, -1):
            before = (self.hops[source] == left) & self.domains.matrix[:, behind]
            behind = int(np.flatnonzero(before)[0])
            chain.append(behind)
        return tuple(reversed(chain))

    @property
    def unreached(self) -> list[int]:
        """Nodes that no other may send to, and so no chain leads to."""
        return [int(rank) for rank in np.flatnonzero(~_others(self.domains.matrix).any(axis=0))]

    @property
    def mute(self) -> list[int]:
        """Nodes that may send to no other."""
        return [int(rank) for rank in np.flatnonzero(~_others(self.domains.matrix).any(axis=1))]


class DomainChange:
    """What becomes of everybody's reach when domains are changed.

    All pairs are masks of shape (nodes, nodes), source first.

    Parameters
    ----------
    old, new : Domains

    Raises
    ------
    DomainError
        If they are of different numbers of nodes.
    """

    def __init__(self, old: Domains, new: Domains) -> None:
        if old.nodes != new.nodes:
            raise DomainError((), f"domains of {old.nodes} nodes cannot become domains of {new.nodes}")
        self.old, self.new = old, new

    @property
    def added(self) -> Mask:
        """Allowed from the end of the second phase on."""
        return self.new.matrix & ~self.old.matrix

    @property
    def revoked(self) -> Mask:
        """Refused from the end of the first phase on."""
        return self.old.matrix & ~self.new.matrix

    @property
    def kept(self) -> Domains:
        """What both allow: in force from the first phase to the second, and never interrupted."""
        return self.old & self.new

    @cached_property
    def before(self) -> Reach:
        """Under the old domains."""
        return Reach(self.old)

    @cached_property
    def after(self) -> Reach:
        """Under the new domains."""
        return Reach(self.new)

    @property
    def evaded(self) -> Mask:
        """Revoked, but relays still lead there."""
        return self.revoked & self.after.relayed

    @property
    def gained(self) -> Mask:
        """Reached through relays now, and not at all before."""
        return self.after.relayed & ~self.before.connected

    @property
    def lost(self) -> Mask:
        """Reached through relays before, and not at all now."""
        return self.before.relayed & ~self.after.connected

    @cached_property
    def carried(self) -> Mask:
        """Reached neither before nor now, but some node could hear the one before and can tell the other now.

        The change takes away nothing that a node has in its memory.
        """
        first, then = (_others(reach.connected) for reach in (self.before, self.after))
        both: Mask = (first.astype(np.float32) @ then.astype(np.float32)) > 0
        return _others(both & ~self.before.connected & ~self.after.connected)

    def carrier(self, source: int, destination: int) -> int:
        """The lowest node that carries what `source` has said to `destination`.

        Raises
        ------
        ValueError
            If there is none.
        """
        if not self.carried[source, destination]:
            raise ValueError(f"no node carries anything from node {source} to node {destination}")
        could = self.before.connected[source] & self.after.connected[:, destination]
        return int(np.flatnonzero(could)[0])


def twins(*states: Domains) -> list[list[int]]:
    """Nodes that are treated alike: exchanging two of a group changes none of the matrices.

    Parameters
    ----------
    *states : Domains
        Of the same number of nodes; at least one.

    Returns
    -------
    list of list of int
        Groups of ranks, in the order of their first ones. Between two groups, and between different members of one,
        every cell of a matrix is the same.
    """
    keys = zip(*(_twin_keys(domains.matrix) for domains in states), strict=True)
    groups: dict[tuple[int, ...], list[int]] = {}
    for rank, key in enumerate(keys):
        groups.setdefault(key, []).append(rank)
    return list(groups.values())


def between(mask: Mask, groups: Sequence[Sequence[int]]) -> Mask:
    """One cell for each pair of groups of a mask that is the same for all of their members.

    Parameters
    ----------
    mask : numpy array of bool, shape (nodes, nodes)
    groups : sequence of sequence of int
        Of :func:`twins`.

    Returns
    -------
    numpy array of bool, shape (groups, groups)
        On the diagonal the cell between two different members; False for a group of one.
    """
    first = [group[0] for group in groups]
    cells: Mask = mask[np.ix_(first, first)].copy()
    for index, group in enumerate(groups):
        cells[index, index] = len(group) > 1 and mask[group[0], group[1]]
    return cells


def _others(mask: Mask) -> Mask:
    """Without the diagonal."""
    result: Mask = mask & ~np.eye(len(mask), dtype=bool)
    return result


def _twin_keys(matrix: Mask) -> list[int]:
    """A number for each node, the same for those that can be exchanged.

    Such nodes see the same others. What stands between themselves is 1, then their rows and columns are equal once the
    diagonal is 1, or 0, then once it is 0. A node that has partners of the first kind has none of the second.
    """
    diagonal = np.diag(matrix).copy()
    kinds = []
    for value in (True, False):
        filled = matrix.copy()
        np.fill_diagonal(filled, value)
        rows, columns = np.packbits(filled, axis=1), np.packbits(filled.T, axis=1)
        kinds.append([(bool(own), row.tobytes(), column.tobytes())
                      for own, row, column in zip(diagonal, rows, columns, strict=True)])
    alike, apart = kinds
    partners: dict[tuple[bool, bytes, bytes], int] = {}
    for key in alike:
        partners[key] = partners.get(key, 0) + 1
    numbers: dict[tuple[bool, tuple[bool, bytes, bytes]], int] = {}
    return [numbers.setdefault((True, one) if partners[one] > 1 else (False, other), len(numbers))
            for one, other in zip(alike, apart, strict=True)]


def _hops(matrix: Mask) -> npt.NDArray[np.int32]:
    """See :class:`Reach`. Worked out for groups of like nodes, which is quick for any number of nodes."""
    groups = twins(Domains(matrix))
    direct = between(matrix, groups)
    inside = np.diag(direct).copy()
    np.fill_diagonal(direct, False)
    hops = np.array([_distances(direct, source) for source in range(len(groups))], dtype=np.int32)
    for index in range(len(groups)):
        # From a member to another one: at once, or out of the group and back.
        back = hops[direct[index], index]
        round_trip = int(back[back > 0].min()) + 1 if (back > 0).any() else 0
        hops[index, index] = 1 if inside[index] else round_trip
    group_of = np.empty(len(matrix), dtype=np.intp)
    for index, group in enumerate(groups):
        group_of[group] = index
    expanded: npt.NDArray[np.int32] = hops[np.ix_(group_of, group_of)]
    np.fill_diagonal(expanded, np.diag(matrix))
    return expanded


def _distances(direct: Mask, source: int) -> npt.NDArray[np.int32]:
    """Steps from `source` to all others, 0 where no path leads."""
    distances = np.zeros(len(direct), dtype=np.int32)
    unseen = np.ones(len(direct), dtype=bool)
    unseen[source] = False
    edge, steps = np.array([source]), 0
    while len(edge):
        steps += 1
        edge = np.flatnonzero(direct[edge].any(axis=0) & unseen)
        distances[edge] = steps
        unseen[edge] = False
    return distances
