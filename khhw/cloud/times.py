"""Machine time: cycles of the hardware clock, summed over boots.

What the machine can do is its capacity, and a simulation is hundreds of times slower than the wall; so leases last for
machine seconds. While the machine is off no time passes.
"""

import datetime
import sqlite3
import threading
from collections.abc import Callable

from khhw.cloud.errors import CloudError
from khhw.cloud.machine import Clock
from khhw.cloud.models import MachineTime

__all__ = ["MachineClock", "Wall", "as_text", "from_text", "utc"]

_LONGEST_SECONDS, _LONGEST_CYCLES = 3e9, 1 << 61
"""No lease ends later from now: sums of machine time have to fit into 63 bits."""

Wall = Callable[[], datetime.datetime]
"""Tells the time of the wall, in UTC."""


class MachineClock:
    """What time it is in the machine, as last heard from it.

    Parameters
    ----------
    clock_hz : int
        Cycles in a machine second.
    """

    def __init__(self, clock_hz: int) -> None:
        self._hz = clock_hz
        self._guard = threading.Lock()
        self._base = 0
        self._heard = Clock(0, 0)
        self._running = False
        self._trouble: str | None = None

    def recall(self, db: sqlite3.Connection) -> None:
        """Take up where the store stopped."""
        row = db.execute("SELECT number, base, last_cycle FROM boot ORDER BY number DESC LIMIT 1").fetchone()
        if row is not None:
            with self._guard:
                self._base, self._heard = row["base"], Clock(row["number"], row["last_cycle"])

    @property
    def longest(self) -> float:
        """Machine seconds from now until the last moment at which a lease may end."""
        return min(_LONGEST_SECONDS, _LONGEST_CYCLES / self._hz)

    @property
    def boot(self) -> int:
        """Number of the boot; 0 before the first."""
        return self._heard.boot

    @property
    def cycles(self) -> int:
        """Cycles of all boots."""
        with self._guard:
            return self._base + self._heard.cycle

    @property
    def time(self) -> MachineTime:
        """All of it."""
        with self._guard:
            return MachineTime(seconds=self.seconds(self._base + self._heard.cycle), boot=self._heard.boot,
                               cycle=self._heard.cycle, running=self._running, trouble=self._trouble)

    def heard(self, clock: Clock) -> None:
        """The machine has told the time, of the boot that is known; time never runs back."""
        with self._guard:
            self._running = True
            if clock.boot == self._heard.boot:
                self._heard = max(self._heard, clock)

    def trouble(self, what: str | None, *, silent: bool = False) -> None:
        """Something went wrong, or no longer does; `silent` if the machine does not even tell the time."""
        with self._guard:
            self._trouble = what
            self._running = self._running and not silent

    def note(self, db: sqlite3.Connection) -> None:
        """Write down what time it is."""
        heard = self._heard
        db.execute("UPDATE boot SET last_cycle = max(last_cycle, ?) WHERE number = ?", (heard.cycle, heard.boot))

    def begin(self, db: sqlite3.Connection, clock: Clock) -> None:
        """A new boot, behind all that is known of those before; :meth:`recall` takes it up."""
        self.note(db)
        db.execute("INSERT INTO boot (number, base, last_cycle) SELECT ?, coalesce(max(base + last_cycle), 0), ? "
                   "FROM boot", (clock.boot, clock.cycle))

    def seconds(self, cycles: int) -> float:
        """Machine seconds of so many cycles."""
        return cycles / self._hz

    def optional_seconds(self, cycles: int | None) -> float | None:
        """The same, of a time that may not be there."""
        return None if cycles is None else cycles / self._hz

    def length(self, seconds: float) -> int:
        """Cycles that so many machine seconds have at least."""
        return max(1, round(seconds * self._hz))


def utc(time: datetime.datetime) -> datetime.datetime:
    """The same in UTC; a time without a zone is meant so. BAD_REQUEST if it is beyond all years there are."""
    try:
        return time.replace(tzinfo=datetime.UTC) if time.tzinfo is None else time.astimezone(datetime.UTC)
    except OverflowError:
        raise CloudError.bad(f"{time.isoformat()} is not in the years 1 to 9999 of UTC") from None


def as_text(time: datetime.datetime) -> str:
    """As the store keeps it: texts in the order of the times."""
    return utc(time).isoformat(timespec="microseconds")


def from_text(text: str | None) -> datetime.datetime | None:
    """What :func:`as_text` has written."""
    return None if text is None else datetime.datetime.fromisoformat(text)
