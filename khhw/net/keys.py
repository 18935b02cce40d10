"""Keys of a reception counter: what tells puts for one use of it from those for another."""

from collections import deque

from rtl.formats import PutHeader

__all__ = ["KEYS", "Keys"]

KEYS: int = 1 << PutHeader["key"].width
"""How many there are."""


class Keys:
    """Keys one counter is armed with, one after the other.

    A key is a generation, no secret: whoever is the writer of a window knows it. It keeps away the late puts of a use
    that is over, so it may be used again when none with it can come. They go round, and one that comes back is used
    after all that are here.

    Parameters
    ----------
    first : int
        The first key, modulo 64. A net that opens where another was closed had better not begin where that one did.
    """

    def __init__(self, first: int) -> None:
        self._free: deque[int] = deque((first + number) % KEYS for number in range(KEYS))

    def __len__(self) -> int:
        """How many may be taken."""
        return len(self._free)

    def take(self) -> int:
        """The key of the next use.

        Raises
        ------
        IndexError
            If there is none.
        """
        return self._free.popleft()

    def give(self, key: int) -> None:
        """No put with this key can come any more."""
        self._free.append(key)
