"""How long a job still takes: a range, from its finished part and from how long such jobs took before on this machine.

Where neither says anything, nothing is said. What has been said stays: a remaining time gets shorter as time passes,
and longer only with a reason beside it, which goes when it has become as short as it was said before.
"""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

__all__ = ["Left", "Remaining", "Span", "in_words"]

_FIRST = 2.0
"""Steps of a job's own from which on it speaks for itself; steps of one size count one each, a large one among small
ones makes them count less."""
_PRIOR = 1.0
"""Steps that what is known of earlier jobs counts as."""
_NARROW = 1.2
"""No range is told narrower than its middle divided and multiplied by this."""
_PART = 0.02
"""Share of a job whose end :meth:`Remaining.advance` takes for a step."""
_CREDIT = 0.9
"""Of a step that has begun at most so much counts as done, however long it takes."""
_MOMENT = 2.0
"""Seconds below which nobody wants to know how many."""
_LATE = 2.0
"""A step that has taken so many times what was expected is late: it is taken to need as long again as it is late."""


@dataclass(frozen=True)
class Span:
    """Seconds, from `low` to `high`; both above 0."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        """What is as many times more than the one end as it is less than the other."""
        return math.sqrt(self.low * self.high)

    def __mul__(self, factor: float) -> "Span":
        return Span(self.low * factor, self.high * factor)


@dataclass(frozen=True)
class Left:
    """What is left of a job.

    Parameters
    ----------
    low, high : float
        Seconds from now.
    reason : str
        Why it ends later than was said before; empty if it does not.
    """

    low: float
    high: float
    reason: str = ""

    def __str__(self) -> str:
        text = f"{in_words(self.low, self.high)} left"
        return f"{text} (more than said before: {self.reason})" if self.reason else text


class Remaining:
    """The rest of a job that consists of steps, each of an amount of *work*, in any unit.

    Seconds for a unit are the mean of the steps so far. The range that is told is the rest of the work at that mean,
    divided and multiplied by one plus an error: two standard deviations of the mean and of as many steps as are left,
    in parts of the mean, and half a step.

    Parameters
    ----------
    known : Span, optional
        Seconds for a unit of work, as earlier jobs took on this machine.
    clock : callable
        Gives seconds; for tests.
    """

    def __init__(self, known: Span | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._known = known
        self._clock = clock
        self._steps: list[tuple[float, float]] = []
        self._said: Span | None = None
        self._reason, self._less = "", 0.0
        self._advanced = 0.0, clock()

    def step(self, seconds: float, work: float = 1.0) -> None:
        """A step has ended: the seconds it took, and its work, above 0."""
        self._steps.append((seconds, work))

    def advance(self, done: float, left: float, reason: str = "") -> Left | None:
        """For a job that does one thing after the other: :meth:`step` and :meth:`look` in one.

        Parameters
        ----------
        done, left : float
            Work that has been done since the job began, and is left.
        reason : str
            See :meth:`look`.
        """
        before, since = self._advanced
        now = self._clock()
        if done - before >= _PART * (done + left):
            self.step(now - since, done - before)
            self._advanced = before, since = done, now
        rest = left + done - before
        return self.look(rest, under_way=[(now - since, rest)], reason=reason)

    def look(
        self, left: float, *, workers: int = 1, under_way: Iterable[tuple[float, float]] = (), reason: str = "",
    ) -> Left | None:
        """What is left now; None if nothing is known.

        Parameters
        ----------
        left : float
            Work that has not ended, that of steps under way included.
        workers : int
            Steps that are done at the same time.
        under_way : iterable of (float, float)
            Steps that have begun: seconds since then, and work.
        reason : str
            Why there is more work than there was, for a job that grows.
        """
        if left <= 0:
            return Left(0.0, 0.0)
        if (pace := self._pace(left)) is None:
            return None
        unit = pace.middle
        begun = list(under_way)
        done = sum(min(seconds, _CREDIT * work * unit) for seconds, work in begun)
        late = max((seconds - _LATE * work * unit for seconds, work in begun), default=0.0)
        seconds = max(left * unit - done, (1 - _CREDIT) * unit * left) / max(1, workers)
        seconds = max(seconds, late)
        factor = max(_NARROW, math.sqrt(pace.high / pace.low))
        return self._told(Span(seconds / factor, seconds * factor), reason or "steps take longer than those before")

    def _pace(self, left: float) -> Span | None:
        """Seconds for a unit of the work that is left."""
        work = sum(amount for _, amount in self._steps)
        if not work:
            return self._known
        effective = work**2 / sum(amount**2 for _, amount in self._steps)
        if self._known is None and effective < _FIRST:
            return None
        mean = max(sum(seconds for seconds, _ in self._steps) / work, 1e-9)
        variance = sum(amount * (seconds / amount / mean - 1)**2 for seconds, amount in self._steps) / work
        alone = max(1.0, left / work * effective)
        error = 2 * math.sqrt(variance * (1 / max(effective - 1, 0.5) + 1 / alone)) + 0.5 / effective
        if self._known is not None and effective < _FIRST:
            share = _PRIOR / (_PRIOR + effective)
            mean = self._known.middle**share * mean**(1 - share)
            error = max(error, math.sqrt(self._known.high / self._known.low) - 1)
        return Span(mean / (1 + error), mean * (1 + error))

    def _told(self, found: Span, reason: str) -> Left:
        """What is said, so that it fits what was said before: the end stays where it is, or comes nearer, unless the
        job has shown that it comes later."""
        now = self._clock()
        soonest, latest = now + found.low, now + found.high
        if self._said is not None and now + found.middle <= self._said.high:
            latest = min(latest, self._said.high)
            if now + found.middle >= self._said.low:
                soonest = max(soonest, self._said.low)
            soonest = min(soonest, latest)
        elif self._said is not None:
            if in_words(found.low, found.high) == in_words(self._said.low - now, self._said.high - now):
                # What was said is still right in words; it stays what an end is compared with.
                return Left(found.low, found.high, self._reason)
            self._reason, self._less = reason, max(self._said.high - now, self._less, _MOMENT)
        self._said = Span(soonest, latest)
        if latest - now < self._less:
            # No longer more than was said.
            self._reason, self._less = "", 0.0
        return Left(max(0.0, soonest - now), latest - now, self._reason)


def in_words(low: float, high: float) -> str:
    """A range of seconds: ``about 40 s``, ``2 to 4 min``, ``50 s to 2 min``."""
    if high < _MOMENT:
        return "a second or two"
    if high < 10:
        return "a few seconds"
    first, second = _rounded(max(low, 1.0)), _rounded(high)
    if first == second:
        return f"about {second}"
    (number, unit), (_, other) = first.split(" ", 1), second.split(" ", 1)
    return f"{number} to {second}" if unit == other and " " not in unit else f"{first} to {second}"


def _rounded(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3 h 20 min``, to about two digits."""
    if seconds < 20:
        return f"{seconds:.0f} s"
    if seconds < 90:
        return f"{5 * round(seconds / 5)} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(5 * round(minutes / 5), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
