"""The byte counters of a node, lent to windows and transfers."""

from collections.abc import Awaitable, Callable
from functools import partial

from khhw.net.buffers import ALIGN, Buffer
from khhw.net.errors import WindowError
from khhw.net.free_counters import FreeCounters
from khhw.net.keys import Keys
from khhw.net.timers import Timers
from khhw.net.windows import Anybody, Window
from khhw.node import OWN_COUNTER, Area, InjectionCounter, Node, ReceptionCounter
from rtl.formats import DESCRIPTOR_BYTES, PACKET_BYTES, PACKET_FLITS, WORD_BYTES

__all__ = ["REQUEST_BYTES", "CounterPool", "lane_holds"]

Gone = Callable[[], Awaitable[bool]]

REQUEST_BYTES = 8 * DESCRIPTOR_BYTES
"""Room for the descriptors of a get, one for each reception counter."""
_LATE = 100_000
"""Cycles a key is not used again after a get or a window that missed bytes: they may come yet. Then, as after any other
use, the counter's other keys go first."""
_SENT_LATER = 100_000
"""Cycles between looks at a descriptor of a transfer that was given up and is still in its ring."""
_PACKET_WORDS = PACKET_BYTES // WORD_BYTES + 1
"""Words of memory a packet's payload lies in, at most."""


def lane_holds(lanes: int) -> int:
    """Cycles after disarming in which memory may still be written, and bytes counted.

    A reception lane looks a window up at the head of a packet and stores the rest by what it found. The flits come one
    a cycle, but for each word every other client of a memory may come first, where it is read and where it is written
    (``readers`` and ``writers`` of :class:`~rtl.ni.arbiter.MemoryArbiter`), where a memory takes a request a cycle;
    and it takes a few cycles on the way.

    Parameters
    ----------
    lanes : int
        Lanes of a node, all nodes of a machine being equal.
    """
    readers, writers = 2 * lanes + 2, lanes + 2
    return PACKET_FLITS + _PACKET_WORDS * (readers + writers) + 8


