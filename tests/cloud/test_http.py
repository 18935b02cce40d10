"""The interface over HTTP: what it answers, and what it does with requests that are wrong."""

import logging
import time
from collections.abc import Iterator

import pytest

from khhw.cloud.errors import CloudError
from khhw.cloud.http.limits import LARGEST_BODY
from khhw.cloud.models import Quota
from khhw.patterns import DIGEST, IN_WORDS, KEY, NAME
from tests.cloud.world import Facts, World


@pytest.fixture
def world(world: World, facts: Facts) -> World:
    """Its client is rita."""
    world.client.headers["Authorization"] = f"Bearer {facts.tokens['stranger']}"
    return world


def test_a_slow_action_can_be_polled(world: World) -> None:
    answer = world.client.post("/v1/leases", json={"count": 1})
    assert answer.status_code == 202
    intent = answer.json()
    assert intent["state"] != "done" and answer.headers["Location"] == f"/v1/intents/{intent['id']}"
    assert world.client.get(answer.headers["Location"]).json()["state"] != "done"
    world.settle()
    assert world.client.get(answer.headers["Location"]).json()["state"] == "done"
    lease = world.client.get(f"/v1/leases/{intent['lease_uuid']}").json()
    assert lease["status"] == "active" and lease["nodes"] == [6] and lease["project"] == "rita"
    assert lease["owner"] == "owner" and len(lease["networks"]) == 1


def test_polling_can_wait(world: World) -> None:
    intent = world.client.post("/v1/leases", json={"count": 1}).json()
    assert world.client.get(f"/v1/intents/{intent['id']}", params={"wait": 0.05}).json()["state"] != "done"
    assert world.client.get(f"/v1/intents/{intent['id']}", params={"wait": 31}).status_code == 400


def test_nobody_is_kept_waiting_by_a_service_that_ends(world: World) -> None:
    intent = world.client.post("/v1/leases", json={"count": 1}).json()
    world.app.state.ending = True
    began = time.monotonic()
    answer = world.client.get(f"/v1/intents/{intent['id']}", params={"wait": 30})
    assert answer.status_code == 200 and answer.json()["state"] != "done" and time.monotonic() - began < 15


def test_one_key_one_answer(world: World) -> None:
    again = {"Idempotency-Key": "one"}
    first = world.client.post("/v1/leases", json={"count": 1}, headers=again)
    world.settle()
    second = world.client.post("/v1/leases", json={"count": 1}, headers=again)
    assert second.json()["id"] == first.json()["id"]
    assert len(world.client.get("/v1/leases").json()) == 1
    other = world.client.post("/v1/leases", json={"count": 2}, headers=again)
    assert other.status_code in (400, 409) and "key" in other.json()["detail"]


def test_a_conflict(world: World) -> None:
    answer = world.client.post("/v1/leases", json={"count": 3})
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["title"] == "conflict" and "not enough nodes" in answer.json()["detail"]
    assert world.client.get("/v1/leases").json() == []


def test_quota(world: World, facts: Facts) -> None:
    owner = world.core.principals.authenticate(facts.tokens["owner"])
    world.core.principals.set_quota(owner, None, "rita", Quota(nodes=1))
    answer = world.client.post("/v1/leases", json={"count": 2})
    assert answer.status_code == 403 and answer.json()["quota"]
    assert "the quota of rita" in answer.json()["detail"]


