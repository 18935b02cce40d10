"""Workers of Dask: a cluster on this computer, or one that is there already."""

import contextlib
import logging
import os
import queue
import re
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any

from khhw.errors import BuildError, RequestError

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = [
    "PATIENCE", "Cluster", "ClusterGoneError", "Done", "Lost", "check_installed", "cores", "existing", "local",
]

PATIENCE = 6.0
"""Seconds a scheduler has to answer, and then its first worker to be there."""
_ADDRESS = re.compile(r"([a-z]+://)?(\[[0-9a-f:]+\]|[^:/\s]+):\d{1,5}", re.IGNORECASE)
_TRIES = 3
"""Workers of a local cluster that may be lost over one point."""
_MEND = "install it with: pip install 'khhw[cluster]'"


class ClusterGoneError(BuildError):
    """The scheduler of a cluster, or the last worker, has ended."""


@dataclass(frozen=True)
class Done:
    """A task has ended: its key, and its value or what it raised."""

    key: str
    value: Any = None
    error: BaseException | None = None


@dataclass(frozen=True)
class Lost:
    """A worker has gone, with the keys of what it was doing."""

    worker: str
    keys: tuple[str, ...]


@dataclass
class Cluster:
    """Connected workers.

    Parameters
    ----------
    client : distributed.Client
        Of their scheduler.
    """

    client: "Client"
    _events: "queue.Queue[Done | Lost]" = field(default_factory=queue.Queue)
    _futures: "dict[str, Future[Any]]" = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.client.subscribe_topic("all", self._on_event)

    def hosts(self) -> list[str]:
        """The host of every worker."""
        return [worker["host"] for worker in self.client.scheduler_info(n_workers=-1)["workers"].values()]

    def submit(
        self, key: str, function: Callable[..., object], *arguments: object, hosts: Sequence[str] = (),
    ) -> None:
        """Have a task done by a worker on one of `hosts`, on any without.

        Parameters
        ----------
        key : str
            Names the task in what :meth:`events` gives.
        function : callable
            Importable by workers.
        *arguments
            Its arguments.
        hosts : sequence of str
            As :meth:`hosts` gives them.
        """
        future = self.client.submit(function, *arguments, key=key, pure=False, workers=list(hosts) or None)
        self._futures[key] = future
        future.add_done_callback(self._on_done)

    def events(self, seconds: float) -> Iterator[Done | Lost]:
        """What has happened, waiting `seconds` at most for the first of it.

        Raises
        ------
        ClusterGoneError
            If the scheduler is not there any more.
        """
        with contextlib.suppress(queue.Empty):
            yield self._events.get(timeout=seconds)
            while True:
                yield self._events.get_nowait()
        if self.client.status not in ("running", "connecting"):
            raise ClusterGoneError("the scheduler has gone; start it again, then the sweep: finished points are not "
                                   "measured again")

    def forget(self, key: str) -> None:
        """Drop a task's result."""
        future = self._futures.pop(key, None)
        if future is not None:
            future.release()

    def close(self) -> None:
        """Give up what has not ended."""
        with contextlib.suppress(Exception):
            self.client.unsubscribe_topic("all")
            self.client.cancel(list(self._futures.values()), force=True)
        self._futures.clear()

    def _on_done(self, future: "Future[Any]") -> None:
        """In a thread of the client."""
        if future.status == "finished":
            self._events.put(Done(str(future.key), value=future.result()))
        elif future.status == "error":
            self._events.put(Done(str(future.key), error=future.exception()))

    def _on_event(self, event: tuple[float, Any]) -> None:
        """In a thread of the client: what the scheduler logs."""
        told = event[1]
        if isinstance(told, dict) and told.get("action") == "remove-worker" and not told.get("expected"):
            self._events.put(Lost(told["worker"], tuple(map(str, told["processing-tasks"]))))


def check_installed() -> None:
    """Refuse to go on without the packages of the extra ``cluster``.

    Raises
    ------
    RequestError
        If one is missing; says how to install it.
    """
    import importlib.util

    for module, name in (("distributed", "dask.distributed"), ("pyarrow", "pyarrow")):
        if importlib.util.find_spec(module) is None:
            raise RequestError(f"a sweep needs {name}, which is not installed; {_MEND}")


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0))


@contextlib.contextmanager
def local(workers: int) -> Iterator[Cluster]:
    """A cluster of processes on this computer, each with one thread; they end with this process, however it ends."""
    import dask
    from distributed import Client, LocalCluster

    with dask.config.set({"distributed.scheduler.allowed-failures": _TRIES - 1,
                          "distributed.scheduler.worker-saturation": 1.0}), ExitStack() as stack:
        with _interrupts_held():
            # Its log tells on standard error what the sweep tells in its own words.
            cluster = stack.enter_context(LocalCluster(
                n_workers=workers, threads_per_worker=1, processes=True, host="127.0.0.1", memory_limit=0,
                dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL))
            client = stack.enter_context(Client(cluster))
        with _calmly(Cluster(client)) as connected:
            yield connected


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C takes effect at the end, and never in threads and processes that are started inside.

    A terminal sends it to workers too, which would each say so; they end when the sweep tells them to.
    """
    # Started inside, it would let them through again.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def existing(address: str) -> Iterator[Cluster]:
    """The cluster of a scheduler that is running.

    Parameters
    ----------
    address : str
        As ``tcp://host:8786``.

    Raises
    ------
    RequestError
        If nothing answers there, or it has no workers; says how to start them.
    """
    from distributed import Client

    if not _ADDRESS.fullmatch(address):
        raise RequestError(f"{address!r} is no address of a scheduler; one is tcp://host:8786")
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except Exception as error:
        raise RequestError(
            f"no Dask scheduler answers at {address} ({_reason(error)}); start one with 'dask scheduler' and workers "
            f"with 'dask worker {address} --nthreads 1 --nworkers auto', or leave --scheduler out for workers on this "
            f"computer") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise RequestError(f"the scheduler at {address} has no workers; start them with 'dask worker {address} "
                               f"--nthreads 1 --nworkers auto'") from None
        with _calmly(Cluster(client)) as connected:
            yield connected


@contextlib.contextmanager
def _calmly(cluster: Cluster) -> Iterator[Cluster]:
    """Give up what is running when the sweep ends."""
    try:
        yield cluster
    finally:
        cluster.close()


def _reason(error: BaseException) -> str:
    """The first line of what went wrong."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
