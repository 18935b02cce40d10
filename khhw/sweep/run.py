"""Sweeping: what is missing is handed to workers, what they find is put on disk at once."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from khhw._version import __version__
from khhw.build.provenance import provenance
from khhw.estimate import Remaining
from khhw.sweep.backend import ENGINE, Backend, identify, measured
from khhw.sweep.builds import Builds, reason_of
from khhw.sweep.cluster import Cluster, ClusterGoneError, Done, Lost
from khhw.sweep.grid import curves
from khhw.sweep.plan import Plan, cost
from khhw.sweep.results import SweepResults
from khhw.sweep.spec import SweepSpec
from khhw.sweep.store import Record, Store
from khhw.sweep.view import Progress, View
from khhw.traffic.measurement import Measurement
from khhw.traffic.point import Build, Point

__all__ = ["Sweep"]

_LOOK = 0.5
"""Seconds between two looks at the clock."""
_NO_WORKERS = 120.0
"""Seconds after which a cluster without workers is given up."""
_LONGER = "points that do not tell are measured for longer"
_ONE = threading.Lock()


@dataclass
class Sweep:
    """A sweep in its folder.

    Parameters
    ----------
    spec : SweepSpec
        Checked.
    source : Path
        Its file.
    folder : Path
        Where to.
    cluster : callable
        Called when something has to be measured: the workers.
    view : View
        Who watches.
    backend : Backend
        What measures.
    """

    spec: SweepSpec
    source: Path
    folder: Path
    cluster: Callable[[], AbstractContextManager[Cluster]]
    view: View
    backend: Backend = ENGINE

    def __post_init__(self) -> None:
        self._curves = curves(self.spec, self.source.parent)
        self._plan = Plan(self.spec, self._curves)
        self._identities: dict[Build, str] = {}
        self._lost: Counter[str] = Counter()
        self._reused = 0

    def run(self) -> SweepResults:
        """Measure what is missing.

        Returns
        -------
        SweepResults
            What is known at the end, also after Ctrl-C.

        Raises
        ------
        RequestError
            If the folder or the cluster cannot be used; nothing was written.
        BuildError
            If the hardware cannot be converted, or a point not be written.
        """
        began = time.monotonic()
        store = Store(self.folder)
        with store.opened():
            self.view.stage("converting the hardware, unless it is cached")
            self._identities = {curve.build: "" for curve in self._curves}
            for build in self._identities:
                self._identities[build] = identify(self.backend, build)
            missing = [point for curve in self._curves for point in self._take_stored(store, curve)]
            self._say_what_is_there(store)
            state, message = self._complete(store, missing) if missing else ("done", "")
        rows = list(self._plan.rows())
        failed = sum(row.state == "failed" for row in rows)
        if failed and state == "done":
            state, message = "failed", f"{failed} of {len(rows)} points failed"
        return SweepResults(
            version=__version__, provenance=provenance(), parameters=self.spec.model_dump(mode="json"),
            source=str(self.source), state=state, message=message, reused=self._reused,
            wall_seconds=time.monotonic() - began, results=rows, saturation=list(self._plan.saturation()))

    def _complete(self, store: Store, missing: Sequence[Point]) -> tuple[Literal["done", "failed", "interrupted"], str]:
        """Build and measure; how it ended."""
        try:
            with self.cluster() as cluster:
                builds = Builds(self.backend, self._identities)
                builds.make(cluster, missing, self.view)
                self._measure(cluster, store, builds, missing)
        except KeyboardInterrupt:
            return "interrupted", f"interrupted with {self._plan.known} points on disk; start it again to go on"
        except ClusterGoneError as error:
            return "failed", str(error)
        return "done", ""

    def _take_stored(self, store: Store, curve: Point) -> list[Point]:
        """Add what is on disk of a curve; what it needs that is not."""
        while True:
            stored = [(point, store.read(self._id(point))) for point in self._plan.needed(curve)]
            found = [record for _, record in stored if record is not None and record.state == "done"]
            for record in found:
                self._plan.add(record)
            self._reused += len(found)
            if not found:
                return [point for point, _ in stored]

    def _id(self, point: Point) -> str:
        return point.identity(self._identities[point.build], __version__)

    def _say_what_is_there(self, store: Store) -> None:
        for path in store.broken:
            self.view.note(f"{path} holds no point; it is measured again")
        others = len(store) - len(store.broken) - self._reused
        if self._reused:
            self.view.note(f"{self._reused} points are in {self.folder} already and are not measured again")
        if others > 0:
            self.view.note(f"{others} more are there that failed, that a search may come to, or that are of another "
                           f"specification, hardware or version")

    def _measure(self, cluster: Cluster, store: Store, builds: Builds, missing: Sequence[Point]) -> None:
        """Keep every worker at a point, until no curve needs any more."""
        waiting = deque(sorted(missing, key=cost, reverse=True))
        running: dict[str, Point] = {}
        began: dict[str, float] = {}
        remaining = Remaining()
        alone_since: float | None = None
        while waiting or running:
            workers = len(cluster.hosts())
            alone_since = None if workers else alone_since or time.monotonic()
            if alone_since and time.monotonic() - alone_since > _NO_WORKERS:
                raise ClusterGoneError(f"the cluster has had no workers for {_NO_WORKERS:.0f} s; start some, then the "
                                       f"sweep again: finished points are not measured again")
            while waiting and len(running) < workers:
                point = waiting.popleft()
                if builds.is_broken(point.build):
                    self._end(store, point, reason=f"its nodes cannot be built: {builds.reason(point.build)}")
                    continue
                running[self._id(point)], began[self._id(point)] = point, time.monotonic()
                cluster.submit(self._id(point), _task, self.backend, point, self._identities[point.build],
                               hosts=builds.hosts(cluster, point.build))
            for event in cluster.events(_LOOK if running else 0.0):
                if isinstance(event, Lost):
                    self._tell_lost(event, running)
                elif event.key in running:
                    point = running.pop(event.key)
                    cluster.forget(event.key)
                    self._finish(store, point, event)
                    remaining.step(time.monotonic() - began[event.key], cost(point))
                    # Those on their way are asked for again until they are there.
                    known = {*running, *map(self._id, waiting)}
                    needed = self._take_stored(store, self._plan.curve_of(point))
                    waiting.extend(each for each in needed if self._id(each) not in known)
            ahead = self._plan.ahead()
            left = remaining.look(ahead.work, workers=workers, under_way=[
                (time.monotonic() - began[key], cost(point)) for key, point in running.items()],
                reason=_LONGER if ahead.again else "")
            self.view.progress(Progress(self._plan.known, self._plan.known + ahead.points, ahead.again, left))

    def _finish(self, store: Store, point: Point, event: Done) -> None:
        if event.error is not None:
            self._end(store, point, reason=reason_of(event.error))
        else:
            measurement, worker = event.value
            self._end(store, point, measurement=measurement, worker=worker)

    def _end(
        self, store: Store, point: Point, *, measurement: Measurement | None = None, worker: str = "", reason: str = "",
    ) -> None:
        """Put what became of a point on disk."""
        name = self._id(point)
        record = Record(
            id=name, point=point, build=self._identities[point.build], version=__version__, reason=reason,
            state="done" if measurement else "failed", measurement=measurement, worker=worker,
            lost_workers=self._lost[name])
        store.save(record)
        self._plan.add(record)
        if not measurement:
            self.view.note(f"failed: {describe(point)}: {reason}")

    def _tell_lost(self, event: Lost, running: dict[str, Point]) -> None:
        points = [running[key] for key in event.keys if key in running]
        self._lost.update(key for key in event.keys if key in running)
        again = "; ".join(map(describe, points))
        self.view.note(f"worker {event.worker} was lost" + (f"; what it measured is handed to another: {again}"
                                                            if points else ""))


def describe(point: Point) -> str:
    """A point in words."""
    shape = "x".join(map(str, point.shape))
    return f"{point.pattern} at load {point.load:g} on {shape}, seed {point.seed}"


def _task(backend: Backend, point: Point, identity: str) -> tuple[Measurement, str]:
    """On a worker: the measurement, and the worker's address."""
    from distributed import get_worker

    # One at a time: the simulators of a process are not made to run beside each other.
    with _ONE:
        return measured(backend, point, identity), str(get_worker().address)


