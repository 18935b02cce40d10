"""A number that two runs measured."""

import math
from dataclasses import dataclass

__all__ = ["Change"]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One number of both runs.

    Parameters
    ----------
    where : str
        Which measurement.
    quantity : str
        What was measured, with its unit.
    first, second : float
        In each run.
    better : str
        ``less`` or ``more``.
    place : float
        Value size or distance, for texts.
    group : str
        Measurements that are told together.
    """

    where: str
    quantity: str
    first: float
    second: float
    better: str
    place: float
    group: str

    @property
    def ratio(self) -> float:
        """Second over first; 1 where both are 0."""
        return self.second / self.first if self.first else 1.0 if not self.second else math.inf
