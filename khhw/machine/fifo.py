"""What is in a buffer of the simulated machine."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from rtl.formats import Flit, unpack

__all__ = ["Fifo", "Queued"]


@dataclass(frozen=True)
class Queued:
    """What is in a buffer of one packet.

    Parameters
    ----------
    header : int or None
        Its first flit, 64 bits; None if that has left the buffer and was written over.
    flits : int
        How many of its flits are there.
    begun : bool
        Its header has left the buffer.
    """

    header: int | None
    flits: int
    begun: bool


class Fifo:
    """An ``amaranth.lib.fifo.SyncFIFOBuffered`` of flits: a memory of `depth` - 1 and an output register.

    Parameters
    ----------
    get : callable
        Reads a signal by its path; None if there is none.
    path : str
        Of the buffer.
    depth : int
        Flits.
    """

    def __init__(self, get: Callable[[str], int | None], path: str, depth: int) -> None:
        self._get = get
        self._path = path
        self._rows = depth - 1

    def packets(self) -> Iterator[Queued]:
        """Packets in the buffer, the first to leave first; nothing if the buffer cannot be read."""
        front, level, row = (self._get(f"{self._path}.{name}") for name in ("r_data", "inner_level", "r_port__addr"))
        if front is None or level is None or row is None or not self._get(f"{self._path}.r_rdy"):
            return
        flits = [front, *(self._row(row + index) for index in range(level))]
        current: Queued | None = None
        for flit in (unpack(Flit, flit) for flit in flits):
            if flit["first"] and current is not None:
                yield current
            if flit["first"]:
                current = Queued(flit["data"], 1, begun=False)
            elif current is None:
                current = Queued(self._past_header(level, row), 1, begun=True)
            else:
                current = replace(current, flits=current.flits + 1)
        if current is not None:
            yield current

    def _row(self, index: int) -> int:
        return self._get(f"{self._path}.storage[{index % self._rows}]") or 0

    def _past_header(self, level: int, row: int) -> int | None:
        """The header of the packet at the output, if the memory still has it: rows keep what has left."""
        for back in range(2, self._rows - level + 1):
            flit = unpack(Flit, self._row(row - back))
            if flit["first"]:
                return flit["data"]
            if flit["last"]:
                return None
        return None
