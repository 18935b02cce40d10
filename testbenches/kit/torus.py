"""Torus packets, and a model that drives a whole torus of routers once a cycle."""

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cocotb.triggers import RisingEdge

from rtl.codec import Codec
from rtl.formats import CHUNK_FLITS, Flit, Header, VirtualChannel, pack, unpack
from rtl.torus.arbiter import LONGEST_YIELD
from rtl.torus.coordinates import Coordinate, coordinate_of, node_id
from rtl.torus.header import seal
from rtl.torus.hints import hint_bit, normalise
from testbenches.kit.stream import Packet

__all__ = ["PATIENCE", "LockedError", "Sent", "Torus", "clear_hints", "torus_packet"]

PATIENCE = 2 * LONGEST_YIELD
"""Cycles without any movement after which a torus counts as locked: longer than any packet waits for a turn."""

# By masks: a torus moves more flits in a cycle than could be unpacked.
FIRST, LAST, BAD, DATA = (Codec.of(Flit).mask(name) for name in ("first", "last", "bad", "data"))


def torus_packet(
    shape: Sequence[int], source: Sequence[int], destination: Sequence[int], *, chunks: int = 1,
    vc: int = VirtualChannel.ESCAPE, hint: int = 0, deposit: int = 0, epoch: int = 0, serial: int = 0,
    bad: bool = False,
) -> Packet:
    """A packet as the egress guard hands it to the router: stamped, hints normalised, CRC right.

    Parameters
    ----------
    serial : int
        Fills the payload, so that every packet can be told from every other.
    """
    found = normalise(shape, source, destination, hint)
    x, y, z = destination
    header = pack(
        Header, hint=found.hint, deposit=deposit, epoch=epoch, size=chunks - 1, vc=vc, dynamic=int(vc < 2),
        x=x, y=y, z=z, source=node_id(shape, source))
    body = random.Random(serial)
    words = [serial, *(body.getrandbits(64) for _ in range(chunks * CHUNK_FLITS - 2))]
    return Packet((seal(header), *words), bad)


def clear_hints(packet: Packet, *dimensions: int) -> Packet:
    """The packet after it has arrived in these dimensions (all without any): hints clear, CRC right."""
    fields = unpack(Header, packet.words[0])
    for dimension in dimensions or (0, 1, 2):
        for direction in (2 * dimension, 2 * dimension + 1):
            fields["hint"] &= ~(1 << hint_bit(direction))
    return Packet((seal(pack(Header, **fields)), *packet.words[1:]), packet.bad, packet.channel)


class LockedError(AssertionError):
    """Nothing has moved for a long time and packets are under way; the message names them."""


@dataclass
class Sent:
    """A packet under way, and when its first flit was taken (None: not yet)."""

    packet: Packet
    source: int
    destination: int
    channel: int
    cycle: int | None = None

    def __str__(self) -> str:
        where = "not injected" if self.cycle is None else f"injected in cycle {self.cycle}"
        chunks = len(self.packet.words) // CHUNK_FLITS
        channel = VirtualChannel(self.channel).name.lower()
        return (f"packet: {self.packet.words[1]} from node {self.source} to node {self.destination}, "
                f"{chunks} chunks, {channel} channel, {where}")


@dataclass
class _Lane:
    """An injection and an ejection lane: flits left of the packet being sent, words of the one received."""

    queue: deque[Sent] = field(default_factory=deque)
    flits: deque[int] = field(default_factory=deque)
    words: list[int] = field(default_factory=list)


