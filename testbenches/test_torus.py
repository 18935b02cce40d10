"""Tori of routers: nothing is lost, changed or overtaken, and nothing locks."""

import json
import os
import random

import cocotb

from rtl.formats import VirtualChannel
from testbenches.designs import SHAPES
from testbenches.kit.torus import LockedError, Torus, coordinate_of

DUT = "testbenches.designs:router_torus"
PARAMETERS = [{"lanes": 1}, {"lanes": 1, "bubble": "off"}, {"lanes": 1, "bubble": "chunks"}]

VARIANT = json.loads(os.environ.get("KHHW_PARAMETERS", "{}"))
LANES = VARIANT.get("lanes", 2)
SAFE = VARIANT.get("bubble", "slots") == "slots"
"""The other two rules are there to lock."""

RINGS = ((8, 1, 1), (6, 6, 1))
SOAK_CYCLES = 6000


async def build(dut, shape):
    torus = Torus(dut, shape, lanes=LANES, shapes=SHAPES)
    await torus.start()
    return torus


@cocotb.test(skip=not SAFE)
@cocotb.parametrize(("shape", SHAPES), ("stall", [0.0, 0.3]))
async def every_pair(dut, shape, stall):
    """Every node sends to every node, itself included, on both channels, in every length."""
    torus = await build(dut, shape)
    torus.stall = stall
    chooser = random.Random(cocotb.RANDOM_SEED)
    pairs = [(a, b, vc) for a in range(torus.nodes) for b in range(torus.nodes)
             for vc in (VirtualChannel.ESCAPE, VirtualChannel.PRIORITY)]
    chooser.shuffle(pairs)
    for a, b, vc in pairs:
        torus.send(a, b, chunks=chooser.randint(1, 8), vc=vc)
    await torus.drain()
    assert torus.delivered == len(pairs)


@cocotb.test
@cocotb.parametrize(("shape", RINGS), ("seed", [1, 2]))
async def full_rings(dut, shape, seed):
    """Every node sends as much as it can two hops further in x and y, in every length: all rings are full.

    The traffic is the same under every bubble rule. Whole slots survive it; the other rules lock, and the
    report names the packets that are stuck.
    """
    torus = await build(dut, shape)
    try:
        await soak(torus, random.Random(seed))
        await torus.drain()
    except LockedError as locked:
        dut._log.info("%s", locked)
        assert not SAFE, "whole slots must not lock"
        assert str(locked).count("\npacket: ") >= len(rings_of(shape)), "a locked ring has a packet in every node"
        return
    dut._log.info("%s: %.2f flits a node and cycle", shape, torus.flits / torus.cycle / torus.nodes)
    assert SAFE, "this rule is here to show a lock, and did not"


def rings_of(shape):
    return range(min(size for size in shape if size > 1))


async def soak(torus, chooser):
    """Keep every lane supplied."""
    shape = torus.shape
    there = [shifted(rank, shape) for rank in range(torus.nodes)]
    while torus.cycle < SOAK_CYCLES:
        for rank in range(torus.nodes):
            while torus.backlog(rank) < 4:
                torus.send(rank, there[rank], chunks=chooser.randint(1, 8))
        for _ in range(8):
            await torus.step()


def shifted(rank, shape):
    """The rank as far in plus direction as is shortest for sure, at most 3 hops, in x and y."""
    x, y, z = (
        (place + min(3, (size - 1) // 2)) % size for place, size in zip(coordinate_of(rank, shape), shape, strict=True))
    return x + shape[0] * (y + shape[1] * z)
