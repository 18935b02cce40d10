"""Byte counters: windows for puts and remote gets."""

from typing import Any

from khhw.host.scheduler import Task
from khhw.host.sync import Event, spawn
from khhw.host.sync import timeout as time_limit
from khhw.host.transport import BusError
from khhw.node.access import RegisterAccess
from rtl.registers import REGISTERS, Irq

__all__ = ["CounterHits", "InjectionCounter", "ReceptionCounter"]

_HITS = {"INJECTION": Irq.INJECTION_HIT, "RECEPTION": Irq.RECEPTION_HIT}


class CounterHits:
    """Counters of one side that have reached zero. Any number of tasks wait, each for a counter of its own.

    Parameters
    ----------
    node : RegisterAccess
    side : str
        ``"INJECTION"`` or ``"RECEPTION"``.

    Attributes
    ----------
    kept : set of int
        Counters that have reached zero and were not waited for yet.
    """

    def __init__(self, node: RegisterAccess, side: str) -> None:
        self._node = node
        self._side = side
        self._waiting: dict[int, Event] = {}
        self._asked = Event(f"a task that waits for an {side.lower()} counter")
        self._collector: Task[Any] | None = None
        self._error: BusError | None = None
        self.kept: set[int] = set()

    async def wait(self, number: int, timeout: int | None = None) -> bool:
        """Sleep until counter `number` has reached zero; False if that lasts longer than `timeout` cycles."""
        if number not in self.kept:
            end = None if timeout is None else self._node.now + timeout
            event = self._waiting.setdefault(number, Event(f"{self._side.lower()} counter {number}"))
            try:
                while number not in self.kept:
                    await self._ask()
                    if not await _set_before(event, None if end is None else max(0, end - self._node.now)):
                        return False
                    event.clear()
                    if self._error is not None:
                        raise self._error
            finally:
                self._waiting.pop(number, None)
        self.kept.discard(number)
        return True

    async def clear(self, number: int) -> None:
        """Forget that a counter has reached zero."""
        await self._node.write(f"{self._side}_HITS", 1 << number % 32, number // 32)
        self.kept.discard(number)

    async def clear_all(self, counters: int) -> None:
        """Forget that any of `counters` has reached zero."""
        for word in range(-(-counters // 32)):
            await self._node.write(f"{self._side}_HITS", 0xFFFFFFFF, word)
        self.kept.clear()

    async def _ask(self) -> None:
        self._asked.set()
        if self._collector is None or self._collector.done:
            self._error = None
            self._collector = await spawn(self._collect(), name=f"{self._side.lower()} counters", daemon=True)

    async def _collect(self) -> None:
        register = f"{self._side}_HITS"
        try:
            while True:
                while not self._waiting:
                    self._asked.clear()
                    await self._asked.wait()
                await self._node.wait(_HITS[self._side])
                for word in sorted({number // 32 for number in self._waiting} | {0}):
                    hits = await self._node.read(register, word)
                    for number in (32 * word + bit for bit in range(32) if hits >> bit & 1):
                        self.kept.add(number)
                        if number in self._waiting:
                            self._waiting[number].set()
                    if hits:
                        await self._node.write(register, hits, word)
        except BusError as error:
            self._error = error
        finally:
            for event in list(self._waiting.values()):
                event.set()


async def _set_before(event: Event, cycles: int | None) -> bool:
    """Wait for an event, `cycles` at most."""
    if cycles is None:
        await event.wait()
        return True
    try:
        async with time_limit(cycles):
            await event.wait()
    except TimeoutError:
        return False
    return True


def _admitted(writer: int | None, anybody: bool, key: int) -> int:
    """RECEPTION_WRITER of an armed counter."""
    if (writer is None) != anybody:
        raise ValueError("a counter is armed for puts of one node (writer=) or of anybody (anybody=True), not "
                         + ("both" if anybody else "nobody"))
    return REGISTERS["RECEPTION_WRITER"].pack(armed=1, any=int(anybody), node=writer or 0, key=key)


class ReceptionCounter:
    """A reception counter: the window puts may write, whose puts, and the bytes still expected.

    Parameters
    ----------
    node : RegisterAccess
    hits : CounterHits
        Of its side.
    number : int
    """

    def __init__(self, node: RegisterAccess, hits: CounterHits, number: int) -> None:
        self._node = node
        self._hits = hits
        self._opened: tuple[int, int] | None = None
        self._prepared: int | None = None
        self.number = number

    async def arm(
        self, window: int, limit: int, value: int, *, writer: int | None = None, anybody: bool = False, key: int = 0,
    ) -> None:
        """Accept puts of one node, or of anybody; all others are dropped and counted in COUNTER_DROPS.

        Parameters
        ----------
        window : int
            Byte address offsets count from, a multiple of 8.
        limit : int
            Bytes that may be written.
        value : int
            Bytes after which :meth:`wait` ends.
        writer : int, optional
            Node id whose puts are taken; the guard of the sender has stamped it.
        anybody : bool
            Every node that may send here may put.
        key : int
            0 to 63, what puts must carry. It is no secret: it tells puts for this use of the counter from late ones
            for another, so a key is used again when those cannot come any more.

        Raises
        ------
        ValueError
            If there is not either a `writer` or `anybody`, or a number is out of range.
        """
        admitted = _admitted(writer, anybody, key)
        await self.disarm()
        await self._hits.clear(self.number)
        self._opened = self._prepared = None
        await self._rearm(window, limit, value, admitted)

    async def rearm(self, window: int, limit: int, value: int, *, writer: int, key: int) -> None:
        """:meth:`arm` for a counter that is disarmed and whose last hit was waited for: one to four writes."""
        await self._rearm(window, limit, value, _admitted(writer, False, key))

    async def _rearm(self, window: int, limit: int, value: int, admitted: int) -> None:
        self._hits.kept.discard(self.number)
        # Whoever is cancelled between the writes leaves nothing that counts as written.
        opened, self._opened = self._opened, None
        prepared, self._prepared = self._prepared, None
        if opened != (window, limit):
            await self._node.write("RECEPTION_WINDOW", window, self.number)
            await self._node.write("RECEPTION_LIMIT", limit, self.number)
        self._opened = window, limit
        if prepared != value:
            await self._node.write("RECEPTION_VALUE", value, self.number)
        await self._node.write("RECEPTION_WRITER", admitted, self.number)

    async def prepare(self, value: int) -> None:
        """Set the bytes to expect ahead of a :meth:`rearm` that will likely expect as many; for a disarmed counter."""
        await self._node.write("RECEPTION_VALUE", value, self.number)
        self._prepared = value

    async def disarm(self) -> None:
        """Refuse puts."""
        await self._node.write("RECEPTION_WRITER", 0, self.number)

    async def value(self) -> int:
        """Bytes still expected."""
        return await self._node.read("RECEPTION_VALUE", self.number)

    async def expect(self, value: int) -> None:
        """Count `value` bytes from now on; what comes meanwhile is lost count of."""
        self._prepared = None
        await self._hits.clear(self.number)
        await self._node.write("RECEPTION_VALUE", value, self.number)

    async def wait(self, timeout: int | None = None) -> bool:
        """Sleep until the counter has reached zero; False if that lasts longer than `timeout` cycles."""
        return await self._hits.wait(self.number, timeout)


class InjectionCounter:
    """An injection counter: the window descriptors read from, and who else may read it.

    Parameters
    ----------
    node : RegisterAccess
    hits : CounterHits
        Of its side.
    number : int
    """

    def __init__(self, node: RegisterAccess, hits: CounterHits, number: int) -> None:
        self._node = node
        self._hits = hits
        self.number = number

    async def open(self, window: int, limit: int, *, reader: int | None = None, anybody: bool = False) -> None:
        """Let descriptors read `limit` bytes from byte address `window`.

        Parameters
        ----------
        window, limit : int
        reader : int or None
            Node id that may read by remote get; None for nobody.
        anybody : bool
            Every node that may send here may read.
        """
        await self._node.write("INJECTION_READER", 0, self.number)
        await self._node.write("INJECTION_WINDOW", window, self.number)
        await self._node.write("INJECTION_LIMIT", limit, self.number)
        if reader is not None or anybody:
            await self._node.write_fields("INJECTION_READER", self.number, open=1, any=int(anybody), node=reader or 0)

    async def close(self) -> None:
        """Nobody reads the window any more."""
        await self._node.write("INJECTION_READER", 0, self.number)
        await self._node.write("INJECTION_LIMIT", 0, self.number)

    async def count(self, value: int) -> None:
        """Let :meth:`wait` end when `value` bytes have left memory."""
        self._hits.kept.discard(self.number)
        await self._node.write("INJECTION_VALUE", value, self.number)

    async def wait(self, timeout: int | None = None) -> bool:
        """Sleep until the counter has reached zero; False if that lasts longer than `timeout` cycles."""
        return await self._hits.wait(self.number, timeout)
