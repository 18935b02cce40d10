"""Loading an image takes as long for many nodes as for one: on the native engine."""

import json

import pytest

from khhw.bench.load import LARGEST, flatness, listeners, load_times
from khhw.cli import main


def test_listeners_double() -> None:
    assert [*listeners(8)] == [1, 2, 4, 8] and [*listeners(12)] == [1, 2, 4, 8, 12] and [*listeners(1)] == [1]


def test_the_longest_is_compared_with_the_shortest() -> None:
    times = [{"bytes": 1, "loaded": 100}, {"bytes": 2, "loaded": 7}, {"bytes": 1, "loaded": 103}]
    assert flatness(times) == {1: pytest.approx(0.03), 2: 0}


def test_the_tree_takes_an_image_in_the_same_time_whoever_listens() -> None:
    one, all_of_them = load_times((2, 2, 2), [2000], [1, 8], 1)
    assert one["sent"] == all_of_them["sent"] > 9 * 31, "nine packets of up to 33 flits, and the line"
    # Each further node says that it has it, behind the others: that is all that grows.
    assert one["loaded"] < all_of_them["loaded"] < one["loaded"] + 7 * 12


@pytest.mark.rare
@pytest.mark.timeout(3600)
def test_load_time_is_flat_within_five_percent_from_1_to_64_nodes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "load", "--nodes", "4x4x4", "--bytes", str(1 << 17), "--json"]) == 0
    results = json.loads(capsys.readouterr().out)["results"]
    assert [one["nodes"] for one in results["loads"]] == [1, 2, 4, 8, 16, 32, 64]
    assert results["longer"][str(1 << 17)] < 0.05


@pytest.mark.parametrize("size", ["0", str(LARGEST + 1)])
def test_sizes_that_do_not_fit(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "load", "--bytes", size]) == 2
    assert "which a node has room for" in capsys.readouterr().err
