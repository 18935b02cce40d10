"""Functional bins of testbenches: declared, sampled, refused."""

import doctest
import itertools

import pytest

from testbenches.kit import coverage
from testbenches.kit.coverage import Covergroup

NAMES = itertools.count()


@pytest.fixture
def group() -> Covergroup:
    made = Covergroup(f"test {next(NAMES)}", side=("in", "out"), size=range(3))
    made.cross("side", "size", illegal=lambda side, size: side == "out" and size == "0")
    return made


def test_samples_count_in_points_and_crosses(group: Covergroup) -> None:
    group.sample(side="in", size=2)
    group.sample(side="in", size=2)
    group.sample(size=0)
    assert group.hits["side"] == {"in": 2, "out": 0}
    assert group.hits["size"] == {"0": 1, "1": 0, "2": 2}
    assert group.hits["side x size"] == {"in x 0": 0, "in x 1": 0, "in x 2": 2, "out x 1": 0, "out x 2": 0}


@pytest.mark.parametrize("values", [{"side": "up"}, {"size": 3}, {"sides": "in"}, {"side": "out", "size": 0}])
def test_what_has_no_bin_is_refused_and_counts_nothing(group: Covergroup, values: dict[str, str | int]) -> None:
    with pytest.raises(ValueError, match="has no bin"):
        group.sample(**values)
    assert not any(hits for bins in group.hits.values() for hits in bins.values())


def test_a_name_is_taken_once(group: Covergroup) -> None:
    with pytest.raises(ValueError, match="declared twice"):
        Covergroup(group.name, side=("in",))


def test_example() -> None:
    assert doctest.testmod(coverage).failed == 0
