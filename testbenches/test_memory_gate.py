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

MASK = (1 << 32) - 1


class Memory:
    """A memory that takes requests when it likes, and answers them in order, each after a delay of its own."""

    def __init__(self, dut, words, seed, slowest):
        self.dut, self.words = dut, {word: random.Random(word).getrandbits(256) for word in range(words)}
        self.draw, self.slowest = random.Random(seed), slowest
        self.reads, self.writes, self.written = deque(), deque(), []

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
                assert request >> width + 256 == MASK
                self.words[address] = data
                self.written.append(address)
                self.writes.append(max(cycle + draw.randint(0, self.slowest), self.writes[-1] if self.writes else 0))
            ready = bool(self.reads) and self.reads[0][0] <= cycle
            dut.memory__data__valid.value = int(ready)
            dut.memory__data__payload.value = self.reads[0][1] if ready else 0
            done = bool(self.writes) and self.writes[0] <= cycle
            if done:
                self.writes.popleft()
            dut.memory__written.value = int(done)


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
    await RisingEdge(dut.clk)
    return memory


async def _ask(dut, memory, draw, cycles):
    """Reads and writes for some cycles; returns addresses of reads taken, and answers taken."""
    width = (len(memory.words) - 1).bit_length()
    asked, answers, written = [], [], 0
    for _ in range(cycles):
        if not int(dut.ni__read__valid.value) or int(dut.ni__read__ready.value):
            dut.ni__read__valid.value = draw.random() < 0.8
            dut.ni__read__payload.value = draw.randrange(len(memory.words))
        if not int(dut.ni__write__valid.value) or int(dut.ni__write__ready.value):
            dut.ni__write__valid.value = draw.random() < 0.5
            address = draw.randrange(len(memory.words) // 2)
            dut.ni__write__payload.value = MASK << width + 256 | draw.getrandbits(256) << width | address
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
@cocotb.parametrize(slowest=[0, 9, 60])
async def nothing_of_the_tenant_before_is_answered(dut, slowest):
    """Cut at random; what was asked before hold is answered to nobody, what is asked after it to the asker."""
    memory, draw = await _start(dut, slowest), random.Random(11)
    high = len(memory.words) // 2
    for _ in range(12):
        asked, answers, _ = await _ask(dut, memory, draw, draw.randrange(5, 80))
        constant = [memory.words[address] for address in asked]
        assert all(a == c for a, c, address in zip(answers, constant, asked, strict=False) if address >= high)
        dut.hold.value = 1
        _silence(dut)
        await RisingEdge(dut.clk)
        for _ in range(200):
            await RisingEdge(dut.clk)
            assert not int(dut.ni__data__valid.value) and not int(dut.ni__written.value)
            assert not int(dut.memory__write__valid.value) and not int(dut.memory__read__valid.value)
            if not int(dut.unfinished.value):
                break
        else:
            raise AssertionError("what hold cut is never over")
        assert not memory.reads and not memory.writes
        dut.hold.value = 0


@cocotb.test()
@cocotb.parametrize(slowest=[0, 60])
async def clearing_sets_every_word_to_0(dut, slowest):
    memory, draw = await _start(dut, slowest), random.Random(12)
    await _ask(dut, memory, draw, 50)
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
    asked, answers, _ = await _ask(dut, memory, draw, 100)
    assert asked and answers
