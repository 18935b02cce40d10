"""What the server has done between two cycles, noted while nobody asks.

A question costs the server as much software time as a small GET. So whoever measures asks twice: before the first
cycle, that both be noted, and after the last one, for what was noted. What is measured holds neither question.
"""

from collections.abc import Callable

from khhw.node import Event, Node, timeout

__all__ = ["MOST_SPANS", "Figures", "Meter"]

Figures = tuple[int, ...]
"""Counts that only rise."""

MOST_SPANS = 64
"""Measurements that are kept. Those that are over make room for new ones, the oldest first."""


class Meter:
    """Notes figures in cycles that are told beforehand.

    Parameters
    ----------
    node : Node
        Its clock; to look at it costs nothing.
    read : callable
        Gives the figures of now.
    """

    def __init__(self, node: Node, read: Callable[[], Figures]) -> None:
        self._node = node
        self._read = read
        self._spans: dict[tuple[int, int], dict[int, Figures]] = {}
        self._changed = Event("a measurement")

    def ask(self, begin: int, end: int) -> bool:
        """Note the figures in two cycles; False if the first one is over, or too much is to be noted already."""
        if not self._node.now < begin < end:
            return False
        if (begin, end) not in self._spans and len(self._spans) == MOST_SPANS:
            over = next((span for span in self._spans if span[1] < self._node.now), None)
            if over is None:
                return False
            del self._spans[over]
        self._spans.setdefault((begin, end), {})
        self._changed.set()
        return True

    def answer(self, begin: int, end: int) -> Figures | None:
        """What came between two cycles; None if it was not noted, or is not over."""
        noted = self._spans.get((begin, end), {})
        if len(noted) < 2:
            return None
        return tuple(last - first for first, last in zip(noted[begin], noted[end], strict=True))

    async def run(self) -> None:
        """The task that notes."""
        while True:
            self._changed.clear()
            due = [cycle for span, noted in self._spans.items() for cycle in span if cycle not in noted]
            if not due:
                await self._changed.wait()
            elif min(due) > self._node.now:
                try:
                    async with timeout(min(due) - self._node.now):
                        await self._changed.wait()
                except TimeoutError:
                    pass
            else:
                figures = self._read()
                for span, noted in self._spans.items():
                    noted |= {cycle: figures for cycle in span if cycle <= self._node.now and cycle not in noted}
