"""Leases: acquired, released, changed, let on; nobody above his quota or his lessor."""

import datetime

from khhw.cloud.errors import Kind
from khhw.cloud.models import Acquire, Connection, LeaseChange, Quota
from tests.cloud.clouds import refused


def test_a_lease_has_the_lowest_free_nodes_and_they_reach_each_other_only(cloud):
    alice, bob = cloud.person("alice"), cloud.person("bob")
    first, second = cloud.rent(alice, 2, name="first"), cloud.rent(bob, 3)
    assert (first.nodes, second.nodes) == ([0, 1], [2, 3, 4])
    assert first.status == "active" and first.owner == "owner" and first.project == "alice"
    assert cloud.machine.allowed == {0: [0, 1], 1: [0, 1], 2: [2, 3, 4], 3: [2, 3, 4], 4: [2, 3, 4]}
    assert cloud.states() == ["ready"] * 5 + ["free"] * 3
    assert (first.console, second.console) == (2, 3)
    assert cloud.clean()


def test_what_is_released_is_free_again_and_its_numbers_are_not_used_again(cloud):
    alice = cloud.person("alice")
    lease = cloud.rent(alice, 2, new_networks=1)
    intent = cloud.core.leases.release(alice, None, lease.uuid)
    assert intent.state == "queued" and cloud.core.leases.get(alice, lease.uuid).status == "wait cancel"
    assert cloud.states()[:3] == ["draining", "draining", "free"]
    refused(Kind.CONFLICT, "not enough nodes available: 7 wanted, and 6 are free", cloud.core.leases.acquire, alice,
            None, Acquire(count=7))
    cloud.settle()
    ended = cloud.core.leases.get(alice, lease.uuid)
    assert (ended.status, ended.nodes) == ("deleted", [0, 1]) and ended.expire_time > ended.fulfill_time
    assert cloud.core.leases.all(alice) == [] and cloud.core.leases.all(alice, ended=True) == [ended]
    again = cloud.rent(alice, 2, new_networks=1)
    assert again.nodes == [0, 1] and again.console == lease.console + 1
    assert again.networks[0].network == lease.networks[0].network + 1
    refused(Kind.CONFLICT, "has ended", cloud.core.leases.release, alice, None, lease.uuid)
    assert cloud.clean()


def test_networks_follow_the_rules_of_the_original(cloud):
    alice = cloud.person("alice")
    first = cloud.rent(alice)
    assert [each.network for each in first.networks] == [3], "a new user gets one new network"
    assert [each.network for each in cloud.rent(alice).networks] == [3], "who has one gets that"
    assert cloud.machine.allowed[0] == [0, 1]
    more = cloud.rent(alice, networks=[{"network": 3}], new_networks=2, internal=True, external=True)
    assert [each.network for each in more.networks] == [1, 2, 3, 4, 5] and more.external
    refused(Kind.BAD_REQUEST, "which network", cloud.core.leases.acquire, alice, None, Acquire())
    assert cloud.rent(alice, new_networks=0).networks == []
    refused(Kind.NOT_FOUND, "no network 77", cloud.core.leases.acquire, alice, None,
            Acquire(networks=[Connection(network=77)]))
    assert cloud.clean()


def test_a_key_gives_one_answer(cloud):
    alice = cloud.person("alice")
    first = cloud.core.leases.acquire(alice, "k1", Acquire(count=2))
    cloud.settle()
    assert cloud.core.leases.acquire(alice, "k1", Acquire(count=2)) == first
    refused(Kind.CONFLICT, "came with another request", cloud.core.leases.acquire, alice, "k1", Acquire(count=3))
    assert len(cloud.core.leases.all(alice)) == 1
    bob = cloud.person("bob")
    assert cloud.core.leases.acquire(bob, "k1", Acquire()) != first, "a key is its principal's"
    refused(Kind.BAD_REQUEST, "idempotency key", cloud.core.leases.acquire, bob, "has spaces", Acquire())


