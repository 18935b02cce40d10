"""Principals: a tree, secrets of which the store has hashes, and nothing of it for strangers."""

import datetime
import hashlib
import secrets

import pytest

from khhw.cloud.credentials import one_at_a_time
from khhw.cloud.errors import Kind
from khhw.cloud.models import Acquire, Quota
from tests.cloud.clouds import refused


def test_who_made_somebody_and_who_is_above_may_change_him_and_strangers_do_not_know_him(cloud):
    people = cloud.core.principals
    alice, bob = cloud.person("alice"), cloud.person("bob")
    carol = cloud.person("carol", alice)
    assert [each.name for each in people.all(cloud.owner)] == ["alice", "bob", "carol", "owner"]
    assert [each.name for each in people.all(alice)] == ["alice", "carol"]
    assert people.get(alice, "carol").parent == "alice"
    for who in (bob, carol):
        refused(Kind.NOT_FOUND, "no principal alice", people.get, who, "alice")
        refused(Kind.NOT_FOUND, "no principal alice", people.set_quota, who, None, "alice", Quota())
        refused(Kind.NOT_FOUND, "no principal alice", people.create_token, who, None, "alice")
    refused(Kind.FORBIDDEN, "cannot do this to himself", people.set_quota, alice, None, "alice", Quota(nodes=None))
    refused(Kind.FORBIDDEN, "stays as he is", people.set_enabled, cloud.owner, None, "owner", False)
    assert people.set_quota(alice, None, "carol", Quota(nodes=1)).quota.nodes == 1


def test_names(cloud):
    people = cloud.core.principals
    cloud.person("alice")
    for name in ("alice", "ALICE", "owner"):
        refused(Kind.CONFLICT, "there is, or was", people.create, cloud.owner, None, name)
    for name in ("", "-a", "a b", "a\n", "é", "x" * 64, "../x"):
        refused(Kind.BAD_REQUEST, "a name is", people.create, cloud.owner, None, name)


def test_tokens(cloud):
    people, alice = cloud.core.principals, cloud.person("alice")
    made = people.create_token(cloud.owner, "k", "alice", label="laptop")
    assert people.authenticate(made.secret) == alice
    again = people.create_token(cloud.owner, "k", "alice", label="laptop")
    assert again == made.model_copy(update={"secret": None}), "a secret is given once"
    assert people.tokens(alice, "alice") == [again]
    chosen = secrets.token_urlsafe(32)
    digest = hashlib.sha256(chosen.encode()).hexdigest()
    assert people.create_token(alice, None, "alice", sha256=digest).secret is None
    assert people.authenticate(chosen) == alice
    refused(Kind.CONFLICT, "was chosen before", people.create_token, cloud.owner, None, "owner", sha256=digest)
    refused(Kind.BAD_REQUEST, "64 hexadecimal", people.create_token, alice, None, "alice", sha256="ab")
    people.revoke_token(alice, None, made.id)
    refused(Kind.UNAUTHORIZED, "wrong or has expired", people.authenticate, made.secret)
    refused(Kind.NOT_FOUND, "no token", people.revoke_token, alice, None, made.id)
    brief = people.create_token(alice, None, "alice", expires_at=cloud.wall + datetime.timedelta(hours=1))
    cloud.wall += datetime.timedelta(hours=1)
    refused(Kind.UNAUTHORIZED, "wrong or has expired", people.authenticate, brief.secret)
    refused(Kind.BAD_REQUEST, "past", people.create_token, alice, None, "alice", expires_at=cloud.wall)
    refused(Kind.NOT_FOUND, "no token", people.revoke_token, alice, None, people.tokens(cloud.owner, "owner")[0].id)


def test_no_secret_is_in_the_folder(cloud):
    people, alice = cloud.core.principals, cloud.person("alice")
    made = people.create_token(cloud.owner, "k", "alice")
    people.set_credential(alice, "c", "alice", "correct horse battery")
    cloud.core.close()
    kept = b"".join(file.read_bytes() for file in cloud.state.iterdir())
    for secret in (made.secret, cloud.token, "correct horse battery"):
        assert secret.encode() not in kept and secret.removeprefix("khhw_").encode() not in kept
    assert cloud.state.stat().st_mode & 0o077 == 0
    assert all(file.stat().st_mode & 0o077 == 0 for file in cloud.state.iterdir() if file.suffix == ".db")


