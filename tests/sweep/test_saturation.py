"""The search for saturation on networks whose knee is known."""

import pytest

from khhw.sweep.saturation import is_saturated, loads_needed, most_steps, outcome
from khhw.sweep.spec import Saturation
from khhw.traffic.measurement import Measurement

GRID = [0.1, 0.3, 0.5, 0.7, 0.9]


def measured(load: float, limit: float, *, steep: float = 0.0, drained: bool = True) -> Measurement:
    """A network that accepts up to `limit`; its latency is 100 cycles, and grows by `steep` a load."""
    return Measurement(
        offered=load, accepted=min(load, limit), packets=100, latency_mean=100.0 * (1 + steep * load), latency_p50=1.0,
        latency_p99=None, latency_max=1, errors=0, drained=drained, batches=(), cycles=1, wall_seconds=0.0)


def searched(rule, network, grid=GRID, known=None):
    """What is known at the end, and how many loads were asked for one at a time."""
    known, steps = dict(known or {}), 0
    while needed := loads_needed(rule, grid, known):
        steps += len(needed) == 1
        known.update((load, network(load)) for load in needed)
    return known, steps


@pytest.mark.parametrize("limit", [0.05, 0.21, 0.5, 0.633, 0.88, 0.94])
def test_finds_where_less_is_accepted(limit):
    rule = Saturation(tolerance=0.005)
    known, _ = searched(rule, lambda load: measured(load, limit))
    found = outcome(rule, GRID, known)
    # A load is saturated where it is more than what is accepted over 0.95.
    assert found.state == "found"
    assert found.carried <= limit / 0.95 + 1e-9
    assert found.saturated > limit / 0.95 - 1e-9
    assert found.saturated - found.carried <= 0.005
    assert found.accepted == min(found.carried, limit)
    assert found.zero_load_latency == pytest.approx(100.0)


def test_finds_where_latency_is_a_multiple():
    rule = Saturation(tolerance=0.001, latency=2.0, zero_load=0.02)
    known, _ = searched(rule, lambda load: measured(load, 2.0, steep=2.0))
    found = outcome(rule, GRID, known)
    # 1 + 2 load = 2 (1 + 2 * 0.02)
    assert found.carried <= 0.54 <= found.saturated


def test_what_does_not_arrive_is_saturated():
    assert is_saturated(measured(0.5, 1.0, drained=False), 100.0, 3.0)
    assert not is_saturated(measured(0.5, 1.0), 100.0, 3.0)
    assert not is_saturated(measured(0.5, 1.0, steep=9), None, 3.0)


def test_everything_is_carried():
    rule = Saturation(highest=1.0)
    known, steps = searched(rule, lambda load: measured(load, 2.0))
    found = outcome(rule, GRID, known)
    assert (found.state, found.carried, found.saturated, steps) == ("above", 1.0, None, 1)


def test_no_load_is_saturated():
    rule = Saturation()
    known, steps = searched(rule, lambda load: measured(load, 0.001))
    assert (outcome(rule, GRID, known).state, steps) == ("below", 0)


def test_a_point_of_the_search_failed():
    rule = Saturation(tolerance=0.01)
    known, _ = searched(rule, lambda load: measured(load, 0.6) if load in (0.02, *GRID) else None)
    found = outcome(rule, GRID, known)
    assert (found.state, found.carried, found.saturated) == ("failed", 0.5, 0.7)


def test_a_failed_point_of_the_grid_is_passed_over():
    rule = Saturation(tolerance=0.01)
    known, _ = searched(rule, lambda load: None if load == 0.5 else measured(load, 0.6))
    found = outcome(rule, GRID, known)
    assert found.state == "failed"
    assert (found.carried, found.saturated) == (0.3, 0.7)


def test_nothing_is_searched_without_no_load():
    rule = Saturation()
    known, _ = searched(rule, lambda load: None if load == 0.02 else measured(load, 0.6))
    assert outcome(rule, GRID, known).state == "failed"


def test_goes_on_where_it_was():
    """The loads of a search depend on what is known only, whenever that was measured."""
    rule = Saturation(tolerance=0.002)
    whole, _ = searched(rule, lambda load: measured(load, 0.633))
    for kept in range(1, len(whole)):
        part = dict(list(whole.items())[:kept])
        again, _ = searched(rule, lambda load: measured(load, 0.633), known=part)
        assert again.keys() == whole.keys()


@pytest.mark.parametrize("tolerance", [0.002, 0.01, 0.1, 0.3])
@pytest.mark.parametrize("limit", [0.001, 0.05, 0.3, 0.5, 0.633, 0.96, 2.0])
def test_says_how_long_it_takes_at_most(tolerance, limit):
    rule = Saturation(tolerance=tolerance)
    known, _ = searched(rule, lambda load: measured(load, limit))
    assert len(known) - len(GRID) <= most_steps(rule, GRID)


def test_no_search():
    rule = Saturation(search=False)
    known, _ = searched(rule, lambda load: measured(load, 0.6))
    assert list(known) == GRID
