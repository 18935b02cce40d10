"""Which way a tree packet goes: heap arithmetic on dense ranks.

Node 0 is the root, the children of node ``n`` are ``2 n + 1`` and ``2 n + 2``. Written as ``n + 1`` in
binary, the children of a node are its number followed by a 0 or a 1; so node ``t`` is below ``n`` exactly
if ``n + 1`` is a prefix of ``t + 1``, and the bit after the prefix is the way.
"""

import enum

from amaranth.hdl import C, Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.formats import TreeClass

__all__ = ["CLASSES", "FIXED_ROUTES", "RANK_BITS", "ClassRoutes", "HeapRoute", "Target", "way"]

CLASSES = 16
"""Tree classes there are."""

RANK_BITS = 16


class Target(enum.IntEnum):
    """Outputs of a tree router; a set of them is a mask of these bit numbers."""

    PARENT = 0
    LEFT = 1
    RIGHT = 2
    LOCAL = 3


ClassRoutes = data.ArrayLayout(len(Target), CLASSES)
"""Outputs of a tree router by class, each a mask by :class:`Target`: PARENT is the outside, at the root."""

FIXED_ROUTES = {TreeClass.OUTSIDE: 1 << Target.PARENT, TreeClass.BROADCAST: (1 << len(Target)) - 1}
"""Of the classes whose members are fixed, at every node."""


def way(rank: int, target: int) -> Target | None:
    """The output of node `rank` towards node `target`, or None if it is not below: software twin of
    :class:`HeapRoute` for a node with both children.

    Parameters
    ----------
    rank : int
        Dense rank of the node, 16 bits.
    target : int
        Tree vector, 24 bits.
    """
    here, there = rank + 1, target + 1
    levels = there.bit_length() - here.bit_length()
    if target >> RANK_BITS or levels < 0 or there >> levels != here:
        return None
    if levels == 0:
        return Target.LOCAL
    return Target.RIGHT if there >> levels - 1 & 1 else Target.LEFT


class HeapRoute(wiring.Component):
    """Downward targets of a tree packet. Combinational.

    Members
    -------
    rank : In(16)
        Of this node.
    children : In(2)
        Tree children present; a missing one is never a target.
    p2p : In(1)
        The packet is for one node, if that is a member of its class; else for all members from here down.
    vector : In(24)
        That node's rank.
    members : In(4)
        The ways to those members, by :class:`Target`; the parent's does not count.
    targets : Out(4)
        By :class:`Target`, without the parent. 0 for a rank that is not below.
    """

    rank: In(RANK_BITS)
    children: In(2)
    p2p: In(1)
    vector: In(24)
    members: In(len(Target))
    targets: Out(4)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        here = Signal(RANK_BITS + 1)
        there = Signal(RANK_BITS + 1)
        below = Signal(RANK_BITS + 1)
        right = Signal(RANK_BITS)
        present = Signal()
        m.d.comb += [
            here.eq(self.rank + 1),
            there.eq(self.vector[:RANK_BITS] + 1),
            present.eq(~self.vector[RANK_BITS:].any()),
            below.eq(Cat(there[levels:] == here for levels in range(RANK_BITS + 1))),
            right.eq(below[1:] & there),
        ]

        # The way is the bit of `there` that the one-hot `below` selects.
        single = Signal(4)
        left = Signal(RANK_BITS)
        m.d.comb += [
            left.eq(below[1:] & ~there),
            single.eq(Cat(C(0, 1), left.any(), right.any(), below[0]) & present.replicate(4)),
            self.targets.eq(Mux(self.p2p, single, 15) & self.members & Cat(C(0, 1), self.children, C(1, 1))),
        ]
        return m
