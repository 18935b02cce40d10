"""What the testbenches of the network interface share: its surroundings, and how software would use it."""

import json
import os
import random
from collections import Counter
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from rtl.formats import (
    CHUNK_BYTES,
    DESCRIPTOR_BYTES,
    PAYLOAD_BYTES,
    Descriptor,
    FifoHeader,
    Header,
    PutHeader,
    Straps,
    Writer,
    pack,
    pids_of,
    unpack,
)
from rtl.parameters import Parameters
from rtl.registers import REGISTERS
from testbenches.kit.axilite import OKAY, AxiLiteHost
from testbenches.kit.memory import MemoryModel
from testbenches.kit.registerbus import BusAnswer, RegisterResponder
from testbenches.kit.stream import PAUSES, FlitSink, FlitSource, Packet
from testbenches.ni_coverage import posted, register_read, watch

__all__ = ["ANY_WRITER", "Bench", "chunks_of", "descriptor", "fifo_packet", "put_packet", "replaced"]

RING_BYTES = 1024
STRAPS = {"x": 1, "y": 2, "z": 3, "size_x": 4, "size_y": 5, "size_z": 6, "rank": 69, "children": 1}
NODE_ID = 0x1234
ANY_WRITER = pack(Writer, armed=1, any=1)
"""RECEPTION_WRITER of a window for puts of anybody."""


def chunks_of(payload: int) -> int:
    """Chunks of a packet with so many bytes of payload."""
    return (16 + payload + CHUNK_BYTES - 1) // CHUNK_BYTES


def _packet(header: int, software: int, payload: bytes, bad: bool) -> Packet:
    content = header.to_bytes(8, "big") + software.to_bytes(8, "big") + payload
    return Packet.of_bytes(content.ljust(CHUNK_BYTES * chunks_of(len(payload)), b"\0"), bad=bad)


def fifo_packet(payload: bytes, *, ring: int = 0, bad: bool = False, software: int = 0, source: int = 0) -> Packet:
    """A memory-FIFO packet for a reception ring."""
    header = pack(Header, size=chunks_of(len(payload)) - 1, source=source, **pids_of(ring))
    return _packet(header, software, payload, bad)


def put_packet(payload: bytes, *, bad: bool = False, source: int = 0, size: int | None = None, **put: int) -> Packet:
    """A direct put or, with ``remote_get=1``, a remote get; `valid_bytes` is the payload's unless given."""
    header = pack(Header, dma=1, size=chunks_of(len(payload)) - 1 if size is None else size, source=source)
    return _packet(header, pack(PutHeader, **{"valid_bytes": len(payload), **put}), payload, bad)


def replaced(layout: Any, packed: int, **values: int) -> int:
    """`packed` with some fields replaced."""
    return pack(layout, **{**unpack(layout, packed), **values})


