"""The search for saturation on networks whose knee is known."""

from dataclasses import replace

import pytest

from khhw.sweep.saturation import is_precise, is_saturated, loads_needed, most_steps, outcome
from khhw.sweep.spec import Saturation
from khhw.traffic.measurement import Batch, Measurement

GRID = [0.1, 0.3, 0.5, 0.7, 0.9]


def measured(
    load: float, limit: float, *, steep: float = 0.0, drained: bool = True, noise: float = 0.0, slower: float = 0.0,
) -> Measurement:
    """A network that accepts up to `limit`; its latency is 100 cycles, and grows by `steep` a load.

    Of two batches each, one has a share of `noise` more and one less; of latencies `slower`.
    """
    accepted, latency = min(load, limit), 100.0 * (1 + steep * load)
    batches = tuple(Batch(offered=load, accepted=accepted * (1 + sign * noise), packets=10,
                          latency_mean=latency * (1 + sign * slower)) for sign in (1, -1) * 5)
    return Measurement(
        offered=load, accepted=accepted, packets=100, latency_mean=latency, latency_p50=1.0,
        latency_p99=None, latency_max=1, errors=0, drained=drained, batches=batches, cycles=1, wall_seconds=0.0)


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


ZERO = measured(0.02, 1.0)


def test_what_does_not_arrive_is_saturated():
    assert is_saturated(measured(0.5, 1.0, drained=False), ZERO, 3.0)
    assert is_saturated(measured(0.5, 1.0), ZERO, 3.0) is False
    assert is_saturated(measured(0.5, 1.0, steep=9), ZERO, 3.0)
    assert is_saturated(measured(0.5, 1.0, steep=9), None, 3.0) is False


@pytest.mark.parametrize(("limit", "noise", "answer"), [
    # Of 0.5, 0.475 must be accepted. With ten batches the 99 % interval is 1.083 times their noise to each side.
    (1.0, 0.04, False), (1.0, 0.06, None), (0.46, 0.06, None), (0.46, 0.02, True), (0.3, 0.06, True)])
def test_the_interval_decides_of_what_is_accepted(limit, noise, answer):
    assert is_saturated(measured(0.5, limit, noise=noise), ZERO, 3.0) is answer
    assert is_saturated(measured(0.5, limit, noise=noise), None, 3.0) is answer


@pytest.mark.parametrize(("steep", "slower", "answer"), [
    (3.0, 0.1, False), (3.8, 0.1, None), (4.2, 0.1, None), (4.2, 0.01, True), (6.0, 0.1, True)])
def test_the_interval_decides_of_latency(steep, slower, answer):
    assert is_saturated(measured(0.5, 1.0, steep=steep, slower=slower), ZERO, 3.0) is answer


def test_the_interval_of_no_load_counts_too():
    found = measured(0.5, 1.0, steep=3.6)
    assert is_saturated(found, ZERO, 3.0) is False
    rough = measured(0.02, 1.0, slower=0.1)
    assert is_saturated(found, rough, 3.0) is None
    assert is_precise(ZERO, 3.0) and not is_precise(rough, 3.0)
    assert not is_precise(measured(0.02, 1.0, noise=0.1), 3.0)


def test_one_batch_tells_nothing():
    found = measured(0.5, 0.1)
    assert replace(found, batches=found.batches[:1]).refused is None


def test_the_search_goes_on_around_what_is_unclear():
    """From 0.55 to 0.65 nothing can be told."""
    rule = Saturation(tolerance=0.01)
    known, _ = searched(rule, lambda load: measured(load, 0.58, noise=0.5 if 0.55 < load < 0.65 else 0.0))
    found = outcome(rule, GRID, known)
    assert found.state == "unclear"
    assert 0.54 <= found.carried <= 0.55 and 0.65 <= found.saturated <= 0.66
    assert len(known) < len(GRID) + 2 + 2 * 6


def test_no_load_is_unclear():
    rule = Saturation()
    known, steps = searched(rule, lambda load: measured(load, 2.0, noise=0.5))
    assert (outcome(rule, GRID, known).state, steps) == ("unclear", 0)


def test_the_highest_load_is_unclear():
    rule = Saturation(tolerance=0.01)
    known, _ = searched(rule, lambda load: measured(load, 2.0, noise=0.5 if load > 0.95 else 0.0))
    found = outcome(rule, GRID, known)
    assert (found.state, found.saturated) == ("unclear", None)
    assert 0.94 <= found.carried <= 0.95


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
