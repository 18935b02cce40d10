"""What leases that go on have used so far: of their own nodes only, whatever happens while they are read."""

import pytest

from khhw.cloud.machine import MachineFaultError
from khhw.cloud.models import Acquire, LeaseChange
from khhw.cloud.stays import stays
from tests.cloud.clouds import Cloud


@pytest.fixture
def cloud(tmp_path):
    made = Cloud(tmp_path / "cloud")
    yield made
    made.core.close()


def now(cloud, who, lease):
    """Rank, moment of the end and packets sent of each stay."""
    return [(stay.begin.rank, stay.end and stay.end.moment, stay.used and stay.used["own_sent_packets"])
            for stay in stays(cloud.core.leases.readings(who, lease.uuid, cloud.machine))]


def test_what_was_used_so_far_is_read_and_kept_nowhere(cloud):
    alice = cloud.person("alice")
    lease = cloud.rent(alice, 2)
    cloud.core.leases.remove(alice, None, lease.uuid, LeaseChange(nodes=[1]))
    cloud.settle()
    assert now(cloud, alice, lease) == [(0, "now", 1000), (1, "end", 1000)]
    assert {one.moment for one in cloud.core.leases.readings(alice, lease.uuid)} == {"begin", "end"}


def test_what_is_let_on_is_not_the_lessor_s(cloud):
    alice = cloud.person("alice")
    cloud.person("sub", alice)
    lease = cloud.rent(alice, 2)
    cloud.core.leases.acquire(alice, None, Acquire(user="sub", nodes=[1], parent_lease_uuid=lease.uuid))
    cloud.settle()
    assert now(cloud, alice, lease) == [(0, "now", 1000), (1, "end", 1000)]


@pytest.mark.parametrize("again", [False, True])
def test_a_node_that_leaves_meanwhile_is_not_told_of(cloud, monkeypatch, again):
    """What is read then may be the next tenant's already, even if that is the same lease."""
    alice, real = cloud.person("alice"), cloud.machine.read
    lease = cloud.rent(alice, 2)

    def late(tag, ranks):
        cloud.core.leases.remove(alice, None, lease.uuid, LeaseChange(nodes=[1]))
        cloud.settle()
        if again:
            cloud.core.leases.add(alice, None, lease.uuid, LeaseChange(nodes=[1]))
            cloud.settle()
        return real(tag, ranks)

    monkeypatch.setattr(cloud.machine, "read", late)
    assert now(cloud, alice, lease) == [(0, "now", 1000), (1, "end", 1000)] + [(1, None, None)] * again


def test_a_machine_that_does_not_answer_takes_nothing_away(cloud, monkeypatch):
    alice = cloud.person("alice")
    lease = cloud.rent(alice)

    def broken(tag, ranks):
        raise MachineFaultError("node 0 does not answer")

    monkeypatch.setattr(cloud.machine, "read", broken)
    assert now(cloud, alice, lease) == [(0, None, None)]
    cloud.machine.alive = False
    assert now(cloud, alice, lease) == [(0, None, None)]
