"""What the guards count, close to the wrap."""

import json
import os
import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge

from rtl.formats import Reason
from rtl.guard.counters import EPOCH_COUNTERS
from rtl.parameters import Parameters
from testbenches.worn_designs import START

DUT = "testbenches.worn_designs:guard_counters"
PARAMETERS = [{"lanes": 6}]

LANES = Parameters(**json.loads(os.environ.get("KHHW_PARAMETERS", "{}"))).lanes
TREE = {Reason.TREE, Reason.STALE}
POSSIBLE = {"egress": set(Reason) - {Reason.NONE, Reason.COLUMN} - TREE, "ingress": {Reason.NO_TABLE, Reason.COLUMN}}


@cocotb.test()
async def every_event_of_a_cycle(dut):
    """Whatever all lanes, the tree and the router report in one cycle is added at once, modulo 2^32."""
    dut.clear.value = 0
    inputs = ["tree_refused", "tree_stale", "discards", *EPOCH_COUNTERS]
    inputs += [f"{side}_{what}" for side in POSSIBLE for what in ("refused", "reasons")]
    for name in inputs:
        getattr(dut, name).value = 0
    dut.rst.value = 1
    Clock(dut.clk, 2, "ns").start()
    await ClockCycles(dut.clk, 2)
    dut.rst.value = 0
    refused = [START] * 16
    epochs = [[START, START] for _ in EPOCH_COUNTERS]
    for _ in range(200):
        values = dict.fromkeys(inputs, 0)
        for side, possible in POSSIBLE.items():
            for lane in range(LANES):
                refuses = random.getrandbits(1)
                # Of a lane that refuses nothing the reason says nothing.
                reason = random.choice(sorted(possible)) if refuses else random.getrandbits(4)
                values[f"{side}_refused"] |= refuses << lane
                values[f"{side}_reasons"] |= reason << 4 * lane
                refused[reason] += refuses
        values["tree_refused"], values["tree_stale"] = random.getrandbits(1), random.getrandbits(1)
        refused[Reason.STALE if values["tree_stale"] else Reason.TREE] += values["tree_refused"]
        for name, counts in zip(EPOCH_COUNTERS, epochs, strict=True):
            for lane in range(LANES):
                strobe, parity = random.getrandbits(1), random.getrandbits(1)
                values[name] |= (strobe | parity << 1) << 2 * lane
                counts[parity] += strobe
        for parity in range(2):
            dropped = random.choice((0, random.getrandbits(5)))
            values["discards"] |= dropped << 5 * parity
            epochs[EPOCH_COUNTERS.index("dropped")][parity] += dropped
        for name, value in values.items():
            getattr(dut, name).value = value
        await RisingEdge(dut.clk)
        for name in inputs:
            getattr(dut, name).value = 0
        await RisingEdge(dut.clk)
        assert _words(dut.refused) == [count % 2**32 for count in refused]
        assert _words(dut.epochs) == [count % 2**32 for counts in epochs for count in counts]
    before = _words(dut.epochs)
    dut.clear.value, dut.tree_refused.value = 1, 1
    await RisingEdge(dut.clk)
    dut.clear.value, dut.tree_refused.value = 0, 0
    await RisingEdge(dut.clk)
    assert _words(dut.refused) == [0] * 16, "what is refused in the cycle of a clear is not counted"
    assert _words(dut.epochs) == before


def _words(port):
    packed = int(port.value)
    return [packed >> offset & 0xFFFFFFFF for offset in range(0, len(port), 32)]
