"""The highest load a network carries, curve by curve, by bisection.

A load is *saturated* where less than 95 % of what is offered is accepted
(:data:`khhw.traffic.measurement.ACCEPTED_SHARE`), where packets of the measurement do not arrive in the time there is
for it, or where the mean latency is above a multiple of that of no load, three by default. The first is what saturation
means; the last finds the same knee from below, before queues at the sources have grown. The ``sweep.sh`` of BookSim (N.
Jiang et al., "A detailed and flexible cycle-accurate Network-on-Chip simulator", ISPASS 2013) also refines its step
towards a latency limit.

What is accepted and the latencies are known up to an interval. A load whose intervals do not tell is *unclear*: it is
measured again for longer, up to a bound, and the search then goes on around it.

Networks start empty, and fill until as much leaves them as enters, as queues do (D. Stoyan, *Comparison Methods for
Queues and Other Stochastic Models*). So early latencies are too low, and too little is accepted early. How far
latencies that rise still go is not known, so they are not known to be carried; but where they have been above the limit
all the time they do not go below it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from khhw.sweep.spec import Saturation
from khhw.traffic.measurement import CONFIDENCE, Measurement

__all__ = ["Found", "Known", "is_precise", "is_saturated", "loads_needed", "most_steps", "outcome", "steps_left"]

Known = Mapping[float, Measurement | None]
"""Loads of one curve that were measured; None for one that failed."""

_DIGITS = 6
"""Of a load that the search chooses."""
_PRECISE = 0.1
"""How much of the latency of no load its interval may be, to each side."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a search came to.

    Parameters
    ----------
    state : str
        ``found``; ``unclear`` if the measurements of loads between `carried` and `saturated`, or of no load, do not
        tell which they are; ``above`` if the highest load is carried; ``below`` if no load is already saturated;
        ``failed`` if a point that it needs failed; ``unfinished``.
    zero_load_latency : float or None
        Mean latency of no load, in cycles.
    carried, saturated : float or None
        The highest load known to be carried, and the lowest known to be saturated; closer than the tolerance where
        `state` is ``found``.
    accepted : float or None
        Flits a node and cycle accepted at `carried`.
    """

    state: Literal["found", "unclear", "above", "below", "failed", "unfinished"]
    zero_load_latency: float | None = None
    carried: float | None = None
    saturated: float | None = None
    accepted: float | None = None


def is_saturated(point: Measurement, zero: Measurement | None, limit: float) -> bool | None:
    """Whether a network is saturated; None where the intervals of what was measured do not tell.

    Parameters
    ----------
    point : Measurement
        At some load.
    zero : Measurement or None
        At no load; without it, what is accepted decides alone.
    limit : float
        How many times the mean latency of no load is too much.
    """
    answers = [point.refused, None if point.drained else True]
    if zero is not None and zero.latency_mean is not None and point.latency_mean is not None:
        answers.append(_is_slow(point, zero, limit))
    if True in answers:
        return True
    return None if None in (answers[0], *answers[2:]) else False


def _is_slow(point: Measurement, zero: Measurement, limit: float) -> bool | None:
    if point is zero:
        return False
    found, least = point.latency_interval, zero.latency_interval
    if found is None or least is None:
        return None
    return True if found[0] > limit * least[1] else False if found[1] <= limit * least[0] else None


def is_precise(zero: Measurement, limit: float) -> bool:
    """Whether the latency of no load is known well enough to compare others with."""
    if is_saturated(zero, zero, limit) is None:
        return False
    mean, half = zero.latency_mean, zero.latency_half(CONFIDENCE)
    return mean is None or (half is not None and half <= _PRECISE * mean)


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
    """Points a search measures at most, on top of the grid and of what loads that are unclear need."""
    if not rule.search:
        return 0
    loads = sorted({rule.zero_load, *(load for load in grid if load > rule.zero_load)} | {max(rule.highest, *grid)})
    gap = max((after - before for before, after in pairwise(loads)), default=0.0)
    steps = math.ceil(math.log2(gap / rule.tolerance)) if gap > rule.tolerance else 0
    return steps + (rule.zero_load not in grid) + (rule.highest > max(grid))


def steps_left(rule: Saturation, grid: Sequence[float], known: Known) -> int:
    """Loads of a curve that are still to be measured, as far as those that are known tell; while those of the grid are
    not all, or no load is unclear, as many as there may be."""
    most = len(set(grid)) + most_steps(rule, grid) - len(known)
    if any(load not in known for load in [*([rule.zero_load] if rule.search else []), *grid]):
        return max(1, most)
    step = _next_step(rule, known) if rule.search else Found(state="unfinished")
    if isinstance(step, Found):
        return max(0, most) if step.state == "unclear" and step.carried is None else 0
    edges = _edges(rule, known)
    gaps = edges.gaps() if edges.high is not None else {(edges.low, rule.highest)}
    steps = sum(math.ceil(math.log2((after - before) / rule.tolerance)) for before, after in gaps
                if after - before > rule.tolerance)
    return max(1, steps + (edges.high is None))


@dataclass(frozen=True)
class _Edges:
    """The highest load that is carried, the lowest that is saturated, and those between that do not tell."""

    low: float
    high: float | None
    unclear: list[float]

    def gaps(self) -> set[tuple[float, float]]:
        """Stretches of load that nothing is known of, below and above what does not tell."""
        first, last = (self.unclear[0], self.unclear[-1]) if self.unclear else (self.high, self.low)
        return {(before, after) for before, after in ((self.low, first), (last, self.high)) if after is not None}


def _edges(rule: Saturation, known: Known) -> _Edges:
    """Of a curve whose lowest load is carried."""
    zero = known[rule.zero_load]
    answers = {load: is_saturated(point, zero, rule.latency) for load, point in sorted(known.items())
               if point is not None and load >= rule.zero_load}
    high = next((load for load, answer in answers.items() if answer), None)
    low = max(load for load, answer in answers.items() if answer is False and (high is None or load < high))
    return _Edges(low, high, [load for load, answer in answers.items()
                              if answer is None and low < load and (not high or load < high)])


def _next_step(rule: Saturation, known: Known) -> "float | Found":
    """The load to measure next, or the end of the search."""
    zero = known[rule.zero_load]
    if zero is None:
        return Found(state="failed")
    def found(state: Literal["found", "unclear", "above", "below", "failed"], low: float | None,
              high: float | None) -> Found:
        below = known[low] if low is not None else None
        return Found(state=state, zero_load_latency=zero.latency_mean, carried=low, saturated=high,
                     accepted=below.accepted if below is not None else None)

    idle = is_saturated(zero, zero, rule.latency)
    if idle is not False:
        return found("below", None, rule.zero_load) if idle else found("unclear", None, None)
    edges = _edges(rule, known)
    low, high, unclear = edges.low, edges.high, edges.unclear
    if high is None and max(load for load, point in known.items() if point is not None) < rule.highest:
        return rule.highest if rule.highest not in known else found("failed", low, None)
    for before, after in sorted(edges.gaps()):
        if after - before > rule.tolerance:
            middle = round((before + after) / 2, _DIGITS)
            return middle if middle not in known else found("failed", low, high)
    if unclear:
        return found("unclear", low, high)
    return found("found", low, high) if high is not None else found("above", low, None)
