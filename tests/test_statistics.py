"""Intervals hold what they should, as often as they say, where the truth is known."""

import numpy as np
import pytest

from khhw.machine.results import LatencySummary
from khhw.machine.spread import spread_of
from khhw.report.estimate import median
from khhw.report.memcached.estimates import median as of_point
from khhw.report.memcached.estimates import rate, tail
from khhw.statistics import batch_half_width, half_width, levels, student
from tests.report.synthetic_memcached import point

CLOCK = 50_000_000
TRIALS = 400


def coverage(trials, confidence, truth, trial, unknown=0.0):
    """How often an interval holds the truth, of those that can be given; at most the share `unknown` cannot."""
    found = [trial(np.random.default_rng(seed)).interval(confidence) for seed in range(trials)]
    assert found.count(None) <= unknown * trials, f"{found.count(None)} of {trials} cannot be given"
    return np.mean([low <= truth <= high for low, high in filter(None, found)])


def autocorrelated(random, samples, strength=0.8):
    """A process whose values hang together over some 1 / (1 - strength), normal with deviation 1."""
    values, last = np.empty(samples), random.normal()
    for index, step in enumerate(random.normal(0, (1 - strength**2) ** 0.5, samples)):
        values[index] = last = strength * last + step
    return values


def measured(cycles, begins=None):
    """A point of memcached as ``khhw.machine.memcached`` makes it of latencies in the order of time."""
    begins = np.arange(len(cycles)) * 1000 if begins is None else begins
    many = len(cycles) >= 1000
    whole = 0, 1000 * len(cycles)
    return point(
        samples=len(cycles), ops=len(cycles), ops_per_second=len(cycles) * CLOCK / (whole[1] - whole[0]),
        quantiles=[round(value) for value in np.percentile(cycles, range(101))],
        latency_cycles=LatencySummary(p50=float(np.median(cycles)), max=int(cycles.max()),
                                      p99=float(np.percentile(cycles, 99)) if many else None),
        spread=spread_of(begins, cycles, tail=many, whole=whole, clock_hz=CLOCK))


def test_student():
    """Against published tables (NIST/SEMATECH e-Handbook, 1.3.6.7.2)."""
    assert [round(student(freedom), 3) for freedom in (1, 2, 9, 19, 100)] == [12.706, 4.303, 2.262, 2.093, 1.984]
    assert [round(student(freedom, 0.99), 3) for freedom in (4, 9, 30)] == [4.604, 3.25, 2.75]


def test_mean_of_normal_values():
    inside = [abs(np.mean(values)) <= half_width(values, 0.9) for values in
              np.random.default_rng(1).normal(size=(2000, 5))]
    assert np.mean(inside) == pytest.approx(0.9, abs=0.02)
    assert half_width([1.0]) is None


@pytest.mark.parametrize(("strength", "most"), [(0.0, 0.01), (0.3, 0.03), (0.6, 0.08)])
def test_mean_of_batches_that_are_alike(strength, most):
    """How often ten batches miss the truth with a confidence of 0.99. As independent values: 15 % at 0.6."""
    missed = [abs(np.mean(batches)) > batch_half_width(batches, 0.99) for seed in range(2000)
              for batches in [autocorrelated(np.random.default_rng(seed), 10, strength)]]
    assert np.mean(missed) < most
    assert batch_half_width([1.0]) is None and batch_half_width([1.0, 1.0]) == 0.0


def test_levels_of_the_median():
    """Table of order statistics, Conover, Practical Nonparametric Statistics: n = 10 has 2 and 9 with 97.9 %."""
    assert levels(0.5, 10, 0.95) == (1 / 9, 8 / 9)
    # Of five samples all lie on one side in one of sixteen cases.
    assert levels(0.5, 5, 0.95) is None
    assert levels(0.5, 5, 0.93) == (0.0, 1.0)
    assert levels(0.5, 3, 0.95) is None and levels(0.5, 1, 0.1) is None


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.999])
@pytest.mark.parametrize("draw", [
    lambda random: random.exponential(100, 40), lambda random: random.normal(100, 10, 40),
    lambda random: random.choice([90, 110], 40, p=[0.4, 0.6]) + random.uniform(-1, 1, 40)],
    ids=["exponential", "normal", "bimodal"])
def test_median_of_independent_samples(draw, confidence):
    truth = float(np.median([draw(np.random.default_rng(seed)) for seed in range(5000, 15000)]))
    held = coverage(1000, confidence, truth, lambda random: median(draw(random)))
    # Ranks are whole: the next ones outwards hold more than asked for, by 4 per cent with 40 samples.
    assert confidence - 0.02 <= held <= min(1.0, confidence + 0.06)


@pytest.mark.parametrize("strength", [0.0, 0.8])
def test_median_of_a_measurement(strength):
    def trial(random):
        return of_point(measured(np.rint(10_000 + 1000 * autocorrelated(random, 1000, strength)).astype(np.int64)))

    held = coverage(TRIALS, 0.95, 10_000, trial)
    assert 0.93 <= held <= (1.0 if strength == 0 else 0.985)


def test_stretches_that_are_alike_tell_less():
    """Half of what an operation took stands 14 operations later: stretches are no strangers to each other."""
    def trial(random):
        return of_point(measured(np.rint(10_000 + 1000 * autocorrelated(random, 400, 0.95)).astype(np.int64)))

    assert coverage(TRIALS, 0.95, 10_000, trial, unknown=0.1) > 0.9


def test_without_batches_the_interval_is_too_narrow():
    """What the batches are for: as independent samples the same ones hold the truth two times in three."""
    def trial(random):
        return median(np.rint(10_000 + 1000 * autocorrelated(random, 1000)).astype(np.int64))

    assert coverage(TRIALS, 0.95, 10_000, trial) < 0.8


def test_tail_of_a_measurement():
    def trial(random):
        return tail(measured(np.rint(random.exponential(1000, 4000)).astype(np.int64)))

    assert coverage(TRIALS, 0.95, 1000 * np.log(100), trial) >= 0.93


@pytest.mark.rare
def test_rate_of_a_measurement():
    """Operations that begin at random, and would be half as many or half as many again while something goes on."""
    def trial(random):
        busy = np.repeat(random.choice([0.5, 1.5], 200), 5000)
        begins = np.flatnonzero(random.random(len(busy)) < 0.001 * busy) * 1.0
        made = measured(np.full(len(begins), 100), np.rint(begins).astype(np.int64))
        spread = spread_of(begins.astype(np.int64), np.full(len(begins), 100), tail=False, whole=(0, len(busy)),
                           clock_hz=CLOCK)
        return rate(made.model_copy(update={"spread": spread, "ops_per_second": len(begins) * CLOCK / len(busy)}))

    assert 0.91 <= coverage(TRIALS, 0.95, 0.001 * CLOCK, trial) <= 0.985


def test_few_samples_have_no_interval():
    cycles = np.random.default_rng(1).integers(100, 150, 50)
    assert measured(cycles[:49]).spread is None
    few = measured(cycles)
    assert few.spread.batches == 5
    assert of_point(few).interval(0.95) is not None
    assert of_point(few).interval(1 - 1e-15) is None
    assert tail(few) is None
