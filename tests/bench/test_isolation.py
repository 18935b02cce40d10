"""Revoking rights on a machine that works, and tenants who misbehave, on the native engine."""

import json

import numpy as np
import pytest

from khhw.bench.isolation import node_parameters
from khhw.bench.neighbours import neighbours
from khhw.bench.rent import CASES, rent
from khhw.bench.revoke import revoke, targets_of
from khhw.bench.shares import share
from khhw.cli import main
from khhw.control.domains import Domains
from khhw.node import Shape

SHAPE = (2, 2, 2)


@pytest.mark.parametrize("load", ["saturated", "flooded"])
def test_nothing_revoked_arrives_late_and_nothing_kept_is_lost(load: str) -> None:
    found = revoke(SHAPE, node_parameters(SHAPE), load)
    assert found["revoked_before"] > 300
    assert found["revoked_late"] == 0
    assert found["kept_sent"] == found["kept_received"] > 1000
    assert found["errors"] == 0
    change = found["change"]
    assert change["started"] < change["loaded"] < change["refused"] < change["finished"]


def test_a_first_phase_that_holds_too_much_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the union of old and new in the first phase, packets arrive that the new domains refuse."""
    monkeypatch.setattr(Domains, "__and__", lambda one, other: Domains(one.matrix | other.matrix))
    assert revoke(SHAPE, node_parameters(SHAPE), "saturated")["revoked_late"] > 10


@pytest.mark.parametrize("case", CASES)
def test_renting_costs_what_it_changes(case: str) -> None:
    """Of a machine of twice the nodes no more but for a level of the tree and more words of a table."""
    small, large = (rent(shape, node_parameters((4, 4, 2)), case, 8) for shape in ((4, 2, 2), (4, 4, 2)))
    for found in (small, large):
        assert 0 < found["revoke_cycles"] < 1000
        # The memory is cleared at 32 bytes a cycle, beside the change.
        assert found["memory_bytes"] // 32 < found["change_cycles"] < 4000
    assert large["revoke_cycles"] - small["revoke_cycles"] < 100


def test_targets_are_a_permutation_and_half_of_them_across() -> None:
    for sizes in (SHAPE, (4, 4, 4), (4, 2, 1)):
        targets, half = targets_of(Shape(*sizes))
        assert sorted(targets) == list(range(len(targets)))
        across = np.array(half) != np.array(half)[targets]
        assert across.sum() * 2 == len(targets) or sizes[2] == 1


@pytest.mark.parametrize("case", ["console flood", "never draining"])
def test_misbehaviour_costs_another_domain_nothing(case: str) -> None:
    compared = {"console flood": "quiet", "never draining": "draining"}
    without, with_it = (neighbours(SHAPE, node_parameters(SHAPE), one, 100) for one in (compared[case], case))
    assert with_it["texts"] > 50 or (with_it["dropped"] > 20 and not with_it["received"] and without["received"])
    assert with_it["histogram"] == without["histogram"]
    assert with_it["packets"] == 4 * 100


@pytest.mark.parametrize("case", ["saturating stream", "granted priority"])
def test_the_strongest_neighbour_takes_what_is_shared(case: str) -> None:
    found = share(node_parameters(SHAPE), case, cycles=4000)
    assert found["alone"] > 3900, "the victim fills the cable when nobody else does"
    assert found["neighbour"] + found["beside"] > 3900, "the two fill it together"
    assert found["beside"] < found["alone"] / 8


def test_a_console_flood_takes_the_tree() -> None:
    found = share(node_parameters(SHAPE), "console flood", cycles=4000, shape=SHAPE)
    assert found["alone"] > 20 and found["neighbour"] > 20
    assert found["beside"] < found["alone"]


def test_shares_have_names() -> None:
    with pytest.raises(ValueError, match="case must be one of saturating stream, granted priority, console flood"):
        share(node_parameters(SHAPE), "noise")


@pytest.mark.parametrize(("words", "message"), [
    (["--nodes", "3x2x2"], "halved in x, not 3x2x2"),
    (["--nodes", "2x2"], "three sizes"),
    (["--packets", "-1"], "--packets is 0 or more"),
    (["--rent", "0"], "--rent takes 1 node and more, not 0"),
])
def test_requests_that_cannot_be(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "isolation", *words]) == 2
    assert message in capsys.readouterr().err


def test_the_command_prints_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "isolation", "--nodes", "2x2x2", "--packets", "0", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    *revoked, random = printed["results"]
    assert [row["load"] for row in revoked] == ["idle", "saturated", "flooded"]
    assert {"version", "seed", "parameters", "build", "cpu_model", "results"} <= set(printed)
    # Nobody of eight nodes is told what another one is: as much as when the halves are parted, node by node.
    assert random["kind"] == "random" and 300 < random["revoke_cycles"] < random["change_cycles"] < 2000


def test_so_many_are_rented_and_nothing_else_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "isolation", "--nodes", "4x4x4", "--rent", "2", "--rent", "64", "--only-rent", "--json"]) == 0
    results = json.loads(capsys.readouterr().out)["results"]
    assert [(row["kind"], len(row["ranks"])) for row in results] == [("rent", 2)] * len(CASES)
