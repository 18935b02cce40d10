"""Reading result tables out of the clients' memories, from outside."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from khhw.kernels.memcached_load.table import HEADER, MAGIC, OPS, POINT, SAMPLE, PointRecord

__all__ = ["LoadTable", "TableError", "load_table"]

_SAMPLE = np.dtype([("begin", ">u8"), ("cycles", ">u4"), ("value_bytes", ">u4"), ("op", "u1"), ("pad", "V7")])


class TableError(RuntimeError):
    """A memory does not hold the table a client should have left there."""


@dataclass(frozen=True)
class LoadTable:
    """What one client left.

    Parameters
    ----------
    connections : int
    points : list of PointRecord
        Those that were measured to their end.
    samples : structured numpy array, shape (samples,)
        Fields ``begin``, ``cycles``, ``value_bytes`` and ``op``.
    """

    connections: int
    points: list[PointRecord]
    samples: npt.NDArray[np.void]

    def of(self, point: int, op: str) -> npt.NDArray[np.void]:
        """Samples of one operation of a point."""
        record = self.points[point]
        samples = self.samples[record.first:record.first + record.samples]
        chosen: npt.NDArray[np.void] = samples[samples["op"] == OPS.index(op)]
        return chosen


def load_table(memory: Callable[[int, int], bytes], base: int) -> LoadTable | None:
    """The table at `base` of a memory; None if there is none.

    Raises
    ------
    TableError
        If its kernel has not ended.
    """
    magic, points, done, samples, connections, ended = HEADER.unpack(memory(base, HEADER.size))
    if magic != MAGIC:
        return None
    if not ended:
        raise TableError(f"a client of memcached ended after {done} of {points} points")
    at = base + HEADER.size
    records = [PointRecord.unpack(memory(at + number * POINT.size, POINT.size)) for number in range(done)]
    data = memory(at + points * POINT.size, samples * SAMPLE.size)
    return LoadTable(connections, records, np.frombuffer(data, dtype=_SAMPLE))
