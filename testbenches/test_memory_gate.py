"""The memory gate between a network interface that is cut at any time and a memory of any latency."""

import json
import os
import random
from collections import deque

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, Timer

from rtl.parameters import Parameters

DUT = "rtl.memory_gate:MemoryGate"
PARAMETERS = [{"memory_bytes": 1024}]

LIMIT = 255
"""Accesses of a direction under way at most."""


class Memory:
    """A memory that takes requests when it likes, and answers them in order, each after a delay of its own."""

    def __init__(self, dut, words, seed, slowest):
        self.dut, self.words = dut, {word: random.Random(word).getrandbits(256) for word in range(words)}
        self.draw, self.slowest = random.Random(seed), slowest
        self.reads, self.writes, self.written = deque(), deque(), []
        self.most = 0
        """Accesses of a direction that were under way at once."""

    async def run(self):
        """Serve the port for ever; call before the first clock edge."""
        dut, draw, width = self.dut, self.draw, (len(self.words) - 1).bit_length()
        dut.memory__data__valid.value = dut.memory__written.value = 0
        cycle = 0
        while True:
            dut.memory__read__ready.value = read_ready = draw.random() < 0.7
            dut.memory__write__ready.value = write_ready = draw.random() < 0.7
            await RisingEdge(dut.clk)
            cycle += 1
            if int(dut.memory__data__valid.value) and int(dut.memory__data__ready.value):
                self.reads.popleft()
            if read_ready and int(dut.memory__read__valid.value):
                at = max(cycle + draw.randint(0, self.slowest), self.reads[-1][0] if self.reads else 0)
                self.reads.append((at, self.words[int(dut.memory__read__payload.value)]))
            if write_ready and int(dut.memory__write__valid.value):
                request = int(dut.memory__write__payload.value)
                address, data = request & (1 << width) - 1, request >> width & (1 << 256) - 1
                self.words[address] = _merge(self.words[address], data, request >> width + 256)
                self.written.append(address)
                self.writes.append(max(cycle + draw.randint(0, self.slowest), self.writes[-1] if self.writes else 0))
            ready = bool(self.reads) and self.reads[0][0] <= cycle
            dut.memory__data__valid.value = int(ready)
            dut.memory__data__payload.value = self.reads[0][1] if ready else 0
            done = bool(self.writes) and self.writes[0] <= cycle
            if done:
                self.writes.popleft()
            dut.memory__written.value = int(done)


def _merge(old, new, mask):
    """The word whose bytes are new where the mask says so; its most significant bit is about the first."""
    bits = sum(0xFF << 8 * byte for byte in range(32) if mask >> byte & 1)
    return old & ~bits | new & bits


async def _transparent(dut, memory):
    """For ever: without hold both sides say the same, up to as much as may be under way; in hold the tenant nothing."""
    under_way = {"read": 0, "write": 0}
    while True:
        await RisingEdge(dut.clk)
        hold = int(dut.hold.value)
        for kind in under_way:
            open_ = not hold and under_way[kind] < LIMIT
            asked, takes = getattr(dut, f"ni__{kind}__valid"), getattr(dut, f"ni__{kind}__ready")
            passed, ready = (int(getattr(dut, f"memory__{kind}__{name}").value) for name in ("valid", "ready"))
            assert int(takes.value) == (ready and open_), kind
            assert hold or passed == (int(asked.value) and open_), kind
            if passed and not hold:
                assert getattr(dut, f"ni__{kind}__payload").value == getattr(dut, f"memory__{kind}__payload").value
            under_way[kind] += passed and ready
        answered, written = int(dut.memory__data__valid.value), int(dut.memory__written.value)
        assert int(dut.ni__data__valid.value) == (answered and not hold)
        assert int(dut.ni__written.value) == (written and not hold)
        assert int(dut.memory__data__ready.value) == (hold or int(dut.ni__data__ready.value))
        if answered:
            assert dut.ni__data__payload.value == dut.memory__data__payload.value
        under_way["read"] -= answered and int(dut.memory__data__ready.value)
        under_way["write"] -= written
        memory.most = max(memory.most, *under_way.values())