class Bench:
    """The network interface with models on every port, out of reset after :meth:`start`.

    Memory, from address 0: a ring of 1 KiB for each ring of the node in the order injection, reception,
    console; `data` is the first address behind them.

    Parameters
    ----------
    dut : handle
    pauses : str
        Pattern of all models, see :data:`~testbenches.kit.stream.PAUSES`.
    latency : int
        Of the memory, in cycles.
    seed : int
    """

    def __init__(self, dut: Any, pauses: str = "never", *, latency: int = 1, seed: int = 1) -> None:
        self.dut = dut
        self.parameters = Parameters(**json.loads(os.environ.get("KHHW_PARAMETERS", "{}")))
        self.random = random.Random(seed)
        self._pauses = pauses
        self._patterns = 0
        lanes = range(self.parameters.lanes)
        self.memory = MemoryModel(dut, self.parameters.memory_bytes, stalls=self._pattern(), latency=latency)
        self.host = AxiLiteHost(dut, pauses=self._pattern())
        self.eject = [FlitSource(dut, f"eject__{lane}", self._pattern()) for lane in lanes]
        self.inject = [FlitSink(dut, f"inject__{lane}", self._pattern()) for lane in lanes]
        self.console_in = FlitSource(dut, "console_in", self._pattern())
        self.console_out = FlitSink(dut, "console_out", self._pattern())
        self.guard = RegisterResponder(dut, "guard", self.guard_answer, self._pattern())
        self.guard_refuses = False
        self.retired: Counter[int] = Counter()
        self.console_retired = 0
        self.epoch = random.randrange(2**64 - 2**48)
        """The time in cycle 0; a cycle takes 2^20."""
        self.guard_key = random.getrandbits(32)
        self.tails: dict[int, int] = Counter()
        self.cycle = 0
        rings = self.parameters.injection_rings + self.parameters.reception_rings + 1
        self.data = rings * RING_BYTES
        self.ring_monitor = watch(self)

    def _pattern(self) -> Any:
        self._patterns += 1
        return PAUSES[self._pauses](self._patterns) if self._pauses != "never" else PAUSES["never"]()

    def guard_answer(self, write: bool, address: int, data: int) -> BusAnswer:
        """The guard's page: a read gives the address back, exclusive or `guard_key`."""
        return BusAnswer(0 if write else address ^ self.guard_key, self.guard_refuses)

    async def start(self) -> None:
        """Reset, and open all rings."""
        cocotb.start_soon(Clock(self.dut.clk, 2, "step").start())
        self.dut.straps.value = pack(Straps, **STRAPS)
        self.dut.node_id.value = NODE_ID
        self.dut.commits.value = 0
        cocotb.start_soon(self._watch())
        await self.reset()
        await self.open_rings()

    async def reset(self, cycles: int = 20) -> None:
        """Hold the reset; in it the outputs are quiet."""
        self.dut.rst.value = 1
        outputs = [getattr(self.dut, f"inject__{lane}__valid") for lane in range(self.parameters.lanes)]
        outputs += [getattr(self.dut, name) for name in (
            "memory__read__valid", "memory__write__valid", "console_out__valid", "guard__valid", "host__awready",
            "host__arready", "host__bvalid", "host__rvalid", "irq", "retired")]
        for cycle in range(cycles):
            await RisingEdge(self.dut.clk)
            if cycle > 1:
                assert not any(int(output.value) for output in outputs), [o._name for o in outputs if int(o.value)]
        self.dut.rst.value = 0
        self.tails.clear()

    async def open_rings(self, remote: int | None = None) -> None:
        """Give every ring its KiB; injection ring `remote` is for remote gets."""
        address = 0
        for kind, rings in (("INJECTION", self.parameters.injection_rings),
                            ("RECEPTION", self.parameters.reception_rings), ("CONSOLE", 1)):
            for ring in range(rings):
                await self.set(f"{kind}_BASE", address, ring)
                is_remote = kind == "INJECTION" and ring == remote
                size = REGISTERS["INJECTION_SIZE"].pack(chunks=RING_BYTES // CHUNK_BYTES, remote=is_remote)
                await self.set(f"{kind}_SIZE", size, ring)
                address += RING_BYTES

    async def _watch(self) -> None:
        while True:
            await RisingEdge(self.dut.clk)
            self.cycle += 1
            self.dut.now.value = self.epoch + (self.cycle << 20)
            self.console_retired += int(self.dut.console_retired.value)
            pulses = int(self.dut.retired.value)
            for lane in range(self.parameters.lanes):
                self.retired[lane] += pulses >> lane & 1

    async def get(self, name: str, index: int = 0) -> int:
        """Read a register that may be read."""
        answer = await self.host.read(REGISTERS[name].at(index))
        assert answer.resp == OKAY, name
        register_read(name, answer.value)
        return answer.value

    async def set(self, name: str, value: int, index: int = 0) -> None:
        """Write a register that may be written so."""
        assert (await self.host.write(REGISTERS[name].at(index), value)).resp == OKAY, (name, value, index)
        self.ring_monitor.register_written(name, value, index)

    async def window(self, side: str, counter: int, *, window: int, limit: int, value: int = 0,
                     rights: int | None = None) -> None:
        """Set up a counter; `rights` is its READER, nobody unless given, or its WRITER, anybody unless given."""
        name, usual = ("READER", 0) if side == "INJECTION" else ("WRITER", ANY_WRITER)
        await self.set(f"{side}_WINDOW", window, counter)
        await self.set(f"{side}_LIMIT", limit, counter)
        await self.set(f"{side}_VALUE", value, counter)
        await self.set(f"{side}_{name}", usual if rights is None else rights, counter)

    def ring_address(self, ring: int, offset: int = 0) -> int:
        """Address in injection ring `ring`."""
        return ring * RING_BYTES + offset % RING_BYTES

    def reception_address(self, ring: int, offset: int = 0) -> int:
        """Address in reception ring `ring`; the console's follows the last."""
        return (self.parameters.injection_rings + ring) * RING_BYTES + offset % RING_BYTES

    async def post(self, ring: int, *descriptors: int) -> None:
        """Append descriptors to a ring and ring the doorbell once."""
        for descriptor in descriptors:
            address = self.ring_address(ring, self.tails[ring])
            self.memory.load(address, descriptor.to_bytes(DESCRIPTOR_BYTES, "big"))
            posted(ring, unpack(Descriptor, descriptor))
            self.tails[ring] = (self.tails[ring] + DESCRIPTOR_BYTES) % RING_BYTES
        await self.set("INJECTION_TAIL", self.tails[ring], ring)

    async def settle(self) -> None:
        """Wait until everything is finished."""
        quiet, deadline = 0, self.cycle + 100_000
        while quiet < 3:
            assert self.cycle < deadline, "never quiescent"
            await RisingEdge(self.dut.clk)
            sources = all(source.idle for source in [*self.eject, self.console_in])
            quiet = quiet + 1 if sources and int(self.dut.quiescent.value) and self.memory.idle else 0

    def fill(self, address: int, length: int) -> bytes:
        """Random bytes in memory; returns them."""
        content = self.random.randbytes(length)
        self.memory.load(address, content)
        return content

    def expected_packets(self, header: int, software: int, message: bytes) -> list[Packet]:
        """What a message is to be cut into."""
        packets = []
        for offset in range(0, max(len(message), 1), PAYLOAD_BYTES):
            payload = message[offset:offset + PAYLOAD_BYTES]
            put_offset = (software >> 32) + offset & 0xFFFFFFFF
            second = replaced(FifoHeader, software, put_offset=put_offset)
            if unpack(Header, header)["dma"]:
                second = replaced(PutHeader, second, valid_bytes=len(payload))
            packets.append(_packet(replaced(Header, header, size=chunks_of(len(payload)) - 1), second, payload, False))
        return packets


def descriptor(counter: int, offset: int, length: int, header: int, software: int = 0, **fields: int) -> int:
    """An injection descriptor."""
    return pack(Descriptor, counter=counter, base_offset=offset, length=length, header=header, software=software,
                **fields)
