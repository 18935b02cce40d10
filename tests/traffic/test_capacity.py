"""The unit of load against a count of what minimal routing puts on every link."""

import itertools
import math

import pytest

from khhw.traffic.capacity import capacity, mean_hops, packets_a_cycle


def busiest_link(shape):
    """Flits a cycle on the busiest link if every node sends one flit a cycle, ties shared evenly; by counting."""
    nodes = list(itertools.product(*map(range, shape)))
    rate = 1 / (len(nodes) - 1)
    load: dict[tuple[int, int, int], float] = {}
    for source, destination in itertools.permutations(nodes, 2):
        for dimension, size in enumerate(shape):
            plus = (destination[dimension] - source[dimension]) % size
            ways = [(1, plus)] * (0 < plus <= size - plus) + [(-1, size - plus)] * (0 < size - plus <= plus < size)
            # In a ring of two one cable carries everything.
            ways = ways[:1] if size == 2 else ways
            for step, hops in ways:
                for hop in range(hops):
                    at = (source[dimension] + step * hop) % size
                    # Links of one place of a ring together: lines of a torus are alike.
                    load[dimension, at, step] = load.get((dimension, at, step), 0.0) + rate / len(ways)
    lines = {dimension: len(nodes) / size for dimension, size in enumerate(shape)}
    return max(value / lines[dimension] for (dimension, _, _), value in load.items())


@pytest.mark.parametrize("shape", [(2, 1, 1), (3, 1, 1), (8, 1, 1), (2, 2, 2), (4, 4, 1), (5, 3, 2), (4, 4, 2)])
def test_is_what_fills_the_busiest_link(shape):
    assert capacity(shape, 100) == pytest.approx(1 / busiest_link(shape))


@pytest.mark.parametrize(("shape", "flits"), [
    ((4, 4, 1), 1.875), ((8, 8, 1), 0.984), ((4, 4, 4), 1.969), ((8, 8, 8), 0.998), ((16, 16, 16), 0.500)])
def test_known_tori(shape, flits):
    """For even sizes k the bisection bound 8 / k, less what a node would send to itself."""
    nodes = math.prod(shape)
    assert capacity(shape, 6) == pytest.approx(8 / max(shape) * (nodes - 1) / nodes)
    assert capacity(shape, 6) == pytest.approx(flits, abs=0.0006)


def test_lanes_are_a_bound():
    assert capacity((4, 4, 4), 1) == 1.0
    assert capacity((4, 4, 4), 2) == pytest.approx(1.969, abs=0.001)


def test_mean_hops():
    assert [mean_hops(size, 10**9) for size in (1, 2, 3, 4, 8)] == pytest.approx([0, 1 / 2, 2 / 3, 1, 2])


def test_packets():
    # 1.875 flits a cycle are half of what is offered at load 0.5; a packet of 8 chunks has 32 flits.
    assert packets_a_cycle(0.5, (4, 4, 1), 6, (8,)) == pytest.approx(0.5 * 1.875 / 32)
    assert packets_a_cycle(0.5, (4, 4, 1), 6, (8, 8, 2)) == pytest.approx(0.5 * 1.875 / 24)
