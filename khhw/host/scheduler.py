"""The host scheduler: one thread, no wall clock, the same order everywhere.

Host code is plain ``async def``. It awaits only what this package gives it (:class:`Wait` objects); a task
runs from one of them to the next without any time passing. Events are ordered by (cycle, node, sequence):
the cycle they are due, the rank of the node they belong to, and the order in which they were asked for.
"""

from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from khhw.host.events import Events, Timer

__all__ = [
    "ROOT", "Cancelled", "Scheduler", "Scope", "Sleep", "Task", "TaskError", "Wait", "current_task", "sleep",
]

ROOT = -1
"""Rank of the owner's tasks: in a cycle they come before those of all nodes."""

_EVENTS_PER_CYCLE = 200_000

T = TypeVar("T")
Observer = Callable[[int, int, int, str], None]


class Cancelled(BaseException):
    """Raised inside a task that was cancelled, and in whoever joins it."""


class TaskError(Exception):
    """A task failed and nobody was waiting for it.

    Parameters
    ----------
    name : str
        The task's.
    rank : int
        Of its node; ``ROOT`` for the owner.
    cycle : int
        When it failed.
    error : BaseException
        What it raised; also the ``__cause__``.
    """

    def __init__(self, name: str, rank: int, cycle: int, error: BaseException) -> None:
        whose = "the owner" if rank == ROOT else f"node {rank}"
        super().__init__(f"task {name!r} of {whose} failed in cycle {cycle}: {type(error).__name__}: {error}")
        self.name = name
        self.rank = rank
        self.cycle = cycle


class Wait(Generic[T]):
    """Something a task can await. :meth:`begin` arranges for one call of :meth:`Task.wake`."""

    def begin(self, task: "Task[Any]") -> None:
        """`task` awaits this now. What this raises is raised at the ``await``."""
        raise TypeError(f"{type(self).__name__} cannot be awaited")

    def abandon(self, task: "Task[Any]") -> None:
        """`task` was interrupted and will not come back for it."""

    def __await__(self) -> Generator["Wait[Any]", Any, T]:
        result: T = yield self
        return result


class Sleep(Wait[None]):
    """Resumes a task after a number of cycles; 0 lets what is already due in this cycle go first."""

    def __init__(self, cycles: int) -> None:
        if cycles < 0:
            raise ValueError(f"Cannot sleep for {cycles} cycles")
        self._cycles = cycles

    def __str__(self) -> str:
        return f"{self._cycles} cycles to pass"

    def begin(self, task: "Task[Any]") -> None:
        task.wake_at(task.scheduler.now + self._cycles)


async def sleep(cycles: int) -> None:
    """Wait for `cycles` cycles."""
    await Sleep(cycles)


class _Current(Wait["Task[Any]"]):
    def begin(self, task: "Task[Any]") -> None:
        raise AssertionError("answered by the task itself")


async def current_task() -> "Task[Any]":
    """The task that awaits this; no time passes and nothing else runs."""
    return await _Current()


class Scope(Protocol):
    """What takes care of the tasks that were started within it; see ``khhw.host.sync.scope``."""

    def failed(self, task: "Task[Any]", error: BaseException) -> None:
        """A task of the scope failed, and nobody awaited it."""


_CLINGING: list[Coroutine[Any, Any, Any]] = []
"""Coroutines that did not let themselves be ended."""


