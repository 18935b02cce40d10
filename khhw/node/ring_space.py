"""Room in a stretch of memory that is used round and round."""

from collections import deque

from khhw.node.layout import Area
from rtl.formats import FLIT_BYTES

__all__ = ["RingSpace"]


class RingSpace:
    """Room for messages that are given up in the order they came in, each in one piece.

    Parameters
    ----------
    area : Area
        Its base is a multiple of every `align` that is asked for.
    """

    def __init__(self, area: Area) -> None:
        self._area = area
        self._fill = 0
        self._ends: deque[int] = deque()
        self._freed = 0

    def take(self, length: int, align: int = FLIT_BYTES) -> int | None:
        """Address of `length` bytes, a multiple of `align`, which is one of 8; None if there is no room."""
        size = self._area.length
        if not self._ends:
            self._fill = self._freed = 0
        start = -(-self._fill // align) * align
        if start % size + length > size:
            start = -(-start // size) * size
        end = -(-(start + length) // FLIT_BYTES) * FLIT_BYTES
        if end - self._freed > size:
            return None
        self._fill = end
        self._ends.append(end)
        return self._area.base + start % size

    def take_back(self) -> None:
        """Undo the last :meth:`take`: nothing was sent from there."""
        self._ends.pop()
        self._fill = self._ends[-1] if self._ends else self._freed

    def free(self) -> None:
        """Give up the oldest message."""
        self._freed = self._ends.popleft()
