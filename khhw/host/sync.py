"""Events, queues, groups and time limits for the tasks of one node, with the verbs of asyncio.

They work through the scheduler, in its order. Tasks of different nodes have only the machine between them:
an :class:`Event` or a :class:`Queue` belongs to the first node that waits for it or wakes somebody with it, and
refuses any other.
"""

from collections import deque
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from khhw.host.events import Timer
from khhw.host.scheduler import Scope, Task, Wait, current_task

__all__ = ["Event", "Queue", "gather", "scope", "spawn", "timeout"]

T = TypeVar("T")


class _Line(Wait[Any]):
    """Tasks of one node that wait for the same thing, first come first served."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: deque[Task[Any]] = deque()
        self._rank: int | None = None

    def __str__(self) -> str:
        return self._name

    def __len__(self) -> int:
        return len(self._tasks)

    def claim(self, rank: int) -> None:
        if self._rank is None:
            self._rank = rank
        elif self._rank != rank:
            raise RuntimeError(f"{self._name} belongs to rank {self._rank}, and rank {rank} tried to use it")

    def begin(self, task: Task[Any]) -> None:
        self.claim(task.rank)
        self._tasks.append(task)

    def abandon(self, task: Task[Any]) -> None:
        self._tasks.remove(task)

    def wake(self, value: object = None) -> None:
        """Let the first go on with `value`."""
        scheduler = self._tasks[0].scheduler
        if scheduler.current is not None:
            self.claim(scheduler.current.rank)
        self._tasks.popleft().wake(value)


class Event:
    """A flag tasks wait for.

    Parameters
    ----------
    name : str
        For messages.
    """

    def __init__(self, name: str = "an event") -> None:
        self._set = False
        self._line = _Line(name)

    def is_set(self) -> bool:
        """Whether it is set."""
        return self._set

    def set(self) -> None:
        """Set it and wake all who wait."""
        self._set = True
        while self._line:
            self._line.wake()

    def clear(self) -> None:
        """Take it back."""
        self._set = False

    async def wait(self) -> None:
        """Return at once if it is set, else when it is."""
        if not self._set:
            await self._line


class Queue(Generic[T]):
    """First in, first out.

    Parameters
    ----------
    capacity : int or None
        Items it holds; :meth:`put` waits for room. None: any number.
    name : str
        For messages.
    """

    def __init__(self, capacity: int | None = None, name: str = "a queue") -> None:
        if capacity is not None and capacity < 1:
            raise ValueError(f"A queue must hold at least one item, not {capacity!r}")
        self._capacity = capacity
        self._items: deque[T] = deque()
        self._getters = _Line(name)
        self._putters = _Line(f"room in {name}")

    def __len__(self) -> int:
        return len(self._items)

    def full(self) -> bool:
        """Whether :meth:`put` would wait."""
        return self._capacity is not None and len(self._items) >= self._capacity

    def put_nowait(self, item: T) -> None:
        """Add an item; OverflowError if there is no room."""
        if self.full():
            raise OverflowError(f"{self._getters} is full")
        if self._getters:
            self._getters.wake(item)
        else:
            self._items.append(item)

    async def put(self, item: T) -> None:
        """Add an item, when there is room."""
        while self.full():
            await self._putters
        self.put_nowait(item)

    def get_nowait(self) -> T:
        """Take the oldest item; LookupError if there is none."""
        if not self._items:
            raise LookupError(f"{self._getters} is empty")
        item = self._items.popleft()
        if self._putters:
            self._putters.wake()
        return item

    async def get(self) -> T:
        """Take the oldest item, when there is one."""
        if self._items:
            return self.get_nowait()
        item: T = await self._getters
        return item


async def spawn(
    coroutine: Coroutine[Any, Any, T], *, name: str | None = None, daemon: bool | None = None
) -> Task[T]:
    """Start a task on the node of the one that calls this.

    Parameters
    ----------
    coroutine : coroutine
        What it runs.
    name : str or None
        For messages; the coroutine's name by default.
    daemon : bool or None
        Whether a run ends without waiting for it; None: as for the caller.
    """
    parent = await current_task()
    daemon = parent.daemon if daemon is None else daemon
    child = parent.scheduler.spawn(coroutine, rank=parent.rank, name=name, daemon=daemon)
    child.scope = parent.scope
    return child


class _Ended(Wait[None]):
    """Ends when all tasks have, however they did."""

    def __init__(self, tasks: list[Task[Any]]) -> None:
        self._tasks = tasks
        self._running = len(tasks)
        self._waiter: Task[Any] | None = None

    def __str__(self) -> str:
        return ", ".join(str(task) for task in self._tasks if not task.done)

    def begin(self, task: Task[Any]) -> None:
        self._waiter = task
        for child in self._tasks:
            child.watch(self._one)

    def abandon(self, task: Task[Any]) -> None:
        self._waiter = None

    def _one(self, _child: Task[Any]) -> None:
        self._running -= 1
        if not self._running and self._waiter is not None:
            self._waiter.wake()


class scope:
    """``async with scope():`` no task that is started within, by whomever, outlives the block.

    What still runs when the block is left is cancelled and waited for. When one of these tasks fails and nobody
    awaits it, its exception is raised in the block, at what the block awaits.
    """

    def __init__(self) -> None:
        self._owner: Task[Any] | None = None
        self._outer: Scope | None = None
        self._error: BaseException | None = None
        self._closing = False

    async def __aenter__(self) -> Self:
        self._owner = await current_task()
        self._outer, self._owner.scope = self._owner.scope, self
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        owner = self._owner
        if owner is None or kind is GeneratorExit:
            # It is ended where it is, and may wait for nobody.
            return
        self._closing = True
        if self._error is not None:
            owner.withdraw(self._error)
        try:
            # What unwinds may start tasks too.
            while left := [task for task in owner.scheduler.tasks if task.scope is self and task is not owner]:
                for task in left:
                    task.cancel()
                await _Ended(left)
        finally:
            owner.scope = self._outer
        if self._error is not None and error is None:
            raise self._error

    def failed(self, task: Task[Any], error: BaseException) -> None:
        """A task of the scope failed, and nobody awaited it."""
        if self._owner is not None and self._error is None and not self._closing:
            self._error = error
            self._owner.scheduler.at(self._owner.scheduler.now, self._owner.rank, self._raise, self._owner.name)

    def _raise(self) -> None:
        if self._owner is not None and self._error is not None and not self._closing:
            self._owner.interrupt(self._error)


class _Group(Wait[None]):
    """Ends when all tasks have, in success or, the others cancelled, with the first failure."""

    def __init__(self, tasks: list[Task[Any]]) -> None:
        self._tasks = tasks
        self._running = len(tasks)
        self._error: BaseException | None = None
        self._parent: Task[Any] | None = None

    def __str__(self) -> str:
        return ", ".join(str(task) for task in self._tasks if not task.done)

    def begin(self, task: Task[Any]) -> None:
        self._parent = task
        for child in self._tasks:
            child.watch(self._ended)

    def abandon(self, task: Task[Any]) -> None:
        self._parent = None
        for child in self._tasks:
            child.cancel()

    def _ended(self, child: Task[Any]) -> None:
        self._running -= 1
        if child.error is not None and self._error is None:
            self._error = child.error
            for other in self._tasks:
                other.cancel()
        if not self._running and self._parent is not None:
            self._parent.wake(error=self._error)


async def gather(*coroutines: Coroutine[Any, Any, T]) -> list[T]:
    """Run coroutines at the same time on the node of the caller.

    Parameters
    ----------
    *coroutines : coroutine
        What to run. When one fails the others are cancelled, and its exception is raised when all have ended.

    Returns
    -------
    list
        Their results, in the order of the arguments.
    """
    if not coroutines:
        return []
    tasks = [await spawn(coroutine) for coroutine in coroutines]
    await _Group(tasks)
    return [task.result() for task in tasks]


class _Expired(BaseException):
    """A time limit has passed; which one is known by identity."""


class timeout:
    """``async with timeout(cycles):`` raises TimeoutError when the block takes longer.

    A result that arrives in the same cycle, but in an earlier turn, is not lost.

    Parameters
    ----------
    cycles : int
        Limit, from the beginning of the block.
    """

    def __init__(self, cycles: int) -> None:
        if cycles < 0:
            raise ValueError(f"A time limit cannot be {cycles} cycles")
        self._cycles = cycles
        self._mark = _Expired()
        self._task: Task[Any] | None = None
        self._timer: Timer | None = None

    async def __aenter__(self) -> Self:
        task = self._task = await current_task()
        due = task.scheduler.now + self._cycles
        self._timer = task.scheduler.at(due, task.rank, lambda: task.interrupt(self._mark), task.name)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None and self._task is not None:
            self._timer.cancel()
            self._task.withdraw(self._mark)
        if error is self._mark:
            raise TimeoutError(f"Not done within {self._cycles} cycles") from None
