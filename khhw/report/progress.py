"""How far a build and a run are, and how long they still take by what this machine has done before."""

import time
from collections.abc import Callable, Sequence

from khhw.build import history
from khhw.build.progress import Begun
from khhw.estimate import Left, Remaining, Span, in_words

__all__ = ["BuildProgress", "RunProgress", "build_in_words"]

_WIDER = 1.25
"""Runs of one machine vary with what else the computer does."""
_LAST = 0.99
"""Of a phase at most so much is done before it has ended, however many cycles it takes this time."""

Clock = Callable[[], float]


def build_in_words(begun: Begun) -> str:
    """What is said when a build begins."""
    expected = begun.known
    if expected is None:
        return "building the RTL; nothing like it was built on this machine, so nobody knows how long it takes"
    return f"building the RTL: {in_words(expected.low, expected.high)}, as builds of about this size took here"


class BuildProgress:
    """A build that is under way.

    Parameters
    ----------
    begun : Begun
    clock : callable
        Gives seconds; for tests.
    """

    def __init__(self, begun: Begun, clock: Clock = time.monotonic) -> None:
        self._begun = begun
        self._remaining = Remaining(begun.known, clock)
        self.share = 0.0

    def look(self) -> Left | None:
        """What is left now."""
        self.share = max(self.share, self._begun.done)
        return self._remaining.advance(self.share, 1.0 - self.share, "it is slower than builds before")


class RunProgress:
    """A run that is under way. Its parts are the boot and each phase, and cycles tell how far a part is.

    Parameters
    ----------
    kind : str
        Names runs that are alike: of one machine on one engine.
    clock : callable
        Gives seconds; for tests.
    """

    def __init__(self, kind: str, clock: Clock = time.monotonic) -> None:
        self._kind = kind
        self._clock = clock
        self._before = history.earlier(kind)
        self._parts: list[tuple[float, float]] = []
        self._began: tuple[float, int] | None = None
        self._remaining: Remaining | None = None
        self.share: float | None = None

    def begin(self) -> None:
        """The machine starts."""
        self._began = self._clock(), 0
        if self._before:
            last = self._before[-1].seconds
            ratios = [took.seconds / last for took in self._before]
            self._remaining = Remaining(Span(min(ratios) / _WIDER, max(ratios) * _WIDER), self._clock)

    def phase(self, cycle: int) -> None:
        """A phase begins in a cycle, and so what was before has ended."""
        if self._began is not None:
            since, first = self._began
            self._parts.append((round(self._clock() - since, 3), float(cycle - first)))
            self._began = self._clock(), cycle

    def look(self, cycle: int) -> Left | None:
        """What is left in a cycle; None for a machine that has not run here before."""
        if self._remaining is None or self._began is None:
            return None
        done, left = _work(self._before[-1].steps, len(self._parts), cycle - self._began[1])
        if done + left <= 0:
            return None
        self.share = done / (done + left)
        return self._remaining.advance(done, left, "it is slower than the last time")

    def ended(self, cycle: int) -> None:
        """All phases have ended, in this cycle: the next run will know."""
        self.phase(cycle)
        history.note(self._kind, sum(seconds for seconds, _ in self._parts), steps=self._parts)


def _work(parts: Sequence[tuple[float, float]], ended: int, cycles: float) -> tuple[float, float]:
    """Seconds that the last run took for what is done, and for what is not, some cycles into a part."""
    done = sum(seconds for seconds, _ in parts[:ended])
    left = sum(seconds for seconds, _ in parts[ended:])
    if ended < len(parts):
        seconds, whole = parts[ended]
        now = seconds * min(_LAST, cycles / whole if whole else _LAST)
        done, left = done + now, left - now
    return done, left
