"""Where packets go, as the hardware's documentation of its patterns says."""

import math

import numpy as np
import pytest

from khhw.traffic.patterns import PATTERNS, destinations, permutation, wrong_pattern
from rtl.registers import Pattern
from rtl.torus.coordinates import coordinate_of, rank_of


def test_every_pattern_has_a_name():
    assert set(PATTERNS.values()) == set(Pattern)
    names = ["uniform", "transpose", "bit_complement", "tornado", "neighbour", "hot_spot", "permutation"]
    assert list(PATTERNS) == names


@pytest.mark.parametrize(("pattern", "shape", "source", "destination"), [
    ("transpose", (4, 4, 4), (1, 2, 3), (3, 2, 1)), ("transpose", (4, 4, 1), (1, 2, 0), (2, 1, 0)),
    ("bit_complement", (4, 3, 2), (1, 2, 0), (2, 0, 1)), ("tornado", (8, 4, 5), (7, 0, 4), (2, 1, 1)),
    ("neighbour", (4, 1, 3), (3, 0, 1), (0, 0, 2))])
def test_destination(pattern, shape, source, destination):
    assert destinations(pattern, shape)[rank_of(source, shape)] == rank_of(destination, shape)


@pytest.mark.parametrize("pattern", ["transpose", "bit_complement", "tornado", "neighbour"])
@pytest.mark.parametrize("shape", [(4, 4, 4), (5, 3, 2), (2, 1, 1)])
def test_is_a_permutation(pattern, shape):
    where = destinations(pattern, shape)
    assert sorted(where) == list(range(math.prod(shape)))
    assert all(max(coordinate_of(rank, shape)) < 64 for rank in where)


def test_drawn_permutation():
    drawn = permutation(64, 1)
    assert sorted(drawn) == list(range(64))
    assert not np.any(drawn == np.arange(64))
    assert np.array_equal(drawn, permutation(64, 1))
    assert not np.array_equal(drawn, permutation(64, 2))
    assert list(permutation(2, 5)) == [1, 0]


def test_patterns_without_traffic():
    assert wrong_pattern("tornado", (2, 2, 2))
    assert wrong_pattern("transpose", (8, 1, 1))
    assert all(wrong_pattern(pattern, (4, 4, 4)) is None for pattern in PATTERNS)
