"""A traffic generator with models on every port."""

import json
import os
import random
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, Timer

from rtl.formats import Flit, Header, Straps, pack, unpack
from rtl.parameters import Parameters
from rtl.registers import REGISTERS, Pattern, joined
from rtl.torus.coordinates import node_id, rank_of
from testbenches.kit.registerbus import BusAnswer, RegisterInitiator, RegisterResponder
from testbenches.kit.stream import PAUSES, FlitSink, FlitSource
from testbenches.traffic_model import Coordinate

__all__ = ["Bench"]

IDLE_INPUTS = (
    "now", "host__write", "host__address", "host__data", "guard__error", "guard__value", "ni_retired", "from_ni",
    "from_guard",
)
"""Inputs, of lanes the beginnings of their names, that nobody drives before there is something to say."""
FINISHING = 20
"""Cycles the network interface takes to finish a packet."""


@dataclass
class _Judged:
    """A packet the guard has handed over."""

    ours: bool
    finished: bool = False


class Bench:
    """The block between models of network interface and guard; out of reset and cleared after :meth:`start`.

    `now` counts from `epoch`. The network interface finishes a packet `FINISHING` cycles after it got its tail.

    Parameters
    ----------
    dut : handle
    pauses : str
        Pattern of the streams, see :data:`~testbenches.kit.stream.PAUSES`.
    epoch : int
        First value of `now`.
    """

    def __init__(self, dut: Any, pauses: str = "never", epoch: int = 0) -> None:
        self.dut = dut
        self.parameters = Parameters(**json.loads(os.environ["KHHW_PARAMETERS"]))
        self.random = random.Random(int(os.environ.get("COCOTB_RANDOM_SEED", "1")))
        self.lanes = range(self.parameters.lanes)
        dut.rst.value = 1
        dut.ni_retired.value = 0
        self.now = epoch
        dut.now.value = epoch
        self.host = RegisterInitiator(dut, "host")
        self.guard = RegisterResponder(dut, "guard", lambda _write, address, _data: BusAnswer(address ^ 0xFFFF, False))
        self.from_ni = [FlitSource(dut, f"from_ni__{lane}", PAUSES[pauses]()) for lane in self.lanes]
        self.to_guard = [FlitSink(dut, f"to_guard__{lane}", PAUSES[pauses]()) for lane in self.lanes]
        self.from_guard = [FlitSource(dut, f"from_guard__{lane}", PAUSES[pauses]()) for lane in self.lanes]
        self.to_ni = [FlitSink(dut, f"to_ni__{lane}", PAUSES[pauses]()) for lane in self.lanes]
        self.retired = [0 for _ in self.lanes]
        self.ends: list[tuple[int, int]] = []
        """(lane, `now`) of every last flit taken from the guard."""
        self.early = 0
        """Pulses of `retired` that came before the oldest packet of their lane was finished."""
        self.longest_wait = 0
        """Most cycles in a row that a flit from the guard waited on any lane."""
        self.coordinate: Coordinate = (0, 0, 0)
        self.id = 0

    async def start(self, coordinate: Coordinate = (1, 0, 0), sizes: Coordinate = (3, 2, 1)) -> None:
        """Reset at a coordinate of a torus, and wait until everything is cleared and seeded."""
        self.coordinate, self.id = coordinate, node_id(sizes, coordinate)
        x, y, z = coordinate
        rank = rank_of(coordinate, sizes)
        dut = self.dut
        dut.straps.value = pack(Straps, x=x, y=y, z=z, size_x=sizes[0], size_y=sizes[1], size_z=sizes[2], rank=rank)
        dut.node_id.value = self.id
        if not hasattr(self, "_tasks"):
            # A simulator that knows unknown values would carry those of idle inputs into what is watched.
            for name in IDLE_INPUTS:
                for port in [f"{name}__{lane}__payload" for lane in self.lanes] if name.startswith("from") else [name]:
                    getattr(dut, port).value = 0
        dut.rst.value = 1
        if not hasattr(self, "_tasks"):
            await Timer(1, "ns")
            Clock(dut.clk, 2, "ns").start()
            self._tasks = [cocotb.start_soon(task) for task in (self._time(), self._finish(), self._watch())]
        await self.cycles(3)
        dut.rst.value = 0
        await self.settle()

    async def cycles(self, count: int) -> None:
        """Let time pass."""
        for _ in range(count):
            await RisingEdge(self.dut.clk)

    async def settle(self, limit: int = 20_000) -> None:
        """Wait until the block is quiescent and the models have nothing to send."""
        quiet = 0
        for _ in range(limit):
            await RisingEdge(self.dut.clk)
            idle = all(source.idle for source in (*self.from_ni, *self.from_guard))
            quiet = quiet + 1 if idle and int(self.dut.quiescent.value) else 0
            if quiet > 3:
                return
        raise AssertionError(f"not quiescent within {limit} cycles")

    async def set(self, name: str, value: int, index: int = 0) -> None:
        """Write a register ``TRAFFIC_...``."""
        answer = await self.host.write(REGISTERS[f"TRAFFIC_{name}"].at(index), value)
        assert not answer.error, (name, index, value)

    async def get(self, name: str, index: int = 0) -> int:
        """Read a register ``TRAFFIC_...``; a counter of two words whole."""
        register = REGISTERS[f"TRAFFIC_{name}"]
        low = await self.host.read(register.at(index))
        assert not low.error, (name, index)
        if register.count != 2:
            return low.value
        return joined(low.value, (await self.host.read(register.at(1))).value)

    async def set_coordinate(self, name: str, coordinate: Coordinate) -> None:
        """Write a coordinate to a register ``TRAFFIC_...``."""
        await self.set(name, REGISTERS[f"TRAFFIC_{name}"].pack(**dict(zip("xyz", coordinate, strict=True))))

    async def control(self, pattern: Pattern = Pattern.UNIFORM, *, enable: int = 1, record: int = 1,
                      channel: int = 0) -> None:
        """Write TRAFFIC_CONTROL."""
        await self.set("CONTROL", REGISTERS["TRAFFIC_CONTROL"].pack(
            channel=channel, pattern=pattern, record=record, enable=enable))

    async def lengths(self, shares: Iterable[float]) -> None:
        """Set the length distribution: shares of packets of 1, 2, ... 8 chunks."""
        below = 0.0
        for index, share in enumerate(list(shares)[:7]):
            below += share
            await self.set("LENGTHS", round(65536 * below), index)

    async def fixed_length(self, chunks: int) -> None:
        """All packets get so many chunks."""
        await self.lengths([float(length == chunks) for length in range(1, 9)])

    async def histogram(self) -> dict[int, int]:
        """Bins that are not empty."""
        counts = {index: await self.get("HISTOGRAM", index) for index in range(128)}
        return {index: count for index, count in counts.items() if count}

    async def errors(self) -> list[int]:
        """Counts by TrafficError."""
        return [await self.get("ERRORS", index) for index in range(6)]

    def sent(self) -> list[Any]:
        """Packets that went to the guard, by lane."""
        return [packet for sink in self.to_guard for packet in sink.packets]

    async def _time(self) -> None:
        while True:
            await RisingEdge(self.dut.clk)
            self.now = self.now + 1 & (1 << 64) - 1
            self.dut.now.value = self.now

    async def _finish(self) -> None:
        """The network interface: finishes a packet of a lane some cycles after its tail."""
        seen, due = [0 for _ in self.lanes], [deque[int]() for _ in self.lanes]
        while True:
            await RisingEdge(self.dut.clk)
            pulses = 0
            for lane, sink in enumerate(self.to_ni):
                if len(sink.packets) > seen[lane]:
                    seen[lane] = len(sink.packets)
                    due[lane].append(self.now + FINISHING)
                if due[lane] and due[lane][0] <= self.now:
                    due[lane].popleft()
                    pulses |= 1 << lane
            self.dut.ni_retired.value = pulses

    async def _watch(self) -> None:
        waits = [0 for _ in self.lanes]
        unfinished = [deque[_Judged]() for _ in self.lanes]
        while True:
            await RisingEdge(self.dut.clk)
            if int(self.dut.rst.value):
                continue
            retired, by_ni = int(self.dut.retired.value), int(self.dut.ni_retired.value)
            for lane in self.lanes:
                if by_ni >> lane & 1:
                    software = (packet for packet in unfinished[lane] if not packet.ours)
                    next(packet for packet in software if not packet.finished).finished = True
                if retired >> lane & 1:
                    self.retired[lane] += 1
                    self.early += not unfinished[lane].popleft().finished
                valid, ready = (int(getattr(self.dut, f"from_guard__{lane}__{name}").value)
                                for name in ("valid", "ready"))
                waits[lane] = waits[lane] + 1 if valid and not ready else 0
                self.longest_wait = max(self.longest_wait, waits[lane])
                if valid and ready:
                    flit = unpack(Flit, int(getattr(self.dut, f"from_guard__{lane}__payload").value))
                    if flit["first"]:
                        head = unpack(Header, flit["data"])
                        unfinished[lane].append(_Judged(ours=bool(head["pid0"] and head["pid1"] and not head["dma"])))
                    if flit["last"]:
                        self.ends.append((lane, int(self.dut.now.value)))
                        unfinished[lane][-1].finished = unfinished[lane][-1].ours
