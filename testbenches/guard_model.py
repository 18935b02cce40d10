"""What the guard does to a packet, in plain Python, and a bench around a guard."""

import os
import random
from ast import literal_eval
from collections.abc import Sequence
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from rtl.formats import Header, PutHeader, Reason, Straps, VirtualChannel, pack, unpack
from rtl.parameters import Parameters
from rtl.registers import REGISTERS, joined
from rtl.torus.coordinates import node_coordinates, node_id, size_bits
from rtl.torus.header import header_crc
from rtl.torus.hints import normalise
from testbenches.guard_coverage import judged
from testbenches.kit.registerbus import RegisterInitiator
from testbenches.kit.stream import PAUSES, FlitSink, FlitSource, Packet

__all__ = ["Bench", "GuardModel", "header", "packet", "replace"]


def header(**fields: int) -> int:
    """A torus header that no rule refuses, but for the given fields."""
    return pack(Header, **{"vc": 2, **fields})


def packet(head: int, generator: random.Random) -> Packet:
    """A packet with the given header, of the length it says, and random contents."""
    size = unpack(Header, head)["size"]
    return Packet((head, *(generator.getrandbits(64) for _ in range(4 * size + 3))), bad=generator.random() < 0.1)


def replace(layout: Any, packed: int, **fields: int) -> int:
    """The integer of a layout with some fields replaced."""
    return pack(layout, **{**unpack(layout, packed), **fields})


class GuardModel:
    """The rules of a guard.

    Parameters
    ----------
    parameters : Parameters
    sizes, coordinate : sequence of 3 int
        Of the torus; where the guard is.
    """

    def __init__(self, parameters: Parameters, sizes: Sequence[int], coordinate: Sequence[int]) -> None:
        self.parameters = parameters
        self.sizes, self.coordinate = tuple(sizes), tuple(coordinate)
        self.id = node_id(sizes, coordinate)
        self.row: set[int] = set()
        self.column: set[int] = set()
        self.shared: set[int] = set()
        self.reach = [0] * 6
        self.valid = self.epoch = self.priority = False
        self.commits = 0

    def inside(self, head: dict[str, int]) -> bool:
        """Whether a header's destination is a node a table covers."""
        coordinate = [head[axis] for axis in "xyz"]
        return all(a < s for a, s in zip(coordinate, self.sizes, strict=True)) and (
            node_id(self.sizes, coordinate) < self.parameters.table_nodes)

    def destination(self, refused: Packet) -> int:
        """The node a packet is logged to have been for; of a coordinate outside the low bits, packed."""
        head, packed, shift = unpack(Header, refused.words[0]), 0, 0
        for axis, size in zip("xyz", self.sizes, strict=True):
            packed |= (head[axis] & 63) << shift
            shift += size_bits(size)
        return packed & 0xFFFF

    def egress(self, sent: Packet) -> tuple[Reason, Packet]:
        """Why a packet is refused, and what leaves if it is not."""
        head = unpack(Header, sent.words[0])
        if not self.valid:
            return Reason.NO_TABLE, sent
        if not self.inside(head):
            return Reason.RANGE, sent
        coordinate = tuple(head[axis] for axis in "xyz")
        hints = normalise(self.sizes, self.coordinate, coordinate, head["hint"])
        deposit = head["deposit"] and not hints.here
        if (head["dynamic"], head["vc"]) not in ((1, 0), (1, 1), (0, 2), (0, 3)):
            return Reason.CHANNEL, sent
        if head["vc"] == 3 and not self.priority:
            return Reason.PRIORITY, sent
        if hints.illegal:
            return Reason.HINT, sent
        if deposit and not (hints.straight and hints.hops <= self.reach[hints.direction]):
            return Reason.DEPOSIT, sent
        if node_id(self.sizes, coordinate) not in self.row:
            return Reason.ROW, sent
        stamped = replace(Header, sent.words[0], crc=0, epoch=self.epoch, hint=hints.hint, deposit=deposit,
                          source=self.id)
        stamped = replace(Header, stamped, crc=header_crc(stamped))
        return Reason.NONE, Packet((stamped, *sent.words[1:]), sent.bad)

    def ingress(self, arrived: Packet) -> tuple[Reason, Packet]:
        """Why a packet is refused, and what the network interface gets if it is not."""
        head = unpack(Header, arrived.words[0])
        if not self.valid:
            return Reason.NO_TABLE, arrived
        if head["source"] not in self.column or head["source"] >= self.parameters.table_nodes:
            return Reason.COLUMN, arrived
        words = list(arrived.words)
        if head["dma"] and unpack(PutHeader, words[1])["remote_get"]:
            x, y, z = node_coordinates(self.sizes, head["source"])
            for descriptor in range(head["size"]):
                index = 2 + 4 * descriptor + 2
                vc = unpack(Header, words[index])["vc"]
                if vc == VirtualChannel.PRIORITY != head["vc"]:
                    vc = VirtualChannel.ESCAPE
                words[index] = replace(Header, words[index], x=x, y=y, z=z, hint=0, deposit=0, vc=vc, **self.asked)
        return Reason.NONE, Packet(tuple(words), arrived.bad)

    @property
    def asked(self) -> dict[str, int]:
        """What is noted in the header of a descriptor that a remote get brings: the number of commits."""
        return {"crc": self.commits % 256 >> 1, "epoch": self.commits % 2}

    def is_copy(self, arrived: Packet) -> bool:
        """Whether a packet at this node is the copy of a deposit packet."""
        head = unpack(Header, arrived.words[0])
        return bool(head["deposit"]) and [head[axis] for axis in "xyz"] != list(self.coordinate)


