"""A number that two runs measured, and whether they differ in it."""

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from khhw.report.estimate import Estimate
from khhw.report.words import plus, signed
from khhw.statistics import Interval

__all__ = ["RATE", "Change", "Judgement", "confidence_of", "judge"]

RATE = 0.05
"""How often a comparison of two runs of one machine finds any difference that is none, at most, if what the intervals
take for granted holds."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One number of both runs.

    Parameters
    ----------
    where : str
        Which measurement.
    quantity : str
        What was measured, with its unit.
    first, second : Estimate
        In each run.
    better : str
        ``less`` or ``more``; empty where neither is.
    varied : float
        Value size or distance, for texts.
    group : str
        Measurements that are told together.
    """

    where: str
    quantity: str
    first: Estimate
    second: Estimate
    better: str
    varied: float
    group: str

    @property
    def ratio(self) -> float:
        """Second over first; 1 where both are 0."""
        first, second = self.first.value, self.second.value
        return second / first if first else 1.0 if not second else math.inf


@dataclass(frozen=True)
class Judgement:
    """A number of both runs with the intervals that decide whether it differs.

    Parameters
    ----------
    change : Change
        The number.
    first, second : (float, float) or None
        Its interval in each run; None where one cannot be given.
    """

    change: Change
    first: Interval | None
    second: Interval | None

    @property
    def difference(self) -> Interval | None:
        """Interval of second minus first."""
        if self.first is None or self.second is None:
            return None
        return self.second[0] - self.first[1], self.second[1] - self.first[0]

    @property
    def differs(self) -> bool | None:
        """Whether the intervals of the runs have nothing in common; None where one cannot be given."""
        found = self.difference
        return None if found is None else found[0] > 0 or found[1] < 0

    @property
    def samples(self) -> int | None:
        """Of the run that has fewer; None for what is no statistic of samples."""
        known = [each.samples for each in (self.change.first, self.change.second) if each.samples is not None]
        return min(known, default=None)

    @property
    def verdict(self) -> str:
        """In words: the difference with its interval, that none is seen, or that none can be."""
        difference, value = self.difference, self.change.second.value - self.change.first.value
        if difference is None:
            return "not judged: " + ("read once in each run" if self.samples is None else
                                     f"no interval can be given (n={self.samples:,})")
        if self.change.first.exact and self.change.second.exact:
            return plus(value) if self.differs else "the same"
        between = f"{plus(difference[0])} to {plus(difference[1])}"
        if not self.differs:
            return f"no difference seen ({between})"
        return f"{plus(value)} ({between}), {signed(self.change.ratio)}"


def confidence_of(changes: Iterable[Change]) -> float:
    """What each interval of some numbers must hold with, so that all of them hold with 1 - :data:`RATE` together.

    By Bonferroni's inequality, for two intervals a number. What has no interval is never called a difference, so it
    does not count: what was counted or read once, and what has too few samples for the confidence that is found. That
    is the lowest at which no more numbers have samples enough than it is the confidence for. Only how many samples
    there are decides: were numbers left out for how their samples scatter, those that seem to scatter little would be
    left.

    Holm's method finds no fewer differences at the same rate, but has no intervals that decide as it does.
    """
    every = [(change.first, change.second) for change in changes]
    estimated = [both for both in every if not all(each.exact for each in both)]

    def holds(numbers: int) -> bool:
        confidence = _of_each(numbers)
        return sum(all(each.may_be_judged(confidence) for each in both) for both in estimated) <= numbers

    # More numbers, more confidence, and fewer that have samples enough for it.
    possible = range(1, len(estimated) + 1)
    return _of_each(possible[bisect_left(possible, True, key=holds)] if possible else 1)


def _of_each(numbers: int) -> float:
    """What both intervals of each of so many numbers must hold with."""
    return 1 - RATE / (2 * numbers)


def judge(changes: Sequence[Change], confidence: float) -> list[Judgement]:
    """Each number with its intervals at a confidence; see :func:`confidence_of`."""
    return [Judgement(change, change.first.interval(confidence), change.second.interval(confidence))
            for change in changes]
