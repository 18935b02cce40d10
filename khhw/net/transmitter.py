"""Putting segments into an injection ring."""

from khhw.net.segments import PREFIX, PREFIX_BYTES, Kind, segment_descriptor, template
from khhw.node import Area, InjectionRing, Node, Work

__all__ = ["CONTROL_BYTES", "Transmitter"]

CONTROL_BYTES = 32
"""Room for the payload of a control segment, one for each descriptor of the ring."""
_WORD = (1 << 32) - 1


class Transmitter:
    """Segments of all connections of a node, on one injection ring.

    Parameters
    ----------
    node : Node
    ring : InjectionRing
    control : Area
        Payloads of control segments: buffer i belongs to descriptor i of the ring, so it is free when that is.
    reception_ring : int
        Where segments go at their destination.

    Attributes
    ----------
    sent : int
        Segments so far.
    """

    def __init__(self, node: Node, ring: InjectionRing, control: Area, reception_ring: int) -> None:
        self._node = node
        self.ring = ring
        self._control = control
        self._reception_ring = reception_ring
        self._templates: dict[int, int] = {}
        self.sent = 0

    def _template(self, rank: int) -> int:
        if rank not in self._templates:
            self._templates[rank] = template(self._node.shape.coordinate(rank), self._reception_ring)
        return self._templates[rank]

    async def announce(self, _now: int) -> None:
        """Ring the doorbell for whoever was cancelled before."""
        await self.ring.doorbell()

    def push(
        self, rank: int, function: int, connection: int, mark: int, sequence: int, address: int, length: int
    ) -> None:
        """Add a segment whose message is in memory; there is :meth:`InjectionRing.room`. Sent at the next doorbell."""
        self.ring.push(
            segment_descriptor(self._template(rank), function, connection, mark, sequence, address, length))
        self.sent += 1

    def push_control(
        self, rank: int, kind: Kind, connection: int, mark: int, sequence: int, *, acknowledgement: int = 0,
        window: int = 0, gap: int = 0, extra: int = 0,
    ) -> None:
        """Add a control segment; see :meth:`push`."""
        address = self._control.base + self.ring.slot * CONTROL_BYTES
        self._node.memory[address] = PREFIX.pack(acknowledgement & _WORD, window, gap & _WORD, extra)
        self.push(rank, kind, connection, mark, sequence, address, PREFIX_BYTES)

    async def control(
        self, rank: int, kind: Kind, connection: int, mark: int, sequence: int, *, acknowledgement: int = 0,
        window: int = 0, gap: int = 0, extra: int = 0,
    ) -> None:
        """Send a control segment."""
        await self._node.work_all({Work.SEGMENT: 1, Work.DESCRIPTOR: 1})
        await self.ring.room(1)
        self.push_control(
            rank, kind, connection, mark, sequence, acknowledgement=acknowledgement, window=window, gap=gap,
            extra=extra)
        await self.ring.doorbell()