def test_credentials(cloud):
    people, alice = cloud.core.principals, cloud.person("alice")
    refused(Kind.UNAUTHORIZED, "no such name", people.authenticate_credential, "alice", "correct horse")
    refused(Kind.BAD_REQUEST, "8 to 1000", people.set_credential, alice, None, "alice", "short")
    people.set_credential(alice, None, "alice", "correct horse")
    assert people.authenticate_credential("alice", "correct horse") == alice
    refused(Kind.UNAUTHORIZED, "no such name", people.authenticate_credential, "alice", "wrong horse")
    refused(Kind.UNAUTHORIZED, "no such name", people.authenticate_credential, "nobody", "correct horse")
    people.set_credential(alice, None, "alice", None)
    refused(Kind.UNAUTHORIZED, "no such name", people.authenticate_credential, "alice", "correct horse")


def test_credentials_of_strangers_take_no_time(cloud, monkeypatch):
    """What takes a third of a second of a processor comes after the question whether he may."""
    alice, _ = cloud.person("alice"), cloud.person("bob")
    monkeypatch.setattr(hashlib, "scrypt", lambda *_, **__: pytest.fail("a credential was hashed"))
    refused(Kind.NOT_FOUND, "bob", cloud.core.principals.set_credential, alice, None, "bob", "correct horse")


def test_who_chooses_credentials_keeps_nobody_waiting(cloud):
    people, alice, bob = cloud.core.principals, cloud.person("alice"), cloud.person("bob")
    with one_at_a_time(alice.id, "correct horse"):
        refused(Kind.UNAVAILABLE, "wait for its answer", people.set_credential, alice, None, "alice", "correct horse")
        refused(Kind.UNAVAILABLE, "wait for its answer", people.create, alice, None, "carol",
                credential="correct horse")
        people.set_credential(bob, None, "bob", "correct horse")
    people.set_credential(alice, None, "alice", "correct horse")


def test_who_is_disabled_or_deleted_asks_for_nothing(cloud):
    people, alice = cloud.core.principals, cloud.person("alice")
    token = people.create_token(cloud.owner, None, "alice").secret
    lease = cloud.rent(alice)
    people.set_enabled(cloud.owner, None, "alice", False)
    refused(Kind.UNAUTHORIZED, "wrong or has expired", people.authenticate, token)
    refused(Kind.UNAUTHORIZED, "may not ask", cloud.core.leases.acquire, alice, None, Acquire())
    assert cloud.core.leases.get(cloud.owner, lease.uuid).status == "active"
    people.set_enabled(cloud.owner, None, "alice", True)
    cloud.person("carol", alice)
    refused(Kind.CONFLICT, "holds 1 nodes, 1 networks and 1 leases", people.delete, cloud.owner, None, "alice")
    cloud.core.leases.release(alice, None, lease.uuid)
    cloud.settle()
    cloud.core.networks.delete(alice, None, 3)
    cloud.settle()
    refused(Kind.CONFLICT, "principals below alice", people.delete, cloud.owner, None, "alice")
    people.delete(alice, None, "carol")
    people.delete(cloud.owner, None, "alice")
    refused(Kind.UNAUTHORIZED, "wrong or has expired", people.authenticate, token)
    refused(Kind.CONFLICT, "there is, or was", people.create, cloud.owner, None, "alice")
    refused(Kind.NOT_FOUND, "no principal alice", people.get, cloud.owner, "alice")
    assert cloud.clean()


def test_the_audit_tells_everybody_what_he_did_and_shows_what_was_changed(cloud):
    alice = cloud.person("alice")
    cloud.core.principals.set_credential(alice, None, "alice", "correct horse")
    cloud.rent(alice)
    own = cloud.core.audit(alice)
    assert [each.operation for each in own] == ["principal credential", "acquire"]
    assert "horse" not in repr(own)
    everything = cloud.core.audit(cloud.owner)
    assert [each.number for each in everything] == list(range(1, len(everything) + 1))
    assert [each.operation for each in everything][-1] == "carried out" and everything[-1].principal == "-"
    assert cloud.core.audit(cloud.owner, after=everything[-1].number) == []
    assert cloud.core.audit(cloud.owner, limit=2) == everything[-2:]
    assert cloud.core.audit(cloud.owner, after=0, limit=2) == everything[:2]
    refused(Kind.BAD_REQUEST, "limit", cloud.core.audit, alice, limit=0)
