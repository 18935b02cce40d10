"""The collective network: packets, a cable's transmitter, and all endpoints of a tree at once."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from rtl.formats import (
    ControlOp,
    ControlWord,
    Flit,
    LinkHeader,
    Protocol,
    TreeChannel,
    TreeClass,
    TreeHeader,
    pack,
    unpack,
)
from testbenches.kit.stream import FLIT_WIDTH, Packet, Pauses, never

__all__ = ["LinkSource", "TreeNodes", "control_packet", "link_header", "tree_header", "tree_packet"]

LINK_PACKETS = 2


def tree_packet(vector: int | None, *, payload: tuple[int, ...] = (), protocol: int = Protocol.CONSOLE,
                dst_key: int = 0, src_key: int = 0, conn_id: int = 0, channel: int = TreeChannel.TENANT,
                **header: int) -> Packet:
    """A tree packet: to one rank, to :data:`~rtl.formats.EXTERNAL`, or to everybody (None).

    Parameters
    ----------
    vector : int or None
        Destination.
    payload : tuple of int
        Up to 30 flits.
    protocol, dst_key, src_key, conn_id : int
        Of the link header.
    channel : int
        :class:`~rtl.formats.TreeChannel`.
    **header : int
        Further fields of the tree header, or other values of those that follow from the rest.
    """
    fields = {"tree_class": TreeClass.BROADCAST, "p2p": int(vector is not None),
              "vector": vector or 0, "words": 2 + len(payload), **header}
    link = pack(LinkHeader, dst_key=dst_key, src_key=src_key, conn_id=conn_id, protocol=protocol,
                opt=8 * len(payload))
    return Packet((pack(TreeHeader, **fields), link >> 64, link & (1 << 64) - 1, *payload), channel=channel)


def control_packet(operations: list[tuple[ControlOp, int, int]], vector: int | None = 0, **fields: int) -> Packet:
    """A control packet of the owner as a node sees it: operations are (op, address, data)."""
    words = tuple(pack(ControlWord, op=op, address=address, data=data) for op, address, data in operations)
    stamps = {"owner": 1, "external": 1, "protocol": Protocol.CONTROL, "channel": TreeChannel.OWNER}
    return tree_packet(vector, payload=words, **{**stamps, **fields})


def tree_header(packet: Packet) -> dict[str, int]:
    """Fields of the first flit."""
    return unpack(TreeHeader, packet.words[0])


def link_header(packet: Packet) -> dict[str, int]:
    """Fields of the second and third flit."""
    return unpack(LinkHeader, packet.words[1] << 64 | packet.words[2])


class LinkSource:
    """Transmitter of a ``TreeLink``: sends what is queued into the room credits promise.

    Parameters
    ----------
    dut : handle
        Whose ports these are.
    prefix : str
        Name of the link.
    pauses : iterator of bool, optional
        Cycles in which nothing is sent.
    """

    def __init__(self, dut: Any, prefix: str, pauses: Pauses | None = None) -> None:
        self.credits = [LINK_PACKETS] * len(TreeChannel)
        self._pauses = never() if pauses is None else pauses
        self._dut = dut
        self._valid, self._channel, self._flit, self._credit = (
            getattr(dut, f"{prefix}__{name}") for name in ("valid", "channel", "flit", "credit"))
        self._queue: deque[Packet] = deque()
        self._flits: deque[int] = deque()
        self._valid.value = 0
        self._task = cocotb.start_soon(self._run())

    def send(self, packet: Packet) -> None:
        """Queue a packet."""
        self._queue.append(packet)

    @property
    def idle(self) -> bool:
        """Everything is sent and its room is free again."""
        return not self._queue and not self._flits and self.credits == [LINK_PACKETS] * len(TreeChannel)

    async def settle(self, cycles: int = 4000) -> None:
        """Wait until everything is sent and its room is free again."""
        for _ in range(cycles):
            await RisingEdge(self._dut.clk)
            if self.idle:
                return
        raise AssertionError(f"not drained in {cycles} cycles: credits {self.credits}, {len(self._queue)} packets left")

    async def _run(self) -> None:
        while True:
            await RisingEdge(self._dut.clk)
            returned = int(self._credit.value)
            for channel in TreeChannel:
                self.credits[channel] += returned >> channel & 1
                assert self.credits[channel] <= LINK_PACKETS, "more credits than room"
            if not self._flits and self._queue and self.credits[self._queue[0].channel]:
                packet = self._queue.popleft()
                self.credits[packet.channel] -= 1
                self._channel.value = packet.channel
                self._flits.extend(flit & (1 << FLIT_WIDTH) - 1 for flit in packet.flits())
            sending = bool(self._flits) and not next(self._pauses)
            self._valid.value = int(sending)
            if sending:
                self._flit.value = self._flits.popleft()


@dataclass
class _Port:
    """One endpoint's state: queues by channel towards the tree, packets being received, credits owed."""

    queues: list[deque[Packet]] = field(default_factory=lambda: [deque(), deque()])
    flits: list[deque[int]] = field(default_factory=lambda: [deque(), deque()])
    packets: list[Packet] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    words: list[int] = field(default_factory=list)
    room: list[int] = field(default_factory=lambda: [LINK_PACKETS] * 2)
    owed: list[int] = field(default_factory=lambda: [0, 0])


