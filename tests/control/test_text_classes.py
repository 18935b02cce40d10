"""Classes of the tree that nodes say texts by: whom they lead to, when, and that nothing else takes them."""

import numpy as np
import pytest

from khhw.control.changes import Moment
from khhw.control.domains import DomainError, Domains
from khhw.control.epochs import EpochControl
from khhw.control.owner import ConsoleKeys, Owner, Write
from khhw.control.tree_classes import ROUTED_CLASSES, TreeClasses, texts_to
from khhw.node.shape import Shape
from rtl.formats import TreeClass
from rtl.tree.routing import Target
from tests.control.test_tree_classes import LONG, grouped, halves, large_rig, turns, walk
from tests.reference import Rig

APART = Domains.from_groups({"a": [0, 1, 4], "b": [2, 3], "c": [5]}, 8)
CLASSES = {0: 3, 1: 3, 4: 3, 2: 9, 3: 9}


def heard(rig, tree_class):
    """Ranks that a packet of a class comes to."""
    return set(rig.machine.members(tree_class))


def test_texts_lead_to_whom_one_of_their_nodes_may_send_to():
    allowed = Domains.from_rules(["0 -> 0 5", "1 -> 6", "2 -> 2"], 8).matrix
    found = texts_to(allowed, {0: 3, 1: 3, 2: 15, 3: 0, 7: 4})
    assert set(found) == {3, 4}, "classes with fixed members have no routes"
    ways, reached = found[3]
    assert walk(ways, 8) == ({0, 5, 6}, set(np.flatnonzero(reached)))
    ways, reached = found[4]
    assert list(np.flatnonzero(reached)) == [0] and ways[0] == 1 << Target.PARENT, "nobody to send to"


def test_no_group_takes_a_class_of_texts_but_one_with_its_members_uses_it():
    classes, shape = TreeClasses(Shape(8, 8, 8)), 512
    half = np.zeros((shape, shape), bool)
    half[:256, :256] = True
    given = dict.fromkeys(range(256), 5)
    classes.reserve(given)
    classes.loaded(classes.lead(half, given))
    classes.led(given)
    wanted = {tuple(range(at, at + 16)): LONG * 3 for at in range(0, 512, 16)}
    for _ in range(2):
        routes, groups = grouped(classes, wanted)
        classes.loaded(routes)
        assert len({group.tree_class for group in groups}) == 13 and 5 not in {group.tree_class for group in groups}
    routes, (group, ) = grouped(classes, {tuple(range(256)): LONG[:3]})
    assert group.tree_class == 5 and not routes.first and not routes.each
    # Where its routes are not known any more, it is not given new ones for a group.
    classes.forget()
    routes, (group, ) = grouped(classes, {tuple(range(256)): LONG})
    assert group.tree_class != 5 and routes.first
    # And when nobody speaks by it, it is as others are.
    classes.led({})
    assert 5 in {group.tree_class for group in grouped(classes, wanted)[1]}


def test_nodes_have_no_other_route_in_between_while_texts_have_the_class():
    classes = TreeClasses(Shape(8, 8, 8))
    allowed, given = halves(512).matrix, dict.fromkeys(range(256), 5)
    unknown = classes.lead(allowed, given)
    assert not unknown.first, "whoever speaks by it is not known"
    classes.led({})
    silent = classes.lead(allowed, given)
    assert silent.first and len(silent.each) < len(unknown.each)
    classes.loaded(silent)
    classes.led(given)
    grown = allowed.copy()
    grown[0, 300:] = True
    routes = classes.lead(grown, given)
    assert not routes.first
    # All that is written is what is still to be: nodes that pass texts on to members of before go on doing so.
    before, after = (texts_to(matrix, given)[5] for matrix in (allowed, grown))
    written = {rank: writes[0].value for rank, writes in routes.each.items()}
    assert written and all(after[0][rank] == value for rank, value in written.items())
    differ = np.flatnonzero((before[0] != after[0]) & after[1])
    assert set(written) <= set(differ)


