"""The result table of a load kernel at the base of its heap: the one definition that kernel and reader share.

A header, a record for each point, then samples.
"""

import struct
from dataclasses import astuple, dataclass

__all__ = ["HEADER", "MAGIC", "OPS", "POINT", "SAMPLE", "PointRecord"]

HEADER = struct.Struct(">4sIIIII8x")
"""Magic, points of the plan, points that are done, samples, connections, 1 when the kernel has ended."""
MAGIC = b"KHML"
POINT = struct.Struct(">QQQQQQIIIIIIIIIII4x")
"""A :class:`PointRecord`."""
SAMPLE = struct.Struct(">QIIB7x")
"""Cycle it began, cycles it took, bytes of the value, index in :data:`OPS`."""
OPS = ("get", "set")


@dataclass
class PointRecord:
    """What a client knows of a point.

    Parameters
    ----------
    begin, end : int
        Cycles of the measurement.
    client_ns : int
        Software time charged to this client in it.
    server_ns : int
        And to the server, if this client leads; else 0.
    client_accesses, server_accesses : int
        Register accesses, likewise.
    gets, sets : int
        Operations that began in it and ended.
    first, samples : int
        Index of this point's first sample, and how many there are.
    misses, torn, stale, fallbacks, errors : int
        GETs without a value; reads again; SETs that found no window; operations that failed, or had not ended.
    wrong : int
        GETs of a value that nobody wrote under the key: torn, or another's.
    evictions : int
        By the server in the measurement, if this client leads; else 0.
    """

    begin: int = 0
    end: int = 0
    client_ns: int = 0
    server_ns: int = 0
    client_accesses: int = 0
    server_accesses: int = 0
    gets: int = 0
    sets: int = 0
    first: int = 0
    samples: int = 0
    misses: int = 0
    torn: int = 0
    stale: int = 0
    fallbacks: int = 0
    errors: int = 0
    wrong: int = 0
    evictions: int = 0

    def pack(self) -> bytes:
        """As it stands in memory."""
        return POINT.pack(*astuple(self))

    @classmethod
    def unpack(cls, data: bytes) -> "PointRecord":
        """Out of memory."""
        return cls(*POINT.unpack(data))
