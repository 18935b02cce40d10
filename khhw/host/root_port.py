"""The port above the tree's root, as the owner's tasks use it and a back end serves it."""

from collections import deque
from collections.abc import Sequence
from typing import Any

from khhw.host.scheduler import ROOT, Scheduler, Sleep, Task, Wait
from khhw.host.sync import Queue

__all__ = ["Packet", "RootPort"]


class Packet(Wait[None]):
    """A tree packet on its way into the root."""

    def __init__(self, root: "RootPort", flits: Sequence[int], channel: int) -> None:
        if not flits or any(not 0 <= flit < 1 << 64 for flit in flits):
            raise ValueError(f"A packet is one or more flits of 64 bits, not {list(flits)!r}")
        self.flits = list(flits)
        self.channel = channel
        self._root = root
        self._task: Task[Any] | None = None

    def __str__(self) -> str:
        return "the tree to take a packet"

    def begin(self, task: Task[Any]) -> None:
        self._task = task
        self._root.outgoing.append(self)

    def abandon(self, task: Task[Any]) -> None:
        self._task = None

    def taken(self, cycle: int) -> None:
        """The tree took the last flit in `cycle`."""
        if self._task is not None:
            self._task.wake_at(cycle + 1)


class RootPort:
    """The port above the root; a ``RootTransport``."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.outgoing: deque[Packet] = deque()
        self._scheduler = scheduler
        self._incoming: Queue[tuple[list[int], int]] = Queue(name="a packet from the tree")

    @property
    def now(self) -> int:
        """The current cycle."""
        return self._scheduler.now

    async def send(self, flits: Sequence[int], channel: int) -> None:
        """Send a packet; see ``RootTransport``. Cancelled or not, it is sent whole."""
        await Packet(self, flits, channel)

    async def receive(self) -> tuple[list[int], int]:
        """Take a packet; see ``RootTransport``."""
        return await self._incoming.get()

    async def sleep(self, cycles: int) -> None:
        """Wait; see ``RootTransport``."""
        await Sleep(cycles)

    def arrived(self, cycle: int, flits: list[int], channel: int) -> None:
        """The last flit of a packet came out in `cycle`."""
        self._scheduler.at(cycle + 1, ROOT, lambda: self._incoming.put_nowait((flits, channel)), "the tree")