@pytest.mark.parametrize(("method", "path", "body", "status", "words"), [
    ("GET", "/v1/nothing", None, 404, "there is no /v1/nothing"),
    ("GET", "/" + "x" * 500, None, 404, "..."),
    ("PATCH", "/v1/leases", None, 405, "does not take PATCH"),
    ("POST", "/v1/leases", b"{", 400, "body"),
    ("POST", "/v1/leases", b"", 400, "the body: field required"),
    ("POST", "/v1/leases", b"[" * 100_000, 400, "body"),
    ("POST", "/v1/leases", b"\xff\xfe", 400, "body"),
    ("POST", "/v1/leases", b"[]", 400, "the body"),
    ("POST", "/v1/leases", b'{"count": 0}', 400, "count: input should be greater than or equal to 1, not 0"),
    ("POST", "/v1/leases", b'{"count": "many"}', 400, "count"),
    ("POST", "/v1/leases", b'{"count": 1e400}', 400, "count"),
    ("POST", "/v1/leases", b'{"county": 1}', 400, "county: extra inputs"),
    ("POST", "/v1/leases", b'{"nodes": [-1]}', 400, "nodes.0"),
    ("POST", "/v1/leases", b'{"nodes": [99]}', 404, "99"),
    ("POST", "/v1/leases", b'{"seconds": NaN}', 400, ""),
    ("POST", "/v1/leases", b'{"name": "\\u0000"}', 400, "name"),
    ("POST", "/v1/leases", b'{"user": "nobody"}', 404, "nobody"),
    ("POST", "/v1/leases", b'{"networks": [{"network": 77}]}', 404, "77"),
    ("GET", "/v1/leases/nope", None, 404, "nope"),
    ("GET", "/v1/leases/%00", None, 404, ""),
    ("GET", "/v1/networks/abc", None, 400, "network"),
    ("GET", "/v1/networks/99999999999999999999999", None, 404, "63 bits"),
    ("GET", "/v1/networks/-1", None, 404, ""),
    ("GET", "/v1/consoles/4294967296999", None, 404, ""),
    ("GET", "/v1/intents/nope", None, 404, "nope"),
    ("POST", "/v1/nodes/7/restore", None, 403, "owner"),
    ("GET", "/v1/audit?limit=0", None, 400, "limit"),
    ("GET", "/v1/audit?after=-1", None, 400, "after"),
    ("POST", "/v1/principals", b'{"name": "1st"}', 400,
     "name: it is to be a letter, then up to 62 letters, digits, - and _, not '1st'"),
    ("POST", "/v1/leases/own/transfer", b'{"to": "a b"}', 400, "to: it is to be a letter, then"),
    ("DELETE", "/v1/images/xyz", None, 400, "sha256: it is to be 64 hexadecimal digits in lower case"),
    ("POST", "/v1/principals", b'{"name": "con7"}', 400, "name: con7 is the name of a console"),
    ("PUT", "/v1/principals/rita/credential", b'{"credential": "short"}', 400, "credential"),
])
def test_what_is_wrong(
    world: World, method: str, path: str, body: bytes | None, status: int, words: str,
) -> None:
    before = world.client.get("/v1/whoami").json()
    headers = {} if body is None else {"Content-Type": "application/json"}
    answer = world.client.request(method, path, content=body, headers=headers)
    assert answer.status_code == status, answer.text
    said = answer.json()["detail"]
    assert words in said and "\n" not in said and len(said) < 400
    assert world.client.get("/v1/whoami").json() == before


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic abc", "Bearer wrong", "Bearer " + "x" * 5000])
def test_a_token_that_is_none(world: World, value: str) -> None:
    answer = world.client.get("/v1/leases", headers={"Authorization": value})
    assert answer.status_code == 401 and "token" in answer.json()["detail"]
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "\t"])
def test_a_key_that_is_none(world: World, key: str) -> None:
    answer = world.client.post("/v1/networks", json={}, headers={"Idempotency-Key": key})
    assert answer.status_code == 400 and "idempotency" in answer.json()["detail"].lower()


def test_no_refusal_shows_a_regular_expression(world: World) -> None:
    """Whoever adds a pattern says in words what it means."""
    def patterns(part: object) -> Iterator[str]:
        if isinstance(part, dict):
            yield from (value for name, value in part.items() if name == "pattern" and isinstance(value, str))
        for one in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
            yield from patterns(one)

    assert {DIGEST, KEY, NAME} <= set(patterns(world.app.openapi())) <= set(IN_WORDS)


def test_bodies_are_small(world: World) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(LARGEST_BODY // 65536 + 2):
            yield b" " * 65536

    headers = {"Content-Type": "application/json"}
    assert world.client.post("/v1/leases", content=b" " * (LARGEST_BODY + 1), headers=headers).status_code == 413
    assert world.client.post("/v1/leases", content=chunks(), headers=headers).status_code >= 400
    for length in (b"-1", b"1e3", "٣".encode(), b""):
        sent = {b"Content-Type": b"application/json", b"Content-Length": length}
        assert world.client.post("/v1/leases", content=b"{}", headers=sent).status_code == 413, length


def test_secrets_are_not_told_again(world: World, caplog: pytest.LogCaptureFixture, facts: Facts) -> None:
    def fail(*_arguments: object, **_more: object) -> None:
        raise RuntimeError("broken")

    caplog.set_level(logging.DEBUG)
    long = "secret" * 200
    answer = world.client.put("/v1/principals/rita/credential", json={"credential": long})
    assert answer.status_code == 400 and "secret" not in answer.text
    world.core.principals.set_credential = fail  # type: ignore[method-assign, assignment]
    answer = world.client.put("/v1/principals/rita/credential", json={"credential": "secretly"})
    assert answer.status_code == 500 and "broken" not in answer.text and "secret" not in answer.text
    assert "broken" in caplog.text, "the service's own log has it"
    assert "secretly" not in caplog.text and facts.tokens["stranger"] not in caplog.text


def test_a_store_that_cannot_be_written(world: World) -> None:
    def full(*_arguments: object, **_more: object) -> None:
        raise CloudError.unavailable("the disk is full; make room")

    world.core.networks.create = full  # type: ignore[method-assign, assignment]
    answer = world.client.post("/v1/networks", json={})
    assert answer.status_code == 503 and answer.headers["Retry-After"] == "1"
    assert answer.json()["detail"] == "the disk is full; make room"


def test_the_description(world: World) -> None:
    description = world.client.get("/openapi.json").json()
    assert description["openapi"].startswith("3.1")
    lease = description["components"]["schemas"]["Lease"]["properties"]
    assert {"uuid", "name", "owner", "owner_id", "project", "project_id", "resource_type", "resource_uuid",
            "start_time", "end_time", "fulfill_time", "expire_time", "status", "purpose", "parent_lease_uuid",
            } <= set(lease)
    for methods in description["paths"].values():
        for operation in methods.values():
            assert "422" not in operation["responses"]
    assert world.client.get("/docs").status_code == 404, "pages that load scripts from elsewhere"