def test_ways_open_behind_the_first_phase_and_before_the_last():
    rig = Rig((2, 2, 2))
    epochs = EpochControl(rig.owner)
    rig.run(epochs.change(APART, revision=1, classes=CLASSES))
    assert (heard(rig, 3), heard(rig, 9)) == ({0, 1, 4}, {2, 3})
    assert [rig.machine.nodes[0].route(number)["outside"] for number in (3, 9)] == [1, 1]
    seen = []

    async def watch(moment, domains):
        seen.append((moment, domains, heard(rig, 3), heard(rig, 9)))

    other = Domains.from_groups({"a": [0, 1, 5], "b": [2, 3], "d": [4]}, 8)
    rig.run(epochs.change(other, revision=2, watch=watch, classes=CLASSES))
    (_, first, *before), _, (moment, last, *after), _ = seen
    assert first == Domains(APART.matrix & other.matrix) and before == [{0, 1, 4}, {2, 3}]
    assert moment is Moment.ACKNOWLEDGED and last == other and after == [{0, 1, 4, 5}, {2, 3}]
    rig.run(epochs.change(other, revision=3, classes={0: 3, 1: 3, 4: TreeClass.BROADCAST, 2: 9, 3: 9}))
    assert heard(rig, 3) == {0, 1, 5}


def test_a_node_gets_its_class_in_hold_with_routes_before_it_leaves():
    rig = Rig((2, 2, 2))
    epochs, seen = EpochControl(rig.owner), []
    rig.run(epochs.change(APART, revision=1))

    async def watch(_moment, _domains):
        seen.append((rig.machine.nodes[5].values["HOLD", 0], rig.machine.nodes[5].values["CONSOLE_CLASS", 0],
                     heard(rig, 4) >= {5}))

    rig.run(epochs.hand_over([5], APART, {5: ConsoleKeys(7, [7], 4)}, 2, watch=watch, classes={5: 4}))
    assert all(held & 1 and tree_class == 4 for held, tree_class, _ in seen)
    assert [led for *_, led in seen] == [False] * 6 + [True] * 2
    assert heard(rig, 4) == {5} and rig.machine.nodes[5].values["HOLD", 0] == 0
    assert [node.values["CONSOLE_CLASS", 0] for node in rig.machine.nodes] == [15] * 5 + [4] + [15] * 2


@pytest.mark.parametrize(("keys", "classes", "message"), [
    (ConsoleKeys(7, [7], 4), {}, r"keys\[5\]: class 4, which `classes` does not give to node 5"),
    (ConsoleKeys(7, [7], 4), {5: 3}, r"keys\[5\]: class 4, which `classes` does not give to node 5"),
    (ConsoleKeys(7, [7]), {8: 3}, r"classes: no node 8; nodes are 0 to 7"),
    (ConsoleKeys(7, [7]), {5: 16}, r"classes\[5\]: a class is a number from 0 to 15, not 16"),
])
def test_classes_that_cannot_be_are_refused_and_nothing_is_done(keys, classes, message):
    rig = Rig((2, 2, 2))
    with pytest.raises(DomainError, match=message):
        rig.run(EpochControl(rig.owner).hand_over([5], APART, {5: keys}, 2, classes=classes))
    assert rig.machine.nodes[5].values["HOLD", 0] == 0


def test_an_owner_that_is_started_again_leaves_texts_their_classes():
    rig = large_rig()
    epochs = EpochControl(rig.owner)
    everybody = Domains(np.ones((128, 128), bool))
    given = {rank: 1 + rank // 10 for rank in range(128)}
    allowed = Domains(np.equal.outer(np.arange(128) // 10, np.arange(128) // 10))
    rig.run(epochs.change(allowed, revision=1, classes=given))
    fresh = EpochControl(Owner(rig.outside, rig.machine.shape))
    rig.run(fresh.adopt(allowed, 1, epochs.sums, given))
    for revision, domains in enumerate([everybody, turns(128), allowed], 2):
        rig.run(fresh.change(domains, revision=revision, classes=given))
        for number in range(1, 14):
            members = domains.matrix[[rank for rank in given if given[rank] == number]].any(axis=0)
            assert heard(rig, number) == set(np.flatnonzero(members))


def test_routes_that_were_lost_are_found_by_reading_and_written_again():
    rig = Rig((2, 2, 2))
    epochs = EpochControl(rig.owner)
    rig.run(epochs.change(APART, revision=1, classes=CLASSES))
    rig.run(rig.owner.write(4, Write("CLASS_ROUTE", 0, 3)))
    found = rig.run(epochs.read_routes())
    assert [routes[ROUTED_CLASSES.index(3)] for routes in found] == [
        rig.machine.nodes[rank].values["CLASS_ROUTE", 3] for rank in range(8)]
    assert heard(rig, 3) == {0, 1}
    rig.run(epochs.change(APART, revision=2, classes=CLASSES))
    assert heard(rig, 3) == {0, 1, 4}
