"""The interrupt of a node, shared by all its tasks."""

from collections.abc import Awaitable, Callable
from typing import Any

from khhw.host.scheduler import Task
from khhw.host.sync import Event, spawn
from khhw.host.sync import timeout as time_limit
from khhw.host.transport import BusError, NodeTransport

__all__ = ["Interrupts"]

_GRACE = 64
"""Cycles a woken task has to lower its cause and wait again before the cause is masked for the others' sake."""


class _Waiter:
    def __init__(self, causes: tuple[int, ...]) -> None:
        self.causes = causes
        self.up: frozenset[int] = frozenset()
        self.error: BusError | None = None
        self.event = Event("the interrupt")

    def mask(self) -> int:
        return sum(1 << cause for cause in set(self.causes))


class Interrupts:
    """One task takes the interrupt, reads its causes once and wakes whoever waits for them.

    Parameters
    ----------
    transport : NodeTransport
    read, write : callables
        Read and write a register by name.

    Attributes
    ----------
    taken_at : int
        Cycle in which the last interrupt reached software.
    """

    def __init__(
        self, transport: NodeTransport, read: Callable[[str], Awaitable[int]],
        write: Callable[[str, int], Awaitable[None]],
    ) -> None:
        self._transport = transport
        self._read = read
        self._write = write
        self._waiters: list[_Waiter] = []
        self._enabled = -1
        self._joined = Event("a task that waits for an interrupt")
        self._service: Task[Any] | None = None
        self.taken_at = 0

    async def wait(self, causes: tuple[int, ...], timeout: int | None) -> frozenset[int]:
        """Sleep until one of `causes` is up; see :meth:`khhw.node.Node.wait`."""
        end = None if timeout is None else self._transport.now + timeout
        waiter = _Waiter(causes)
        self._waiters.append(waiter)
        try:
            await self._enable()
            while not waiter.up and waiter.error is None:
                if self._service is None or self._service.done:
                    self._service = await spawn(self._serve(), name="interrupts", daemon=True)
                self._joined.set()
                if not await self._woken(waiter, end):
                    break
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
        if waiter.error is not None:
            raise waiter.error
        return waiter.up

    async def _woken(self, waiter: _Waiter, end: int | None) -> bool:
        if end is None:
            await waiter.event.wait()
        else:
            try:
                async with time_limit(max(0, end - self._transport.now)):
                    await waiter.event.wait()
            except TimeoutError:
                return False
        waiter.event.clear()
        return True

    async def _enable(self) -> None:
        """Enable what is waited for, and nothing else."""
        enable = 0
        for waiter in self._waiters:
            enable |= waiter.mask()
        if enable != self._enabled:
            self._enabled = enable
            await self._write("IRQ_ENABLE", enable)

    async def _serve(self) -> None:
        try:
            while True:
                if not self._waiters:
                    self._joined.clear()
                    await self._joined.wait()
                    continue
                await self._transport.interrupt()
                self.taken_at = self._transport.now
                status = await self._read("IRQ_STATUS")
                if self._deliver(status):
                    # Whoever was woken lowers its cause. Till then the level says nothing to the others.
                    await self._returned()
                if self._waiters:
                    await self._enable()
        except BusError as error:
            for waiter in self._waiters:
                waiter.error = error
        finally:
            self._enabled = -1
            for waiter in self._waiters:
                waiter.event.set()

    def _deliver(self, status: int) -> bool:
        """Wake those whose causes are up. Returns whether there were any."""
        left = []
        for waiter in self._waiters:
            waiter.up = frozenset(cause for cause in waiter.causes if status >> cause & 1)
            if waiter.up:
                waiter.event.set()
            else:
                left.append(waiter)
        served = len(left) < len(self._waiters)
        self._waiters = left
        return served

    async def _returned(self) -> None:
        if not self._waiters:
            return
        self._joined.clear()
        try:
            async with time_limit(_GRACE):
                await self._joined.wait()
        except TimeoutError:
            pass
