"""Who reaches whom through relays, and what a change does to it, against the plainest way to work it out."""

import tomllib
from itertools import pairwise, permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from khhw.control.domains import DomainError, Domains
from khhw.control.reach import DomainChange, Reach, between, twins

TALK = Path(__file__).parents[2] / "examples" / "talk.toml"

# Sparse matrices have long chains, dense ones have groups.
matrices = st.integers(1, 8).flatmap(lambda n: st.one_of(
    arrays.arrays(bool, (n, n)),
    arrays.arrays(bool, (n, n), elements=st.sampled_from([False, False, False, True])),
    st.lists(st.integers(0, 2), min_size=n, max_size=n).map(lambda of: np.equal.outer(np.array(of), np.array(of))),
))
pairs = st.integers(1, 6).flatmap(lambda n: st.tuples(*[arrays.arrays(bool, (n, n))] * 2))


def chains(matrix):
    """Sends from each to each other node, found by trying them one after the other."""
    nodes = len(matrix)
    found = matrix.astype(int)
    for length in range(2, nodes):
        for source, destination in permutations(range(nodes), 2):
            if not found[source, destination] and any(
                    found[source, node] == length - 1 and matrix[node, destination]
                    for node in range(nodes) if node not in (source, destination)):
                found[source, destination] = length
    return found


def talk(name):
    return Domains.from_rules(tomllib.loads(TALK.read_text())["domains"][name]["rules"], 8)


def test_node_3_is_the_way_from_0_to_6():
    reach = Reach(talk("slide1"))
    assert not reach.domains.matrix[0, 6]
    assert reach.relays(0, 6) == (3,)
    assert reach.relays(0, 7) == (3, 6, 2)
    assert reach.relays(0, 3) == ()
    assert (reach.unreached, reach.mute) == ([], [])


def test_nobody_reaches_0_on_the_second_slide():
    reach = Reach(talk("slide2"))
    assert reach.unreached == [0]
    assert not reach.connected[1:, 0].any()
    with pytest.raises(ValueError, match="nothing leads from node 1 to node 0"):
        reach.relays(1, 0)


def test_the_change_from_slide_to_slide():
    change = DomainChange(talk("slide1"), talk("slide2"))
    assert np.argwhere(change.added).tolist() == [[3, 2]]
    assert np.argwhere(change.revoked).tolist() == [[1, 2], [3, 0], [4, 0], [5, 2], [7, 2]]
    assert change.kept == change.old & change.new
    assert not change.evaded.any()
    assert not change.gained.any()
    assert [1, 6] in np.argwhere(change.lost).tolist()


def test_a_node_carries_what_it_remembers():
    change = DomainChange(Domains.from_rules(["0 -> 1", "2 -> 3"], 4), Domains.from_rules(["1 -> 2"], 4))
    assert np.argwhere(change.carried).tolist() == [[0, 2]]
    assert change.carrier(0, 2) == 1
    with pytest.raises(ValueError, match="no node carries anything from node 0 to node 3"):
        change.carrier(0, 3)


def test_a_revoked_pair_may_still_be_reached():
    change = DomainChange(Domains.from_rules(["* -> *"], 3), Domains.from_rules(["0 -> 1", "1 -> 2"], 3))
    assert np.argwhere(change.evaded).tolist() == [[0, 2]]


def test_changes_are_between_domains_of_one_machine():
    with pytest.raises(DomainError, match="domains of 2 nodes cannot become domains of 3"):
        DomainChange(Domains.nothing(2), Domains.nothing(3))


@given(matrices)
def test_chains_are_the_shortest(matrix):
    reach = Reach(Domains(matrix))
    assert np.array_equal(reach.hops, chains(matrix))
    for source, destination in np.argwhere(reach.hops > 0).tolist():
        way = (source, *reach.relays(source, destination), destination)
        assert len(way) == reach.hops[source, destination] + 1
        assert all(matrix[one, other] for one, other in pairwise(way))
        assert source == destination or len(set(way)) == len(way)


@given(st.integers(1, 2).flatmap(lambda count: st.integers(1, 7).flatmap(lambda n: st.lists(st.one_of(
    arrays.arrays(bool, (n, n)), st.lists(st.integers(0, 2), min_size=n, max_size=n).map(
        lambda of: np.equal.outer(np.array(of), np.array(of)))), min_size=count, max_size=count))))
def test_twins_can_be_exchanged_and_others_cannot(states):
    nodes = len(states[0])
    groups = twins(*map(Domains, states))
    assert sorted(rank for group in groups for rank in group) == list(range(nodes))
    assert [group[0] for group in groups] == sorted(group[0] for group in groups)
    for one, other in permutations(range(nodes), 2):
        order = list(range(nodes))
        order[one], order[other] = other, one
        alike = all(np.array_equal(matrix, matrix[np.ix_(order, order)]) for matrix in states)
        assert alike == any(one in group and other in group for group in groups)


@given(matrices)
def test_a_cell_between_groups_stands_for_all(matrix):
    groups = twins(Domains(matrix))
    cells = between(matrix, groups)
    for source, senders in enumerate(groups):
        for destination, receivers in enumerate(groups):
            same = [matrix[one, other] for one in senders for other in receivers if one != other]
            assert all(cell == cells[source, destination] for cell in same)
            assert same or not cells[source, destination]


@given(pairs)
def test_a_change_tells_every_pair(pair):
    change = DomainChange(*map(Domains, pair))
    before, after = map(chains, pair)
    nodes = len(before)
    for source in range(nodes):
        for destination in range(nodes):
            was, now = before[source, destination], after[source, destination]
            assert change.added[source, destination] == (now == 1 != was)
            assert change.revoked[source, destination] == (was == 1 != now)
            assert change.kept.matrix[source, destination] == (was == now == 1)
            assert change.evaded[source, destination] == (was == 1 and now > 1)
            assert change.gained[source, destination] == (was == 0 and now > 1)
            assert change.lost[source, destination] == (was > 1 and now == 0)
            carriers = [node for node in range(nodes) if node not in (source, destination)
                        and before[source, node] and after[node, destination]]
            carried = source != destination and not was and not now and bool(carriers)
            assert change.carried[source, destination] == carried
            assert not carried or change.carrier(source, destination) == carriers[0]
