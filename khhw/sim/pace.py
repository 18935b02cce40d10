"""Wall time of a run: progress reports, requests to stop, and how long the simulator may keep to itself."""

import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import FrameType, TracebackType
from typing import Any, Self

__all__ = ["EndlessError", "Pace", "Progress"]

Progress = Callable[[int, float], None]

_NAP_SECONDS = 0.1
_SHORTEST, _LONGEST = 16, 1 << 24


class EndlessError(BaseException):
    """Raised in code that goes on and on while the run is to stop; no kernel takes it for an error of its own."""


class Pace(AbstractContextManager["Pace"]):
    """Looks at the wall clock; what it finds out never changes what the machine does.

    While entered, SIGINT and SIGTERM ask for an orderly stop; asked again, a task that has not come to an await since
    then fails where it is.

    Parameters
    ----------
    progress : callable or None
        Called with cycles done and wall seconds.
    seconds : float
        Least wall time between two calls.
    """

    def __init__(self, progress: Progress | None, seconds: float) -> None:
        self.stop: str | None = None
        self.nap = 1024
        self.events: Callable[[], int | None] = lambda: None
        """The number of the event in which a task runs at the moment, if one does."""
        self._stopped_in: int | None = None
        self._progress = progress
        self._seconds = seconds
        self._began = time.monotonic()
        self._reported = self._began
        self._handlers: dict[signal.Signals, Any] = {}

    @property
    def wall_seconds(self) -> float:
        """Since the beginning of the run."""
        return time.monotonic() - self._began

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._handlers[number] = signal.signal(number, self._requested)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _requested(self, number: int, frame: FrameType | None) -> None:
        event = self.events()
        if self.stop is not None and event is not None and event == self._stopped_in:
            raise EndlessError("still running, without an await, when the run was to stop")
        self.stop, self._stopped_in = f"stopped by {signal.Signals(number).name}", event

    def look(self, cycle: int) -> None:
        """Report progress if it is time to."""
        now = time.monotonic()
        if self._progress is not None and now - self._reported >= self._seconds:
            self._reported = now
            self._progress(cycle, now - self._began)

    def slept(self, cycles: int, seconds: float) -> None:
        """The simulator ran `cycles` cycles by itself in `seconds`: how many it may run the next time."""
        if seconds > 2 * _NAP_SECONDS:
            self.nap = max(_SHORTEST, self.nap // 2)
        elif cycles >= self.nap and seconds < _NAP_SECONDS / 2:
            self.nap = min(_LONGEST, 2 * self.nap)
