"""Classes of the tree: their routes at the nodes, those that texts go by, and which groups of nodes are worth one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from khhw.control.owner import Write
from khhw.node.shape import Shape
from khhw.node.tree_packets import CONTROL_WORDS
from rtl.formats import TreeClass
from rtl.tree.routing import CLASSES, FIXED_ROUTES, Target

__all__ = [
    "ROUTED_CLASSES", "Routes", "TreeClasses", "packet_cycles", "question_cycles", "routes_to", "texts_to",
]

ROUTED_CLASSES = tuple(number for number in range(CLASSES) if number not in FIXED_ROUTES)
"""Classes whose members are what the owner says, lowest first."""
_UNKNOWN = 0xFF
"""What no route is."""
_Ways = npt.NDArray[np.uint8]
_Members = npt.NDArray[np.bool_]
_PHASES = 2
"""So often a class is used: a change has two phases, in which mostly the same nodes are told alike."""
_HEADER_CYCLES = 5
"""Of a tree packet beside its words: three flits, and two cycles to the next one of the same input."""


def packet_cycles(words: int) -> int:
    """Cycles for which control packets with so many words occupy a cable of the tree.

    See :class:`~rtl.tree.router.TreeRouter`: one flit a cycle, three of them headers, and two between two packets.
    """
    return words + _HEADER_CYCLES * -(-words // CONTROL_WORDS)


def question_cycles(nodes: int) -> int:
    """Cycles at most from a question to the members of a class until their answer, in an idle tree of so many nodes.

    Twelve for each level, down and up, and those of a short packet and of its answer at both ends.
    """
    return 12 * nodes.bit_length() + 40


def routes_to(members: _Members) -> tuple[_Ways, _Members]:
    """The routes of a class with these members, and the nodes that its packets come to: those of others do not count.

    Parameters
    ----------
    members : numpy array of bool, shape (nodes,)
        By rank.

    Returns
    -------
    routes : numpy array of uint8, shape (nodes,)
        Masks by :class:`~rtl.tree.routing.Target`. The outside, above the root, is a member as well.
    reached : numpy array of bool, shape (nodes,)
    """
    nodes = len(members)
    below = np.zeros(2 * nodes + 2, bool)
    below[:nodes] = members
    ranks = np.arange(nodes)
    # By levels of the heap, the lowest first: a node's children are a level below it.
    for level in reversed(range(nodes.bit_length())):
        these = ranks[(1 << level) - 1:(2 << level) - 1]
        below[these] |= below[2 * these + 1] | below[2 * these + 2]
    ways = {Target.LOCAL: members, Target.LEFT: below[2 * ranks + 1], Target.RIGHT: below[2 * ranks + 2],
            Target.PARENT: ranks == 0}
    routes = np.zeros(nodes, np.uint8)
    for target, taken in ways.items():
        routes[taken] |= 1 << target
    return routes, below[:nodes]


def texts_to(allowed: _Members, classes: Mapping[int, int]) -> dict[int, tuple[_Ways, _Members]]:
    """Routes of the classes that texts go by: to whomever one of those who have it may send to, and outside.

    Parameters
    ----------
    allowed : numpy array of bool, shape (nodes, nodes)
        Source first.
    classes : mapping of int to int
        The class that a node's texts bear, by rank. Those with fixed members need no routes.

    Returns
    -------
    dict of int to tuple
        By class, as of :func:`routes_to`; texts come to the root at least.
    """
    speakers: dict[int, list[int]] = {}
    for rank, number in classes.items():
        speakers.setdefault(number, []).append(rank)
    found = {}
    for number in sorted(speakers.keys() & {*ROUTED_CLASSES}):
        members = np.logical_or.reduce(allowed[speakers[number]], axis=0)
        ways, reached = routes_to(members)
        reached[0] = True
        found[number] = ways, reached
    return found


@dataclass
class Routes:
    """What makes classes what they are to be.

    Parameters
    ----------
    first : list of Write
        For all nodes.
    each : dict of int to list of Write
        Then for one, by rank.
    after : dict of int to numpy array of uint8, shape (nodes,)
        What the nodes hold then, by class.
    """

    first: list[Write] = field(default_factory=list)
    each: dict[int, list[Write]] = field(default_factory=dict)
    after: dict[int, _Ways] = field(default_factory=dict)


class TreeClasses:
    """What the owner knows of the routes of all classes at all nodes, and to whom it last gave each class.

    Parameters
    ----------
    shape : Shape
        Of the machine.
    """

    def __init__(self, shape: Shape) -> None:
        self._nodes = shape.nodes
        self._reserved = frozenset[int]()
        self._spoken: frozenset[int] | None = None
        self.forget()

    def forget(self) -> None:
        """Nothing is known of the routes of any class."""
        self._routes = {number: np.full(self._nodes, _UNKNOWN, np.uint8) for number in ROUTED_CLASSES}
        self._used = dict.fromkeys(self._routes, 0)
        self._turn = 0

    def choose(
        self, wanted: Iterable[tuple[tuple[int, ...], Sequence[Write]]],
    ) -> tuple[Routes, dict[tuple[int, ...], int]]:
        """Classes for those sets of nodes that are told the same in fewer cycles by one than node by node.

        The routes of a class that changes are not known from now on.

        Parameters
        ----------
        wanted : iterable of tuple
            The ranks of some nodes, ascending, and what all of these are told; the same ranks may be there again.

        Returns
        -------
        routes : Routes
            To be written, and acknowledged, before.
        chosen : dict of tuple of int to int
            The class of these ranks, BROADCAST if they are all; who is in none is told for himself.
        """
        self._turn += 1
        saved = dict[tuple[int, ...], int]()
        for ranks, writes in wanted:
            # Each class is a question of its own.
            before = saved.get(ranks, -question_cycles(self._nodes))
            saved[ranks] = before + (len(ranks) - 1) * packet_cycles(len(writes))
        routes, chosen = Routes(), dict[tuple[int, ...], int]()
        for ranks in sorted(saved, key=lambda ranks: -saved[ranks]):
            if len(ranks) == self._nodes > 1:
                chosen[ranks] = TreeClass.BROADCAST
            elif saved[ranks] > 0 and (number := self._assign(ranks, saved[ranks], routes)) is not None:
                chosen[ranks] = number
        return routes, chosen

    def reserve(self, classes: Mapping[int, int]) -> None:
        """A change begins that gives texts these classes, by rank: none of them is taken for a group any more.

        Groups use it all the same where its routes are already what they need.
        """
        self._reserved |= {*classes.values()} & {*ROUTED_CLASSES}

    def lead(self, allowed: _Members, classes: Mapping[int, int]) -> Routes:
        """Routes by which texts come to their members, and outside, and nowhere else: see :func:`texts_to`.

        What is under way meanwhile comes to whoever is a member before and after: no node that may have passed it on
        is given another route than its last one.

        Returns
        -------
        Routes
            To be written, and acknowledged, while no answers for any class are under way.
        """
        routes = Routes()
        for number, (ways, reached) in texts_to(allowed, classes).items():
            silent = self._spoken is not None and number not in self._spoken
            common, changed = self._cheapest(number, ways, reached, at_once=silent)
            self._note(routes, number, ways, common, changed)
        return routes

    def led(self, classes: Mapping[int, int]) -> None:
        """The change has ended, or was found to have: texts bear these classes, by rank, and no other ones."""
        self._reserved = self._spoken = frozenset({*classes.values()} & {*ROUTED_CLASSES})

    def _assign(self, ranks: Sequence[int], saved: int, routes: Routes) -> int | None:
        """Give nodes a class if that costs less than is saved, and note what is to be written for it."""
        members = np.zeros(self._nodes, bool)
        members[list(ranks)] = True
        ways, reached = routes_to(members)
        differs = {number: bool((reached & (self._routes[number] != ways)).any())
                   for number, used in self._used.items() if used < self._turn}
        free = [number for number, other in differs.items() if not (other and number in self._reserved)]
        # One that is theirs, or the one that has not been used for longest.
        number = min(free, key=lambda n: (differs[n], self._used[n]), default=None)
        if number is None:
            return None
        common, changed = self._cheapest(number, ways, reached, at_once=True)
        written = (common is not None) + int(changed.sum())
        # Routes are waited for once, for whatever classes they are.
        first = question_cycles(self._nodes) if written and not routes.after else 0
        if first + packet_cycles(1) * written >= _PHASES * saved:
            return None
        self._note(routes, number, ways, common, changed)
        self._used[number] = self._turn
        return number

    def _cheapest(
        self, number: int, ways: _Ways, reached: _Members, *, at_once: bool,
    ) -> tuple[int | None, _Members]:
        """The route that all nodes are given first, if any, and which of them are given their own one then."""
        differs = reached & (self._routes[number] != ways)
        common = int(np.bincount(ways[reached]).argmax())
        others = reached & (ways != common)
        if at_once and 1 + int(others.sum()) < int(differs.sum()):
            return common, others
        return None, differs

    def _note(
        self, routes: Routes, number: int, ways: _Ways, common: int | None, changed: _Members,
    ) -> None:
        """What is to be written for one class, whose routes are not known until it is."""
        before = self._routes[number] if common is None else np.full(self._nodes, common, np.uint8)
        if common is not None:
            routes.first.append(Write("CLASS_ROUTE", common, number))
        for rank in np.flatnonzero(changed):
            routes.each.setdefault(int(rank), []).append(Write("CLASS_ROUTE", int(ways[rank]), number))
        if common is not None or changed.any():
            routes.after[number] = np.where(changed, ways, before)
            self._routes[number] = np.full(self._nodes, _UNKNOWN, np.uint8)

    def loaded(self, routes: Routes) -> None:
        """All nodes have acknowledged them."""
        self._routes.update(routes.after)

    def found(self, routes: Sequence[Sequence[int]]) -> None:
        """What was read of nodes while nothing was being written: of :data:`ROUTED_CLASSES`, by rank."""
        self._routes.update(zip(ROUTED_CLASSES, np.array(routes, np.uint8).T, strict=True))