def test_what_is_refused_changes_nothing_and_uses_nothing_up(cloud):
    alice = cloud.person("alice", quota=Quota(nodes=2, networks=1, leases=2))
    before = cloud.core.audit(cloud.owner)
    acquire = cloud.core.leases.acquire
    refused(Kind.FORBIDDEN, "quota of alice is 2 nodes, and this would make 3", acquire, alice, "k", Acquire(count=3))
    refused(Kind.FORBIDDEN, "quota of alice is 1 networks", acquire, alice, "k", Acquire(new_networks=2))
    refused(Kind.CONFLICT, "not enough nodes", acquire, cloud.owner, "k", Acquire(count=9))
    refused(Kind.NOT_FOUND, "no node 8; nodes are 0 to 7", acquire, alice, "k", Acquire(nodes=[8]))
    refused(Kind.NOT_FOUND, "no principal bob", acquire, alice, "k", Acquire(user="bob"))
    refused(Kind.NOT_FOUND, "no principal owner", acquire, alice, "k", Acquire(user="owner"))
    refused(Kind.BAD_REQUEST, "past", acquire, alice, "k", Acquire(until=cloud.wall))
    beyond = datetime.datetime(9999, 12, 31, 23, tzinfo=datetime.timezone(datetime.timedelta(hours=-5)))
    refused(Kind.BAD_REQUEST, "not in the years 1 to 9999", acquire, alice, "k", Acquire(until=beyond))
    refused(Kind.BAD_REQUEST, "a purpose is", acquire, alice, "k", Acquire(purpose="\x1b[2J"))
    refused(Kind.NOT_FOUND, "no lease x", acquire, alice, "k", Acquire(parent_lease_uuid="x"))
    assert cloud.core.audit(cloud.owner) == before and not cloud.core.step()
    lease = cloud.lease(alice, acquire(alice, "k", Acquire()))
    assert lease.console == 2 and lease.networks[0].network == 3


def test_a_quota_is_for_a_principal_and_all_below(cloud):
    alice = cloud.person("alice", quota=Quota(nodes=3, networks=8, leases=8))
    carol = cloud.person("carol", alice)
    cloud.rent(carol, 2)
    refused(Kind.FORBIDDEN, "quota of alice is 3 nodes, and this would make 4", cloud.core.leases.acquire, carol, None,
            Acquire(count=2))
    cloud.rent(alice, 1)
    assert cloud.core.principals.get(alice, "alice").usage.nodes == 3
    assert cloud.core.principals.get(alice, "carol").usage.nodes == 2


def test_nodes_are_added_and_removed(cloud):
    alice = cloud.person("alice")
    lease = cloud.rent(alice, 2, internal=True)
    cloud.core.leases.add(alice, None, lease.uuid, LeaseChange(count=2))
    cloud.settle()
    grown = cloud.core.leases.get(alice, lease.uuid)
    assert grown.nodes == [0, 1, 2, 3] and grown.networks == lease.networks and grown.console == lease.console
    assert cloud.machine.allowed[3] == [0, 1, 2, 3]
    cloud.core.leases.remove(alice, None, lease.uuid, LeaseChange(nodes=[0, 2]))
    cloud.settle()
    assert cloud.core.leases.get(alice, lease.uuid).nodes == [1, 3] and cloud.states()[:4] == [
        "free", "ready", "free", "ready"]
    assert cloud.machine.allowed == {1: [1, 3], 3: [1, 3]}
    refused(Kind.CONFLICT, "nodes 0, 2 are not in", cloud.core.leases.remove, alice, None, lease.uuid,
            LeaseChange(nodes=[0, 2, 1]))
    refused(Kind.BAD_REQUEST, "say which", cloud.core.leases.remove, alice, None, lease.uuid, LeaseChange(count=1))
    cloud.core.leases.remove(alice, None, lease.uuid, LeaseChange(nodes=[1, 3]))
    cloud.settle()
    assert cloud.core.leases.get(alice, lease.uuid).status == "deleted" and cloud.clean()


