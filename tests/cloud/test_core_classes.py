"""Classes of the tree of leases, as the store gives them: who has one, when it is free, and what is found if not."""

import sqlite3

import pytest

from khhw.cloud.models import Acquire, Quota
from khhw.cloud.store import FILE
from rtl.formats import TreeClass
from tests.cloud.clouds import Cloud

MANY = Quota(nodes=20, networks=30, leases=30)


@pytest.fixture
def twenty(tmp_path):
    """A cloud of twenty nodes."""
    made = Cloud(tmp_path / "cloud", (5, 4, 1))
    yield made
    made.core.close()


def classes(cloud):
    """By rank, as the machine holds them; those in hold are left out."""
    return {state.rank: state.keys.tree_class for state in cloud.machine.nodes() if not state.held}


def test_a_lease_has_a_class_as_long_as_a_node_of_it_runs(cloud):
    alice, bob = cloud.person("alice"), cloud.person("bob")
    first, second = cloud.rent(alice, 2), cloud.rent(bob, 2)
    assert (first.tree_class, second.tree_class) == (1, 2) and classes(cloud) == {0: 1, 1: 1, 2: 2, 3: 2}
    carol = cloud.person("carol", alice)
    part = cloud.core.leases.acquire(alice, None, Acquire(user="carol", parent_lease_uuid=first.uuid, nodes=[1]))
    cloud.settle()
    assert cloud.lease(carol, part).tree_class == 3 and classes(cloud) == {0: 1, 1: 3, 2: 2, 3: 2}
    # Whose nodes are all let on says nothing.
    rest = cloud.core.leases.acquire(alice, None, Acquire(user="carol", parent_lease_uuid=first.uuid, nodes=[0]))
    cloud.settle()
    assert cloud.core.leases.get(alice, first.uuid).tree_class is None
    assert cloud.lease(carol, rest).tree_class == 4, "what the nodes said before may still be under way"
    cloud.core.leases.release(alice, None, rest.lease_uuid)
    cloud.settle()
    assert cloud.core.leases.get(alice, first.uuid).tree_class == 1
    assert classes(cloud) == {0: 1, 1: 3, 2: 2, 3: 2} and cloud.clean()
    cloud.core.leases.release(bob, None, second.uuid)
    cloud.settle()
    assert cloud.core.leases.get(bob, second.uuid).tree_class is None and cloud.clean()


def test_leases_beyond_the_classes_wait_for_one_in_their_order(twenty):
    alice = twenty.person("alice", quota=MANY)
    leases = [twenty.rent(alice, new_networks=1) for _ in range(17)]
    assert [lease.tree_class for lease in leases] == [*range(1, 15), *[TreeClass.BROADCAST] * 3]
    warning = twenty.core.leases.acquire(alice, None, Acquire(new_networks=1)).warning
    assert warning == ("all 14 classes of the tree are other leases': what the nodes of this one say passes all nodes, "
                       "whose filters drop it, until a class is free")
    twenty.settle()
    before = twenty.machine.log
    for lease in leases[:2]:
        twenty.core.leases.release(alice, None, lease.uuid)
    twenty.settle()
    assert [twenty.core.leases.get(alice, lease.uuid).tree_class for lease in leases[14:]] == [1, 2, 15]
    assert classes(twenty) == {rank: rank + 1 for rank in range(2, 14)} | {14: 1, 15: 2, 16: 15, 17: 15}
    assert [ranks for _, ranks in twenty.machine.log[len(before):]] == [[0, 1]], "who gets a class goes on running"
    assert twenty.clean()


def test_a_power_cut_and_a_service_that_begins_again_change_no_class(cloud):
    alice = cloud.person("alice")
    cloud.rent(alice)
    kept = cloud.rent(alice, 2)
    cloud.core.leases.release(alice, None, cloud.core.leases.all(alice)[0].uuid)
    cloud.settle()
    cloud.machine.switch_off()
    cloud.settle()
    cloud.core.close()
    cloud.open()
    cloud.settle()
    assert cloud.core.leases.get(alice, kept.uuid).tree_class == kept.tree_class == 2
    assert classes(cloud) == {1: 2, 2: 2} and cloud.clean()


@pytest.mark.parametrize(("name", "rank", "value", "words"), [
    ("keys", "0", [2147483650, 9, 2, 100_000_000, 1],
     "node 0: console channels 2147483650 to send (class 9) and 2, 100000000, 1 to hear, not 2147483650 to send "
     "(class 1) and 2, 100000000, 1 to hear"),
    ("routes", "1", [1, 0, 0, 0, 0, 0, 0, 0], "node 0: other routes of the tree's classes 1"),
])
def test_a_machine_with_other_classes_is_found_and_put_right(cloud, name, rank, value, words):
    cloud.rent(cloud.person("alice"), 2)
    state = cloud.machine._state()
    cloud.machine._write(state | {name: state[name] | {rank: value}})
    assert cloud.core.check(cloud.machine).findings[0].what == words
    cloud.core.close()
    cloud.open()
    cloud.settle()
    assert cloud.clean() and cloud.states()[0] == "ready", "nothing is lost for that"


def test_a_store_that_gives_classes_wrongly_is_found(cloud):
    lease = cloud.rent(cloud.person("alice"))
    cloud.core.close()
    with sqlite3.connect(cloud.state / FILE) as db:
        db.execute("UPDATE lease SET tree_class = NULL")
    db.close()
    cloud.open()
    first, second = cloud.core.check(None).findings
    assert first.what == f"lease {lease.uuid} has no class of the tree, and only 0 are taken"
    assert second.what.endswith("gives node 0 other console channels than its lease")
