"""A memory behind the node memory port, with stalls and latency of choice."""

from collections import deque
from collections.abc import Callable
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from rtl.formats import WORD_BITS, WORD_BYTES
from testbenches.kit.stream import Pauses, never

__all__ = ["MemoryModel"]


class MemoryModel:
    """The memory side of ``memory_signature``.

    A read sees what was written before it was requested; a write lands when its `written` pulse is given.
    Both are as late as the contract allows, so that a client that relies on more fails.

    Parameters
    ----------
    dut : handle
        The client of the port.
    size : int
        Bytes.
    prefix : str
        Name of the port.
    stalls : iterator of bool, optional
        Cycles in which neither a request is taken nor an answer given.
    latency : int
        Least cycles from a request to its answer. 1 or more.
    """

    def __init__(self, dut: Any, size: int, prefix: str = "memory", *,
                 stalls: Pauses | None = None, latency: int = 1) -> None:
        self.content = bytearray(size)
        self.stalls = never() if stalls is None else stalls
        self.latency = latency
        self.monitor: Callable[[int, bool], None] | None = None
        """Called with the address of each word that is read or written, and whether it is written."""
        self._dut = dut
        self._address_bits = (size // WORD_BYTES - 1).bit_length()
        self._port = {
            name: getattr(dut, f"{prefix}__{name}") for name in (
                "read__payload", "read__valid", "read__ready", "data__payload", "data__valid", "data__ready",
                "write__payload", "write__valid", "write__ready", "written")}
        self._reads: deque[tuple[int, int]] = deque()
        self._writes: deque[tuple[int, int]] = deque()
        for name in ("read__ready", "data__valid", "write__ready", "written"):
            self._port[name].value = 0
        self._task = cocotb.start_soon(self._run())

    def load(self, address: int, content: bytes) -> None:
        """Put bytes into the memory by the back door."""
        self.content[address:address + len(content)] = content

    def dump(self, address: int, length: int) -> bytes:
        """Bytes of the memory by the back door."""
        return bytes(self.content[address:address + length])

    @property
    def idle(self) -> bool:
        """No request waits for its answer."""
        return not self._reads and not self._writes

    async def _run(self) -> None:
        port = self._port
        reading = writing = answering = False
        cycle = 0
        while True:
            await RisingEdge(self._dut.clk)
            cycle += 1
            if answering and int(port["data__ready"].value):
                self._reads.popleft()
                answering = False
            if reading and int(port["read__valid"].value):
                self._reads.append((cycle, self._word(int(port["read__payload"].value))))
            if writing and int(port["write__valid"].value):
                self._writes.append((cycle, int(port["write__payload"].value)))

            stall = next(self.stalls)
            reading = writing = not stall
            port["read__ready"].value = port["write__ready"].value = int(not stall)
            due = bool(self._writes) and cycle - self._writes[0][0] >= self.latency - 1
            port["written"].value = int(due and not stall)
            if due and not stall:
                self._store(self._writes.popleft()[1])
            if not answering:
                due = bool(self._reads) and cycle - self._reads[0][0] >= self.latency - 1
                answering = due and not stall
                port["data__valid"].value = int(answering)
                if answering:
                    port["data__payload"].value = self._reads[0][1]

    def _word(self, address: int) -> int:
        if self.monitor is not None:
            self.monitor(address * WORD_BYTES, False)
        return int.from_bytes(self.dump(address * WORD_BYTES, WORD_BYTES), "big")

    def _store(self, request: int) -> None:
        address = request & (1 << self._address_bits) - 1
        content = (request >> self._address_bits & (1 << WORD_BITS) - 1).to_bytes(WORD_BYTES, "big")
        mask = request >> self._address_bits + WORD_BITS
        if self.monitor is not None:
            self.monitor(address * WORD_BYTES, True)
        for index in range(WORD_BYTES):
            if mask >> WORD_BYTES - 1 - index & 1:
                self.content[address * WORD_BYTES + index] = content[index]
