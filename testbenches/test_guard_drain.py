"""DRAINED of one way, cycle by cycle, whatever happens in which order: no packet of the old tables is overlooked."""

import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

DUT = "rtl.guard.drain:Drain"
PARAMETERS = [{}]

INPUTS = ("passed", "retired", "commit", "forget")


class Model:
    """Packets that are unfinished, oldest first: each True if it was judged before the last commit took effect."""

    def __init__(self):
        self.unfinished: list[bool] = []
        self.switching = False
        """The tables were switched at the end of the cycle before."""

    def drained(self):
        """What DRAINED is now: in the cycle after a commit nobody knows yet."""
        return not self.switching and not any(self.unfinished)

    def step(self, passed, retired, commit, forget):
        """A cycle; a header that is judged in the one after a commit came in before it."""
        if passed:
            self.unfinished.append(False)
        if retired and self.unfinished:
            self.unfinished.pop(0)
        if self.switching:
            self.unfinished = [True for _ in self.unfinished]
        if forget:
            self.unfinished.clear()
        self.switching = bool(commit)


async def begin(dut):
    Clock(dut.clk, 2, "step").start()
    dut.rst.value = 1
    for name in INPUTS:
        getattr(dut, name).value = 0
    for _ in range(2):
        await RisingEdge(dut.clk)
    dut.rst.value = 0
    await RisingEdge(dut.clk)


@cocotb.test()
@cocotb.parametrize(retires=[0.29, 0.5], forgets=[0, 0.02])
async def it_is_known_in_every_cycle(dut, retires, forgets):
    """Packets pass and retire, tables are switched and the interface is reset in any cycle, several at once."""
    await begin(dut)
    draw, model, seen = random.Random(f"{random.random()}"), Model(), {True: 0, False: 0}
    for _ in range(3000):
        # No more may be unfinished than the count holds.
        shares = 0.3 if len(model.unfinished) < 200 else 0, retires, 0.1 if model.drained() else 0, forgets
        driven = [draw.random() < share for share in shares]
        for name, value in zip(INPUTS, driven, strict=True):
            getattr(dut, name).value = int(value)
        await RisingEdge(dut.clk)
        assert bool(int(dut.drained.value)) == model.drained(), model.unfinished
        seen[model.drained()] += 1
        model.step(*driven)
    assert min(seen.values()) > 20


@cocotb.test()
async def a_commit_of_nothing_is_not_drained_at_once(dut):
    """In the cycle after a commit a packet may still be judged by the old tables, so DRAINED is 0 in it."""
    await begin(dut)
    for passes in (0, 1):
        dut.commit.value = 1
        await RisingEdge(dut.clk)
        assert int(dut.drained.value)
        dut.commit.value, dut.passed.value = 0, passes
        await RisingEdge(dut.clk)
        assert not int(dut.drained.value), "in the cycle after the commit"
        dut.passed.value = 0
        await RisingEdge(dut.clk)
        assert int(dut.drained.value) == 1 - passes
    dut.retired.value = 1
    await RisingEdge(dut.clk)
    dut.retired.value = 0
    await RisingEdge(dut.clk)
    assert int(dut.drained.value)
