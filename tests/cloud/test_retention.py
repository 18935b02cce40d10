"""What the store forgets, and what grows with every change."""

import pytest

from khhw.cloud import retention
from khhw.cloud.errors import Kind
from khhw.cloud.models import Acquire
from tests.cloud.clouds import refused

GROWS = {"audit", "hand_over", "lease", "lease_node", "network", "reading", "spent"}
"""Tables with a row for what was, for ever; docs/cloud.md says how much that is."""


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(retention, "ANSWERS", 3)
    monkeypatch.setattr(retention, "INTENTS", 3)


def tables(cloud):
    with cloud.core._store.read() as db:
        names = [row["name"] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {name: db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names}


def test_a_key_whose_answer_is_gone_does_nothing_and_says_so(cloud):
    alice, bob = cloud.person("alice"), cloud.person("bob")
    create = cloud.core.networks.create
    made = [create(alice, f"key{number}", f"net{number}") for number in range(6)]
    assert [create(alice, f"key{number}", f"net{number}") for number in range(3, 6)] == made[3:]
    for number, name in ((0, "net0"), (2, "net2"), (1, "something else")):
        refused(Kind.CONFLICT, f"key{number} was used before, and its answer is gone: of each principal the last 3",
                create, alice, f"key{number}", name)
    assert [network.name for network in cloud.core.networks.all(alice) if network.owner] == [
        network.name for network in made]
    assert create(bob, "key0", "net0").owner == "bob", "another one's key is another key"
    assert cloud.clean()


def test_changes_that_are_done_are_forgotten_and_others_are_not(cloud):
    alice, bob = cloud.person("alice"), cloud.person("bob")
    of_bob = cloud.core.leases.acquire(bob, None, Acquire())
    cloud.settle()
    made = []
    for _ in range(4):
        lease = cloud.rent(alice)
        made.append(cloud.core.leases.release(alice, None, lease.uuid))
        cloud.settle()
    known = {intent.id for intent in cloud.core.intents.all(alice, open=False)}
    assert len(known) == 3 and made[-1].id in known
    refused(Kind.NOT_FOUND, "no intent", cloud.core.intents.get, alice, made[0].id)
    assert cloud.core.intents.get(bob, of_bob.id).state == "done"
    waiting = [cloud.core.leases.acquire(alice, None, Acquire()) for _ in range(5)]
    assert all(cloud.core.intents.get(alice, intent.id).state == "queued" for intent in waiting)
    cloud.settle()
    assert cloud.clean()


def test_of_somebody_who_is_deleted_only_what_was_his_stays(cloud):
    alice = cloud.person("alice")
    lease = cloud.core.leases.acquire(alice, "key", Acquire())
    cloud.settle()
    cloud.core.leases.release(alice, "other", lease.lease_uuid)
    cloud.settle()
    for network in cloud.core.networks.all(alice):
        if network.owner == "alice":
            cloud.core.networks.delete(alice, None, network.id)
    cloud.settle()
    cloud.core.principals.delete(cloud.owner, None, "alice")
    with cloud.core._store.read() as db:
        for table in ("answer", "intent"):
            assert db.execute(f"SELECT count(*) FROM {table} WHERE principal = ?", (alice.id, )).fetchone()[0] == 0
        assert db.execute("SELECT count(*) FROM lease WHERE lessee = ?", (alice.id, )).fetchone()[0] == 1
    assert cloud.clean()


def test_only_what_must_grow_grows(cloud):
    """Whoever adds a table that grows says so here, and in docs/cloud.md."""
    alice = cloud.person("alice")

    def turn(number):
        lease = cloud.core.leases.acquire(alice, f"a{number}", Acquire(new_networks=1))
        cloud.settle()
        cloud.core.leases.release(alice, f"r{number}", lease.lease_uuid)
        cloud.settle()
        for network in cloud.core.networks.all(alice):
            if network.owner == "alice":
                cloud.core.networks.delete(alice, f"d{number} {network.id}".replace(" ", "-"), network.id)
        cloud.settle()

    for number in range(4):
        turn(number)
    before = tables(cloud)
    for number in range(4, 7):
        turn(number)
    after = tables(cloud)
    assert {name for name in after if after[name] > before[name]} == GROWS
    assert cloud.clean()
