"""A number with how many samples it was made of, and how much it may be off."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from khhw.statistics import Interval, levels

__all__ = ["Estimate", "counted", "median", "reading"]


def _unknown(_confidence: float) -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number that was measured.

    Parameters
    ----------
    value : float
        What was found.
    samples : int or None
        Of how many; None for what is no statistic of samples.
    interval : callable
        Confidence, 0 to 1, to the interval that holds the true value with it; None where none can be given.
    exact : bool
        Counted: it is what it is, and its interval is a point.
    enough : callable, optional
        Confidence, 0 to 1, to whether there are samples enough for an interval with it, whatever their values are.
        Without it, wherever `interval` gives one.
    """

    value: float
    samples: int | None = None
    interval: Callable[[float], Interval | None] = _unknown
    exact: bool = False
    enough: Callable[[float], bool] | None = None

    def may_be_judged(self, confidence: float) -> bool:
        """Whether there may be an interval with a confidence: there are samples enough for it."""
        return self.interval(confidence) is not None if self.enough is None else self.enough(confidence)


def counted(value: float) -> Estimate:
    """What was counted: as many cells, tries or bytes."""
    return Estimate(value=value, interval=lambda _: (value, value), exact=True)


def reading(value: float) -> Estimate:
    """What was read once, so that nothing tells how much it may be off."""
    return Estimate(value=value)


def median(samples: npt.NDArray[np.int64]) -> Estimate:
    """The median of samples that do not depend on each other.

    Parameters
    ----------
    samples : numpy array, shape (samples,), not empty
    """
    ordered = np.sort(samples)

    def interval(confidence: float) -> Interval | None:
        found = levels(0.5, len(ordered), confidence)
        if found is None:
            return None
        low, high = (float(ordered[round(level * (len(ordered) - 1))]) for level in found)
        return low, high

    return Estimate(value=float(np.median(ordered)), samples=len(ordered), interval=interval)
