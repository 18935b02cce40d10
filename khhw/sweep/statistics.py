"""Intervals of confidence for a few values."""

import math
from collections.abc import Sequence

import numpy as np

__all__ = ["half_width", "student"]

_STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
_NORMAL = 1.959964


def student(freedom: int) -> float:
    """The 97.5 % quantile of Student's t with `freedom` degrees of freedom, to three digits.

    From a table up to 10; above, by the expansion in Abramowitz and Stegun, *Handbook of Mathematical Functions*,
    26.7.5.
    """
    if freedom <= len(_STUDENT):
        return _STUDENT[freedom - 1]
    z = _NORMAL
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def half_width(values: Sequence[float]) -> float | None:
    """Half the width of the 95 % interval of the mean of independent values; None for fewer than two."""
    if len(values) < 2:
        return None
    return student(len(values) - 1) * float(np.std(values, ddof=1)) / math.sqrt(len(values))
