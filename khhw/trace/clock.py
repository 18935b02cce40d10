"""The time of simulated cycles, for files that have no cycles."""

from dataclasses import dataclass

from khhw.trace.run import Run
from khhw.trace.waves import Steps

__all__ = ["Clock"]

_SECOND = 1_000_000_000


@dataclass(frozen=True)
class Clock:
    """Nanoseconds of the machine's time, rounded down; cycle 0 begins at 0.

    Parameters
    ----------
    hertz : int
        Cycles a second.
    cycles : numpy array of int
        The machine's time in each step, in cycles.
    """

    hertz: int
    cycles: Steps

    @classmethod
    def of(cls, run: Run) -> "Clock":
        """The clock of a run's machine."""
        return cls(run.machine.host.clock_hz, run.waves.cycles)

    def begins(self, step: int) -> int:
        """When the cycle of a step begins."""
        return int(self.cycles[step]) * _SECOND // self.hertz

    def ends(self, step: int) -> int:
        """When the cycle of a step ends."""
        return (int(self.cycles[step]) + 1) * _SECOND // self.hertz
