"""Ranks, node ids, coordinates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from khhw.node import Shape
from rtl.formats import Direction

sizes = st.integers(1, 7)


@given(sizes, sizes, sizes)
def test_ids_and_ranks_are_one_to_one(x, y, z):
    shape = Shape(x, y, z)
    ids = [shape.node_id(rank) for rank in range(shape.nodes)]
    assert len(set(ids)) == shape.nodes
    assert [shape.rank_of_id(i) for i in ids] == list(range(shape.nodes))


def test_ids_pack_coordinates_with_z_on_top():
    shape = Shape(3, 5, 2)
    assert shape.coordinate(17) == (2, 0, 1)
    assert shape.node_id(17) == 2 | 0 << 2 | 1 << 5


@pytest.mark.parametrize("packed", [3, 7 << 2, 1 << 6, 1 << 16])
def test_an_id_of_no_node_is_refused(packed):
    with pytest.raises(ValueError, match=r"Node id .* is not in a 3x5x2 torus"):
        Shape(3, 5, 2).rank_of_id(packed)


@pytest.mark.parametrize("size", [0, 65, -1])
def test_sizes_are_checked(size):
    with pytest.raises(ValueError, match=f"1 to 64, not {size}"):
        Shape(2, size, 1)


def test_a_line_is_walked_in_the_direction_of_travel():
    shape = Shape(4, 2, 1)
    assert list(shape.line(5, Direction.XP)) == [6, 7, 4]
    assert list(shape.line(5, Direction.XM)) == [4, 7, 6]
    assert list(shape.line(5, Direction.YM)) == [1]
    assert list(shape.line(5, Direction.ZP)) == []


def test_distance_takes_the_short_way_round():
    shape = Shape(5, 1, 1)
    assert [shape.distance(0, rank) for rank in range(5)] == [0, 1, 2, 2, 1]
