"""The host gate in hold, seen from both its sides: nothing goes through, and no request is taken without an answer."""

import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from testbenches.kit.axilite import SLVERR
from testbenches.kit.stream import PAUSES

DUT = "rtl.host_gate:HostGate"
PARAMETERS = [{}]

REQUESTS = {"r": ("ar",), "b": ("aw", "w")}
"""Channels of requests by the channel of their answer."""


async def begin(dut):
    """Out of reset and in hold; the interface behind the gate would take and answer everything."""
    Clock(dut.clk, 2, "step").start()
    for name in ("awvalid", "wvalid", "arvalid", "bready", "rready", "awaddr", "wdata", "wstrb", "araddr"):
        getattr(dut, f"host__{name}").value = 0
    for name in ("awready", "wready", "arready"):
        getattr(dut, f"ni__{name}").value = 1
    for name in ("bvalid", "bresp", "rvalid", "rresp", "rdata"):
        getattr(dut, f"ni__{name}").value = 0
    dut.rst.value, dut.hold.value = 1, 1
    for _ in range(3):
        await RisingEdge(dut.clk)
    dut.rst.value = 0
    await RisingEdge(dut.clk)


class Manager:
    """Asks as often as it may, each channel on its own and without waiting for answers, and takes answers with pauses.

    Parameters
    ----------
    dut : handle
    response : str
        Channel of the answers.
    pauses : iterator of bool
        Cycles in which an answer is not taken, or a new request not made.
    """

    def __init__(self, dut, response, pauses):
        self.taken = dict.fromkeys(REQUESTS[response], 0)
        self.answers = []
        self.asking = True
        self._dut, self._response, self._pauses = dut, response, pauses
        cocotb.start_soon(self._run())

    def _port(self, name):
        return getattr(self._dut, f"host__{name}")

    async def _run(self):
        while True:
            await RisingEdge(self._dut.clk)
            answered = all(int(self._port(self._response + wire).value) for wire in ("valid", "ready"))
            for channel in self.taken:
                valid, ready = self._port(f"{channel}valid"), self._port(f"{channel}ready")
                self.taken[channel] += int(valid.value) and int(ready.value)
                # A request that was made stays until it is taken.
                if int(ready.value) or not int(valid.value):
                    valid.value = int(self.asking and not next(self._pauses))
            if answered:
                self.answers.append(int(self._port(f"{self._response}resp").value))
            for channel, taken in self.taken.items():
                assert taken - len(self.answers) in (0, 1), f"{channel}: {taken} taken, {len(self.answers)} answered"
            self._port(f"{self._response}ready").value = int(not next(self._pauses))


@cocotb.test()
@cocotb.parametrize(response=list(REQUESTS), pauses=list(PAUSES))
async def every_request_taken_in_hold_is_answered(dut, response, pauses):
    """The next one of a channel is not taken before the last one's answer is: whoever counts finds as many answers."""
    await begin(dut)
    manager = Manager(dut, response, PAUSES[pauses]())
    for _ in range(200):
        await RisingEdge(dut.clk)
    manager.asking = False
    # Of a write whose address was taken the data must still come.
    for _ in range(100):
        await RisingEdge(dut.clk)
        manager.asking = len(set(manager.taken.values())) > 1
    assert set(manager.taken.values()) == {len(manager.answers)} and len(manager.answers) > 20
    assert set(manager.answers) == {SLVERR}


async def watch(dut, refused):
    """Nothing is asked of the interface in hold, nor on the channels in `refused`."""
    while True:
        await RisingEdge(dut.clk)
        hold = int(dut.hold.value)
        for channel in ("aw", "w", "ar"):
            assert not (hold or channel in refused) or not int(getattr(dut, f"ni__{channel}valid").value), channel


async def ask(dut, *channels):
    """Make a request on each channel and see it taken at once."""
    for channel in channels:
        getattr(dut, f"host__{channel}valid").value = 1
    await RisingEdge(dut.clk)
    for channel in channels:
        assert int(getattr(dut, f"host__{channel}ready").value), channel
        getattr(dut, f"host__{channel}valid").value = 0


@cocotb.test()
async def nothing_reaches_the_interface_in_hold(dut):
    """Neither what is asked in hold, nor the rest of a write of which hold refused one half."""
    await begin(dut)
    refused = set()
    cocotb.start_soon(watch(dut, refused))
    draw = random.Random("nothing reaches")
    dut.host__rready.value = dut.host__bready.value = 1
    for first, second in (("aw", "w"), ("w", "aw")) * 20:
        dut.hold.value = 1
        for name in ("awaddr", "wdata", "araddr"):
            getattr(dut, f"host__{name}").value = draw.getrandbits(24)
        await ask(dut, first, "ar")
        refused.update(("aw", "w"))
        await RisingEdge(dut.clk)
        assert (int(dut.host__rvalid.value), int(dut.host__rresp.value)) == (1, SLVERR)
        assert not int(dut.host__bvalid.value)
        for _ in range(draw.randrange(4)):
            await RisingEdge(dut.clk)
        dut.hold.value = 0
        for _ in range(draw.randrange(4)):
            await RisingEdge(dut.clk)
        await ask(dut, second)
        await RisingEdge(dut.clk)
        assert (int(dut.host__bvalid.value), int(dut.host__bresp.value)) == (1, SLVERR)
        refused.clear()
