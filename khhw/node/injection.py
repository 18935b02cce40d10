"""Injection rings: descriptors out of node memory."""

from collections import deque
from collections.abc import Callable, Sequence

from khhw.host.cpu import Work
from khhw.host.sync import Event, Queue
from khhw.node.access import RegisterAccess
from khhw.node.layout import Area
from khhw.node.ring_space import RingSpace
from rtl.formats import CHUNK_BYTES, DESCRIPTOR_BYTES, FLIT_BYTES, PACKET_FLITS, PAYLOAD_BYTES, Descriptor
from rtl.registers import REGISTERS

__all__ = ["InjectionRing", "remote_ring_size"]

_LENGTH = slice(12, 16)
"""Bytes of a descriptor that hold its length."""
assert Descriptor["length"].offset == 8 * (DESCRIPTOR_BYTES - 16)

_START = 16
"""Cycles from the doorbell to the first flit, about."""
_LONGEST_NAP = 256
"""Cycles between two looks at a ring that does not move on."""
_LONGEST_MESSAGE = 4096
"""Cycles; a descriptor may lie about its length."""


def remote_ring_size(length: int) -> int:
    """INJECTION_SIZE of a ring of `length` bytes, whole chunks, that takes the descriptors of remote gets."""
    return REGISTERS["INJECTION_SIZE"].pack(chunks=length // CHUNK_BYTES, remote=1)


class InjectionRing:
    """A memory ring of descriptors and the staging area for what they send.

    Several tasks may use it at once, and many batches may be under way. A batch costs one register access, the
    doorbell; HEAD is read when somebody wants to know what has left memory, at the time it should have.

    Parameters
    ----------
    node : RegisterAccess
    ring : int
        Number.
    area : Area
        Where the descriptors are.
    staging : Area
        Where :meth:`send` copies to.
    """

    def __init__(self, node: RegisterAccess, ring: int, area: Area, staging: Area) -> None:
        self._node = node
        self._ring = ring
        self._area = area
        self._staging = staging
        self._slots = area.length // DESCRIPTOR_BYTES
        self._lengths = [0] * self._slots
        self._turn: Queue[None] = Queue(name="a turn at the staging area")
        self._turn.put_nowait(None)
        self._rung = Event("the doorbell")
        self._start()

    def _start(self) -> None:
        """Descriptors are counted from here on: pushed, announced to the hardware, taken by it."""
        self.pushed = self._announced = self._taken = 0
        self._ringing = False
        self._rung_at = 0
        self._space = RingSpace(self._staging)
        # Numbers of the descriptors whose data is there.
        self._staged: deque[int] = deque()

    @property
    def capacity(self) -> int:
        """Descriptors a batch can have."""
        return self._slots - 1

    @property
    def taken(self) -> int:
        """Descriptors the hardware is known to have taken."""
        return self._taken

    @property
    def slot(self) -> int:
        """Index of the next descriptor in the ring."""
        return self.pushed % self._slots

    async def open(self) -> None:
        """Tell the hardware where the ring is, and empty it."""
        await self._node.write("INJECTION_BASE", self._area.base, self._ring)
        await self._node.write("INJECTION_SIZE", self._area.length, self._ring)
        self._start()

    async def close(self) -> None:
        """Take the ring from the hardware; :meth:`drain` it before."""
        await self._node.write("INJECTION_SIZE", 0, self._ring)

    async def send(self, data: bytes, make: Callable[[int], bytes], *, align: int = FLIT_BYTES) -> int:
        """Copy `data` to the staging area, inject a descriptor for it and wait until it has left memory.

        Parameters
        ----------
        data : bytes
        make : callable (address) -> bytes
            Makes the descriptor.
        align : int
            The address is a multiple of it.

        Returns
        -------
        int
            Cycle in which the doorbell was rung.

        Raises
        ------
        ValueError
            If the data does not fit.
        """
        last = await self.queue(data, [make], align=align)
        cycle = await self.doorbell()
        await self.left(last)
        return cycle

    async def queue(self, data: bytes, makes: Sequence[Callable[[int], bytes]], *, align: int = FLIT_BYTES) -> int:
        """Copy `data` to the staging area and push descriptors for it; the hardware sees them at the next doorbell.

        Parameters
        ----------
        data : bytes
        makes : sequence of callable (address) -> bytes
            Each makes a descriptor. There is at least one.
        align : int
            The address is a multiple of it.

        Returns
        -------
        int
            Number of the last descriptor, for :meth:`left`.

        Raises
        ------
        ValueError
            If the data does not fit.
        """
        if len(data) > self._staging.length:
            raise ValueError(f"{len(data)} bytes do not fit into the {self._staging.length} for staging")
        await self._node.work_all({Work.COPY: len(data), Work.DESCRIPTOR: len(makes)})
        await self._turn.get()
        last = -1
        try:
            address = await self._take(len(data), align)
            try:
                for make in makes:
                    await self.room(1)
                    if last < 0:
                        self._node.memory[address] = data
                    last = self.push(make(address))
            finally:
                if last < 0:
                    self._space.take_back()
                else:
                    self._staged.append(last)
        finally:
            self._turn.put_nowait(None)
        return last

    async def _take(self, length: int, align: int) -> int:
        """Address in the staging area of `length` bytes in one piece."""
        while True:
            while self._staged and self._staged[0] < self._taken:
                self._staged.popleft()
                self._space.free()
            address = self._space.take(length, align)
            if address is not None:
                return address
            # Who put it there may have been cancelled before the doorbell.
            await self.doorbell()
            await self.left(self._staged[0])

    async def post(self, *descriptors: bytes) -> int:
        """Inject descriptors and wait until the hardware has taken the last one.

        Parameters
        ----------
        *descriptors : bytes
            Each as :func:`khhw.node.descriptors.descriptor` makes it.

        Returns
        -------
        int
            Cycle in which the doorbell was rung.
        """
        cycle, last = await self._inject(descriptors)
        await self.left(last)
        return cycle

    async def start(self, *descriptors: bytes) -> int:
        """Inject descriptors; :meth:`drain` says when they have left memory."""
        return (await self._inject(descriptors))[0]

    async def _inject(self, descriptors: tuple[bytes, ...]) -> tuple[int, int]:
        if not 0 < len(descriptors) <= self.capacity:
            raise ValueError(f"A batch has 1 to {self.capacity} descriptors, not {len(descriptors)}")
        await self._node.work(Work.DESCRIPTOR, len(descriptors))
        await self.room(len(descriptors))
        for one in descriptors:
            last = self.push(one)
        return await self.doorbell(), last

    async def room(self, count: int) -> None:
        """Wait until `count` descriptors can be pushed; they can until the caller waits for something."""
        while (over := self.pushed + count - self._taken - self.capacity) > 0:
            await self.doorbell()
            await self.left(self._taken + over - 1)

    def push(self, one: bytes) -> int:
        """Write a descriptor into the ring; the hardware sees it at the next :meth:`doorbell`.

        Returns
        -------
        int
            Its number, for :meth:`left`.
        """
        number = self.pushed
        slot = number % self._slots
        self._node.memory[self._area.base + slot * DESCRIPTOR_BYTES] = one
        self._lengths[slot] = int.from_bytes(one[_LENGTH], "big")
        self.pushed += 1
        return number

    async def doorbell(self) -> int:
        """Announce all descriptors to the hardware, one task for all.

        Returns
        -------
        int
            Cycle in which it was rung.
        """
        while self._ringing:
            await self._rung.wait()
        if self._announced != self.pushed:
            self._ringing = True
            self._rung.clear()
            self._rung_at, announced = self._node.now, self.pushed
            try:
                await self._node.write("INJECTION_TAIL", self.slot * DESCRIPTOR_BYTES, self._ring)
                self._announced = announced
            finally:
                self._ringing = False
                self._rung.set()
        return self._rung_at

    async def left(self, number: int, timeout: int | None = None) -> bool:
        """Wait until the hardware has taken descriptor `number`; False if that lasts longer than `timeout` cycles."""
        end = None if timeout is None else self._node.now + timeout
        nap = self._rung_at + _START + self._cycles(number) - self._node.now
        while self._taken <= number:
            if end is not None:
                nap = min(nap, end - self._node.now)
            if nap > 0:
                await self._node.sleep(nap)
            before = self._taken
            head = await self._node.read("INJECTION_HEAD", self._ring) // DESCRIPTOR_BYTES
            self._taken = max(self._taken, before + (head - before) % self._slots)
            if end is not None and self._node.now >= end:
                break
            nap = min(max(8, self._cycles(number) // 2), _LONGEST_NAP)
        return self._taken > number

    async def drain(self, timeout: int | None = None) -> bool:
        """Wait until the hardware has taken every descriptor; False if that lasts longer than `timeout` cycles."""
        return await self.left(self.pushed - 1, timeout)

    def _cycles(self, number: int) -> int:
        """Least cycles the descriptors up to `number` that have not left take on a link."""
        waiting = (self._lengths[index % self._slots] for index in range(self._taken, number + 1))
        return min(_LONGEST_MESSAGE, sum(8 + length * PACKET_FLITS // PAYLOAD_BYTES for length in waiting))