class TreeNodes:
    """Endpoints of all nodes of ``testbenches.tree_designs:tree``, in one coroutine for speed.

    Parameters
    ----------
    dut : handle
        The tree.
    nodes : int
        Its nodes.
    pauses : callable
        Called with (node, channel) for an iterator that says in which cycles that endpoint returns no credit.
    """

    def __init__(self, dut: Any, nodes: int, pauses: Callable[[int, int], Pauses] | None = None) -> None:
        self.ports = [_Port() for _ in range(nodes)]
        self.now = 0
        self._dut = dut
        self._pauses = [[never() if pauses is None else pauses(node, channel) for channel in TreeChannel]
                        for node in range(nodes)]
        self._offered = 0
        self._payload = 0
        dut.inject_valid.value = 0
        dut.local_credit.value = 0
        self._task = cocotb.start_soon(self._run())

    def send(self, node: int, packet: Packet) -> None:
        """Queue a packet at a node, on its channel."""
        self.ports[node].queues[packet.channel].append(packet)

    @property
    def packets(self) -> list[list[Packet]]:
        """What has come whole to each node, in order."""
        return [port.packets for port in self.ports]

    @property
    def idle(self) -> bool:
        """Nothing is queued and nothing half received."""
        return not any(any(p.queues) or any(p.flits) or p.words or any(p.owed) for p in self.ports)

    async def _run(self) -> None:
        while True:
            await RisingEdge(self._dut.clk)
            self.now += 1
            self._send(int(self._dut.inject_ready.value))
            if valid := int(self._dut.local_valid.value):
                self._receive(valid, int(self._dut.local_channel.value), int(self._dut.local_flit.value))
            self._return_credits()

    def _send(self, ready: int) -> None:
        taken = self._offered & ready
        offered, changed = 0, False
        for node, port in enumerate(self.ports):
            for channel, flits in enumerate(port.flits):
                bit = 2 * node + channel
                if taken >> bit & 1:
                    flits.popleft()
                if not flits and port.queues[channel]:
                    flits.extend(f & (1 << FLIT_WIDTH) - 1 for f in port.queues[channel].popleft().flits())
                    changed = True
                changed |= bool(taken >> bit & 1)
                offered |= bool(flits) << bit
        if changed:
            self._dut.inject_payload.value = sum(
                flits[0] << FLIT_WIDTH * (2 * node + channel)
                for node, port in enumerate(self.ports) for channel, flits in enumerate(port.flits) if flits)
            self._dut.inject_valid.value = offered
        self._offered = offered

    def _receive(self, valid: int, channels: int, vector: int) -> None:
        for node, port in enumerate(self.ports):
            if not valid >> node & 1:
                continue
            flit = unpack(Flit, vector >> FLIT_WIDTH * node & (1 << FLIT_WIDTH) - 1)
            channel = channels >> node & 1
            assert bool(flit["first"]) == (not port.words), f"node {node}: packets are torn"
            if flit["first"]:
                port.room[channel] -= 1
                assert port.room[channel] >= 0, f"node {node}: a packet was sent without credit"
            port.words.append(flit["data"])
            if flit["last"]:
                port.packets.append(Packet(tuple(port.words), bool(flit["bad"]), channel))
                port.times.append(self.now)
                port.words = []
                port.owed[channel] += 1

    def _return_credits(self) -> None:
        credits = 0
        for node, port in enumerate(self.ports):
            for channel in TreeChannel:
                if port.owed[channel] and not next(self._pauses[node][channel]):
                    port.owed[channel] -= 1
                    port.room[channel] += 1
                    credits |= 1 << 2 * node + channel
        self._dut.local_credit.value = credits
