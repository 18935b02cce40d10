"""A testbench of somebody else's: cocotb and nothing more."""

import json
import os
import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge

DUT = "running_sum:RunningSum"
PARAMETERS = [{}, {"width": 8}]

WIDTH = json.loads(os.environ.get("KHHW_PARAMETERS", "{}")).get("width", 16)


async def start(dut):
    for port in (dut.i__valid, dut.i__payload, dut.o__ready):
        port.value = 0
    dut.rst.value = 1
    Clock(dut.clk, 2, "ns").start()
    await ClockCycles(dut.clk, 2)
    dut.rst.value = 0


@cocotb.test()
@cocotb.parametrize(ready_probability=[0.2, 1.0])
async def test_sums(dut, ready_probability):
    await start(dut)
    numbers = [random.randrange(256) for _ in range(50)]
    to_send, sums = list(numbers), []
    dut.i__valid.value = 1
    while len(sums) < len(numbers):
        dut.i__valid.value = bool(to_send)
        dut.i__payload.value = to_send[0] if to_send else 0
        dut.o__ready.value = random.random() < ready_probability
        await RisingEdge(dut.clk)
        if to_send and dut.i__ready.value:
            dut._log.info("packet: number %d went in", to_send.pop(0))
        if dut.o__valid.value and dut.o__ready.value:
            sums.append(int(dut.o__payload.value))
    assert sums == [sum(numbers[:count + 1]) % 2**WIDTH for count in range(len(numbers))]


@cocotb.test()
async def test_history_is_visible(dut):
    await start(dut)
    dut.i__payload.value, dut.i__valid.value = 77, 1
    await ClockCycles(dut.clk, 3)
    assert int(dut.history.words[0].value) == 77
    dut.history.words[5].value = 12
    await ClockCycles(dut.clk, 1)
    assert int(dut.history.words[5].value) == 12
