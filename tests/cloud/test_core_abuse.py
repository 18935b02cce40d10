"""What somebody with a token could do to all others, if nobody had thought of it."""

import os
import threading

import pytest

from khhw.cloud import principals
from khhw.cloud.callers import Caller
from khhw.cloud.errors import Kind
from khhw.cloud.models import Acquire, Quota
from khhw.cloud.times import MachineClock
from tests.cloud.clouds import refused


def test_an_offer_takes_no_name_away(cloud):
    alice, bob = cloud.person("alice"), cloud.person("bob")
    whole = cloud.rent(alice, 3)
    offered = cloud.core.leases.acquire(alice, None, Acquire(user="bob", parent_lease_uuid=whole.uuid, name="web"))
    own = cloud.rent(bob, name="web")
    assert own.name == "web" and cloud.core.leases.get(bob, "web").uuid == own.uuid
    cloud.core.leases.release(bob, None, "web")
    cloud.settle()
    assert cloud.core.leases.get(bob, "web").uuid == offered.lease_uuid, "an offer has a name until there is another"
    again = cloud.rent(bob, name="web")
    cloud.core.leases.accept(bob, None, offered.lease_uuid)
    cloud.settle()
    assert cloud.core.leases.get(bob, offered.lease_uuid).name is None
    assert cloud.core.leases.get(bob, "web").uuid == again.uuid


def test_a_lease_that_is_transferred_gives_way_to_names_of_its_heir(cloud):
    alice, bob = cloud.person("alice"), cloud.person("bob")
    cloud.rent(alice, name="web")
    cloud.rent(bob, name="web")
    cloud.core.leases.transfer(alice, None, "web", "bob")
    offered = next(lease.uuid for lease in cloud.core.leases.all(bob) if lease.transfer_to == "bob")
    moved = cloud.lease(bob, cloud.core.leases.accept(bob, None, offered))
    cloud.settle()
    assert moved.name is None and cloud.clean()


def test_who_is_offered_a_lease_names_it_as_his_own(cloud):
    alice, bob, carol = (cloud.person(name) for name in ("alice", "bob", "carol"))
    core = cloud.core
    cloud.rent(alice, name="web")
    core.leases.transfer(alice, None, "web", "BOB")
    assert core.leases.get(bob, "web").project == "alice"
    refused(Kind.NOT_FOUND, "no lease web: khhw ctl list shows which there are", core.leases.get, carol, "web")
    own = cloud.rent(bob, name="web")
    assert core.leases.get(bob, "web").uuid == own.uuid, "what he has goes before what he is offered"
    core.leases.accept(bob, None, "web")
    cloud.settle()
    assert [lease.project for lease in core.leases.all(bob)] == ["bob", "bob"], "only an offer can be accepted"
    for who in (alice, carol):
        core.leases.transfer(who, None, cloud.rent(who, name="db").uuid, "bob")
    refused(Kind.CONFLICT, "2 leases with the name db are offered to bob; name one by its UUID",
            core.leases.accept, bob, None, "db")
    core.leases.decline(bob, None, next(one.uuid for one in core.leases.all(bob) if one.project == "carol"))
    core.leases.decline(bob, None, "db")
    assert [lease.transfer_to for lease in core.leases.all(bob)] == [None, None]
    refused(Kind.NOT_FOUND, "no principal nobody; khhw ctl principal list shows", core.leases.transfer, alice, None,
            "db", "nobody")
    assert cloud.clean()


def test_what_is_let_on_after_it_was_offered_is_not_accepted(cloud):
    alice, bob = cloud.person("alice"), cloud.person("bob")
    cloud.person("carol", alice)
    whole = cloud.rent(alice, 2)
    cloud.core.leases.transfer(alice, None, whole.uuid, "bob")
    part = cloud.core.leases.acquire(alice, None, Acquire(user="carol", nodes=[0], parent_lease_uuid=whole.uuid))
    cloud.settle()
    refused(Kind.CONFLICT, "are let on; release those", cloud.core.leases.accept, bob, None, whole.uuid)
    cloud.core.leases.release(alice, None, part.lease_uuid)
    cloud.settle()
    offer = cloud.core.leases.acquire(alice, None, Acquire(user="bob", parent_lease_uuid=whole.uuid))
    cloud.core.leases.accept(bob, None, whole.uuid)
    cloud.settle()
    assert cloud.core.leases.get(bob, offer.lease_uuid).status == "deleted", "offers of it end with it"
    assert cloud.clean()


def test_nobody_floods_others_with_offers(cloud):
    alice, bob = cloud.person("alice"), cloud.person("bob")
    whole = cloud.rent(alice, 2)
    wish = Acquire(user="bob", parent_lease_uuid=whole.uuid)
    offers = [cloud.core.leases.acquire(alice, None, wish) for _ in range(2)]
    refused(Kind.CONFLICT, "2 offers of nodes of lease .* wait", cloud.core.leases.acquire, alice, None, wish)
    cloud.core.leases.decline(bob, None, offers[0].lease_uuid)
    cloud.core.leases.acquire(alice, None, wish)


