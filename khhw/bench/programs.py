"""What the simulator process of a benchmark runs, with stop-watches in it."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from khhw.control.domains import Domains
from khhw.control.epochs import EpochControl
from khhw.control.outside import Outside
from khhw.control.owner import Owner
from khhw.host.ports import Host, NodePort
from khhw.machine.file import Phase
from khhw.machine.program import MachineProgram, program
from khhw.node import Shape
from khhw.sim.options import Outcome
from khhw.traffic.measure import start_traffic
from khhw.traffic.point import Point

__all__ = ["IDLE", "StopWatch", "TimedMachine", "TrafficMachine", "timed", "traffic"]

IDLE = "idle"
"""Name of the load that is none."""

_WARM_UP = 2048
_CHUNK = 4096
"""Cycles between two looks at the clock."""
_TRAFFIC_CHUNK = 128
_CLEAR_CYCLES = 128
_ACCESS = 8
"""Cycles a register access takes at most."""


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

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
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


class TrafficMachine:
    """Synthetic traffic on a fabric, with a stop-watch on it.

    Parameters
    ----------
    host : Host
    point : Point
        The traffic.
    repeat : int
        Measurements.
    seconds : float
        Wall time of each.
    """

    def __init__(self, host: Host, point: Point, repeat: int, seconds: float) -> None:
        self._host = host
        self._point = point
        self._repeat = repeat
        self._seconds = seconds
        self._laps: list[dict[str, float]] = []

    async def run(self) -> None:
        """Open the machine, start traffic on all nodes, look at the clock."""
        root = self._host.root
        outside = Outside(root)
        await outside.start()
        owner = Owner(outside, Shape(*self._point.shape))
        await EpochControl(owner).change(Domains(np.ones((self._point.nodes, self._point.nodes), np.bool_)))
        await owner.release(None)
        writes = Writes(self._point.nodes, patience=2 * max(_CLEAR_CYCLES, self._point.build.node.table_nodes))
        start_traffic(writes, self._point)
        for port in self._host.nodes:
            self._host.scheduler.spawn(self._program(port, writes), rank=port.rank)
        await root.sleep(writes.now + len(writes.made) * _ACCESS + _WARM_UP)
        for _ in range(self._repeat):
            watch = StopWatch(self._host)
            while (lap := watch.stop())["wall_seconds"] < self._seconds:
                await root.sleep(_TRAFFIC_CHUNK)
            self._laps.append(lap)

    async def _program(self, port: NodePort, writes: "Writes") -> None:
        began = port.now
        for cycle, address, values in writes.made:
            await port.sleep(max(0, began + cycle - port.now))
            await port.write(address, int(values[port.rank]))

    def results(self, _outcome: Outcome) -> dict[str, Any]:
        """The measurements."""
        return {"laps": self._laps}

    def stuck(self, _read: Callable[[str], int]) -> Sequence[str]:
        """Nothing: traffic never stops."""
        return ()


class Writes:
    """Stands for an engine while traffic is programmed, and keeps what is written, for another back end to do.

    Parameters
    ----------
    nodes : int
        Of the machine.
    patience : int
        Cycles that pass where the programming waits for a status.

    Attributes
    ----------
    made : list of (int, int, numpy array)
        Cycle, address, and a value for each node.
    """

    def __init__(self, nodes: int, *, patience: int) -> None:
        self.nodes = nodes
        self.now = 0
        self._patience = patience
        self.made: list[tuple[int, int, npt.NDArray[Any]]] = []

    def write(self, _ranks: npt.NDArray[Any], address: int, values: int | Sequence[int] | npt.NDArray[Any]) -> None:
        """Keep it."""
        self.made.append((self.now, address, np.broadcast_to(np.asarray(values), (self.nodes,))))

    def read(self, _ranks: npt.NDArray[Any], _address: int) -> npt.NDArray[np.uint32]:
        """What programming reads is a status it waits for: the longest wait passes, and all is ready."""
        self.now += self._patience
        return np.zeros(self.nodes, np.uint32)

    def run(self, cycles: int) -> None:
        """Let cycles pass."""
        self.now += cycles


def traffic(host: Host, arguments: Mapping[str, Any]) -> TrafficMachine:
    """Entry of a simulator process: ``point`` as plain values, ``repeat`` and ``seconds``."""
    run = TrafficMachine(host, Point.from_dict(arguments["point"]), arguments["repeat"], arguments["seconds"])
    host.scheduler.spawn(run.run(), name="owner")
    return run