async def _start(dut, slowest):
    words = Parameters(**json.loads(os.environ.get("KHHW_PARAMETERS", "{}"))).memory_words
    for name in ("clk", "hold", "clear", "ni__read__valid", "ni__read__payload", "ni__write__valid",
                 "ni__write__payload", "ni__data__ready", "memory__read__ready", "memory__write__ready",
                 "memory__data__valid", "memory__data__payload", "memory__written"):
        getattr(dut, name).value = 0
    dut.rst.value = 1
    # No input may be unknown at the first edge.
    await Timer(1, "step")
    cocotb.start_soon(Clock(dut.clk, 2, "step").start())
    memory = Memory(dut, words, 5, slowest)
    cocotb.start_soon(memory.run())
    for _ in range(3):
        await RisingEdge(dut.clk)
    dut.rst.value = 0
    cocotb.start_soon(_transparent(dut, memory))
    await RisingEdge(dut.clk)
    return memory


async def _ask(dut, memory, draw, cycles):
    """Reads and writes for some cycles; returns addresses of reads taken, and answers taken."""
    width = (len(memory.words) - 1).bit_length()
    asked, answers, written = [], [], 0
    for _ in range(cycles):
        if not int(dut.ni__read__valid.value) or int(dut.ni__read__ready.value):
            dut.ni__read__valid.value = draw.random() < 0.9
            dut.ni__read__payload.value = draw.randrange(len(memory.words))
        if not int(dut.ni__write__valid.value) or int(dut.ni__write__ready.value):
            dut.ni__write__valid.value = draw.random() < 0.9
            address = draw.randrange(len(memory.words) // 2)
            dut.ni__write__payload.value = draw.getrandbits(32 + 256) << width | address
        dut.ni__data__ready.value = draw.random() < 0.7
        await RisingEdge(dut.clk)
        if int(dut.ni__read__valid.value) and int(dut.ni__read__ready.value):
            asked.append(int(dut.ni__read__payload.value))
        if int(dut.ni__data__valid.value) and int(dut.ni__data__ready.value):
            answers.append(int(dut.ni__data__payload.value))
        written += int(dut.ni__written.value)
    return asked, answers, written


def _silence(dut):
    for name in ("read__valid", "write__valid", "data__ready"):
        getattr(dut, f"ni__{name}").value = 0


@cocotb.test()
@cocotb.parametrize(slowest=[0, 9, 60, 700])
async def nothing_of_the_tenant_before_is_answered(dut, slowest):
    """Cut at random; what was asked before hold is answered to nobody, what is asked after it to the asker."""
    memory, draw = await _start(dut, slowest), random.Random(11)
    high = len(memory.words) // 2
    for _ in range(12):
        asked, answers, _ = await _ask(dut, memory, draw, draw.randrange(5, 80 + slowest))
        constant = [memory.words[address] for address in asked]
        assert all(a == c for a, c, address in zip(answers, constant, asked, strict=False) if address >= high)
        dut.hold.value = 1
        _silence(dut)
        await RisingEdge(dut.clk)
        for _ in range(200 + 3 * slowest):
            await RisingEdge(dut.clk)
            assert not int(dut.ni__data__valid.value) and not int(dut.ni__written.value)
            assert not int(dut.memory__write__valid.value) and not int(dut.memory__read__valid.value)
            if not int(dut.unfinished.value):
                break
        else:
            raise AssertionError("what hold cut is never over")
        assert not memory.reads and not memory.writes
        dut.hold.value = 0
    assert (memory.most == LIMIT) == (slowest > LIMIT)


@cocotb.test()
@cocotb.parametrize(slowest=[0, 60, 500])
async def clearing_sets_every_word_to_0(dut, slowest):
    memory, draw = await _start(dut, slowest), random.Random(12)
    await _ask(dut, memory, draw, 50 + slowest)
    memory.written.clear()
    dut.clear.value = 1
    await RisingEdge(dut.clk)
    dut.clear.value = 0
    dut.hold.value = 1
    _silence(dut)
    await RisingEdge(dut.clk)
    assert int(dut.unfinished.value)
    while int(dut.unfinished.value):
        await RisingEdge(dut.clk)
    assert memory.written[-len(memory.words):] == list(range(len(memory.words)))
    assert not any(memory.words.values())
    dut.hold.value = 0
    await RisingEdge(dut.clk)
    asked, answers, _ = await _ask(dut, memory, draw, 100 + slowest)
    assert asked and answers
