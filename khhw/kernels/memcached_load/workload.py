"""Which keys there are, how often each is asked for, and what their values look like."""

import random
from bisect import bisect_left
from itertools import accumulate

from khhw.kernels.memcached.extents import class_bytes
from khhw.kernels.memcached.item import item_bytes
from khhw.kernels.memcached_load.options import Plan, Point
from khhw.kernels.memcached_load.sizes import etc_key_bytes, etc_value_bytes

__all__ = ["SHORTEST_KEY", "ZIPF_EXPONENT", "Chooser", "Keys", "make_value", "right_value"]

ZIPF_EXPONENT = 0.99
"""As in YCSB: Cooper et al., Benchmarking Cloud Serving Systems with YCSB, SoCC 2010."""
SHORTEST_KEY = 12
_SERIAL_BYTES = 8


class Keys:
    """Keys and the sizes of their values. The same on all clients.

    Parameters
    ----------
    plan : Plan
    point : Point
    """

    def __init__(self, plan: Plan, point: Point) -> None:
        self.names: list[bytes] = []
        self.sizes: list[int] = []
        used = 0
        for index in range(plan.keys):
            choose = random.Random(f"{plan.seed} {index}")
            name = b"k%0*d" % (SHORTEST_KEY - 1, index)
            size = point.value_bytes
            if point.values == "etc":
                name = name.ljust(etc_key_bytes(choose, SHORTEST_KEY), b"-")
                size = etc_value_bytes(choose, plan.largest)
            used += class_bytes(item_bytes(len(name), size))
            if used > plan.memory and index:
                break
            self.names.append(name)
            self.sizes.append(size)

    def __len__(self) -> int:
        return len(self.names)


class Chooser:
    """Chooses keys.

    Parameters
    ----------
    keys : int
        How many there are.
    distribution : str
        ``uniform``, or ``zipf``: the k-th most popular is chosen in proportion to 1 / k ** 0.99. Which key is how
        popular is a permutation by `seed`, the same on all clients.
    seed : int
    stream : str
        Names this chooser's random numbers.
    """

    def __init__(self, keys: int, distribution: str, seed: int, stream: str) -> None:
        self._random = random.Random(f"{seed} {stream}")
        self._order = list(range(keys))
        self._cumulated: list[float] | None = None
        if distribution == "zipf":
            random.Random(f"{seed} popularity").shuffle(self._order)
            self._cumulated = list(accumulate((rank + 1) ** -ZIPF_EXPONENT for rank in range(keys)))

    def key(self) -> int:
        """Index of a key."""
        if self._cumulated is None:
            return self._random.randrange(len(self._order))
        rank = bisect_left(self._cumulated, self._random.random() * self._cumulated[-1])
        return self._order[min(rank, len(self._order) - 1)]

    def is_get(self, gets: int) -> bool:
        """Whether the next operation is a GET, with `gets` among 100."""
        return self._random.randrange(100) < gets

    def size(self, largest: int) -> int:
        """A size up to `largest`."""
        return self._random.randrange(1, largest + 1)

    def gap(self, mean: float) -> float:
        """Time to the next arrival of a Poisson process."""
        return self._random.expovariate(1 / mean)


def make_value(seed: int, index: int, serial: int, size: int) -> bytes:
    """The value a key gets from the `serial`-th write: every byte depends on key, write, size and place.

    It begins with the serial number; values too short for that depend on key and size alone.
    """
    if size < _SERIAL_BYTES:
        return random.Random(f"{seed} {index} {size}").randbytes(size)
    rest = random.Random(f"{seed} {index} {serial} {size}").randbytes(size - _SERIAL_BYTES)
    return serial.to_bytes(_SERIAL_BYTES, "big") + rest


def right_value(seed: int, index: int, value: bytes) -> bool:
    """Whether a value is one that some write gave this key."""
    return value == make_value(seed, index, int.from_bytes(value[:_SERIAL_BYTES], "big"), len(value))
