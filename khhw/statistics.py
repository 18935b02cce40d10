"""Intervals of confidence: of means, and of quantiles of samples that may depend on each other."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["Interval", "batch_half_width", "half_width", "levels", "lowest_part", "standard_error", "student"]

_MOST_ALIKE = 0.9
"""Correlation of neighbouring batches that is reckoned with: with 20 of them no more can be told."""

Interval = tuple[float, float]
"""The lowest and the highest value that a quantity may well have."""


def student(freedom: int, confidence: float = 0.95) -> float:
    """How many standard errors a mean may be off: the two-sided quantile of Student's t.

    Parameters
    ----------
    freedom : int
        Degrees of freedom, from 1.
    confidence : float
        Probability that the interval holds the true value, 0 to 1.
    """
    from scipy.special import stdtrit  # where intervals are made, not where machines run

    return float(stdtrit(freedom, (1 + confidence) / 2))


def half_width(values: Sequence[float], confidence: float = 0.95) -> float | None:
    """Half the width of the interval of the mean of independent values; None for fewer than two."""
    if len(values) < 2:
        return None
    return student(len(values) - 1, confidence) * float(np.std(values, ddof=1)) / math.sqrt(len(values))


def batch_half_width(values: Sequence[float], confidence: float = 0.95) -> float | None:
    """Half the width of the interval of the mean of batches, which follow each other; None for fewer than two."""
    if len(values) < 2:
        return None
    return student(len(values) - 1, confidence) * standard_error(np.asarray(values))


def lowest_part(values: Sequence[float], confidence: float = 0.95) -> float | None:
    """A bound below the level of batches, which follow each other, that a rise from one to the next does not lower: it
    is the lowest of a few parts of them.

    :func:`batch_half_width` takes a rise for chance. Parts that are above a level as often as below it are all above it
    once in 2 to their number (the sign test; W. J. Conover, *Practical Nonparametric Statistics*, section 3.4). Parts
    are as many as the confidence takes, so that more batches make longer parts, which depend on each other less.

    Parameters
    ----------
    values : sequence of float
        Means of stretches of time, in their order.
    confidence : float
        Of an interval with this lower end and an upper one as good, 0 to 1.

    Returns
    -------
    float or None
        None for fewer batches than parts.
    """
    parts = math.ceil(math.log2(2 / (1 - confidence)))
    if len(values) < parts:
        return None
    return min(float(part.mean()) for part in np.array_split(np.asarray(values), parts))


def standard_error(batches: npt.NDArray[np.float64]) -> float:
    """Standard error of the mean of batches. Where neighbours are alike it is larger: by that of an autoregression of
    first order (A. M. Law, *Simulation Modeling and Analysis*, section 4.4), whose correlation few batches show too
    small (M. G. Kendall, "Note on Bias in the Estimation of Autocorrelation", Biometrika 41, 1954).

    Parameters
    ----------
    batches : numpy array, shape (batches,)
        Means of stretches of time, in their order; two or more.
    """
    around = batches - batches.mean()
    squares = float(np.sum(around * around))
    seen = float(np.sum(around[1:] * around[:-1])) / squares if squares else 0.0
    alike = min(_MOST_ALIKE, max(0.0, seen + (1 + 4 * seen) / len(batches)))
    return float(np.std(batches, ddof=1)) / math.sqrt(len(batches)) * math.sqrt((1 + alike) / (1 - alike))


def levels(
    level: float, samples: int, confidence: float, *, error: float = 0.0, batches: int = 0,
) -> Interval | None:
    """Between which levels of the samples a quantile of what they are samples of lies.

    The order statistics whose ranks a binomial distribution gives, whatever distribution the samples have (H. A.
    David, H. N. Nagaraja, *Order Statistics*, section 7.1). Samples that depend on each other tell less: then the
    levels are as far apart as the share of samples below the quantile is uncertain, where that is more (R. S. Woodruff,
    "Confidence Intervals for Medians and Other Position Measures", JASA 47, 1952).

    Parameters
    ----------
    level : float
        Of the quantile: 0.5 is the median.
    samples : int
        How many there are.
    confidence : float
        Probability that the quantile lies between the two, 0 to 1; half of the rest is on each side.
    error : float
        Standard error of the share of samples below the quantile; 0 for independent samples.
    batches : int
        Batches of samples that `error` was found from.

    Returns
    -------
    (float, float) or None
        0 is the least of the samples, 1 the greatest, as in :func:`numpy.quantile`; None where there are too few for
        this confidence.
    """
    from scipy.special import bdtr, bdtrc

    if samples < 2:
        return None
    tail, counts = (1 - confidence) / 2, np.arange(samples + 1)
    # Ranks from 1. Low: at most `low` - 1 samples are below the quantile so rarely. High: at least `high` are.
    low = int(np.count_nonzero(bdtr(counts, samples, level) <= tail))
    high = int(np.count_nonzero(bdtrc(counts, samples, level) > tail)) + 1
    if low < 1 or high > samples:
        return None
    reach = student(batches - 1, confidence) * error if error else 0.0
    found = min((low - 1) / (samples - 1), level - reach), max((high - 1) / (samples - 1), level + reach)
    return found if found[0] >= 0 and found[1] <= 1 else None
