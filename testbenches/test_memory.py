"""The node memory against a model."""

import json
import os
import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from rtl.parameters import Parameters
from testbenches.kit.stream import PAUSES

DUT = "rtl.memory:NodeMemory"
PARAMETERS = [{}, {"memory_bytes": 4096}]


async def _start(dut):
    cocotb.start_soon(Clock(dut.clk, 2, "step").start())
    for name in ("read__valid", "write__valid", "data__ready"):
        getattr(dut, name).value = 0
    dut.rst.value = 1
    for _ in range(3):
        await RisingEdge(dut.clk)
    dut.rst.value = 0
    await RisingEdge(dut.clk)
    words = Parameters(**json.loads(os.environ.get("KHHW_PARAMETERS", "{}"))).memory_words
    return words, (words - 1).bit_length()


def _merged(old: int, new: int, mask: int) -> int:
    bits = sum(0xFF << 8 * byte for byte in range(32) if mask >> byte & 1)
    return old & ~bits | new & bits


@cocotb.test()
@cocotb.parametrize(pauses=list(PAUSES))
async def reads_and_writes_every_cycle(dut, pauses):
    """Random reads and masked writes of few words at once; answers in order, none lost while `ready` is 0."""
    words, bits = await _start(dut)
    draw = random.Random(7)
    pause = PAUSES[pauses]()
    some = [0, words - 1, *draw.sample(range(words), 6)]
    model = dict.fromkeys(some, None)
    expected, answers, acknowledged, written = [], 0, 0, 0
    reading = writing = None
    waiting = None
    for cycle in range(1500):
        await RisingEdge(dut.clk)
        acknowledged += int(dut.written.value)
        if int(dut.data__valid.value):
            payload = int(dut.data__payload.value)
            assert waiting in (None, payload), "an answer changed while it waited"
            waiting = payload
            if int(dut.data__ready.value):
                assert payload == expected.pop(0)
                answers += 1
                waiting = None
        if reading is not None and int(dut.read__ready.value):
            expected.append(model[reading])
            reading = None
        if writing is not None:
            assert int(dut.write__ready.value)
            word, content, mask = writing
            model[word] = _merged(model[word] or 0, content, mask)
            written += 1
            writing = None
        known = [word for word in some if model[word] is not None]
        if reading is None and known and cycle < 1450:
            reading = draw.choice(known)
            dut.read__payload.value = reading
        if cycle < 1450:
            word = draw.choice(some)
            mask = draw.getrandbits(32) if model[word] is not None else 0xFFFFFFFF
            writing = word, draw.getrandbits(256), mask
            dut.write__payload.value = mask << bits + 256 | writing[1] << bits | word
        dut.read__valid.value = reading is not None
        dut.write__valid.value = writing is not None
        dut.data__ready.value = not next(pause)
    assert not expected
    assert acknowledged == written == 1450
    if pauses == "never":
        assert answers >= 1440
