"""Events: what is due in which cycle, and in which order within one."""

import heapq
from collections.abc import Callable

__all__ = ["Events", "Timer"]


class Timer:
    """An event that is due in a cycle. Cancelling one that has run does nothing."""

    __slots__ = ("_action", "name")

    def __init__(self, action: Callable[[], None], name: str) -> None:
        self._action: Callable[[], None] | None = action
        self.name = name

    def cancel(self) -> None:
        """Do not run it; it no longer counts as a coming event."""
        self._action = None

    @property
    def pending(self) -> bool:
        """Whether it is still to run."""
        return self._action is not None

    def fire(self) -> None:
        """Run it, once."""
        action, self._action = self._action, None
        if action is not None:
            action()


class Events:
    """What is to come, ordered by (cycle, rank, sequence): due when, of which node, and asked for as which.

    Attributes
    ----------
    now : int
        The current cycle.
    """

    def __init__(self) -> None:
        self.now = 0
        self._heap: list[tuple[int, int, int, Timer]] = []
        self._sequence = 0

    def at(self, cycle: int, rank: int, action: Callable[[], None], name: str = "") -> Timer:
        """Ask for `action` in `cycle`, in the turn of `rank`.

        Raises
        ------
        ValueError
            If the cycle is over.
        """
        if cycle < self.now:
            raise ValueError(f"Cycle {cycle} is over, it is {self.now}")
        timer = Timer(action, name)
        heapq.heappush(self._heap, (cycle, rank, self._sequence, timer))
        self._sequence += 1
        return timer

    def next_cycle(self) -> int | None:
        """The cycle of the earliest event, or None if there is none."""
        while self._heap and not self._heap[0][3].pending:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop(self) -> tuple[int, int, Timer]:
        """Take the earliest event: its rank, its sequence number, and the event. There must be one."""
        _, rank, sequence, timer = heapq.heappop(self._heap)
        return rank, sequence, timer

    def clear(self) -> None:
        """Forget all of them."""
        self._heap.clear()
