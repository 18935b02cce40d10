"""The host gate: no access is left without an answer, whenever the owner holds the node."""

import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, with_timeout

from testbenches.kit.axilite import OKAY, SLVERR, AxiLiteHost
from testbenches.kit.stream import PAUSES

DUT = "rtl.host_gate:HostGate"
PARAMETERS = [{}]

LATENCY = 3
"""Cycles the interface behind the gate takes to answer."""


class Interface:
    """What is behind the gate: keeps what was written, and forgets what it was doing while held."""

    def __init__(self, dut):
        self.dut = dut
        self.memory: dict[int, int] = {}
        for name in ("awready", "wready", "bvalid", "bresp", "arready", "rvalid", "rresp", "rdata"):
            self.port(name).value = 0

    def port(self, name):
        return getattr(self.dut, f"ni__{name}")

    async def run(self):
        while True:
            while int(self.dut.hold.value):
                await self.idle()
            write = int(self.port("awvalid").value) and int(self.port("wvalid").value)
            read = int(self.port("arvalid").value)
            if write:
                await self.serve(("awready", "wready"), "b")
            elif read:
                await self.serve(("arready",), "r")
            else:
                await RisingEdge(self.dut.clk)

    async def idle(self):
        for name in ("awready", "wready", "bvalid", "arready", "rvalid"):
            self.port(name).value = 0
        await RisingEdge(self.dut.clk)

    async def step(self):
        """One cycle; False if the node was held in it."""
        await RisingEdge(self.dut.clk)
        return not int(self.dut.hold.value)

    async def serve(self, readies, response):
        for name in readies:
            self.port(name).value = 1
        alive = await self.step()
        if alive and response == "b":
            self.memory[int(self.port("awaddr").value)] = int(self.port("wdata").value)
        address = int(self.port("araddr").value) if response == "r" else -1
        for name in readies:
            self.port(name).value = 0
        for _ in range(LATENCY):
            alive = alive and await self.step()
        if not alive:
            return
        self.port("rdata").value = self.memory.get(address, 0)
        self.port(f"{response}valid").value = 1
        while await self.step():
            if int(self.port(f"{response}ready").value):
                break
        self.port(f"{response}valid").value = 0


async def watch(dut):
    """A response that waits stays as it is, until hold ends: then it is an error without data."""
    waiting, held = {}, 0
    while True:
        await RisingEdge(dut.clk)
        hold = int(dut.hold.value)
        for response, names in (("b", ("bresp",)), ("r", ("rresp", "rdata"))):
            valid, ready = (int(getattr(dut, f"host__{response}{wire}").value) for wire in ("valid", "ready"))
            said = tuple(int(getattr(dut, f"host__{name}").value) for name in names) if valid else None
            if response in waiting:
                expected = (SLVERR, 0)[:len(names)] if held and not hold else waiting[response]
                assert said == expected, f"{response}: {waiting[response]} was offered, now {said}"
            waiting.pop(response, None)
            if valid and not ready:
                waiting[response] = said
        held = hold


async def begin(dut, pauses="never"):
    Clock(dut.clk, 2, "step").start()
    dut.rst.value = 1
    dut.hold.value = 0
    host, interface = AxiLiteHost(dut, pauses=PAUSES[pauses]()), Interface(dut)
    for _ in range(3):
        await RisingEdge(dut.clk)
    dut.rst.value = 0
    cocotb.start_soon(interface.run())
    cocotb.start_soon(watch(dut))
    return host, interface


@cocotb.test()
@cocotb.parametrize(pauses=list(PAUSES))
async def passes(dut, pauses):
    """Without hold the port is a wire."""
    host, interface = await begin(dut, pauses)
    for index in range(20):
        assert (await host.write(4 * index, 0x100 + index)).resp == OKAY
        assert await host.read(4 * index) == (0x100 + index, OKAY)
    assert interface.memory == {4 * index: 0x100 + index for index in range(20)}


@cocotb.test()
async def held(dut):
    """While it is held every access is an error and reaches nothing; afterwards the port works."""
    host, interface = await begin(dut)
    dut.hold.value = 1
    for index in range(5):
        assert (await with_timeout(host.write(4 * index, 1), 100, "step")).resp == SLVERR
        assert await with_timeout(host.read(4 * index), 100, "step") == (0, SLVERR)
    assert not interface.memory
    await RisingEdge(dut.clk)
    await RisingEdge(dut.clk)
    assert not int(dut.busy.value), "nothing is asked for"
    dut.hold.value = 0
    assert (await host.write(8, 7)).resp == OKAY
    assert await host.read(8) == (7, OKAY)
    await RisingEdge(dut.clk)
    await RisingEdge(dut.clk)
    assert not int(dut.busy.value)


