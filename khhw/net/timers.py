"""Deadlines of all connections of a node, in one task."""

import heapq
from collections.abc import Awaitable, Callable

from khhw.node import Event, Node, timeout

__all__ = ["Timers"]

Due = Callable[[int], Awaitable[None]]


class Timers:
    """Calls back at deadlines. One that is not wanted any more is called all the same; who is called looks.

    Parameters
    ----------
    node : Node
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._heap: list[tuple[int, int, Due]] = []
        self._count = 0
        self._earlier = Event("an earlier deadline")
        self._next: int | None = None

    def at(self, cycle: int, due: Due) -> None:
        """Await ``due(now)`` in `cycle`, or soon after."""
        self._count += 1
        heapq.heappush(self._heap, (cycle, self._count, due))
        if self._next is None or cycle < self._next:
            self._earlier.set()

    async def run(self) -> None:
        """The task."""
        while True:
            self._next = self._heap[0][0] if self._heap else None
            self._earlier.clear()
            if self._next is None:
                await self._earlier.wait()
            elif self._next > self._node.now:
                try:
                    async with timeout(self._next - self._node.now):
                        await self._earlier.wait()
                except TimeoutError:
                    pass
            else:
                await heapq.heappop(self._heap)[2](self._node.now)
