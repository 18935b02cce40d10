"""Classes of the tree: whom their routes reach, when a group of nodes gets one, and what is known of them."""

import random

import numpy as np
import pytest

from khhw.control.changes import EpochError
from khhw.control.domains import Domains
from khhw.control.epochs import EpochControl
from khhw.control.owner import Group, Owner, OwnerError, RefusedError, Write
from khhw.control.tables import TableBanks, table_crc, table_writes
from khhw.control.tree_classes import TreeClasses, packet_cycles, routes_to
from khhw.node.shape import Shape
from khhw.node.tree_packets import Control
from rtl.formats import TreeClass
from rtl.parameters import Parameters
from rtl.registers import REGISTERS
from rtl.tree.routing import Target, way
from tests.reference import Rig

LONG = [Write("ROW", word, word) for word in range(40)]
"""Worth a class."""


def grouped(classes, wanted):
    """Routes, and the groups of those that get a class."""
    routes, chosen = classes.choose(wanted.items())
    return routes, [Group(chosen[ranks], ranks, writes) for ranks, writes in wanted.items() if ranks in chosen]


def walk(routes: np.ndarray, nodes: int) -> tuple[set[int], set[int]]:
    """Who takes a packet that enters at the root, and to whom it comes."""
    taken, waiting = set(), [0]
    for rank in waiting:
        taken |= {rank} if routes[rank] >> Target.LOCAL & 1 else set()
        waiting += [child for child, target in ((2 * rank + 1, Target.LEFT), (2 * rank + 2, Target.RIGHT))
                    if routes[rank] >> target & 1 and child < nodes]
    return taken, set(waiting)


@pytest.mark.parametrize("nodes", [1, 2, 3, 7, 8, 9, 30, 64, 200])
def test_routes_reach_the_members_and_nobody_else(nodes):
    choose = random.Random(nodes)
    for _ in range(20):
        members = np.array([choose.random() < 0.3 for _ in range(nodes)])
        routes, reached = routes_to(members)
        taken, came = walk(routes, nodes)
        wanted = {int(rank) for rank in np.flatnonzero(members)}
        assert taken == wanted
        assert {int(rank) for rank in np.flatnonzero(reached)} == (came if wanted else set())
        assert came == {0} | {rank for rank in range(nodes) for member in wanted if way(rank, member) is not None}
        assert routes[0] >> Target.PARENT & 1 and not any(route >> Target.PARENT & 1 for route in routes[1:])


def given(routes, held):
    """What nodes hold after routes are written."""
    for write in routes.first:
        held[write.index, :] = write.value
    for rank, writes in routes.each.items():
        for write in writes:
            held[write.index, rank] = write.value
    return held


def test_a_group_is_told_by_class_if_that_costs_less_and_its_routes_are_written_once():
    classes = TreeClasses(Shape(8, 8, 8))
    held = np.zeros((16, 512), int)
    halves = {tuple(range(256)): LONG, tuple(range(256, 512)): LONG[:30]}
    routes, groups = grouped(classes, halves)
    assert [(group.ranks, group.writes) for group in groups] == list(halves.items())
    numbers = [group.tree_class for group in groups]
    assert len(set(numbers)) == 2 and not {TreeClass.OUTSIDE, TreeClass.BROADCAST} & set(numbers)
    given(routes, held)
    for number, ranks in zip(numbers, halves, strict=True):
        assert walk(held[number], 512)[0] == set(ranks)
    cost = sum(packet_cycles(len(writes)) for writes in [*routes.each.values(), *([write] for write in routes.first)])
    assert cost < 3_000
    # What is not acknowledged is written again; what is, never.
    again, groups = grouped(classes, halves)
    assert again.first or again.each
    classes.loaded(again)
    numbers = [group.tree_class for group in groups]
    known, groups = grouped(classes, halves)
    assert known.first == [] and known.each == {} and [group.tree_class for group in groups] == numbers
    # Others do not take the classes of these while there are classes that are nobody's.
    for step in range(2, 8):
        others, more = grouped(classes, {tuple(range(0, 512, step)): LONG, tuple(range(1, 512, step)): LONG})
        classes.loaded(others)
        assert not {group.tree_class for group in more} & set(numbers)
    assert grouped(classes, halves)[0].each == {}
    classes.forget()
    assert grouped(classes, halves)[0].first


