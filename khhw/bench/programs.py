"""What the simulator process of a benchmark runs, with stop-watches in it."""

import time
from collections.abc import Mapping
from typing import Any

from khhw.machine.file import MachineFile, Phase
from khhw.machine.program import MachineProgram, program
from khhw.sim.host import Host
from khhw.sim.options import Outcome

__all__ = ["IDLE", "StopWatch", "TimedMachine", "timed"]

IDLE = "idle"
"""Name of the load that is none."""

_WARM_UP = 2048
_CHUNK = 4096
"""Cycles between two looks at the clock."""


class StopWatch:
    """Cycles, wall seconds and CPU seconds of this process since it was made.

    Parameters
    ----------
    host : Host
        Whose cycles.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._began = self._read()

    def _read(self) -> tuple[int, float, float]:
        return self._host.scheduler.now, time.perf_counter(), time.process_time()

    def stop(self) -> dict[str, float]:
        """``cycles``, ``wall_seconds`` and ``cpu_seconds``."""
        cycles, wall, cpu = (end - begin for begin, end in zip(self._began, self._read(), strict=True))
        return {"cycles": cycles, "wall_seconds": wall, "cpu_seconds": cpu}


class TimedMachine(MachineProgram):
    """A machine with a stop-watch: on itself while it has nothing to do, then on each phase as a whole.

    A phase is a change of domains, images, kernels, and what is read of them.

    Members
    -------
    idle_seconds : float
        Wall time to do nothing.
    laps : dict
        Measurements, ``idle`` and by phase.
    """

    idle_seconds = 0.0

    def __init__(self, host: Host, machine: MachineFile, images: Mapping[str, bytes], seed: int) -> None:
        super().__init__(host, machine, images, seed)
        self.laps: dict[str, dict[str, float]] = {}

    async def run(self) -> None:
        """Boot, idle, then all phases."""
        await super().run()
        if not self.machine.phases:
            await self._idle()

    async def _idle(self) -> None:
        """Let the booted machine run by itself: loaders wait on their consoles."""
        await self.host.root.sleep(_WARM_UP)
        watch = StopWatch(self.host)
        while (lap := watch.stop())["wall_seconds"] < self.idle_seconds:
            await self.host.root.sleep(_CHUNK)
        self.laps[IDLE] = lap

    async def _phase(self, phase: Phase) -> None:
        if not self.laps:
            await self._idle()
        watch = StopWatch(self.host)
        await super()._phase(phase)
        self.laps[phase.name] = watch.stop()

    def results(self, outcome: Outcome) -> dict[str, Any]:
        """What the machine's run leaves, and the measurements."""
        return {**super().results(outcome), "laps": self.laps}


def timed(host: Host, arguments: Mapping[str, Any]) -> TimedMachine:
    """Entry of a simulator process: that of a machine, and ``idle_seconds`` besides."""
    run = program(host, arguments, TimedMachine)
    assert isinstance(run, TimedMachine)
    run.idle_seconds = arguments["idle_seconds"]
    return run