class CounterPool:
    """Who has which counter, and which are free.

    Parameters
    ----------
    node : Node
    timers : Timers
    counters : int
        Of each side.
    lanes : int
        Of the node.
    answers : bool
        Whether the node has an injection ring for remote gets.
    requests : Area
        :data:`REQUEST_BYTES` for each reception counter.

    Attributes
    ----------
    reception_pool, injection_pool : FreeCounters
        Free ones.
    """

    def __init__(
        self, node: Node, timers: Timers, counters: int, *, lanes: int, answers: bool, requests: Area,
    ) -> None:
        self._node = node
        self._timers = timers
        self._answers = answers
        self._lane_holds = lane_holds(lanes)
        self._answering = False
        self._requests = requests
        self._reception = [node.reception_counter(number) for number in range(counters)]
        self._injection = [node.injection_counter(number) for number in range(counters)]
        self._whole_memory: set[int] = set()
        self._keys = [Keys(node.now) for _ in range(counters)]
        self._keyless: set[int] = set()
        self.reception_pool = FreeCounters(range(counters), 2, "reception counter")
        self.injection_pool = FreeCounters(range(OWN_COUNTER + 1, counters), 1, "injection counter")

    async def register(
        self, buffer: Buffer, read: Anybody | int | None, write: Anybody | int | None,
    ) -> Window:
        """Open a window; see :meth:`khhw.net.Net.register`."""
        reader, writer = self._peer("read", read), self._peer("write", write)
        if buffer.address % ALIGN or not buffer.length or buffer.address + buffer.length > len(self._node.memory):
            raise WindowError(
                f"a window is memory of the node from a multiple of {ALIGN} on, not {buffer.length} bytes at "
                f"{buffer.address:#x}")
        reads = None if read is None else self._for_reading()
        try:
            writes = None if write is None else self._spare(self.reception_pool, "reception")
        except WindowError:
            if reads is not None:
                self.injection_pool.give(reads)
            raise
        if reads is not None:
            await self._open_for_reading(reads, buffer, reader)
        key = 0
        if writes is not None:
            key = self.key(writes)
            await self._reception[writes].arm(
                buffer.address, buffer.length, 0, writer=writer, anybody=writer is None, key=key)
        counter = None if writes is None else self._reception[writes]
        return Window(self._node, buffer, reads, counter, key, partial(self._unregister, reads, writes, key))

    def _peer(self, right: str, who: Anybody | int | None) -> int | None:
        """Node id of the only one with a right; None for anybody, or nobody."""
        if isinstance(who, bool):
            raise TypeError(f"{right}= is a rank, ANY or None, not {who}")
        return self._node.shape.node_id(who) if isinstance(who, int) else None

    async def _open_for_reading(self, number: int, buffer: Buffer, reader: int | None) -> None:
        if not self._answering:
            self._answering = True
            await self._node.answer_gets()
        self._whole_memory.discard(number)
        await self._injection[number].open(buffer.address, buffer.length, reader=reader, anybody=reader is None)

    def _for_reading(self) -> int:
        if not self._answers:
            raise WindowError("this node has one injection ring, and none to answer gets with")
        return self._spare(self.injection_pool, "injection")

    def _spare(self, pool: FreeCounters, side: str) -> int:
        number = pool.take_if_spare()
        if number is None:
            raise WindowError(f"node {self._node.rank} has no {side} counter left for another window; close one")
        return number

    async def _unregister(self, reads: int | None, writes: int | None, key: int, late: bool) -> None:
        """Close the window of these counters, and `key`; `late`: bytes for it may come yet."""
        if reads is not None:
            await self._injection[reads].close()
            self.injection_pool.give(reads)
        if writes is not None:
            await self._reception[writes].disarm()
            await self._node.sleep(self._lane_holds)
            await self._node.reception_hits.clear(writes)
            self._give_key(writes, key, late=late)
            self._give(writes)

    def reception_counter(self, number: int) -> ReceptionCounter:
        """Reception counter `number`."""
        return self._reception[number]

    def injection_counter(self, number: int) -> InjectionCounter:
        """Injection counter `number`."""
        return self._injection[number]

    async def sending_counter(self, number: int) -> InjectionCounter:
        """Injection counter `number` with all memory for its window."""
        counter = self._injection[number]
        if number not in self._whole_memory:
            await counter.open(0, len(self._node.memory))
            self._whole_memory.add(number)
        return counter

    def request_area(self, number: int) -> Area:
        """Where the descriptors of a get with reception counter `number` are."""
        return Area(self._requests.base + number * REQUEST_BYTES, REQUEST_BYTES)

    def key(self, number: int) -> int:
        """A key for the next use of a reception counter that was taken from the pool."""
        return self._keys[number].take()

    def _give_key(self, number: int, key: int, *, late: bool) -> None:
        """Use a key again, when puts with it cannot come any more."""
        if late:
            self._timers.at(self._node.now + _LATE, partial(self._rested, number, key))
        else:
            self._keys[number].give(key)

    async def _rested(self, number: int, key: int, _now: int) -> None:
        self._keys[number].give(key)
        if number in self._keyless:
            self._keyless.discard(number)
            self.reception_pool.give(number)

    def _give(self, number: int) -> None:
        """Lend a reception counter again, when it has a key."""
        if self._keys[number]:
            self.reception_pool.give(number)
        else:
            self._keyless.add(number)

    def disarm_later(self, number: int, key: int, length: int, gone: Gone | None = None) -> None:
        """Close the window of a get of `length` bytes that has ended, and lend its counter again.

        Parameters
        ----------
        number, key, length : int
        gone : callable, optional
            Of a get whose bytes may come yet: says that its request has left :meth:`request_area`.
        """
        self._timers.at(self._node.now, partial(self._disarm, number, key, length, gone))

    async def _disarm(self, number: int, key: int, length: int, gone: Gone | None, _now: int) -> None:
        await self._reception[number].disarm()
        self._give_key(number, key, late=gone is not None)
        # A put that was looked up before may still be counted, even if all bytes have come: its sender is hostile then.
        self._timers.at(self._node.now + self._lane_holds, partial(self._lend, number, length, gone))

    async def _lend(self, number: int, length: int, gone: Gone | None, _now: int) -> None:
        if gone is not None and not await gone():
            self._timers.at(self._node.now + _SENT_LATER, partial(self._lend, number, length, gone))
            return
        await self._node.reception_hits.clear(number)
        # The next get is often as long as the last: it finds its counter ready.
        await self._reception[number].prepare(length)
        self._give(number)

    def lend_sender_later(self, number: int, gone: Gone) -> None:
        """Lend the counter of a put that was given up when ``gone()`` says that nothing counts on it any more."""
        self._timers.at(self._node.now, partial(self._lend_sender, number, gone))

    async def _lend_sender(self, number: int, gone: Callable[[], Awaitable[bool]], _now: int) -> None:
        if await gone():
            await self._node.injection_hits.clear(number)
            self.injection_pool.give(number)
        else:
            self._timers.at(self._node.now + _SENT_LATER, partial(self._lend_sender, number, gone))

    async def close(self) -> None:
        """Close all windows."""
        for landing in self._reception:
            await landing.disarm()
        await self._node.sleep(self._lane_holds)
        for source in self._injection[OWN_COUNTER + 1:]:
            await source.close()