class Task(Wait[T]):
    """A running coroutine. Awaiting it gives its result or raises its exception.

    A failure that nobody awaits at that moment is its scope's business; without one it ends the run.
    """

    def __init__(
        self, scheduler: "Scheduler", coroutine: Coroutine[Any, Any, T], rank: int, name: str, daemon: bool
    ) -> None:
        self.scheduler = scheduler
        self.rank = rank
        self.name = name
        self.daemon = daemon
        self.done = False
        self.cancelling = False
        self.scope: Scope | None = None
        self._result: T | None = None
        self._error: BaseException | None = None
        self._coroutine = coroutine
        self._wait: Wait[Any] | None = None
        self._waking: Timer | None = None
        self._interrupts: list[BaseException] = []
        self._watchers: list[Callable[[Task[T]], None]] = []
        self._joiners: dict[Task[Any], Callable[[Task[T]], None]] = {}
        self.wake()

    def __repr__(self) -> str:
        state = "done" if self.done else f"waiting for {self.waits_for}"
        return f"<task {self.name!r} of rank {self.rank}, {state}>"

    @property
    def waits_for(self) -> str:
        """What the task awaits, in words."""
        return "its turn" if self._wait is None else str(self._wait)

    @property
    def error(self) -> BaseException | None:
        """What ended a task that did not return."""
        return self._error

    def result(self) -> T:
        """What the task returned; raises what it raised, or RuntimeError while it runs."""
        if not self.done:
            raise RuntimeError(f"Task {self.name!r} has not finished")
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]

    def wake(self, value: object = None, error: BaseException | None = None) -> None:
        """End the current wait: the task goes on in this cycle, in its turn."""
        self.wake_at(self.scheduler.now, value, error)
        self._wait = None

    def wake_at(self, cycle: int, value: object = None, error: BaseException | None = None) -> None:
        """Let the task go on in `cycle`. The wait is over only then, and until then it can be interrupted."""
        self._waking = self.scheduler.at(cycle, self.rank, partial(self._step, value, error), self.name)

    def cancel(self) -> None:
        """Raise :class:`Cancelled` in the task at what it awaits, in this cycle, in its turn."""
        if not self.done:
            self.cancelling = True
            self.scheduler.at(self.scheduler.now, self.rank, partial(self.interrupt, Cancelled()), self.name)

    def interrupt(self, error: BaseException) -> None:
        """Raise `error` in the task where it waits. A result on its way is delivered first."""
        if self.done:
            return
        if self._wait is None:
            self._interrupts.append(error)
            return
        if self._waking is not None:
            self._waking.cancel()
        self._wait.abandon(self)
        self._step(None, error)

    def withdraw(self, error: BaseException) -> bool:
        """Take back an :meth:`interrupt` that was not raised yet. Returns whether there was one."""
        if error in self._interrupts:
            self._interrupts.remove(error)
            return True
        return False

    def watch(self, callback: Callable[["Task[T]"], None]) -> None:
        """Call `callback` when the task ends; its failure then is the caller's business."""
        if self.done:
            callback(self)
        else:
            self._watchers.append(callback)

    def begin(self, task: "Task[Any]") -> None:
        if task is self:
            raise RuntimeError(f"Task {self.name!r} cannot await itself")
        callback = self._joiners[task] = lambda _: self._tell(task)
        self.watch(callback)

    def _tell(self, task: "Task[Any]") -> None:
        self._joiners.pop(task, None)
        task.wake(self._result, self._error)

    def abandon(self, task: "Task[Any]") -> None:
        callback = self._joiners.pop(task, None)
        if callback in self._watchers:
            self._watchers.remove(callback)

    def __str__(self) -> str:
        return f"task {self.name!r}"

    def kill(self) -> None:
        """End the coroutine where it is, without a result, whatever it does about that: nothing of it runs again."""
        if self.done:
            return
        self.done = True
        if self._waking is not None:
            self._waking.cancel()
        if self._wait is not None:
            self._wait.abandon(self)
        self.scheduler.forget(self)
        try:
            self._coroutine.close()
        except BaseException:
            # Foreign code that awaits while it is ended, or raises, has no say in it. It is kept where it stands:
            # Python would ask it again when it is collected.
            _CLINGING.append(self._coroutine)

    def _step(self, value: object, error: BaseException | None) -> None:
        if self.done:
            return
        self._wait = self._waking = None
        self.scheduler.current = self
        try:
            self._advance(value, error)
        except StopIteration as stop:
            self._finish(stop.value, None)
        except GeneratorExit as failure:
            # Nobody has ended it, so it is one of its own; and none can be thrown into who awaits it.
            error = RuntimeError("coroutine raised GeneratorExit")
            error.__cause__ = failure
            self._finish(None, error)
        except BaseException as failure:
            self._finish(None, failure)
        finally:
            self.scheduler.current = None

    def _advance(self, value: object, error: BaseException | None) -> None:
        while True:
            wait = self._coroutine.throw(error) if error is not None else self._coroutine.send(value)
            value = error = None
            if isinstance(wait, _Current):
                value = self
            elif not isinstance(wait, Wait):
                error = TypeError(f"Task {self.name!r} awaited {wait!r}, which is not of the host scheduler")
            elif self._interrupts:
                error = self._interrupts.pop(0)
            else:
                self._wait = wait
                try:
                    wait.begin(self)
                    return
                except Exception as failure:
                    self._wait = None
                    error = failure

    def _finish(self, result: T | None, error: BaseException | None) -> None:
        self.done, self._result, self._error = True, result, error
        watchers, self._watchers = self._watchers, []
        self.scheduler.ended(self, handled=bool(watchers))
        for watcher in watchers:
            watcher(self)


