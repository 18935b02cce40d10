"""Places in node memory: what the four calls read and write."""

from collections import deque
from dataclasses import dataclass

from khhw.node import Area

__all__ = ["ALIGN", "Buffer", "RingSpace"]

ALIGN = 8
"""Messages begin at a multiple of this in memory."""


@dataclass(frozen=True)
class Buffer:
    """Bytes in the memory of the caller's own node.

    Parameters
    ----------
    address : int
        Byte address.
    length : int
        Bytes.

    Raises
    ------
    ValueError
        If one is negative.
    """

    address: int
    length: int

    def __post_init__(self) -> None:
        if self.address < 0 or self.length < 0:
            raise ValueError(f"A buffer cannot be {self.length} bytes at {self.address:#x}")

    def slice(self, offset: int, length: int) -> "Buffer":
        """`length` bytes from `offset` on.

        Raises
        ------
        ValueError
            If they leave the buffer.
        """
        if offset < 0 or length < 0 or offset + length > self.length:
            raise ValueError(f"{length} bytes at offset {offset} leave a buffer of {self.length} bytes")
        return Buffer(self.address + offset, length)


class RingSpace:
    """Room for messages that are given up in the order they came in, each in one piece.

    Parameters
    ----------
    area : Area
    """

    def __init__(self, area: Area) -> None:
        self._area = area
        self._fill = 0
        self._ends: deque[int] = deque()
        self._freed = 0

    def take(self, length: int) -> int | None:
        """Address of `length` bytes, a multiple of 8; None if there is no room."""
        size = self._area.length
        if not self._ends:
            self._fill = self._freed = 0
        start = self._fill
        if start % size + length > size:
            start = -(-start // size) * size
        end = -(-(start + length) // ALIGN) * ALIGN
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