def test_a_lease_ends_when_its_machine_time_is_over_or_its_deadline_on_the_wall(cloud):
    alice = cloud.person("alice")
    short, long = cloud.rent(alice, seconds=10), cloud.rent(alice, seconds=20)
    dated = cloud.rent(alice, until=cloud.wall + datetime.timedelta(minutes=5))
    assert short.end_time - short.fulfill_time == 10, "the time that the change took is not its"
    cloud.core.leases.extend(alice, None, short.uuid, seconds=100)
    cloud.machine.pass_time(25_000)
    cloud.settle()
    statuses = {each.uuid: each.status for each in cloud.core.leases.all(alice, ended=True)}
    assert statuses == {short.uuid: "active", long.uuid: "expired", dated.uuid: "active"}
    cloud.wall += datetime.timedelta(minutes=5)
    cloud.settle()
    assert cloud.core.leases.get(alice, dated.uuid).status == "expired" and cloud.clean()
    refused(Kind.BAD_REQUEST, "no end in machine time", cloud.core.leases.extend, cloud.owner, None,
            cloud.rent(alice).uuid, seconds=1)


def test_parts_end_with_the_lease_when_it_is_cut_short(cloud):
    alice = cloud.person("alice")
    carol = cloud.person("carol", alice)
    whole = cloud.rent(alice, 2)
    part = cloud.rent(alice, user="carol", parent_lease_uuid=whole.uuid, until=cloud.wall + datetime.timedelta(hours=2))
    words = "let on; further nodes"
    refused(Kind.FORBIDDEN, words, cloud.core.leases.add, carol, None, part.uuid, LeaseChange(count=1))
    end = cloud.wall + datetime.timedelta(hours=1)
    cloud.core.leases.extend(alice, None, whole.uuid, until=end)
    assert cloud.core.leases.get(carol, part.uuid).until == end and cloud.clean()
    refused(Kind.CONFLICT, "a part of a lease that ends at", cloud.core.leases.extend, alice, None, part.uuid,
            until=end + datetime.timedelta(hours=1))
    cloud.wall = end
    cloud.settle()
    assert cloud.core.leases.get(carol, part.uuid).status == "expired" and cloud.clean()
    assert [each.operation for each in cloud.core.audit(cloud.owner)].count("expire") == 1


def test_no_lease_is_longer_than_a_quota(cloud):
    alice = cloud.person("alice", quota=Quota(nodes=8, seconds=30))
    assert cloud.rent(alice).end_time is not None, "with a limit every lease has an end"
    leases, words = cloud.core.leases, "quota is 30.0 machine seconds"
    refused(Kind.FORBIDDEN, words, leases.acquire, alice, None, Acquire(seconds=31))
    refused(Kind.FORBIDDEN, words, leases.extend, alice, None, cloud.rent(alice, seconds=10).uuid, seconds=25)


def test_names_are_unique_among_ones_own_leases_that_have_not_ended(cloud):
    alice, bob = cloud.person("alice"), cloud.person("bob")
    lease = cloud.rent(alice, name="web")
    assert cloud.core.leases.get(alice, "web") == lease
    refused(Kind.NOT_FOUND, "no lease web", cloud.core.leases.get, bob, "web")
    refused(Kind.CONFLICT, "has a lease web already", cloud.core.leases.acquire, alice, None, Acquire(name="web"))
    cloud.rent(bob, name="web")
    other = cloud.rent(alice)
    refused(Kind.CONFLICT, "there is a lease web", cloud.core.leases.rename, alice, None, other.uuid, "web")
    refused(Kind.BAD_REQUEST, "a name is", cloud.core.leases.rename, alice, None, other.uuid, "b d")
    assert cloud.core.leases.rename(alice, None, "web", "shop").name == "shop"
    assert cloud.core.leases.rename(alice, None, other.uuid, "web").name == "web"


