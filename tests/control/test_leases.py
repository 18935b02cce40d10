"""Which nodes are of one lease: the plane SHARED of the tables, in loads, changes and hand-overs."""

import numpy as np
import pytest

from khhw.control.changes import AdoptError, Moment
from khhw.control.domains import DomainError, Domains
from khhw.control.epochs import EpochControl
from khhw.control.owner import ConsoleKeys, Owner
from khhw.control.tables import TableBanks, table_crc, table_writes
from khhw.control.tree_classes import TreeClasses
from khhw.node.shape import Shape
from rtl.formats import TreeClass
from tests.reference import Rig

NODES = 8
EVERYBODY = np.ones((NODES, NODES), bool)
HALVES = np.arange(NODES) // 4


def shared_of(rig):
    """What every node holds as SHARED, by rank, as bits by rank: shape (nodes, nodes)."""
    ids = [rig.machine.shape.node_id(rank) for rank in range(NODES)]
    return np.array([[node.active["SHARED", 0] >> there & 1 for there in ids] for node in rig.machine.nodes], bool)


def test_domains_differ_in_who_is_of_one_lease_and_not_in_how_leases_are_called():
    assert Domains(EVERYBODY) == Domains(EVERYBODY, np.full(NODES, 7))
    assert Domains(EVERYBODY, HALVES) == Domains(EVERYBODY, 9 - HALVES) != Domains(EVERYBODY)
    assert hash(Domains(EVERYBODY, HALVES)) == hash(Domains(EVERYBODY, 9 - HALVES))
    assert not Domains(EVERYBODY).shared.any()
    with pytest.raises(DomainError, match="a lease for each of 8 nodes, not an array of shape 7"):
        Domains(EVERYBODY, np.zeros(7, int))


def test_what_two_domains_both_allow_has_the_leases_of_the_first():
    both = Domains(EVERYBODY, HALVES) & Domains(np.eye(NODES, dtype=bool))
    assert np.array_equal(both.leases, HALVES)


def test_nodes_hold_who_is_of_another_lease():
    rig = Rig((2, 2, 2))
    epochs = EpochControl(rig.owner)
    rig.run(epochs.change(Domains(EVERYBODY), revision=1))
    assert not shared_of(rig).any()
    rig.run(epochs.change(Domains(EVERYBODY, HALVES), revision=2))
    assert np.array_equal(shared_of(rig), HALVES[:, None] != HALVES)


def test_the_first_phase_of_a_hand_over_has_the_leases_before_it():
    rig = Rig((2, 2, 2))
    epochs = EpochControl(rig.owner)
    seen = []

    async def watch(moment, _domains):
        if moment is Moment.BALANCED:
            seen.append(shared_of(rig))

    rig.run(epochs.change(Domains(EVERYBODY, HALVES)))
    after = np.where(np.arange(NODES) == 3, 1, HALVES)
    rig.run(epochs.hand_over([3], Domains(EVERYBODY, after), {3: ConsoleKeys(5, [5])}, watch=watch))
    # Nobody has to do with the node that is taken.
    others = np.delete(np.arange(NODES), 3)
    kept = np.ix_(others, others)
    assert np.array_equal(seen[0][kept], (HALVES[:, None] != HALVES)[kept])
    assert not seen[0][3].any() and not seen[0][:, 3].any()
    assert np.array_equal(seen[-1], after[:, None] != after)


def test_leases_that_have_to_do_with_nobody_change_no_word():
    """Whoever rents nodes for himself is not told of anywhere."""
    apart = HALVES[:, None] == HALVES
    assert not Domains(apart, HALVES).shared.any()
    assert Domains(apart, HALVES) == Domains(apart)
    one_way = apart.copy()
    one_way[0, 7] = True
    shared = Domains(one_way, HALVES).shared
    assert shared[0, 7] and shared[7, 0] and shared.sum() == 2


def test_a_machine_with_other_leases_is_not_adopted():
    rig = Rig((2, 2, 2))
    rig.run(EpochControl(rig.owner).change(Domains(EVERYBODY, HALVES), revision=1))
    fresh = EpochControl(Owner(rig.outside, rig.machine.shape))
    with pytest.raises(AdoptError, match="other tables of revision 1"):
        rig.run(fresh.adopt(Domains(EVERYBODY), 1))
    assert rig.run(fresh.adopt(Domains(EVERYBODY, HALVES), 1)) == []


def test_one_lease_costs_a_whole_load_one_broadcast():
    """Rows are every node's own, so whatever came after them would be as well."""
    shape = Shape(4, 4, 8)
    matrix = np.random.default_rng(1).random((shape.nodes, shape.nodes)) < 0.5
    load = TableBanks(shape).load(0, Domains(matrix), 7, TreeClasses(shape))
    (group,) = load.groups
    assert group.tree_class == TreeClass.BROADCAST
    assert {write.register for write in group.writes} == {"SHARED"}
    assert not any(write.register == "SHARED" for own in load.each.values() for write in own)


def test_whole_loads_with_leases_keep_the_order_of_their_sum():
    choose = np.random.default_rng(2)
    shape = Shape(4, 4, 8)
    for _ in range(8):
        kinds, leases = choose.integers(0, 2, shape.nodes), choose.integers(0, 3, shape.nodes)
        domains = Domains(choose.random((2, shape.nodes))[kinds] < 0.5, leases)
        load = TableBanks(shape).load(0, domains, 7, TreeClasses(shape))
        assert load.sums == [table_crc(table_writes(domains, shape, rank, 7)) for rank in range(shape.nodes)]