@cocotb.test()
@cocotb.parametrize(pauses=list(PAUSES))
async def cut(dut, pauses):
    """Hold rises and falls at any moment of an access: it is answered, once, and the next one is not disturbed."""
    host, _interface = await begin(dut, pauses)
    chance = random.Random(f"cut {pauses}")
    refused = 0

    async def hold(delay, length):
        for _ in range(delay):
            await RisingEdge(dut.clk)
        dut.hold.value = 1
        for _ in range(length):
            await RisingEdge(dut.clk)
        dut.hold.value = 0

    for turn in range(300):
        holding = cocotb.start_soon(hold(chance.randrange(12), chance.randrange(1, 8)))
        for _ in range(3):
            access = host.write(0, turn) if chance.random() < 0.5 else host.read(0)
            refused += (await with_timeout(access, 1000, "step")).resp == SLVERR
        await holding
        assert (await host.write(4, turn)).resp == OKAY
        assert await host.read(4) == (turn, OKAY)
    assert 100 < refused < 850, refused


async def offer(dut, response):
    """Have 0xcafebabe read, or written, and leave the answer that is offered untaken."""
    host, interface = await begin(dut)
    interface.memory[8] = 0xCAFEBABE
    channels = {"r": {"ar": {"araddr": 8}}, "b": {"aw": {"awaddr": 8}, "w": {"wdata": 1, "wstrb": 15}}}[response]
    for fields in channels.values():
        for name, value in fields.items():
            getattr(dut, f"host__{name}").value = value
    for channel in channels:
        getattr(dut, f"host__{channel}valid").value = 1
    await RisingEdge(dut.clk)
    while not all(int(getattr(dut, f"host__{channel}ready").value) for channel in channels):
        await RisingEdge(dut.clk)
    for channel in channels:
        getattr(dut, f"host__{channel}valid").value = 0
    while not int(getattr(dut, f"host__{response}valid").value):
        await RisingEdge(dut.clk)
    return host


def answer(dut, response):
    """What is offered: response code and, of a read, data."""
    assert int(getattr(dut, f"host__{response}valid").value)
    names = ("rresp", "rdata") if response == "r" else ("bresp", )
    return tuple(int(getattr(dut, f"host__{name}").value) for name in names)


async def take(dut, response):
    getattr(dut, f"host__{response}ready").value = 1
    await RisingEdge(dut.clk)
    said = answer(dut, response)
    getattr(dut, f"host__{response}ready").value = 0
    await RisingEdge(dut.clk)
    await RisingEdge(dut.clk)
    assert not int(getattr(dut, f"host__{response}valid").value), "answered twice"
    return said


@cocotb.test()
@cocotb.parametrize(response=["r", "b"])
async def offered_before(dut, response):
    """What was offered before hold stays as it was while it waits, and is answered once."""
    host = await offer(dut, response)
    dut.hold.value = 1
    for _ in range(5):
        await RisingEdge(dut.clk)
        assert answer(dut, response) == (OKAY, 0xCAFEBABE)[:1 + (response == "r")]
    assert await take(dut, response) == (OKAY, 0xCAFEBABE)[:1 + (response == "r")]
    assert await host.read(8) == (0, SLVERR)
    dut.hold.value = 0
    assert (await host.write(8, 7)).resp == OKAY
    assert await host.read(8) == (7, OKAY)


@cocotb.test()
@cocotb.parametrize(response=["r", "b"])
async def not_taken_in_hold(dut, response):
    """When hold ends the next tenant finds an error where the last one left data."""
    host = await offer(dut, response)
    for hold in (1, 1, 0):
        dut.hold.value = hold
        await RisingEdge(dut.clk)
    for _ in range(3):
        await RisingEdge(dut.clk)
        assert answer(dut, response) == (SLVERR, 0)[:1 + (response == "r")]
    assert await take(dut, response) == (SLVERR, 0)[:1 + (response == "r")]
    assert (await host.write(8, 7)).resp == OKAY
    assert await host.read(8) == (7, OKAY)