def test_a_part_of_a_lease_is_never_above_who_lets_it(cloud):
    alice = cloud.person("alice")
    carol = cloud.person("carol", alice)
    whole = cloud.rent(alice, 4, seconds=100)
    acquire = cloud.core.leases.acquire
    refused(Kind.CONFLICT, "ends in 100", acquire, alice, None,
            Acquire(user="carol", parent_lease_uuid=whole.uuid, seconds=200))
    refused(Kind.FORBIDDEN, "cannot be in External", acquire, alice, None,
            Acquire(user="carol", parent_lease_uuid=whole.uuid, external=True))
    refused(Kind.BAD_REQUEST, "has them already", acquire, alice, None, Acquire(parent_lease_uuid=whole.uuid))
    refused(Kind.CONFLICT, "node 6 is not in the lease", acquire, alice, None,
            Acquire(user="carol", parent_lease_uuid=whole.uuid, nodes=[6]))
    part = cloud.lease(carol, acquire(alice, None, Acquire(
        user="carol", parent_lease_uuid=whole.uuid, nodes=[1, 2], networks=[Connection(network=3)])))
    cloud.settle()
    part = cloud.core.leases.get(carol, part.uuid)
    assert (part.owner, part.project, part.parent_lease_uuid) == ("alice", "carol", whole.uuid)
    assert part.end_time == whole.end_time and part.console != whole.console
    assert cloud.core.leases.get(alice, whole.uuid).sublet == [1, 2]
    assert cloud.machine.allowed[1] == [0, 1, 2, 3], "the lessor's network, which he gave"
    refused(Kind.FORBIDDEN, "only who lets", cloud.core.leases.extend, carol, None, part.uuid, seconds=1)
    refused(Kind.CONFLICT, "ends 0 machine seconds after", cloud.core.leases.extend, alice, None, part.uuid, seconds=1)
    cloud.core.networks.disconnect(alice, None, whole.uuid, 3)
    cloud.settle()
    assert cloud.machine.allowed == {rank: [rank] for rank in range(4)}, "what a lessor loses all below lose"
    assert cloud.clean()


def test_what_is_below_ends_with_it_in_one_revision(cloud):
    alice = cloud.person("alice")
    carol = cloud.person("carol", alice)
    dora = cloud.person("dora", carol)
    whole = cloud.rent(alice, 4)
    part = cloud.rent(alice, 3, user="carol", parent_lease_uuid=whole.uuid)
    least = cloud.rent(carol, 1, user="dora", parent_lease_uuid=part.uuid)
    assert (whole.nodes, part.nodes, least.nodes) == ([0, 1, 2, 3], [0, 1, 2], [0])
    before = len(cloud.machine.log)
    cloud.core.leases.release(alice, None, whole.uuid)
    cloud.settle()
    assert [log[1] for log in cloud.machine.log[before:]] == [[0, 1, 2, 3]]
    assert {lease.status for lease in cloud.core.leases.all(cloud.owner, ended=True)} == {"deleted"}
    assert cloud.states() == ["free"] * 8 and cloud.clean()
    assert [each.moment for each in cloud.core.leases.readings(dora, least.uuid)] == ["begin", "end"]


def test_nodes_come_back_to_the_lessor_with_his_console_and_networks(cloud):
    alice = cloud.person("alice")
    cloud.person("carol", alice)
    whole = cloud.rent(alice, 2)
    part = cloud.rent(alice, user="carol", nodes=[1], parent_lease_uuid=whole.uuid)
    assert cloud.machine.allowed == {0: [0], 1: [1]}
    assert cloud.core.channels.get(alice, whole.console).nodes == [0]
    cloud.core.leases.release(alice, None, part.uuid)
    cloud.settle()
    assert cloud.machine.allowed == {0: [0, 1], 1: [0, 1]} and cloud.core.leases.get(alice, whole.uuid).sublet == []
    assert cloud.core.channels.get(alice, whole.console).nodes == [0, 1] and cloud.clean()


