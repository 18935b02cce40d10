"""How much the numbers of a measurement may be off, from stretches of its time.

Operations that follow each other depend on each other: they share queues and meet the same neighbours. Means over long
stretches hardly do (the method of batch means; A. M. Law, *Simulation Modeling and Analysis*, section 9.5.3), so how
they scatter says how much the whole may be off.
"""

import numpy as np
import numpy.typing as npt

from khhw.machine.results import Spread
from khhw.statistics import standard_error

__all__ = ["BATCHES", "LEAST_BATCHES", "OPERATIONS", "spread_of"]

BATCHES = 20
"""Stretches of a measurement at most."""
LEAST_BATCHES = 5
"""Fewer tell nothing."""
OPERATIONS = 10
"""Of each stretch at least, on average."""

_Values = npt.NDArray[np.int64]


def spread_of(
    begins: _Values, cycles: _Values, *, tail: bool, whole: tuple[int, int] | None, clock_hz: int,
) -> Spread | None:
    """What the samples of a measurement tell of its uncertainty.

    Parameters
    ----------
    begins : numpy array, shape (samples,)
        Cycle in which each operation was due.
    cycles : numpy array, shape (samples,)
        How long each took.
    tail : bool
        Whether the 99th percentile counts.
    whole : (int, int) or None
        First cycle of the measurement, and the one after it, if every operation in it is among the samples.
    clock_hz : int
        Hardware clock.

    Returns
    -------
    Spread or None
        None for fewer than 50 samples.
    """
    batches = min(BATCHES, len(cycles) // OPERATIONS)
    if batches < LEAST_BATCHES:
        return None
    ordered = cycles[np.argsort(begins, kind="stable")]
    rate = None
    # A client says what it likes: its measurement may have taken no time.
    if whole is not None and whole[0] < whole[1]:
        first, end = whole
        counts, _ = np.histogram(begins, bins=batches, range=(first, end))
        rate = standard_error(counts * (batches * clock_hz / (end - first)))
    return Spread(batches=batches, p50_share=_share_error(ordered, 0.5, batches),
                  p99_share=_share_error(ordered, 0.99, batches) if tail else None,
                  ops_per_second=None if rate is None else round(rate, 3))


def _share_error(ordered: _Values, level: float, batches: int) -> float:
    """Standard error of the share of operations that end within a quantile, or sooner: the larger of the two."""
    quantile = np.quantile(ordered, level)
    shares = [[float(np.mean(within)) for within in np.array_split(inside, batches)]
              for inside in (ordered <= quantile, ordered < quantile)]
    return round(max(map(standard_error, map(np.array, shares))), 6)