class Torus:
    """Drives a :class:`testbenches.designs.RouterTorus` and keeps the score.

    Every packet must arrive once, unchanged, at its destination, and in order among those of the same
    source, destination and channel that were queued on the same lane.

    Parameters
    ----------
    dut : handle
        The torus.
    shape : str
        The torus to drive, e.g. ``"6x6x1"``.
    lanes : int
        Lanes of a node.
    """

    def __init__(self, dut: Any, shape: str, *, lanes: int) -> None:
        x, y, z = (int(size) for size in shape.split("x"))
        self.shape: Coordinate = x, y, z
        self.nodes = x * y * z
        self.lanes = lanes
        self.cycle = 0
        self.under_way: dict[int, Sent] = {}
        self.delivered = 0
        self.flits = 0
        """Flits ejected so far."""
        self.stall = 0.0
        """Share of cycles in which an ejection lane is not ready, and an injection lane pauses."""
        self.closed = 0
        """Ejection lanes that are not ready, one bit each."""
        self._dut = dut
        self._edge = RisingEdge(dut.clk)
        self._lanes = [_Lane() for _ in range(self.nodes * lanes)]
        self._order: dict[tuple[int, int, int], deque[int]] = {}
        self._idle_since = 0
        self._words = [bytes(9)] * len(self._lanes)
        self._offered = 0
        self._ready = 0
        self._serial = 0
        self._random = random.Random(1)
        self._inject_payload, self._inject_valid, self._inject_ready = (
            getattr(dut, f"inject_{name}_{shape}") for name in ("payload", "valid", "ready"))
        self._eject_payload, self._eject_valid, self._eject_ready = (
            getattr(dut, f"eject_{name}_{shape}") for name in ("payload", "valid", "ready"))

    async def reset(self) -> None:
        """Reset the routers; the clock runs."""
        dut = self._dut
        for signal in (self._inject_valid, self._inject_payload, self._eject_ready):
            signal.value = 0
        dut.rst.value = 1
        for _ in range(3):
            await RisingEdge(dut.clk)
        dut.rst.value = 0
        await RisingEdge(dut.clk)

    def send(
        self, source: int, destination: int, *, chunks: int = 1, vc: int = VirtualChannel.ESCAPE, hint: int = 0,
    ) -> None:
        """Queue a packet between ranks."""
        serial = self._serial
        self._serial += 1
        ends = [coordinate_of(rank, self.shape) for rank in (source, destination)]
        packet = torus_packet(self.shape, *ends, chunks=chunks, vc=vc, hint=hint, serial=serial)
        self.under_way[serial] = sent = Sent(packet, source, destination, vc)
        # One lane a pair and channel, or packets could overtake each other before they are in the torus.
        lane = source * self.lanes + (destination + vc) % self.lanes
        self._lanes[lane].queue.append(sent)
        self._order.setdefault((source, destination, vc), deque()).append(serial)

    @property
    def idle_cycles(self) -> int:
        """Cycles since anything moved in or out."""
        return self.cycle - self._idle_since

    def backlog(self, source: int) -> int:
        """Packets queued and not begun at a rank."""
        return sum(len(lane.queue) for lane in self._lanes[source * self.lanes:(source + 1) * self.lanes])

    async def step(self) -> None:
        """One clock cycle.

        Raises
        ------
        LockedError
            If nothing has moved for `PATIENCE` cycles; names the packets that are stuck.
        """
        await self._edge
        self.cycle += 1
        moved = self._offered & int(self._inject_ready.value)
        ejected = self._ready & int(self._eject_valid.value)
        if ejected:
            self._receive(ejected, int(self._eject_payload.value))
        if moved or ejected or not self.under_way:
            self._idle_since = self.cycle
        if self.idle_cycles > PATIENCE:
            stuck = [sent for sent in self.under_way.values() if sent.cycle is not None]
            raise LockedError(f"nothing has moved since cycle {self._idle_since}; {len(stuck)} packets are stuck\n"
                              + "\n".join(map(str, stuck)))
        self._drive(moved)

    async def settle(self) -> None:
        """Run until every packet has arrived."""
        while self.under_way:
            await self.step()

    def _receive(self, ejected: int, payload: int) -> None:
        flits = payload.to_bytes(9 * ((payload.bit_length() + 71) // 72 or 1), "little")
        for number in _bits(ejected):
            flit = int.from_bytes(flits[9 * number:9 * number + 9], "little")
            words = self._lanes[number].words
            assert bool(flit & FIRST) == (not words), f"a packet began or went on where it should not on lane {number}"
            words.append(flit & DATA)
            self.flits += 1
            if flit & LAST:
                self._finish(number // self.lanes, Packet(tuple(words), bool(flit & BAD)))
                words.clear()

    def _finish(self, rank: int, packet: Packet) -> None:
        sent = self.under_way.pop(packet.words[1], None)
        what = unpack(Header, packet.words[0])
        assert sent is not None, f"node {rank} received a packet nobody sent, or twice: {what}"
        assert sent.destination == rank, f"node {rank} received {sent}"
        assert packet == clear_hints(sent.packet), f"changed on the way: {sent}"
        expected = self._order[sent.source, sent.destination, sent.channel].popleft()
        assert packet.words[1] == expected, f"overtook packet {expected}: {sent}"
        self.delivered += 1

    def _drive(self, moved: int) -> None:
        offered, changed = self._offered & ~moved, False
        for number, lane in enumerate(self._lanes):
            bit = 1 << number
            if offered & bit or not (lane.flits or lane.queue) or (self.stall and self._random.random() < self.stall):
                continue
            if not lane.flits:
                sent = lane.queue.popleft()
                sent.cycle = self.cycle
                lane.flits.extend(sent.packet.flits())
            self._words[number] = lane.flits.popleft().to_bytes(9, "little")
            offered |= bit
            changed = True
        if changed:
            self._inject_payload.value = int.from_bytes(b"".join(self._words), "little")
        if offered != self._offered:
            self._inject_valid.value = self._offered = offered
        ready = (1 << len(self._lanes)) - 1 & ~self.closed
        if self.stall and ready:
            ready = sum(1 << number for number in range(len(self._lanes)) if self._random.random() >= self.stall)
        if ready != self._ready:
            self._eject_ready.value = self._ready = ready


def _bits(vector: int):
    """Numbers of the bits that are set."""
    while vector:
        low = vector & -vector
        yield low.bit_length() - 1
        vector ^= low
