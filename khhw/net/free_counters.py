"""Counters of one side that nobody has."""

from collections import deque
from collections.abc import Iterable

from khhw.node import Event

__all__ = ["FreeCounters"]


class FreeCounters:
    """Numbers of free counters of one side.

    Parameters
    ----------
    numbers : iterable of int
    kept : int
        How many :meth:`take_if_spare` leaves for transfers.
    name : str
        For messages.
    """

    def __init__(self, numbers: Iterable[int], kept: int, name: str) -> None:
        self._free = deque(numbers)
        self._kept = min(kept, len(self._free))
        self._given = Event(f"a free {name}")

    async def take(self) -> int:
        """A free number, when there is one."""
        while not self._free:
            self._given.clear()
            await self._given.wait()
        return self._free.popleft()

    def take_if_spare(self) -> int | None:
        """A number for long, or None if only those for transfers are left."""
        return self._free.pop() if len(self._free) > self._kept else None

    def give(self, number: int) -> None:
        """It is free again, and taken first: its registers still say what they said."""
        self._free.appendleft(number)
        self._given.set()