def test_all_are_told_by_broadcast_and_few_for_themselves():
    classes = TreeClasses(Shape(4, 4, 4))
    everybody, few = tuple(range(64)), (3, 60)
    routes, groups = grouped(classes, {everybody: LONG, few: LONG[:1], (9, ): LONG})
    assert [(group.ranks, group.tree_class) for group in groups] == [(everybody, TreeClass.BROADCAST)]
    assert not routes.first and not routes.each


def test_no_more_groups_than_classes():
    classes = TreeClasses(Shape(8, 8, 8))
    _, groups = grouped(classes, {tuple(range(at, at + 16)): LONG * 3 for at in range(0, 512, 16)})
    assert len({group.tree_class for group in groups}) == len(groups) == 14


def large_rig():
    """A machine of which halves are worth classes."""
    return Rig((4, 4, 8), parameters=Parameters(memory_bytes=65536, table_nodes=128))


def halves(nodes):
    matrix = np.zeros((nodes, nodes), bool)
    matrix[:nodes // 2, :nodes // 2] = matrix[nodes // 2:, nodes // 2:] = True
    return Domains(matrix)


def turns(nodes):
    """Even nodes apart from odd ones: of nodes along x no two neighbours, so that all have one reach."""
    ranks = np.arange(nodes)
    return Domains((ranks[:, None] - ranks[None, :]) % 2 == 0)


def check(rig, epochs, domains, revision):
    """What every node has active is what the domains say, and its owner knows the sums."""
    shape = rig.machine.shape
    for node in rig.machine.nodes:
        writes = table_writes(domains, shape, node.rank, revision)
        found = {(write.register, write.index): node.active.get((write.register, write.index), 0) for write in writes}
        assert found == {(write.register, write.index): write.value for write in writes}
        assert node.read("TABLE_CRC", 0) == epochs.sums[node.rank]


def test_tables_are_loaded_by_class(monkeypatch):
    rig = large_rig()
    epochs, told = EpochControl(rig.owner), []
    send = rig.outside.send

    async def noted(packet, channel):
        told.append(packet)
        await send(packet, channel)

    monkeypatch.setattr(rig.outside, "send", noted)
    everybody = Domains(np.ones((128, 128), bool))
    for revision, domains in enumerate([everybody, turns(128), everybody, turns(128)], 1):
        rig.run(epochs.change(domains, revision=revision))
        check(rig, epochs, domains, revision)
    by_class = [packet for packet in told if packet.vector is None and packet.tree_class != TreeClass.BROADCAST]
    rows = {REGISTERS["ROW"].at(index) for index in range(4)}
    single = [word for packet in told if packet.vector is not None
              for word in Control.parse_all(packet.payload) if word.address in rows]
    assert by_class and all(packet.combine for packet in by_class)
    assert not single, "rows that are alike are written node by node"
    # An owner that is started again makes no use of routes that it did not give.
    fresh = EpochControl(Owner(rig.outside, rig.machine.shape))
    for node in rig.machine.nodes:
        for number in range(1, 15):
            node.values["CLASS_ROUTE", number] = 0
    assert rig.run(fresh.adopt(turns(128), 4, epochs.sums)) == []
    rig.run(fresh.change(everybody, revision=5))
    check(rig, fresh, everybody, 5)


def test_a_member_that_refuses_is_an_error_and_fixed_classes_are_refused():
    rig = Rig((2, 2, 2))
    with pytest.raises(RefusedError, match=r"A node refused the write of 0x0 to CLASS_ROUTE\[15\]"):
        rig.run(rig.owner.write(None, Write("CLASS_ROUTE", 0, TreeClass.BROADCAST)))
    rig.run(rig.owner.write_each({0: [Write("CLASS_ROUTE", 0b1010, 3)], 1: [Write("CLASS_ROUTE", 0b1000, 3)]}))
    asked = Group(3, (0, 1), [Write("GRANTS", 1), Write("ROW", 1, 60)])
    with pytest.raises(RefusedError, match=r"A node refused the write of 0x1 to ROW\[60\]"):
        rig.run(rig.owner.write_each({}, groups=[asked]))
    assert [node.values["GRANTS", 0] for node in rig.machine.nodes] == [1, 1, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("sizes", [(2, 2, 2), (3, 3, 3), (4, 4, 4)])
def test_tables_that_were_loaded_whole_are_known_without_sums(sizes):
    rig = Rig(sizes)
    nodes = rig.machine.shape.nodes
    rig.run(EpochControl(rig.owner).change(halves(nodes), revision=1))
    fresh = EpochControl(Owner(rig.outside, rig.machine.shape))
    assert rig.run(fresh.adopt(halves(nodes), 1)) == []


def test_a_route_that_was_lost_is_noticed_and_given_anew():
    rig = large_rig()
    epochs = EpochControl(rig.owner)
    everybody = Domains(np.ones((128, 128), bool))
    for revision, domains in enumerate([everybody, halves(128), everybody], 1):
        rig.run(epochs.change(domains, revision=revision))
    for number in range(1, 15):
        node = rig.machine.nodes[5]
        node.values["CLASS_ROUTE", number] = REGISTERS["CLASS_ROUTE"].pack(**{**node.route(number), "own": 0})
    with pytest.raises(EpochError, match="Node 5: other tables than were loaded"):
        rig.run(epochs.change(halves(128), revision=4))
    rig.run(epochs.change(halves(128), revision=5))
    check(rig, epochs, halves(128), 5)


def test_after_a_load_that_was_cut_off_all_are_asked_before_routes_change(monkeypatch):
    rig = large_rig()
    epochs = EpochControl(rig.owner)
    rig.run(epochs.change(Domains(np.ones((128, 128), bool)), revision=1))
    write_each, sent = rig.owner.write_each, []

    async def cut_off(writes, first=(), groups=()):
        if any(group.tree_class != TreeClass.BROADCAST for group in groups):
            raise OwnerError("cut off")
        await write_each(writes, first, groups)

    monkeypatch.setattr(rig.owner, "write_each", cut_off)
    with pytest.raises(OwnerError, match="cut off"):
        rig.run(epochs.change(turns(128), revision=2))
    monkeypatch.undo()
    send = rig.outside.send

    async def noted(packet, channel):
        sent.append({REGISTERS["CLASS_ROUTE"].at(number) for number in range(16)}
                    & {word.address for word in Control.parse_all(packet.payload)})
        await send(packet, channel)

    monkeypatch.setattr(rig.outside, "send", noted)
    rig.run(epochs.change(turns(128), revision=2))
    assert not sent[0] and any(sent), "the first question is to all, and changes no route"
    check(rig, epochs, turns(128), 2)


def test_pairs_that_would_be_waited_for_longer_than_they_save_get_no_class():
    classes = TreeClasses(Shape(8, 8, 8))
    pairs = {(rank, rank + 1): [Write("ROW", 1)] for rank in range(0, 28, 2)}
    routes, groups = grouped(classes, pairs)
    assert not groups and not routes.first and not routes.each


def test_whole_loads_keep_the_order_of_their_sum():
    """Rows alike where columns are not, and the other way round; some nodes on their own."""
    choose = np.random.default_rng(1)
    for sizes in ((2, 2, 2), (4, 4, 8)):
        shape = Shape(*sizes)
        for turn in range(12):
            kinds, matrix = choose.integers(0, 2, shape.nodes), np.zeros((shape.nodes, shape.nodes), bool)
            for kind in range(2):
                matrix[kinds == kind] = choose.random(shape.nodes) < 0.5
            domains = Domains(matrix if turn % 2 else matrix.T)
            classes = TreeClasses(shape)
            load = TableBanks(shape).load(0, domains, 7, classes)
            assert load.sums == [table_crc(table_writes(domains, shape, rank, 7)) for rank in range(shape.nodes)]
            if sizes[2] == 8 and turn % 2:
                assert {group.tree_class for group in load.groups} - {TreeClass.BROADCAST}
            classes.loaded(load.routes)
