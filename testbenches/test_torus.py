"""Tori of routers: nothing is lost, changed or overtaken, and nothing locks."""

import json
import os
import random
import re

import cocotb
from cocotb.clock import Clock

from rtl.formats import VirtualChannel
from rtl.torus.coordinates import coordinate_of, rank_of
from testbenches.kit.torus import LockedError, Torus

DUT = "testbenches.designs:router_torus"
SIMULATORS = ["verilator"]
PARAMETERS = [
    {"lanes": 1, "shapes": "1x1x1 2x2x2 2x3x3"},
    {"lanes": 1, "shapes": "4x4x1 8x1x1"},
    {"lanes": 1, "bubble": "off", "shapes": "8x1x1"},
    {"lanes": 1, "bubble": "chunks", "shapes": "4x4x1 8x1x1"},
]

VARIANT = json.loads(os.environ.get("KHHW_PARAMETERS", "{}"))
LANES = VARIANT.get("lanes", 2)
SAFE = VARIANT.get("bubble", "slots") == "slots"
"""The other two rules are there to lock."""

SHAPES = VARIANT.get("shapes", "1x1x1").split()
SEEDS = (12, 7)
"""Counted in chunks both tori lock with the first one; without bubbles the ring of eight locks with the second."""
RINGS = [shape for shape in SHAPES if shape in ("4x4x1", "8x1x1")]
SOAK_CYCLES = 20_000
OPEN_AFTER = 250
"""Cycles without any movement."""
PLUS = 0b101000
"""Hints for x and y."""


async def build(dut, shape):
    torus = Torus(dut, shape, lanes=LANES)
    await torus.reset()
    return torus


@cocotb.test(skip=not SAFE)
@cocotb.parametrize(("shape", SHAPES), ("stall", [0.0, 0.3]))
async def every_pair(dut, shape, stall):
    """Every node sends to every node, itself included, on both channels, in every length."""
    Clock(dut.clk, 2, unit="ns").start()
    torus = await build(dut, shape)
    torus.stall = stall
    chooser = random.Random(cocotb.RANDOM_SEED)
    pairs = [(a, b, vc) for a in range(torus.nodes) for b in range(torus.nodes)
             for vc in (VirtualChannel.ESCAPE, VirtualChannel.PRIORITY)]
    chooser.shuffle(pairs)
    for a, b, vc in pairs:
        torus.send(a, b, chunks=chooser.randint(1, 8), vc=vc)
    await torus.settle()
    assert torus.delivered == len(pairs)


@cocotb.test(skip=not RINGS)
@cocotb.parametrize(("shape", RINGS or SHAPES))
async def full_rings(dut, shape):
    """Every node sends as much as it can half way round in x and y, in every length: all rings are full.

    The traffic of a seed is the same under every bubble rule. Whole slots survive all seeds; under the other
    rules the torus locks with one of them, and the report names the packets that are stuck.
    """
    Clock(dut.clk, 2, unit="ns").start()
    for seed in SEEDS:
        torus = await build(dut, shape)
        try:
            await soak(torus, random.Random(seed))
            await torus.settle()
        except LockedError as locked:
            dut._log.info("seed %d: %s", seed, locked)
            assert not SAFE, "whole slots must not lock"
            ring = min(size for size in torus.shape if size > 1)
            senders = set(re.findall(r"\npacket: \d+ from node (\d+)", str(locked)))
            assert len(senders) >= ring, "all around a locked ring somebody waits"
            return
        dut._log.info("%s, seed %d: %d packets in %d cycles", shape, seed, torus.delivered, torus.cycle)
    assert SAFE, "this rule is here to show a lock, and did not"


async def soak(torus, chooser):
    """Keep every lane supplied while three nodes of four, ever others, do not eject: rings fill and drain."""
    there = [opposite(rank, torus.shape) for rank in range(torus.nodes)]
    while torus.cycle < SOAK_CYCLES:
        closed = chooser.getrandbits(torus.nodes) | chooser.getrandbits(torus.nodes)
        # What waits for a closed lane is not locked: open all, long before the torus counts as such.
        torus.closed = closed if torus.idle_cycles < OPEN_AFTER else 0
        for _ in range(chooser.randint(2, 12)):
            for rank in range(torus.nodes):
                while torus.backlog(rank) < 3:
                    torus.send(rank, there[rank], chunks=chooser.randint(1, 8), hint=PLUS)
            for _ in range(8):
                await torus.step()
    torus.closed = 0


def opposite(rank, shape):
    """The rank half way round in x and y, so as far as plus hints may lead."""
    axes = zip(coordinate_of(rank, shape), shape, strict=True)
    return rank_of([(own + size // 2) % size for own, size in axes], shape)