class Bench:
    """A guard, its model, its owner and host, and a source and a sink at every lane.

    Parameters
    ----------
    dut : handle
    sizes, coordinate : sequence of 3 int
    pauses : str
        Pattern of :data:`~testbenches.kit.stream.PAUSES` at every source and sink.
    """

    def __init__(self, dut: Any, sizes: Sequence[int] = (4, 3, 2), coordinate: Sequence[int] = (1, 2, 1),
                 pauses: str = "never") -> None:
        self.dut = dut
        self.random = random.Random(random.getrandbits(64))
        self.parameters = Parameters(**literal_eval(os.environ.get("KHHW_PARAMETERS", "{}")))
        self.model = GuardModel(self.parameters, sizes, coordinate)
        self.lanes = range(self.parameters.lanes)
        self._pattern = PAUSES[pauses]
        self._expected: list[tuple[Reason, Packet, bool]] = []

    def out(self, lane: int, sent: Packet) -> tuple[Reason, Packet]:
        """Send a packet into the torus; what the model makes of it."""
        self.from_ni[lane].send(sent)
        reason, leaves = self.model.egress(sent)
        self._expected.append((reason, sent, True))
        return reason, leaves

    def back(self, lane: int, arrived: Packet) -> tuple[Reason, Packet]:
        """Send a packet to the network interface; what the model makes of it."""
        self.from_router[lane].send(arrived)
        reason, leaves = self.model.ingress(arrived)
        self._expected.append((reason, arrived, False))
        return reason, leaves

    def confirm(self) -> None:
        """The guard did what the model makes of all packets so far: they count as covered."""
        for reason, sent, own in self._expected:
            judged(reason, sent, own=own, nodes=self.parameters.table_nodes)
        self._expected.clear()

    def _pauses(self) -> Any:
        return self._pattern() if self._pattern is PAUSES["never"] else self._pattern(self.random.getrandbits(32))

    async def start(self, hold: bool = False, commit: bool = False) -> None:
        """Reset; then release the tenant unless `hold`, and commit what the model says if `commit`."""
        dut = self.dut
        cocotb.start_soon(Clock(dut.clk, 2, "ns").start())
        # Rank and children are nothing to the guard.
        straps = {"rank": self.random.getrandbits(16), "children": self.random.getrandbits(2)}
        straps |= dict(zip(("size_x", "size_y", "size_z"), self.model.sizes, strict=True))
        dut.straps.value = pack(Straps, **straps, **dict(zip("xyz", self.model.coordinate, strict=True)))
        for name in ("retired", "discards", "links", "tree_source", "tree_refused", "tree_stale", "tree_passed",
                     "tree_retired", "tree_sent", "tree_received", "busy", "unfinished", "now"):
            getattr(dut, name).value = 0
        self.owner, self.host = RegisterInitiator(dut, "owner"), RegisterInitiator(dut, "host")
        dut.rst.value = 1
        self.from_ni = [FlitSource(dut, f"from_ni__{lane}", self._pauses()) for lane in self.lanes]
        self.to_router = [FlitSink(dut, f"to_router__{lane}", self._pauses()) for lane in self.lanes]
        self.from_router = [FlitSource(dut, f"from_router__{lane}", self._pauses()) for lane in self.lanes]
        self.to_ni = [FlitSink(dut, f"to_ni__{lane}", self._pauses()) for lane in self.lanes]
        await self.cycles(3)
        dut.rst.value = 0
        self.time = self.random.getrandbits(64)
        cocotb.start_soon(self._tick())
        await self.cycles(1)
        if commit:
            await self.commit()
        if not hold:
            await self.set("HOLD", 0)

    async def _tick(self) -> None:
        while True:
            self.dut.now.value = self.time
            await RisingEdge(self.dut.clk)
            self.time += 1

    async def cycles(self, count: int) -> None:
        """Let clock cycles pass."""
        for _ in range(count):
            await RisingEdge(self.dut.clk)

    async def set(self, name: str, value: int, index: int = 0) -> None:
        """Write a register as the owner, who must be allowed to."""
        answer = await self.owner.write(REGISTERS[name].at(index), value)
        assert not answer.error, f"the owner may not write {name}[{index}]"

    async def get(self, name: str, index: int = 0) -> int:
        """Read a register as the owner, who must be allowed to."""
        answer = await self.owner.read(REGISTERS[name].at(index))
        assert not answer.error, f"the owner may not read {name}[{index}]"
        return answer.value

    async def fields(self, name: str, index: int = 0) -> dict[str, int]:
        """The fields of a register, by name."""
        return REGISTERS[name].unpack(await self.get(name, index))

    async def counts(self, name: str) -> list[int]:
        """All elements of a register."""
        return [await self.get(name, index) for index in range(REGISTERS[name].elements(self.parameters))]

    async def log(self) -> list[tuple[int, int, int, int]]:
        """Entries of the log: source, destination, reason, time."""
        entries = []
        for index in range(await self.get("LOG_COUNT")):
            nodes = await self.fields("LOG_NODES", index)
            time = joined(await self.get("LOG_TIME_LOW", index), await self.get("LOG_TIME_HIGH", index))
            entries.append((nodes["source"], nodes["destination"], await self.get("LOG_REASON", index), time))
        return entries

    def to_node(self, node: int, **fields: int) -> Packet:
        """A packet to a node id, with any payload."""
        x, y, z = node_coordinates(self.model.sizes, node)
        return packet(header(x=x, y=y, z=z, **fields), self.random)

    async def load(self) -> None:
        """Write the model's tables, reaches and grant, without committing them."""
        for word in range(self.parameters.table_words):
            for name, table in (
                ("ROW", self.model.row), ("COLUMN", self.model.column), ("SHARED", self.model.shared),
            ):
                bits = sum(1 << node % 32 for node in table if node // 32 == word)
                await self.set(name, bits, word)
        for direction, hops in enumerate(self.model.reach):
            await self.set("REACH", hops, direction)
        await self.set("GRANTS", int(self.model.priority))

    async def commit(self) -> None:
        """Load and commit what the model says."""
        await self.load()
        await self.set("COMMIT", 0)
        self.model.valid, self.model.epoch = True, not self.model.epoch
        self.model.commits += 1

    def randomise(self, share: float = 0.5) -> None:
        """Give the model random tables, reaches and grant."""
        everybody = range(self.parameters.table_nodes)
        self.model.row = {node for node in everybody if self.random.random() < share}
        self.model.column = {node for node in everybody if self.random.random() < share}
        self.model.shared = {node for node in everybody if self.random.random() < share}
        self.model.reach = [self.random.choice((0, 1, 1, 2, 63, self.random.randrange(40))) for _ in range(6)]
        self.model.priority = self.random.random() < 0.5

    def any_header(self, wild: float = 0.1) -> int:
        """A random header: each field mostly legal, sometimes anything."""
        pick = self.random

        def field(bits: int, *usual: int) -> int:
            return pick.getrandbits(bits) if pick.random() < wild or not usual else pick.choice(usual)

        coordinate = {axis: field(8, *range(size)) for axis, size in zip("xyz", self.model.sizes, strict=True)}
        if pick.random() < 0.3:
            coordinate = dict(zip("xyz", self.model.coordinate, strict=True))
            axis = pick.randrange(3)
            coordinate["xyz"[axis]] = pick.randrange(self.model.sizes[axis])
        dynamic, vc = pick.choice(((1, 0), (1, 1), (0, 2), (0, 2), (0, 3)))
        return pack(
            Header, crc=field(7), epoch=field(1), hint=field(6, 0, 0, 0, 1 << pick.randrange(6)),
            deposit=field(1, 0, 0, 1), pid0=field(1), size=field(3), pid1=field(1), dma=field(1),
            dynamic=field(1, dynamic), vc=field(2, vc), source=field(16), **coordinate)

    async def settle(self) -> None:
        """Wait until everything queued went in and nothing is inside."""
        for source in (*self.from_ni, *self.from_router):
            await source.settle()
        quiet = 0
        while quiet < 3:
            await RisingEdge(self.dut.clk)
            quiet = quiet + 1 if int(self.dut.quiescent.value) else 0

    def retire(self, lane: int, count: int = 1) -> Any:
        """Tell the guard that packets of a lane are finished; to be awaited."""
        return cocotb.start_soon(self._retire(lane, count))

    async def _retire(self, lane: int, count: int) -> None:
        for _ in range(count):
            self.dut.retired.value = 1 << lane
            await RisingEdge(self.dut.clk)
        self.dut.retired.value = 0
