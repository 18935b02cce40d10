"""Testbench of skeleton:  khhw test test_skeleton.py  (--waves, -k CASE and --seed N may follow)."""

import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge

DUT = "skeleton:Skeleton"
PARAMETERS = [{}, {"width": 8}]


async def reset(dut):
    dut.rst.value, dut.enable.value, dut.value.value = 1, 0, 0
    Clock(dut.clk, 2, "ns").start()
    await ClockCycles(dut.clk, 2)
    dut.rst.value = 0


@cocotb.test()
async def test_starts_at_zero(dut):
    await reset(dut)
    await ClockCycles(dut.clk, 3)
    assert int(dut.total.value) == 0


@cocotb.test()
async def test_adds_what_is_enabled(dut):
    await reset(dut)
    expected = 0
    for _ in range(500):
        enable, value = random.getrandbits(1), random.getrandbits(8)
        dut.enable.value, dut.value.value = enable, value
        await RisingEdge(dut.clk)
        assert int(dut.total.value) == expected % (1 << len(dut.total))
        expected += enable * value
