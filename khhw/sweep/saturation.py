"""The highest load a network carries, curve by curve, by bisection.

A load is *saturated* where less than 95 % of what is offered is accepted
(:data:`khhw.traffic.measurement.ACCEPTED_SHARE`), where packets of the measurement do not arrive in the time there is
for it, or where the mean latency is above a multiple of that of no load, three by default. The first is what saturation
means; the last finds the same knee from below, before queues at the sources have grown. The ``sweep.sh`` of BookSim (N.
Jiang et al., "A detailed and flexible cycle-accurate Network-on-Chip simulator", ISPASS 2013) also refines its step
towards a latency limit.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from khhw.sweep.spec import Saturation
from khhw.traffic.measurement import Measurement

__all__ = ["Found", "Known", "is_saturated", "loads_needed", "most_steps", "outcome"]

Known = Mapping[float, Measurement | None]
"""Loads of one curve that were measured; None for one that failed."""

_DIGITS = 6
"""Of a load that the search chooses."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a search came to.

    Parameters
    ----------
    state : str
        ``found``; ``above`` if the highest load is carried; ``below`` if no load is already saturated; ``failed`` if a
        point that it needs failed; ``unfinished``.
    zero_load_latency : float or None
        Mean latency of no load, in cycles.
    carried, saturated : float or None
        The highest load known to be carried, and the lowest known to be saturated; closer than the tolerance where
        `state` is ``found``.
    accepted : float or None
        Flits a node and cycle accepted at `carried`.
    """

    state: Literal["found", "above", "below", "failed", "unfinished"]
    zero_load_latency: float | None = None
    carried: float | None = None
    saturated: float | None = None
    accepted: float | None = None


def is_saturated(point: Measurement, zero_load_latency: float | None, limit: float) -> bool:
    """Whether a network is saturated.

    Parameters
    ----------
    point : Measurement
        At some load.
    zero_load_latency : float or None
        Mean latency of no load, in cycles; without it, what is accepted decides alone.
    limit : float
        How many times that is too much.
    """
    if point.refused or not point.drained:
        return True
    if zero_load_latency is None or point.latency_mean is None:
        return False
    return point.latency_mean > limit * zero_load_latency


def loads_needed(rule: Saturation, grid: Sequence[float], known: Known) -> list[float]:
    """Loads of a curve to measure next: the grid, then one at a time; none when the curve is complete.

    The same measurements ask for the same loads, so a sweep that was stopped goes on as it would have.

    Parameters
    ----------
    rule : Saturation
        How to search.
    grid : sequence of float
        Loads to measure in any case.
    known : mapping
        What there is.
    """
    first = dict.fromkeys([*([rule.zero_load] if rule.search else []), *grid])
    if missing := [load for load in first if load not in known]:
        return missing
    if not rule.search:
        return []
    step = _next_step(rule, known)
    return [step] if isinstance(step, float) else []


def outcome(rule: Saturation, grid: Sequence[float], known: Known) -> Found:
    """What the search on a curve has come to; see :func:`loads_needed`."""
    if any(load not in known for load in [rule.zero_load, *grid]):
        return Found(state="unfinished")
    step = _next_step(rule, known)
    return step if isinstance(step, Found) else Found(state="unfinished")


def most_steps(rule: Saturation, grid: Sequence[float]) -> int:
    """Points a search measures at most, on top of the grid."""
    if not rule.search:
        return 0
    loads = sorted({rule.zero_load, *(load for load in grid if load > rule.zero_load)} | {max(rule.highest, *grid)})
    gap = max((after - before for before, after in pairwise(loads)), default=0.0)
    steps = math.ceil(math.log2(gap / rule.tolerance)) if gap > rule.tolerance else 0
    return steps + (rule.zero_load not in grid) + (rule.highest > max(grid))


def _next_step(rule: Saturation, known: Known) -> "float | Found":
    """The load to measure next, or the end of the search."""
    zero = known[rule.zero_load]
    if zero is None or zero.latency_mean is None:
        return Found(state="failed")
    latency = zero.latency_mean

    def found(state: Literal["found", "above", "below", "failed"], low: float, high: float | None) -> Found:
        below = known[low]
        return Found(state=state, zero_load_latency=latency, carried=None if state == "below" else low, saturated=high,
                     accepted=below.accepted if below is not None and state != "below" else None)

    if is_saturated(zero, latency, rule.latency):
        return found("below", rule.zero_load, rule.zero_load)
    measured = sorted((load, point) for load, point in known.items() if point is not None and load >= rule.zero_load)
    high = next((load for load, point in measured if is_saturated(point, latency, rule.latency)), None)
    low = max(load for load, _ in measured if high is None or load < high)
    if high is None:
        if low >= rule.highest:
            return found("above", low, None)
        return rule.highest if rule.highest not in known else found("failed", low, None)
    if high - low <= rule.tolerance:
        return found("found", low, high)
    middle = round((low + high) / 2, _DIGITS)
    return middle if middle not in known else found("failed", low, high)
