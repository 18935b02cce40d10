"""Byte counters: windows for puts and remote gets."""

from typing import TYPE_CHECKING

from rtl.registers import Irq

if TYPE_CHECKING:
    from khhw.node.node import Node

__all__ = ["InjectionCounter", "ReceptionCounter"]


class ReceptionCounter:
    """A reception counter: the window puts may write, and the bytes still expected.

    Parameters
    ----------
    node : Node
    number : int
    """

    def __init__(self, node: "Node", number: int) -> None:
        self._node = node
        self.number = number

    async def arm(self, window: int, limit: int, value: int) -> None:
        """Accept puts.

        Parameters
        ----------
        window : int
            Byte address offsets count from, a multiple of 8.
        limit : int
            Bytes that may be written.
        value : int
            Bytes after which :meth:`wait` ends.
        """
        await self.disarm()
        await self._node.acknowledge(Irq.RECEPTION_HIT, self.number)
        self._node.reception_hits.discard(self.number)
        await self._node.write("RECEPTION_WINDOW", window, self.number)
        await self._node.write("RECEPTION_LIMIT", limit, self.number)
        await self._node.write("RECEPTION_VALUE", value, self.number)
        await self._node.write("RECEPTION_ARMED", 1, self.number)

    async def disarm(self) -> None:
        """Refuse puts."""
        await self._node.write("RECEPTION_ARMED", 0, self.number)

    async def value(self) -> int:
        """Bytes still expected."""
        return await self._node.read("RECEPTION_VALUE", self.number)

    async def wait(self, timeout: int | None = None) -> bool:
        """Sleep until the counter has reached zero; False if that lasts longer than `timeout` cycles.

        One task of a node waits for counters at a time; hits of other counters are kept for their turn.
        """
        end = None if timeout is None else self._node.now + timeout
        kept, word = self._node.reception_hits, self.number // 32
        while self.number not in kept:
            left = None if end is None else max(0, end - self._node.now)
            if not await self._node.wait(Irq.RECEPTION_HIT, timeout=left):
                return False
            hits = await self._node.read("RECEPTION_HITS", word)
            await self._node.write("RECEPTION_HITS", hits, word)
            kept |= {32 * word + bit for bit in range(32) if hits >> bit & 1}
        kept.remove(self.number)
        return True


class InjectionCounter:
    """An injection counter: the window descriptors read from, and who else may read it.

    Parameters
    ----------
    node : Node
    number : int
    """

    def __init__(self, node: "Node", number: int) -> None:
        self._node = node
        self.number = number

    async def open(self, window: int, limit: int, *, reader: int | None = None) -> None:
        """Let descriptors read `limit` bytes from byte address `window`.

        Parameters
        ----------
        window, limit : int
        reader : int or None
            Node id that may read by remote get; None for nobody.
        """
        await self._node.write("INJECTION_READER", 0, self.number)
        await self._node.write("INJECTION_WINDOW", window, self.number)
        await self._node.write("INJECTION_LIMIT", limit, self.number)
        if reader is not None:
            await self._node.write("INJECTION_READER", 1 << 17 | reader, self.number)

    async def close(self) -> None:
        """Nobody reads the window any more."""
        await self._node.write("INJECTION_READER", 0, self.number)
        await self._node.write("INJECTION_LIMIT", 0, self.number)
