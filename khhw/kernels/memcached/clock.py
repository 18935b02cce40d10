"""Expiry times: memcached's seconds on a clock of cycles."""

from collections.abc import Callable

__all__ = ["CLOCK_HZ", "EPOCH", "Clock"]

CLOCK_HZ = 53_125_000
"""Cycles of a second where nothing else is said: the machine's default clock."""
EPOCH = 1_767_225_600
"""Unix time of cycle 0 where nothing else is said: the beginning of 2026."""
_RELATIVE_LIMIT = 60 * 60 * 24 * 30
"""Seconds up to which an expiry time counts from now; a larger one is a Unix time. Protocol of memcached."""


class Clock:
    """Cycles, and what they mean in seconds.

    Parameters
    ----------
    now : callable
        Gives the current cycle.
    hz : int
        Cycles of a second.
    epoch : int
        Unix time of cycle 0.
    """

    def __init__(self, now: Callable[[], int], hz: int = CLOCK_HZ, epoch: int = EPOCH) -> None:
        self._now = now
        self.hz = hz
        self.epoch = epoch

    @property
    def now(self) -> int:
        """The current cycle."""
        return self._now()

    @property
    def seconds(self) -> int:
        """Whole seconds since cycle 0."""
        return self._now() // self.hz

    def expiry(self, exptime: int) -> int:
        """The cycle in which an expiry time has come, at least 1; 0 for never.

        Parameters
        ----------
        exptime : int
            As in a command: 0 never, negative at once, up to 30 days from now, else a Unix time.
        """
        if not exptime:
            return 0
        if exptime > _RELATIVE_LIMIT:
            return max(1, (exptime - self.epoch) * self.hz)
        return max(1, self.now + exptime * self.hz) if exptime > 0 else 1
