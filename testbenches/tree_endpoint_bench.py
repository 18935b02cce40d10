"""A node's tree endpoint with models on all its ports."""

from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge

from rtl.formats import TreeClass
from testbenches.kit.registerbus import BusAnswer, RegisterResponder
from testbenches.kit.stream import PAUSES, FlitSink, FlitSource, Packet
from testbenches.kit.tree import LinkSource, tree_packet

NODE_ID, RANK, SEND_ID = 9, 5, 0xC0FFEE01
RECEIVE_IDS = (0x1111_0000, 0x2222_0000, 0x3333_0000, 0x4444_0000)
ALLOWED = {2, 7}
REFUSING = 0x7000
EPOCH = 0x5A


QUIET = ("local_in__valid", "local_in__channel", "local_in__flit", "console_out__valid", "console_out__payload",
         "owner__done", "owner__error", "owner__value", "console_in__ready", "local_out__owner__ready",
         "local_out__tenant__ready", "tree_allowed", "tree_epoch", "hold")
"""Inputs before any model drives them."""


class Bench:
    """A node's endpoint with models on all its ports.

    Parameters
    ----------
    dut : handle
        The endpoint.
    pauses : str
        Pattern of the network interface, the register bus and the tree's readiness.
    """

    def __init__(self, dut: Any, pauses: str = "never") -> None:
        self.dut = dut
        self.registers: dict[int, int] = {}
        self.refused: list[int] = []
        self.stale: list[int] = []
        self.passed = 0
        self.allowed = ALLOWED
        self.ids = len(dut.receive_valid)
        pattern = PAUSES[pauses]
        self.tree = LinkSource(dut, "local_in")
        self.console = FlitSink(dut, "console_in", pattern())
        self.answers = FlitSink(dut, "local_out__owner", pattern())
        self.texts = FlitSink(dut, "local_out__tenant", pattern())
        self.ni = FlitSource(dut, "console_out", pattern())
        self.bus = RegisterResponder(dut, "owner", self._access, pattern())

    @classmethod
    async def start(cls, dut: Any, pauses: str = "never", valid: int | None = None) -> "Bench":
        """Reset, attach the models, and set what the guard says."""
        cocotb.start_soon(Clock(dut.clk, 2, "ns").start())
        dut.rst.value = 1
        # Nothing unknown may get into a memory: those are not reset.
        for name in QUIET:
            getattr(dut, name).value = 0
        await ClockCycles(dut.clk, 2)
        bench = cls(dut, pauses)
        dut.straps.value = RANK << 2
        dut.node_id.value = NODE_ID
        dut.send_id.value = SEND_ID
        dut.console_class.value = TreeClass.BROADCAST
        dut.receive_ids.value = sum(key << 32 * i for i, key in enumerate(RECEIVE_IDS[:bench.ids]))
        dut.receive_valid.value = (1 << bench.ids) - 1 if valid is None else valid
        dut.hold.value = 0
        dut.tree_allowed.value = 0
        dut.tree_epoch.value = EPOCH
        await ClockCycles(dut.clk, 2)
        dut.rst.value = 0
        cocotb.start_soon(bench._column())
        # The tenant has been here for more commits than a packet can be old.
        dut.tree_epoch.value = 0xFF
        await ClockCycles(dut.clk, 2)
        dut.tree_epoch.value = EPOCH
        await ClockCycles(dut.clk, 2)
        return bench

    def _access(self, write: bool, address: int, data: int) -> BusAnswer:
        if address == REFUSING:
            return BusAnswer(0xDEAD, True)
        if write:
            self.registers[address] = data
        return BusAnswer(self.registers.get(address, 0), False)

    async def _column(self) -> None:
        """The guard: a lookup takes a cycle; a refusal names the source looked up last."""
        while True:
            await RisingEdge(self.dut.clk)
            source = int(self.dut.tree_source.value)
            self.dut.tree_allowed.value = int(source in self.allowed)
            if int(self.dut.tree_refused.value):
                self.refused.append(source)
                self.stale.append(int(self.dut.tree_stale.value))
            self.passed += int(self.dut.tree_passed.value)

    async def settle(self) -> list[Packet]:
        """Wait until nothing is left in the endpoint. Returns what the console got."""
        await self.tree.settle()
        for _ in range(4000):
            await RisingEdge(self.dut.clk)
            if int(self.dut.quiescent.value) and self.ni.idle:
                await ClockCycles(self.dut.clk, 4)
                return list(self.console.packets)
        raise AssertionError("the endpoint does not come to rest")


def text(source: int, key: int = RECEIVE_IDS[0], flits: int = 2, **fields: int) -> Packet:
    """A console packet as it comes from another node."""
    payload = tuple(source << 16 | i for i in range(flits))
    return tree_packet(None, payload=payload, dst_key=key, source=source, **{"epoch": EPOCH, **fields})


def of_tree(packets: list[Packet]) -> list[tuple[int, ...]]:
    """Words of packets, to compare across ports that do not carry the channel."""
    return [packet.words for packet in packets]