def test_who_is_not_below_must_accept(cloud):
    alice, bob = cloud.person("alice"), cloud.person("bob")
    whole = cloud.rent(alice, 2)
    offer = cloud.rent(alice, user="bob", nodes=[1], parent_lease_uuid=whole.uuid, name="gift")
    assert offer.status == "created" and offer.console is None and offer.nodes == [1]
    assert cloud.core.leases.get(alice, whole.uuid).sublet == []
    refused(Kind.CONFLICT, "accept it first", cloud.core.leases.rename, bob, None, offer.uuid, "x")
    refused(Kind.CONFLICT, "an offer that nobody has accepted", cloud.core.leases.extend, alice, None, offer.uuid,
            until=cloud.wall + datetime.timedelta(hours=1))
    cloud.core.leases.accept(bob, None, offer.uuid)
    cloud.settle()
    assert cloud.core.leases.get(bob, "gift").status == "active" and cloud.clean()
    second = cloud.rent(alice, user="bob", nodes=[0], parent_lease_uuid=whole.uuid)
    refused(Kind.FORBIDDEN, "offered to somebody else", cloud.core.leases.accept, alice, None, second.uuid)
    cloud.core.leases.decline(bob, None, second.uuid)
    assert cloud.core.leases.get(bob, second.uuid).status == "deleted"
    third = cloud.rent(alice, user="bob", nodes=[0], parent_lease_uuid=whole.uuid)
    cloud.core.leases.release(alice, None, whole.uuid)
    cloud.settle()
    assert cloud.core.leases.get(bob, third.uuid).status == "deleted" and cloud.clean()


def test_a_lease_is_transferred_cleared_and_as_another_one(cloud):
    alice, bob = cloud.person("alice"), cloud.person("bob")
    lease = cloud.rent(alice, 2, seconds=100, external=True)
    cloud.core.leases.transfer(alice, None, lease.uuid, "bob")
    assert cloud.core.leases.get(bob, lease.uuid).transfer_to == "bob"
    refused(Kind.FORBIDDEN, "of somebody else", cloud.core.leases.release, bob, None, lease.uuid)
    intent = cloud.core.leases.accept(bob, None, lease.uuid)
    cloud.settle()
    old, new = cloud.core.leases.get(alice, lease.uuid), cloud.lease(bob, intent)
    assert old.status == "deleted" and new.nodes == [0, 1] and new.console != old.console and new.external
    assert new.networks[-1].network != old.console and cloud.machine.log[-1][1] == [0, 1]
    refused(Kind.NOT_FOUND, "no lease", cloud.core.leases.get, alice, new.uuid)
    ends, begins = (
        {each.rank: each.counters for each in cloud.core.leases.readings(cloud.owner, lease.uuid)
         if each.moment == moment} for lease, moment in ((old, "end"), (new, "begin")))
    assert ends == begins and set(ends) == {0, 1}
    assert cloud.clean()


def test_relays_that_a_change_opens_are_told_and_strict_refuses_them(cloud):
    alice = cloud.person("alice")
    cloud.rent(alice, 1, new_networks=1)
    cloud.rent(alice, 1, new_networks=1)
    both = [Connection(network=3), Connection(network=4)]
    refused(Kind.CONFLICT, "node 0 could reach node 1 through 2", cloud.core.leases.acquire, alice, None,
            Acquire(networks=both, strict=True))
    intent = cloud.core.leases.acquire(alice, None, Acquire(networks=both))
    assert intent.relays.opened == 2 and intent.relays.shown[0].through == [2]
    cloud.settle()
    assert cloud.machine.allowed == {0: [0, 2], 1: [1, 2], 2: [0, 1, 2]} and cloud.clean()


def test_a_node_in_quarantine_is_nobodys(cloud):
    alice = cloud.person("alice")
    lease = cloud.rent(alice, 2)
    refused(Kind.FORBIDDEN, "only the owner", cloud.core.nodes.quarantine, alice, None, 0)
    cloud.core.nodes.quarantine(cloud.owner, None, 0)
    refused(Kind.CONFLICT, "still being taken", cloud.core.nodes.restore, cloud.owner, None, 0)
    cloud.core.nodes.quarantine(cloud.owner, None, 5)
    cloud.settle()
    assert cloud.core.leases.get(alice, lease.uuid).nodes == [1] and cloud.machine.allowed == {1: [1]}
    assert cloud.states() == ["quarantined", "ready", "free", "free", "free", "quarantined", "free", "free"]
    assert cloud.rent(alice, 5).nodes == [2, 3, 4, 6, 7]
    assert cloud.core.nodes.restore(cloud.owner, None, 0).state == "free" and cloud.clean()
    cloud.core.nodes.quarantine(cloud.owner, None, 1)
    cloud.settle()
    assert cloud.core.leases.get(alice, lease.uuid).status == "deleted" and cloud.clean()
