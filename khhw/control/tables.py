"""What the owner loads into nodes for a change of domains, and how it knows it again."""

import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from khhw.control.domains import Domains
from khhw.control.owner import Group, Write
from khhw.control.tree_classes import Routes, TreeClasses
from khhw.node.shape import Shape
from rtl.registers import REGISTERS

__all__ = ["REVISIONS", "Load", "TableBanks", "table_crc", "table_writes"]

REVISIONS = 1 << 32
"""Revisions are below this."""
_WORD_BITS = 32
_Words = npt.NDArray[np.uint32]


def table_writes(domains: Domains, shape: Shape, rank: int, revision: int = 0) -> list[Write]:
    """Revision, shared, row, column and reach values of one node, for its shadow: absolute, and all there are.

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
    words = _table_words(domains, shape, [rank])[0]
    return [Write("REVISION", revision), *(
        Write(name, int(word), index) for (name, index), word in zip(_registers(shape), words, strict=True))]


def table_crc(writes: Iterable[Write], before: int = 0) -> int:
    """What TABLE_CRC reads when these writes have been loaded and committed, if the bank had `before`."""
    return zlib.crc32(_summed(writes), before)


def _summed(writes: Iterable[Write]) -> bytes:
    """What TABLE_CRC sums up of writes."""
    return b"".join(struct.pack("<HI", REGISTERS[write.register].at(write.index), write.value) for write in writes)


@dataclass(frozen=True)
class Load:
    """What makes the shadow of every node hold certain domains.

    Parameters
    ----------
    bank : int
        Which of the two banks is the shadow.
    routes : Routes
        Of the classes of `groups`: to be acknowledged before.
    first : list of Write
        For all nodes.
    groups : list of Group
        Then for the members of some classes.
    each : dict of int to list of Write
        Then for one, by rank.
    words : numpy array of uint32, shape (nodes, words)
        What the nodes hold afterwards.
    sums : list of int
        What TABLE_CRC reads of them then, by rank.
    """

    bank: int
    routes: Routes
    first: list[Write]
    groups: list[Group]
    each: dict[int, list[Write]]
    words: _Words
    sums: list[int]


class TableBanks:
    """What both banks of the tables of all nodes hold, as far as their owner knows it: so it loads only what differs.

    Parameters
    ----------
    shape : Shape
        Of the machine.
    """

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._registers = _registers(shape)
        self._banks: list[Load | None] = [None, None]

    def forget(self) -> None:
        """Nothing is known of either bank."""
        self._banks = [None, None]

    def load(self, bank: int, domains: Domains, revision: int, classes: TreeClasses) -> Load:
        """What is to be written for `domains`: if the bank is not known, all there is. It is not known from now on.

        Parameters
        ----------
        bank : int
            The one that is the shadow.
        domains : Domains
        revision : int
            32 bits.
        classes : TreeClasses
            Nodes that are told the same may get one.
        """
        before, self._banks[bank] = self._banks[bank], None
        nodes = self._shape.nodes
        words = _table_words(domains, self._shape, range(nodes))
        differs = np.ones_like(words, dtype=bool) if before is None else before.words != words
        alike = self._alike(words, differs)
        routes, chosen = classes.choose(alike)
        groups: list[Group] = []
        each: dict[int, list[Write]] = {}
        for ranks, writes in alike:
            # Nodes are told for themselves after all groups. Whoever is told all words hears them in the order of
            # `table_writes`, and has the sum of that.
            if ranks in chosen and (before is not None or each.keys().isdisjoint(ranks)):
                groups.append(Group(chosen[ranks], ranks, writes))
            else:
                for rank in ranks:
                    each.setdefault(rank, []).extend(writes)
        first = [Write("REVISION", revision)]
        sums = [table_crc(first, before.sums[rank] if before else 0) for rank in range(nodes)]
        for group in groups:
            summed = _summed(group.writes)
            for rank in group.ranks:
                sums[rank] = zlib.crc32(summed, sums[rank])
        for rank, own in each.items():
            sums[rank] = table_crc(own, sums[rank])
        if before is None:
            # The sum begins anew with what is known.
            first.insert(0, Write("TABLE_CRC", 0))
        return Load(bank, routes, first, groups, each, words, sums)

    def _alike(self, words: _Words, differs: npt.NDArray[np.bool_]) -> list[tuple[tuple[int, ...], list[Write]]]:
        """Ranks, and what they are told alike: shared, row, column and reach apart, unless the same nodes are told two
        of them one after the other."""
        alike: list[tuple[tuple[int, ...], list[Write]]] = []
        latest = dict[int, int]()
        names = np.array([name for name, _ in self._registers])
        for part in (np.flatnonzero(names == name) for name in dict.fromkeys(names)):
            wanted = np.where(differs[:, part], words[:, part], 0)
            _, first, kinds = np.unique(
                np.hstack([wanted, differs[:, part]]), axis=0, return_index=True, return_inverse=True)
            for kind, rank in enumerate(first):
                writes = [Write(self._registers[at][0], int(words[rank, at]), self._registers[at][1])
                          for at in part if differs[rank, at]]
                if not writes:
                    continue
                ranks = tuple(map(int, np.flatnonzero(kinds.ravel() == kind)))
                told = {latest.get(rank) for rank in ranks}
                if len(told) == 1 and (at := told.pop()) is not None and alike[at][0] == ranks:
                    alike[at][1].extend(writes)
                else:
                    latest.update(dict.fromkeys(ranks, len(alike)))
                    alike.append((ranks, writes))
        return alike

    def loaded(self, load: Load) -> None:
        """All nodes have acknowledged a load."""
        self._banks[load.bank] = load

    def holds(self, bank: int, domains: Domains, sums: Sequence[int]) -> None:
        """It was found that a bank holds these domains, in whatever loads."""
        words = _table_words(domains, self._shape, range(self._shape.nodes))
        self._banks[bank] = Load(bank, Routes(), [], [], {}, words, list(sums))

    def sums(self, bank: int) -> list[int] | None:
        """What TABLE_CRC reads of every node while this bank is the active one, by rank; None if it is not known."""
        load = self._banks[bank]
        return None if load is None else load.sums


def _registers(shape: Shape) -> list[tuple[str, int]]:
    """The words of a node's tables: register and index, in the order in which they are written.

    SHARED is the first: it is what most nodes are told alike, and in a whole load no group comes after what is a node's
    own.
    """
    words = shape.node_id(shape.nodes - 1) // _WORD_BITS + 1
    counts = {"SHARED": words, "ROW": words, "COLUMN": words, "REACH": REGISTERS["REACH"].count}
    return [(name, index) for name, count in counts.items() for index in range(int(count))]


@cache
def _node_ids(shape: Shape) -> list[int]:
    return [shape.node_id(rank) for rank in range(shape.nodes)]


def _table_words(domains: Domains, shape: Shape, ranks: Sequence[int]) -> _Words:
    """The words of the tables of some nodes, shape (ranks, words)."""
    ids = _node_ids(shape)
    reaches = np.array([domains.reach(shape, rank) for rank in ranks], np.uint32)
    chosen = list(ranks)
    planes = domains.shared_by(chosen), domains.matrix[chosen], domains.matrix.T[chosen]
    return np.hstack([*(_packed(plane, ids) for plane in planes), reaches])


def _packed(plane: npt.NDArray[np.bool_], ids: Sequence[int]) -> _Words:
    """Bits by rank as words of bits by node id, shape (nodes, words)."""
    bits = np.zeros((len(plane), -(-(ids[-1] + 1) // _WORD_BITS) * _WORD_BITS), bool)
    bits[:, ids] = plane
    return np.packbits(bits, axis=1, bitorder="little").view("<u4").astype(np.uint32)
