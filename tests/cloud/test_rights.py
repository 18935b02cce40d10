"""Every operation of the description, tried by everybody: who may is as the description says, and who may not changes
nothing."""

import hashlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from docs.rights import PAGE, inserted
from khhw.cloud.http.app import application
from khhw.cloud.http.rights import EXTENSION, ROLES, operations
from khhw.cloud.models import Acquire
from tests.cloud.world import NAMES, Facts, World, opened

OPERATIONS = operations(application(None, None))  # type: ignore[arg-type]
IMAGE = hashlib.sha256(b"an image").hexdigest()

BODIES: dict[str, Any] = {
    "create_principal": {"name": "newcomer"}, "set_quota": {"nodes": 3},
    "set_credential": {"credential": "long enough"},
    "set_enabled": {"enabled": True}, "create_token": {"label": "another"}, "acquire": {"count": 1, "new_networks": 0},
    "add_nodes": {"count": 1}, "remove_nodes": {"nodes": [3]}, "transfer": {"to": "rita"}, "extend": {"seconds": 10.0},
    "rename_lease": {"name": "other"}, "connect": {"network": 2}, "create_network": {"name": "new"},
    "rename_network": {"name": "other"}, "share_network": {"guest": "tom"}, "share_console": {"guest": "tom"},
    "approve_image": {"sha256": IMAGE, "name": "an image"},
}
"""What is sent, by operation."""
QUERIES: dict[str, Any] = {"leave_network": {"guest": "rita"}}


def offered_lease(world: World, facts: Facts) -> dict[str, str]:
    """Sam offers rita his lease."""
    sam = world.core.principals.authenticate(facts.tokens["self"])
    world.core.leases.transfer(sam, None, facts.own, "rita")
    world.settle()
    return {"lease": facts.own}


def own_lease(world: World, facts: Facts) -> dict[str, str]:
    """Sam's lease that is a part of nobody's."""
    return {"lease": facts.own}


def offered_network(world: World, facts: Facts) -> dict[str, str]:
    """Sam offers rita another network."""
    sam = world.core.principals.authenticate(facts.tokens["self"])
    network = world.core.networks.create(sam, None).id
    world.core.networks.share(sam, None, network, "rita")
    return {"network": str(network)}


def guest_of_a_network(world: World, facts: Facts) -> dict[str, str]:
    """Rita is a guest of sam's network."""
    sam, rita = (world.core.principals.authenticate(facts.tokens[role]) for role in ("self", "stranger"))
    world.core.networks.share(sam, None, facts.network, "rita")
    world.core.networks.accept(rita, None, facts.network)
    return {}


def guest_of_a_console(world: World, facts: Facts) -> dict[str, str]:
    """Rita may listen to sam's console."""
    sam = world.core.principals.authenticate(facts.tokens["self"])
    world.core.channels.share(sam, None, facts.console, "rita")
    return {}


def quarantined(world: World, facts: Facts) -> dict[str, str]:
    """Nobody has node 7."""
    owner = world.core.principals.authenticate(facts.tokens["owner"])
    world.core.nodes.quarantine(owner, None, 7)
    world.settle()
    return {}


def approved(world: World, facts: Facts) -> dict[str, str]:
    """There is an image that may boot."""
    owner = world.core.principals.authenticate(facts.tokens["owner"])
    world.core.approvals.approve(owner, None, IMAGE, "an image")
    world.settle()
    return {}




BEFORE: dict[str, Callable[[World, Facts], dict[str, str]]] = {
    "accept_lease": offered_lease, "decline_lease": offered_lease, "accept_network": offered_network,
    "restore": quarantined, "withdraw_image": approved, "leave_network": guest_of_a_network,
    "unshare_console": guest_of_a_console, "add_nodes": own_lease, "transfer": own_lease, "extend": own_lease,
}
"""What is done first, by operation; what of its path differs then."""


def ask(world: World, facts: Facts, name: str, role: str, path: dict[str, str]) -> Any:
    """Use an operation in a role."""
    operation = OPERATIONS[name]
    token = facts.tokens.get(role)
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return world.client.request(operation["method"], operation["path"].format(**path), json=BODIES.get(name),
                                params=QUERIES.get(name), headers=headers)


def path_of(facts: Facts) -> dict[str, str]:
    """What stands for the names in paths: all of it is sam's, or given by him."""
    return {"name": NAMES["self"], "token": facts.token_ids["self"], "lease": facts.lease,
            "network": str(facts.network), "console": str(facts.console), "guest": NAMES["stranger"], "rank": "7",
            "intent": facts.intent, "sha256": IMAGE}


def stored(folder: Path) -> str:
    """All that the store holds."""
    with sqlite3.connect(f"file:{folder / 'state' / 'cloud.db'}?mode=ro", uri=True) as store:
        text = "\n".join(store.iterdump())
    store.close()
    return text


@pytest.mark.parametrize("name", OPERATIONS)
def test_who_may(name: str, template: tuple[Path, Facts], tmp_path: Path) -> None:
    folder, facts = template
    allowed = OPERATIONS[name][EXTENSION]
    refused = [role for role in ROLES if role not in allowed]
    with opened(folder, tmp_path / "refused") as world:
        path = path_of(facts) | BEFORE.get(name, lambda *_: {})(world, facts)
        before = stored(tmp_path / "refused")
        for role in refused:
            answer = ask(world, facts, name, role, path)
            assert answer.status_code == 401 if role == "nobody" else answer.status_code in (403, 404), (
                role, answer.text)
            assert answer.json()["detail"], role
            assert not answer.json()["quota"], role
        assert stored(tmp_path / "refused") == before, "who may not changes nothing"
    for role in allowed:
        with opened(folder, tmp_path / role) as world:
            path = path_of(facts) | BEFORE.get(name, lambda *_: {})(world, facts)
            answer = ask(world, facts, name, role, path)
            assert answer.status_code < 500, (role, answer.text)
            assert answer.status_code not in (400, 401, 403, 404, 405), (role, answer.text)


def test_every_operation_says_who_may() -> None:
    for name, operation in OPERATIONS.items():
        assert set(operation[EXTENSION]) <= set(ROLES), name
        assert operation[EXTENSION], name
        assert operation["summary"] and operation.get("description"), name


def test_the_page_has_the_table() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert inserted(text) == text, "run python -m docs.rights"


def test_a_token_of_somebody_who_is_kept_out(template: tuple[Path, Facts], tmp_path: Path) -> None:
    folder, facts = template
    with opened(folder, tmp_path / "state") as world:
        owner = world.core.principals.authenticate(facts.tokens["owner"])
        assert ask(world, facts, "whoami", "self", {}).status_code == 200
        world.core.principals.set_enabled(owner, None, "sam", False)
        for name in OPERATIONS:
            if "nobody" not in OPERATIONS[name][EXTENSION]:
                assert ask(world, facts, name, "self", path_of(facts)).status_code == 401, name


def test_what_is_let_on_is_out_of_the_lessors_hands(template: tuple[Path, Facts], tmp_path: Path) -> None:
    folder, facts = template
    with opened(folder, tmp_path / "state") as world:
        headers = {"Authorization": f"Bearer {facts.tokens['self']}"}
        wish = Acquire(user="rita", nodes=[4], parent_lease_uuid=facts.lease)
        answer = world.client.post("/v1/leases", headers=headers, json=wish.model_dump(mode="json"))
        assert answer.status_code in (403, 409), "node 4 is tom's now"
