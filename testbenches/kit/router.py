"""A router with a model on every port."""

import json
import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge

from rtl.formats import Direction, Straps, pack, unpack
from rtl.signatures import LinkReport, ReceiverReport, TransmitterReport
from testbenches.kit.links import Arrived, LinkSink, LinkSource
from testbenches.kit.stream import PAUSES, FlitSink, FlitSource, Packet
from testbenches.kit.torus import torus_packet

__all__ = ["BUBBLE", "CHUNKS", "HERE", "LANES", "SHAPE", "SLOTS", "UNITS", "Bench", "hop"]

VARIANT = json.loads(os.environ.get("KHHW_PARAMETERS", "{}"))
LANES, SLOTS, BUBBLE = VARIANT.get("lanes", 2), VARIANT.get("slots", 3), VARIANT.get("bubble", "slots")
CHUNKS = BUBBLE == "chunks"
UNITS = SLOTS * 8 if CHUNKS else SLOTS
"""Credits of a channel."""

SHAPE, HERE = (6, 6, 6), (2, 3, 2)
"""The torus, and where in it the router stands unless a test says otherwise."""


class Bench:
    """A router at `here`, a neighbour on every cable, a source and a sink on every lane.

    Parameters
    ----------
    dut : handle
        The router.
    shape, here : tuple of int
        Size of the torus, and the router's coordinate.
    pauses : str
        Pattern of all models, a key of :data:`~testbenches.kit.stream.PAUSES`.
    """

    def __init__(
        self, dut: Any, shape: tuple[int, ...] = SHAPE, here: tuple[int, ...] = HERE, pauses: str = "never",
    ) -> None:
        self.dut, self.shape, self.here = dut, shape, here
        self.rx = [LinkSource(dut, p, credits=UNITS, chunks=CHUNKS, pauses=PAUSES[pauses]()) for p in Direction]
        self.tx = [LinkSink(dut, d, credits=UNITS, chunks=CHUNKS) for d in Direction]
        self.inject = [FlitSource(dut, f"inject__{i}", PAUSES[pauses]()) for i in range(LANES)]
        self.eject = [FlitSink(dut, f"eject__{i}", PAUSES[pauses]()) for i in range(LANES)]
        self.discards: Counter[int] = Counter()
        """Packets the router said it discarded, by epoch parity."""
        self.links: list[Counter[str]] = [Counter() for _ in Direction]
        """What the router said of every cable: headers `sent_0` and `received_0` by epoch parity, and `damaged`."""
        self.serial = 0

    @classmethod
    async def start(cls, dut: Any, **options: Any) -> "Bench":
        """Reset the router and make a bench around it."""
        dut.rst.value = 1
        Clock(dut.clk, 2, unit="ns").start()
        await ClockCycles(dut.clk, 3)
        bench = cls(dut, **options)
        x, y, z = bench.here
        size_x, size_y, size_z = bench.shape
        dut.straps.value = pack(Straps, x=x, y=y, z=z, size_x=size_x, size_y=size_y, size_z=size_z)
        dut.rst.value = 0
        cocotb.start_soon(bench.watch())
        await RisingEdge(dut.clk)
        return bench

    def ends(self, direction: int) -> tuple[dict[str, int], dict[str, int]]:
        """What the router says of the ends of a port in this cycle, of the transmitter and the receiver."""
        report = unpack(LinkReport, int(self.dut.links.value) >> direction * LinkReport.size)
        return unpack(TransmitterReport, report["tx"]), unpack(ReceiverReport, report["rx"])

    async def watch(self) -> None:
        """Count discards, and what crosses cables, for ever."""
        while True:
            await RisingEdge(self.dut.clk)
            counts = int(self.dut.discards.value)
            self.discards[0] += counts & 31
            self.discards[1] += counts >> 5
            for direction, seen in enumerate(self.links):
                tx, rx = self.ends(direction)
                seen["damaged"] += rx["damaged"]
                for parity in range(2):
                    seen[f"sent_{parity}"] += tx["sent"] >> parity & 1
                    seen[f"received_{parity}"] += rx["received"] >> parity & 1

    def packet(
        self, destination: tuple[int, ...], source: tuple[int, ...] | None = None, **options: Any,
    ) -> Packet:
        """A packet with a payload of its own, from here if no source is given."""
        self.serial += 1
        source = self.here if source is None else source
        return torus_packet(self.shape, source, destination, serial=self.serial, **options)

    def at(self, *steps: int) -> tuple[int, ...]:
        """The coordinate some hops from here."""
        return tuple((at + step) % size for at, step, size in zip(self.here, steps, self.shape, strict=True))

    async def until(self, condition: Callable[[], bool], cycles: int = 3000) -> None:
        """Wait until something holds; an error after so many cycles."""
        for _ in range(cycles):
            if condition():
                return
            await RisingEdge(self.dut.clk)
        raise AssertionError("waited in vain")

    async def recv(self, direction: int, count: int = 1) -> list[Arrived]:
        """The next packets on a cable."""
        await self.until(lambda: len(self.tx[direction].packets) >= count)
        return [self.tx[direction].packets.popleft() for _ in range(count)]

    async def settle(self) -> None:
        """Wait until the router and its models are at rest, and check that the router says so."""
        await self.until(lambda: all(unit.idle for unit in [*self.rx, *self.inject]))
        await self.until(lambda: int(self.dut.quiescent.value))
        await ClockCycles(self.dut.clk, 5)
        assert int(self.dut.quiescent.value)


def hop(direction: int, count: int) -> list[int]:
    """Steps of `count` hops in a direction."""
    steps = [0, 0, 0]
    steps[direction // 2] = -count if direction % 2 else count
    return steps