def test_nobody_makes_a_crowd(cloud, monkeypatch):
    monkeypatch.setattr(principals, "_MOST_BELOW", 3)
    alice = cloud.person("alice")
    child = cloud.person("child", alice)
    cloud.person("grandchild", child)
    cloud.person("other", alice)
    refused(Kind.CONFLICT, "3 principals below alice", cloud.person, "one_more", child)
    cloud.core.principals.delete(alice, None, "other")
    cloud.person("one_more", child)
    for number in range(4):
        cloud.person(f"of_the_owner_{number}")


def test_nobody_goes_deep(cloud):
    who = cloud.owner
    for number in range(15):
        who = cloud.person(f"level{number}", who)
    refused(Kind.CONFLICT, "15 levels below the owner", cloud.person, "lower", who)


def test_a_key_with_another_credential_is_another_request(cloud):
    alice = cloud.person("alice")
    change = cloud.core.principals.set_credential
    first = change(alice, "key", "alice", "the first credential")
    assert change(alice, "key", "alice", "the first credential") == first
    refused(Kind.CONFLICT, "came with another request", change, alice, "key", "alice", "another credential")
    refused(Kind.CONFLICT, "came with another request", change, alice, "key", "alice", None)
    create = cloud.core.principals.create
    create(alice, "new", "carol", credential="the first credential")
    refused(Kind.CONFLICT, "came with another request", create, alice, "new", "carol", credential="another one")
    with cloud.core._store.read() as db:
        kept = "".join(row["request"] + row["body"] for row in db.execute("SELECT * FROM answer"))
    assert "credential" not in kept.replace('"credential"', "")


@pytest.mark.parametrize("hz", [1000, 53_125_000, 10**12])
def test_no_lease_lasts_longer_than_can_be_counted(cloud, hz):
    """A sum beyond 63 bits is no integer to SQLite: no step of the service would have been done any more."""
    core = cloud.core
    core._ledger.clock._hz = hz
    longest = core._ledger.clock.longest
    assert MachineClock(hz).length(longest) * 2 < 1 << 63 and longest <= 3e9
    alice, bob = cloud.person("alice"), cloud.person("bob", quota=Quota(nodes=8, seconds=1e300))
    if longest < 3e9:
        refused(Kind.BAD_REQUEST, "ends at most", core.leases.acquire, alice, None, Acquire(seconds=3e9))
    core.leases.acquire(alice, None, Acquire(seconds=longest, name="long"))
    for _ in range(3):
        refused(Kind.BAD_REQUEST, "at most .* machine seconds from now", core.leases.extend, alice, None, "long",
                seconds=longest)
    cloud.settle()
    assert core.leases.get(alice, "long").status == "active"
    core.leases.transfer(alice, None, "long", "bob")
    offered = next(lease.uuid for lease in core.leases.all(bob) if lease.transfer_to == "bob")
    core.leases.accept(bob, None, offered)
    cloud.rent(bob)
    assert cloud.clean()


def test_readers_in_threads_that_end_leave_no_files_open(cloud):
    def files():
        return len(os.listdir("/proc/self/fd"))

    cloud.core.leases.all(cloud.owner)
    before = files()
    for _ in range(20):
        thread = threading.Thread(target=cloud.core.leases.all, args=(Caller(cloud.owner.id, "owner"), ))
        thread.start()
        thread.join()
    assert files() == before


def test_what_one_has_had_slows_nobody_else(cloud):
    """What has ended is kept; who looks for his own does not look at all of it."""
    steps = []

    def cost(do, *arguments):
        steps.clear()
        do(*arguments)
        return len(steps)

    mallory, bob = cloud.person("mallory"), cloud.person("bob")
    cloud.rent(bob, name="own")
    core, db = cloud.core, cloud.core._store._writer
    asked = [(core.leases.all, bob), (core.leases.get, bob, "own"), (core.principals.get, bob, "bob"),
             (core.leases.rename, bob, None, "own", "own")]
    for connection in core._store._all:
        connection.set_progress_handler(lambda: steps.append(1), 10)
    before = [cost(*each) for each in asked]
    db.execute("WITH RECURSIVE n (i) AS (VALUES (1) UNION SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO lease "
               "(uuid, lessor, lessee, start_cycle, status) SELECT 'old' || i, ?, ?, 0, 'deleted' FROM n",
               (cloud.owner.id, mallory.id))
    db.execute("WITH RECURSIVE n (i) AS (VALUES (100) UNION SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO network "
               "(id, kind, owner, deleted) SELECT i, 'private', ?, 1 FROM n", (mallory.id, ))
    assert all(now <= 2 * then + 10 for now, then in zip([cost(*each) for each in asked], before, strict=True))
