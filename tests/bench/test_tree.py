"""What a node gets of the tree under a flood of all others, whatever its depth: on the native engine."""

import json

import pytest

from khhw.bench.isolation import node_parameters
from khhw.bench.tree import depth_of, least_share, tree_shares
from khhw.cli import main


def test_depth_is_counted_in_cables() -> None:
    assert [depth_of(rank) for rank in (0, 1, 2, 3, 6, 7, 62, 63)] == [0, 1, 1, 2, 2, 3, 5, 6]


def test_the_least_counts() -> None:
    found = {"texts": 40, "fair_share": 10.0, "depths": [{"least": 9}, {"least": 4}]}
    assert least_share(found) == 0.4
    assert least_share({**found, "texts": 0}) == 0


def check(found: dict) -> None:
    """Who is deep gets as much as the root, who is alone all, and the owner hardly waits longer."""
    shares = "; ".join(f"depth {row['depth']}: {row['least']} to {row['most']}" for row in found["depths"])
    print(f"fair share {found['fair_share']:.1f} texts; {shares}")
    assert found["texts"] > 0.97 * found["cycles"] / 35, "the root turns a text of 33 flits in 35 cycles"
    # Bar: half of a fair share. A count that begins and ends in the middle of a round differs by one.
    assert least_share(found) >= 0.5
    counts = [row[kind] for row in found["depths"] for kind in ("least", "most")]
    assert max(counts) - min(counts) <= 1
    # Its host port asks for a text in 40 cycles.
    assert {row["alone"] for row in found["depths"]} == {found["alone_cycles"] // 40}


def test_all_of_eight_nodes_have_an_equal_share() -> None:
    found = tree_shares((2, 2, 2), node_parameters((2, 2, 2)), cycles=10_000)
    check(found)
    assert found["owner"]["flood"]["combined"]["most"] <= found["owner"]["idle"]["combined"]["most"] + 3 * 2 * 33


@pytest.mark.rare
@pytest.mark.timeout(1800)
def test_all_of_64_nodes_have_an_equal_share(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "tree", "--nodes", "4x4x4", "--cycles", "30000", "--json"]) == 0
    check(json.loads(capsys.readouterr().out)["results"])


def test_no_cycles_are_no_measurement(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "tree", "--cycles", "0"]) == 2
    assert "--cycles is 1 or more" in capsys.readouterr().err
