"""Which memory a net takes: from the end of the heap, so that the kernel's part begins where it always does."""

from dataclasses import dataclass

from khhw.net.counter_pool import REQUEST_BYTES
from khhw.net.errors import NetError
from khhw.net.segments import CONNECTIONS
from khhw.net.transmitter import CONTROL_BYTES
from khhw.node import Area, Layout
from rtl.formats import DESCRIPTOR_BYTES

__all__ = ["Areas"]

_LARGE = 512 << 10
"""Heap from which on a net takes areas of full size."""
_LEAST_BUFFER = 1 << 10
_CRAMPED_BUFFER = 512
"""Of each connection if that makes room for all there shall be."""
_MOST_BUFFER = 16 << 10


def _share(layout: Layout) -> int:
    """Bytes for the buffers of all connections."""
    return 3 * layout.heap.length // 10


@dataclass(frozen=True)
class Areas:
    """Memory of a net.

    Parameters
    ----------
    heap : Area
        What is left for the kernel.
    reception : Area
        Reception ring of the streams.
    streams, puts : Area
        Injection rings.
    control : Area
        Payloads of control segments.
    requests : Area
        Descriptors of gets, one block a reception counter.
    buffers : tuple of (Area, Area)
        Send and receive buffers of connections.
    """

    heap: Area
    reception: Area
    streams: Area
    puts: Area
    control: Area
    requests: Area
    buffers: tuple[tuple[Area, Area], ...]

    @staticmethod
    def most_connections(layout: Layout) -> int:
        """How many connections there can be on a node with that memory, if it has room for a net."""
        return min(CONNECTIONS, max(1, _share(layout) // (2 * _CRAMPED_BUFFER)))

    @classmethod
    def plan(cls, layout: Layout, counters: int, connections: int) -> "Areas":
        """Areas for a node's memory.

        Parameters
        ----------
        layout : Layout
        counters : int
            Reception counters of the node.
        connections : int
            How many there shall be at once; fewer if the memory is small.

        Raises
        ------
        NetError
            If there is no room for a net.
        """
        heap = layout.heap
        large = heap.length >= _LARGE
        descriptors = 128 if large else 32
        end = heap.end

        def cut(length: int) -> Area:
            nonlocal end
            end -= length
            return Area(end, length)

        reception = cut((64 if large else 4) << 10)
        streams, puts = cut(descriptors * DESCRIPTOR_BYTES), cut(descriptors * DESCRIPTOR_BYTES)
        control, requests = cut(descriptors * CONTROL_BYTES), cut(counters * REQUEST_BYTES)
        share = _share(layout)
        buffer = _LEAST_BUFFER
        if 2 * _CRAMPED_BUFFER * connections <= share < 2 * _LEAST_BUFFER * connections:
            buffer = _CRAMPED_BUFFER
        while buffer < _MOST_BUFFER and 4 * buffer * connections <= share:
            buffer *= 2
        pairs = min(connections, max(1, share // (2 * buffer)))
        buffers = tuple((cut(buffer), cut(buffer)) for _ in range(pairs))
        if end <= heap.base:
            raise NetError(f"A heap of {heap.length} bytes has no room for a net; give the node 64 KiB of memory")
        return cls(Area(heap.base, end - heap.base), reception, streams, puts, control, requests, buffers)
