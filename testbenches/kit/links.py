"""Both ends of a torus cable: what a neighbour sends to a router, and what it makes of what the router sends."""

from collections import Counter, deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from rtl.formats import Flit, Header, VirtualChannel, unpack
from testbenches.kit.stream import Packet, Pauses, never

__all__ = ["Arrived", "LinkSink", "LinkSource"]


class LinkSource:
    """A neighbour that sends: drives ``rx[port]``, never without credit.

    Parameters
    ----------
    dut : handle
        The router.
    port : int
        Which cable.
    credits : int
        Allocation units of a channel.
    chunks : bool
        A unit is a chunk, not a packet slot.
    pauses : iterator of bool, optional
        Cycles in which nothing is sent.
    """

    def __init__(
        self, dut: Any, port: int, *, credits: int, chunks: bool = False, pauses: Pauses | None = None,
    ) -> None:
        self.pauses = never() if pauses is None else pauses
        self.limit = credits
        self.credits = Counter(dict.fromkeys(VirtualChannel, credits))
        self.returned: Counter[int] = Counter()
        """Credits the router has given back so far, by channel."""
        self._chunks = chunks
        self._dut = dut
        self._valid, self._vc, self._flit, self._credit = (
            getattr(dut, f"rx__{port}__{name}") for name in ("valid", "vc", "flit", "credit"))
        self._queue: deque[tuple[int, Packet, Collection[int]]] = deque()
        self._flits: deque[int | None] = deque()
        self._valid.value = 0
        cocotb.start_soon(self._run())

    def send(self, packet: Packet, vc: int = VirtualChannel.ESCAPE, *, lost: Collection[int] = ()) -> None:
        """Queue a packet on a channel; the cable loses those of its flits whose numbers are in `lost`."""
        self._queue.append((vc, packet, lost))

    @property
    def idle(self) -> bool:
        """All is sent, and all credits are back."""
        return not self._queue and not self._flits and all(count == self.limit for count in self.credits.values())

    async def _run(self) -> None:
        while True:
            await RisingEdge(self._dut.clk)
            pulses = int(self._credit.value)
            for channel in VirtualChannel:
                if pulses >> channel & 1:
                    self.credits[channel] += 1
                    self.returned[channel] += 1
                    assert self.credits[channel] <= self.limit, f"a credit too many on {channel.name}"
            self._start()
            sending = bool(self._flits) and not next(self.pauses)
            flit = self._flits.popleft() if sending else None
            self._valid.value = int(flit is not None)
            if flit is not None:
                self._flit.value = flit

    def _start(self) -> None:
        """Begin the next packet, if there is room for it."""
        if self._flits or not self._queue:
            return
        vc, packet, lost = self._queue[0]
        units = _units(packet.words[0], self._chunks)
        if self.credits[vc] >= units:
            self.credits[vc] -= units
            self._queue.popleft()
            self._flits.extend(None if at in lost else flit for at, flit in enumerate(packet.flits()))
            self._vc.value = int(vc)


@dataclass(frozen=True)
class Arrived:
    """A packet from a cable, its channel, and the cycles its first and last flit were on the cable."""

    packet: Packet
    vc: int
    first: int
    last: int


class LinkSink:
    """A neighbour that receives: watches ``tx[direction]``, returns credits, and objects to a flit without room.

    Parameters
    ----------
    dut : handle
        The router.
    direction : int
        Which cable.
    credits : int
        Allocation units of a channel.
    chunks : bool
        A unit is a chunk, not a packet slot.
    delay : int
        Cycles from the tail to the credit.
    """

    def __init__(self, dut: Any, direction: int, *, credits: int, chunks: bool = False, delay: int = 2) -> None:
        self.packets: deque[Arrived] = deque()
        self.hold = False
        """While set, no room is given back."""
        self.cycle = 0
        self._limit, self._chunks, self._delay = credits, chunks, delay
        self._dut = dut
        self._valid, self._vc, self._flit, self._credit = (
            getattr(dut, f"tx__{direction}__{name}") for name in ("valid", "vc", "flit", "credit"))
        self._used: Counter[int] = Counter()
        self._due: dict[int, deque[int]] = {channel: deque() for channel in VirtualChannel}
        self._words: list[int] = []
        self._begun = (0, 0)
        self._credit.value = 0
        cocotb.start_soon(self._run())

    def release(self, vc: int, units: int = 1) -> None:
        """While `hold` is set: give some of the oldest room back all the same."""
        for unit in range(units):
            self._due[vc][unit] = -1

    async def _run(self) -> None:
        while True:
            await RisingEdge(self._dut.clk)
            self.cycle += 1
            if int(self._valid.value):
                self._take(int(self._vc.value), unpack(Flit, int(self._flit.value)))
            pulses = 0
            for channel, due in self._due.items():
                if due and (due[0] < 0 or (not self.hold and self.cycle >= due[0])):
                    due.popleft()
                    self._used[channel] -= 1
                    pulses |= 1 << channel
            self._credit.value = pulses

    def _take(self, vc: int, flit: dict[str, int]) -> None:
        if flit["first"]:
            assert not self._words, "a packet began inside another"
            self._begun = (vc, self.cycle)
            self._used[vc] += _units(flit["data"], self._chunks)
            assert self._used[vc] <= self._limit, f"sent without room on channel {vc}"
        assert self._words or flit["first"], "a flit without a header"
        assert vc == self._begun[0], "the channel changed inside a packet"
        self._words.append(flit["data"])
        if flit["last"]:
            packet = Packet(tuple(self._words), bool(flit["bad"]))
            self.packets.append(Arrived(packet, vc, self._begun[1], self.cycle))
            self._due[vc].extend([self.cycle + self._delay] * _units(self._words[0], self._chunks))
            self._words.clear()


def _units(header: int, chunks: bool) -> int:
    """Allocation units of a packet, as its header says; a packet that is cut short still has room for all of it."""
    return unpack(Header, header)["size"] + 1 if chunks else 1
