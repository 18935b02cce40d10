"""Room for items: pieces of one stretch of memory, in size classes."""

from bisect import bisect_left

__all__ = ["Extents", "class_bytes"]

_SMALLEST = 64
_STEPS = 8


def class_bytes(length: int) -> int:
    """The size class of `length` bytes: eight classes a doubling, so that at most an eighth stays unused.

    Below 512 bytes classes are 64 bytes apart, a quarter of what a torus packet carries.
    """
    step = max(_SMALLEST, 1 << max(0, (length - 1).bit_length() - 1) >> _STEPS.bit_length() - 1)
    return -(-length // step) * step


class Extents:
    """Which bytes of a stretch of memory are free; first fit, neighbours grow together again.

    Parameters
    ----------
    base, length : int
        The stretch.
    """

    def __init__(self, base: int, length: int) -> None:
        self._starts = [base]
        self._lengths = [length]

    @property
    def free(self) -> int:
        """Free bytes in all."""
        return sum(self._lengths)

    def take(self, length: int) -> int | None:
        """Address of `length` bytes that are taken now; None if there are not as many in one piece."""
        for index, (start, room) in enumerate(zip(self._starts, self._lengths, strict=True)):
            if room == length:
                del self._starts[index], self._lengths[index]
                return start
            if room > length:
                self._starts[index] += length
                self._lengths[index] -= length
                return start
        return None

    def give(self, start: int, length: int) -> tuple[int, int]:
        """Bytes are free again; returns start and end of the free piece they are in now."""
        index = bisect_left(self._starts, start)
        if index < len(self._starts) and self._starts[index] == start + length:
            length += self._lengths.pop(index)
            del self._starts[index]
        if index and self._starts[index - 1] + self._lengths[index - 1] == start:
            index -= 1
            start = self._starts[index]
            self._lengths[index] += length
        else:
            self._starts.insert(index, start)
            self._lengths.insert(index, length)
        return start, start + self._lengths[index]
