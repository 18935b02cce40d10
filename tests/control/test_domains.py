"""Communication domains from the forms people write."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from khhw.control.domains import DomainError, Domains
from khhw.node import Shape
from rtl.formats import Direction


def test_rules():
    domains = Domains.from_rules(["0 -> 0 2", "1 <-> 2-3", "3 -> *"], 4)
    assert [domains.row(rank) for rank in range(4)] == [[0, 2], [2, 3], [1], [0, 1, 2, 3]]
    assert domains.column(2) == [0, 1, 3]


def test_groups_allow_members_and_oneself():
    domains = Domains.from_groups({"blue": [0, 2], "red": [2, 3]}, 4)
    assert [domains.row(rank) for rank in range(4)] == [[0, 2], [1], [0, 2, 3], [2, 3]]


@pytest.mark.parametrize(("make", "key_path", "message"), [
    (lambda: Domains.from_matrix([[1]], 2), (), "1 rows for 2 nodes; the matrix must be 2x2"),
    (lambda: Domains.from_matrix([[1, 0], [1]], 2), (1,), "1 columns for 2 nodes"),
    (lambda: Domains.from_matrix([[1, 0], [1, 2]], 2), (1, 1), "0 or 1, not 2"),
    (lambda: Domains.from_groups({"a": []}, 2), ("a",), "at least one node"),
    (lambda: Domains.from_groups({"a": [0, 2]}, 2), ("a", 1), "no node 2; nodes are 0 to 1"),
    (lambda: Domains.from_groups({"a": [1, 1]}, 2), ("a", 1), "twice"),
    (lambda: Domains.from_rules(["0 -> 1", "0 = 1"], 2), (1,), "is no rule; write \"0 -> 3 4\""),
    (lambda: Domains.from_rules(["0 -> "], 2), (0,), "names no node"),
    (lambda: Domains.from_rules(["0 -> x"], 2), (0,), "'x' is no node"),
    (lambda: Domains.from_rules(["0 -> 1-9"], 2), (0,), "no node 9"),
    (lambda: Domains.from_rules(["0 -> 1-0"], 2), (0,), "counts down; write 0-1"),
])
def test_what_is_wrong_is_found_at_its_key_path(make, key_path, message):
    with pytest.raises(DomainError) as caught:
        make()
    assert caught.value.key_path == key_path
    assert message in caught.value.message


matrices = st.integers(1, 12).flatmap(lambda n: arrays.arrays(bool, (n, n)))


@given(matrices)
def test_a_matrix_says_the_same_as_its_rows_and_rules(matrix):
    nodes = len(matrix)
    domains = Domains(matrix)
    assert Domains.from_matrix(matrix.astype(int).tolist(), nodes) == domains
    rules = [f"{rank} -> {' '.join(map(str, domains.row(rank)))}" for rank in range(nodes) if domains.row(rank)]
    assert Domains.from_rules(rules, nodes) == domains
    assert all(matrix[s, d] == (s in domains.column(d)) for s in range(nodes) for d in range(nodes))


@given(st.data())
def test_intersection_allows_what_both_allow(data):
    nodes = data.draw(st.integers(1, 8))
    first, second = (data.draw(arrays.arrays(bool, (nodes, nodes))) for _ in range(2))
    assert np.array_equal((Domains(first) & Domains(second)).matrix, first & second)


@given(st.tuples(*[st.integers(1, 4)] * 3), st.data())
def test_reach_is_the_longest_line_of_allowed_nodes(sizes, data):
    shape = Shape(*sizes)
    domains = Domains(data.draw(arrays.arrays(bool, (shape.nodes, shape.nodes))))
    source = data.draw(st.integers(0, shape.nodes - 1))
    for direction, reach in zip(Direction, domains.reach(shape, source), strict=True):
        line = list(shape.line(source, direction))
        assert all(domains.matrix[source, rank] for rank in line[:reach])
        assert reach == len(line) or not domains.matrix[source, line[reach]]