class Scheduler(Events):
    """Runs host tasks; a back end tells it when a cycle begins.

    Parameters
    ----------
    observer : callable or None
        Called with (cycle, rank, sequence, task name) before each event: the trace of a run.
    """

    def __init__(self, observer: Observer | None = None) -> None:
        super().__init__()
        self.current: Task[Any] | None = None
        self.observer = observer
        self.events = 0
        self._tasks: dict[Task[Any], None] = {}
        self._failure: TaskError | None = None

    @property
    def tasks(self) -> list[Task[Any]]:
        """Tasks that have not ended, oldest first."""
        return list(self._tasks)

    @property
    def finished(self) -> bool:
        """Whether every task that is not a daemon has ended."""
        return all(task.daemon for task in self._tasks)

    def spawn(
        self, coroutine: Coroutine[Any, Any, T], *, rank: int = ROOT, name: str | None = None, daemon: bool = False
    ) -> Task[T]:
        """Start a task in this cycle.

        Parameters
        ----------
        coroutine : coroutine
            What it runs.
        rank : int
            The node it belongs to, or ``ROOT``.
        name : str or None
            For messages; the coroutine's name by default.
        daemon : bool
            A run does not wait for it.
        """
        task = Task(self, coroutine, rank, name or str(getattr(coroutine, "__qualname__", "task")), daemon)
        self._tasks[task] = None
        return task

    def run(self, cycle: int) -> None:
        """Run what is due in `cycle`, also what comes up meanwhile.

        Raises
        ------
        TaskError
            If a task failed and nobody awaited it.
        RuntimeError
            If an event of an earlier cycle was passed over, or a cycle does not end.
        """
        if cycle < self.now:
            raise RuntimeError(f"Time ran backwards from cycle {self.now} to {cycle}")
        limit = self.events + _EVENTS_PER_CYCLE
        while (due := self.next_cycle()) is not None and due <= cycle:
            rank, sequence, timer = self.pop()
            if due < cycle:
                raise RuntimeError(f"The event of {timer.name!r} in cycle {due} was passed over; it is {cycle}")
            if self.events == limit:
                raise RuntimeError(f"Task {timer.name!r} of rank {rank} does not let cycle {cycle} end")
            self.now = cycle
            self.events += 1
            if self.observer is not None:
                self.observer(cycle, rank, sequence, timer.name)
            timer.fire()
            if self._failure is not None:
                failure, self._failure = self._failure, None
                raise failure from failure.__cause__
        self.now = cycle

    def ended(self, task: Task[Any], handled: bool) -> None:
        """A task tells that it has ended; `handled` says whether somebody awaits it."""
        self._tasks.pop(task, None)
        if task.error is None or handled or (task.cancelling and isinstance(task.error, Cancelled)):
            return
        if task.scope is not None:
            task.scope.failed(task, task.error)
            return
        self._failure = TaskError(task.name, task.rank, self.now, task.error)
        self._failure.__cause__ = task.error

    def forget(self, task: Task[Any]) -> None:
        """A task will not end by itself any more."""
        self._tasks.pop(task, None)

    def kill(self, rank: int) -> None:
        """End all tasks of a node where they are."""
        for task in self.tasks:
            if task.rank == rank:
                task.kill()

    def close(self) -> None:
        """End all tasks where they are, so that their ``finally`` blocks run."""
        for task in self.tasks:
            task.kill()
        self.clear()
