"""Packet streams: a source, a sink, and the patterns in which they pause."""

import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from rtl.formats import Flit, pack, unpack

__all__ = ["PAUSES", "FlitSink", "FlitSource", "Monitor", "Packet", "Pauses", "bursts", "never", "often"]

Pauses = Iterator[bool]
"""One value a cycle; True pauses the model in that cycle."""

Monitor = Callable[["Packet"], None]
"""Called with each packet that was taken whole."""

FLIT_WIDTH = Flit.size


def never() -> Pauses:
    """Never pauses."""
    return repeat(False)


def often(seed: int = 1, share: float = 0.5) -> Pauses:
    """Pauses at random, in the given share of the cycles."""
    generator = random.Random(seed)
    while True:
        yield generator.random() < share


def bursts(seed: int = 1, longest: int = 40) -> Pauses:
    """Alternates runs and pauses of random length, up to `longest` cycles each."""
    generator = random.Random(seed)
    while True:
        for pause in (False, True):
            yield from repeat(pause, generator.randint(1, longest))


PAUSES: dict[str, Callable[[], Pauses]] = {"never": never, "often": often, "bursts": bursts}
"""Patterns by name, for parametrised tests."""


@dataclass(frozen=True)
class Packet:
    """A packet: 64-bit words of its flits, the bad mark of its tail, and the channel on a tree stream."""

    words: tuple[int, ...]
    bad: bool = False
    channel: int = 0

    @classmethod
    def of_bytes(cls, content: bytes, *, bad: bool = False, channel: int = 0) -> "Packet":
        """A packet of the given bytes, a multiple of 8."""
        if len(content) % 8:
            raise ValueError(f"{len(content)} bytes are not whole flits")
        words = tuple(int.from_bytes(content[i:i + 8], "big") for i in range(0, len(content), 8))
        return cls(words, bad, channel)

    def to_bytes(self) -> bytes:
        """All flits, first byte in the most significant bits."""
        return b"".join(word.to_bytes(8, "big") for word in self.words)

    def flits(self) -> Iterator[int]:
        """Payload of the stream for each flit; the channel is above the flit."""
        for index, word in enumerate(self.words):
            last = index == len(self.words) - 1
            yield self.channel << FLIT_WIDTH | pack(
                Flit, first=index == 0, last=last, bad=last and self.bad, data=word)


class FlitSource:
    """Drives ``<prefix>__payload`` and ``__valid``; sends what :meth:`send` queues, in order.

    Parameters
    ----------
    dut : handle
        Whose ports these are.
    prefix : str
        Name of the stream, e.g. ``"eject__0"``. A tree stream is recognised by its width.
    pauses : iterator of bool, optional
        Cycles in which nothing new is offered.
    """

    def __init__(self, dut: Any, prefix: str, pauses: Pauses | None = None) -> None:
        self.pauses = never() if pauses is None else pauses
        self.monitor: Monitor | None = None
        self._dut = dut
        self._payload, self._valid, self._ready = (
            getattr(dut, f"{prefix}__{name}") for name in ("payload", "valid", "ready"))
        self._mask = (1 << len(self._payload)) - 1
        self._taken: list[int] = []
        self._queue: deque[int] = deque()
        self._valid.value = 0
        self._task = cocotb.start_soon(self._run())

    def send(self, packet: Packet) -> None:
        """Queue a packet."""
        self._queue.extend(packet.flits())

    def send_flit(self, payload: int) -> None:
        """Queue one flit as it is, to build what :class:`Packet` cannot say."""
        self._queue.append(payload)

    @property
    def idle(self) -> bool:
        """Everything queued has been taken."""
        return not self._queue

    async def settle(self) -> None:
        """Wait until all that is queued has been taken."""
        while self._queue:
            await RisingEdge(self._dut.clk)

    def flush(self) -> None:
        """Forget what is queued and stop offering, as in a reset."""
        self._queue.clear()
        self._valid.value = 0
        self._offered = False

    async def _run(self) -> None:
        self._offered = False
        while True:
            await RisingEdge(self._dut.clk)
            if self._offered and int(self._ready.value):
                if self._queue:
                    self._was_taken(self._queue.popleft())
                self._offered = False
            if not self._offered:
                self._offered = bool(self._queue) and not next(self.pauses)
                self._valid.value = int(self._offered)
                if self._offered:
                    self._payload.value = self._queue[0] & self._mask


    def _was_taken(self, payload: int) -> None:
        if self.monitor is None:
            return
        flit = unpack(Flit, payload & (1 << FLIT_WIDTH) - 1)
        self._taken = [*([] if flit["first"] else self._taken), flit["data"]]
        if flit["last"]:
            self.monitor(Packet(tuple(self._taken), bool(flit["bad"]), payload >> FLIT_WIDTH))


class FlitSink:
    """Drives ``<prefix>__ready`` and collects packets; checks framing and that a waiting flit is stable.

    A reset ends what it was receiving.

    Parameters
    ----------
    dut : handle
        Whose ports these are.
    prefix : str
        Name of the stream, e.g. ``"inject__0"``.
    pauses : iterator of bool, optional
        Cycles in which `ready` is 0.
    """

    def __init__(self, dut: Any, prefix: str, pauses: Pauses | None = None) -> None:
        self.pauses = never() if pauses is None else pauses
        self.monitor: Monitor | None = None
        self.packets: deque[Packet] = deque()
        self.flits = 0
        """Flits taken so far."""
        self._dut = dut
        self._payload, self._valid, self._ready = (
            getattr(dut, f"{prefix}__{name}") for name in ("payload", "valid", "ready"))
        self._words: list[int] = []
        self._ready.value = 0
        self._waiting: int | None = None
        self._task = cocotb.start_soon(self._run())

    async def recv(self) -> Packet:
        """The next packet, waiting for it if need be."""
        while not self.packets:
            await RisingEdge(self._dut.clk)
        return self.packets.popleft()

    def flush(self) -> None:
        """Forget everything, a half-received packet included, as in a reset."""
        self.packets.clear()
        self._words.clear()
        self._waiting = None

    async def _run(self) -> None:
        ready = False
        while True:
            await RisingEdge(self._dut.clk)
            if int(self._dut.rst.value):
                self._waiting = None
                self._words.clear()
                continue
            valid = bool(self._valid.value)
            payload = int(self._payload.value) if valid else None
            if self._waiting is not None and payload != self._waiting:
                raise AssertionError(f"{self._valid._path}: a flit changed while it waited")
            self._waiting = payload if valid and not ready else None
            if payload is not None and ready:
                self._take(payload)
            ready = not next(self.pauses)
            self._ready.value = int(ready)

    def _take(self, payload: int) -> None:
        flit = unpack(Flit, payload & (1 << FLIT_WIDTH) - 1)
        if bool(flit["first"]) != (not self._words):
            raise AssertionError(f"{self._valid._path}: first = {flit['first']} at flit {len(self._words)}")
        self._words.append(flit["data"])
        self.flits += 1
        if flit["last"]:
            self.packets.append(Packet(tuple(self._words), bool(flit["bad"]), payload >> FLIT_WIDTH))
            if self.monitor is not None:
                self.monitor(self.packets[-1])
            self._words.clear()
