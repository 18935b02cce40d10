"""Injection rings: descriptors out of node memory."""

from typing import TYPE_CHECKING

from khhw.node.layout import Area
from rtl.formats import DESCRIPTOR_BYTES, FLIT_BYTES, Descriptor, unpack
from rtl.registers import Irq

if TYPE_CHECKING:
    from khhw.node.node import Node

__all__ = ["InjectionRing"]

_RECHECK = 256
"""Cycles after which the ring looks at its head again: the head moves a little after the counter hits zero, and
a ring whose last descriptor was skipped gets no hit at all."""


class InjectionRing:
    """A memory ring of descriptors and the staging area for what they send.

    One batch is under way at a time: a batch waits until the one before has left memory, so a staged message
    is never overwritten before it was read.

    Parameters
    ----------
    node : Node
    ring : int
        Number; injection counter `ring` counts its bytes.
    area : Area
        Where the descriptors are.
    staging : Area
        Where :meth:`stage` copies to.
    """

    def __init__(self, node: "Node", ring: int, area: Area, staging: Area) -> None:
        self._node = node
        self._ring = ring
        self._area = area
        self._staging = staging
        self._free = 0
        self._tail = 0

    @property
    def capacity(self) -> int:
        """Descriptors a batch can have."""
        return self._area.length // DESCRIPTOR_BYTES - 1

    async def open(self) -> None:
        """Tell the hardware where the ring is, and empty it."""
        await self._node.write("INJECTION_BASE", self._area.base, self._ring)
        await self._node.write("INJECTION_SIZE", self._area.length, self._ring)
        self._tail = self._free = 0

    def stage(self, data: bytes, align: int = FLIT_BYTES) -> int:
        """Copy data of the next batch to the staging area; returns its byte address.

        Raises
        ------
        ValueError
            If it does not fit.
        """
        start = -(-self._free // align) * align
        if start + len(data) > self._staging.length:
            raise ValueError(f"{len(data)} bytes do not fit into the {self._staging.length - start} left for staging")
        self._node.memory[self._staging.base + start] = data
        self._free = start + len(data)
        return self._staging.base + start

    async def post(self, *descriptors: bytes) -> int:
        """Inject descriptors and wait until the hardware has taken the last one.

        Parameters
        ----------
        *descriptors : bytes
            Each as :func:`khhw.node.descriptors.descriptor` makes it, of injection counter `ring`.

        Returns
        -------
        int
            Cycle in which the doorbell was rung.
        """
        cycle = await self.start(*descriptors)
        await self.drain()
        return cycle

    async def start(self, *descriptors: bytes) -> int:
        """Inject descriptors; the caller calls :meth:`drain` before the next batch."""
        if not 0 < len(descriptors) <= self.capacity:
            raise ValueError(f"A batch has 1 to {self.capacity} descriptors, not {len(descriptors)}")
        total = 0
        for one in descriptors:
            self._node.memory[self._area.base + self._tail] = one
            self._tail = (self._tail + DESCRIPTOR_BYTES) % self._area.length
            total += unpack(Descriptor, int.from_bytes(one, "big"))["length"]
        self._free = 0
        await self._node.write("INJECTION_VALUE", total & 0xFFFFFFFF, self._ring)
        cycle = self._node.now
        await self._node.write("INJECTION_TAIL", self._tail, self._ring)
        return cycle

    async def drain(self, timeout: int | None = None) -> bool:
        """Wait until the hardware has taken every descriptor; False if that lasts longer than `timeout` cycles."""
        end = None if timeout is None else self._node.now + timeout
        while await self._node.read("INJECTION_HEAD", self._ring) != self._tail:
            if end is not None and self._node.now >= end:
                return False
            if Irq.INJECTION_HIT in await self._node.wait(Irq.INJECTION_HIT, timeout=_RECHECK):
                await self._node.acknowledge(Irq.INJECTION_HIT, self._ring)
        return True
