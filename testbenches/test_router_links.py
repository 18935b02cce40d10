"""What a router makes of a cable that loses flits, and what it says of its cables."""

import random
from collections import Counter

import cocotb
from cocotb.triggers import ClockCycles

from rtl.formats import Direction, VirtualChannel
from testbenches.kit.router import CHUNKS, LANES, SLOTS, UNITS, Bench
from testbenches.kit.stream import Packet

DUT = "rtl.torus.router:Router"
PARAMETERS = [{}, {"bubble": "chunks"}]

ESCAPE, PRIORITY = VirtualChannel.ESCAPE, VirtualChannel.PRIORITY
XP, XM, YP, YM, ZP, ZM = Direction


def through(bench, **options):
    """A packet from X- to X+."""
    return bench.packet(bench.at(1, 0, 0), bench.at(-1, 0, 0), **options)


@cocotb.test
async def headers_count_at_both_ends(dut):
    """By cable and epoch parity, on either channel; an injected one counts where it leaves."""
    bench = await Bench.start(dut)
    rng = random.Random(5)
    expected = [Counter() for _ in Direction]
    for _ in range(60):
        epoch, vc = rng.randrange(2), rng.choice((ESCAPE, PRIORITY))
        if rng.random() < 0.7:
            bench.rx[XM].send(through(bench, epoch=epoch, vc=vc, chunks=rng.randint(1, 8)), vc)
            expected[XM][f"received_{epoch}"] += 1
        else:
            packet = bench.packet(bench.at(1, 0, 0), epoch=epoch, chunks=rng.randint(1, 8))
            bench.inject[rng.randrange(LANES)].send(packet)
        expected[XP][f"sent_{epoch}"] += 1
    await bench.settle()
    assert [+seen for seen in bench.links] == expected


@cocotb.test
async def what_lacks_its_header_goes(dut):
    """Its flits are sunk and its room comes back, even if its payload looks like a header; those around it pass."""
    bench = await Bench.start(dut)
    around = [through(bench, chunks=3) for _ in range(2)]
    for vc in (ESCAPE, PRIORITY):
        bench.rx[XM].send(around[0], vc)
        bench.rx[XM].send(Packet((around[0].words[0], *through(bench, chunks=3).words[:-1])), vc, lost=[0])
        # Where chunks are counted, as many come back as its first flit says.
        if not CHUNKS:
            bench.rx[XM].send(through(bench, chunks=8), vc, lost=[0])
            bench.rx[XM].send(through(bench, chunks=4), vc, lost=range(7))
        bench.rx[XM].send(around[1], vc)
        assert [arrived.packet for arrived in await bench.recv(XP, 2)] == around
    await bench.settle()
    assert +bench.links[XM] == Counter(received_0=4, damaged=2 if CHUNKS else 6)
    assert not bench.discards.total()


@cocotb.test
async def what_lacks_its_end_is_ended(dut):
    """By the header of the packet behind it, marked bad; of that packet nothing goes on, and all room comes back."""
    bench = await Bench.start(dut)
    cut, swallowed, good = through(bench, chunks=2), through(bench, chunks=1), through(bench, chunks=1)
    bench.rx[XM].send(cut, lost=[6, 7])
    await ClockCycles(dut.clk, 60)
    assert bench.ends(XM)[1]["receiving"]
    assert bench.ends(XP)[0]["sending"]
    assert not bench.links[XM]["damaged"]
    bench.rx[XM].send(swallowed)
    bench.rx[XM].send(good)
    first, second = await bench.recv(XP, 2)
    assert first.packet.bad
    assert first.packet.words[:6] == cut.words[:6]
    assert len(first.packet.words) == 7
    assert second.packet == good
    assert +bench.links[XM] == Counter(received_0=2, damaged=1)
    if not CHUNKS:
        await bench.settle()
        assert not bench.ends(XM)[1]["receiving"]
        assert not bench.ends(XP)[0]["sending"]


@cocotb.test
async def an_end_that_is_lost_holds_up_its_channel_only(dut):
    """A packet of the other channel ends it, and is lost in its place; both channels go on, with all their room."""
    bench = await Bench.start(dut)
    for vc, other in ((ESCAPE, PRIORITY), (PRIORITY, ESCAPE)):
        cut, after = through(bench, chunks=2), [through(bench, chunks=3) for _ in range(2)]
        bench.rx[XM].send(cut, vc, lost=[6, 7])
        bench.rx[XM].send(through(bench, chunks=2), other)
        bench.rx[XM].send(after[0], vc)
        bench.rx[XM].send(after[1], other)
        first, *rest = sorted(await bench.recv(XP, 3), key=lambda arrived: not arrived.packet.bad)
        assert (first.vc, first.packet.bad, first.packet.words[:6]) == (vc, True, cut.words[:6])
        assert len(first.packet.words) == 7
        assert {(arrived.vc, arrived.packet) for arrived in rest} == {(vc, after[0]), (other, after[1])}
        assert not any(arrived.packet.bad for arrived in rest)
    assert bench.links[XM]["damaged"] == 2
    if not CHUNKS:
        await bench.settle()


@cocotb.test
async def no_packet_is_longer_than_its_header_says(dut):
    """The end and the header behind it are lost: what is left of the second packet does not lengthen the first."""
    bench = await Bench.start(dut)
    for vc in (ESCAPE, PRIORITY):
        for chunks, lost in ((1, 1), (4, 3), (8, 20)):
            cut, good = through(bench, chunks=chunks), through(bench, chunks=2)
            kept = 4 * chunks - min(lost, 4 * chunks - 1)
            bench.rx[XM].send(cut, vc, lost=range(kept, 4 * chunks))
            bench.rx[XM].send(through(bench, chunks=8), vc, lost=[0])
            bench.rx[XM].send(good, vc)
            first, second = await bench.recv(XP, 2)
            assert first.packet.bad
            assert first.packet.words[:kept] == cut.words[:kept]
            assert len(first.packet.words) == 4 * chunks
            assert second.packet == good
    if not CHUNKS:
        await bench.settle()


@cocotb.test
async def a_condemned_packet_ends_too(dut):
    """Headers lost one after another: what remains is sunk a packet's length at a time; what is behind it passes."""
    bench = await Bench.start(dut)
    good = through(bench, chunks=2)
    bench.rx[XM].send(through(bench, chunks=8), lost=[0, 31])
    bench.rx[XM].send(through(bench, chunks=8), lost=[0])
    bench.rx[XM].send(good)
    (arrived,) = await bench.recv(XP)
    assert arrived.packet == good
    assert bench.links[XM]["damaged"] == 2
    if not CHUNKS:
        await bench.settle()


@cocotb.test
async def what_lacks_its_middle_is_bad(dut):
    """Whatever is missing, the end comes before it is due."""
    bench = await Bench.start(dut)
    for lost in ([5], range(1, 11)):
        packet = through(bench, chunks=3)
        bench.rx[XM].send(packet, lost=lost)
        (arrived,) = await bench.recv(XP)
        assert arrived.packet == Packet(tuple(w for at, w in enumerate(packet.words) if at not in lost), bad=True)
    await bench.settle()


@cocotb.test
async def room_is_at_one_end_or_the_other(dut):
    """What the transmitter gave away the receiver holds, until it is given back."""
    bench = await Bench.start(dut)
    bench.tx[XP].hold = True
    taken = UNITS // SLOTS
    for vc in (ESCAPE, PRIORITY):
        for _ in range(SLOTS + 2):
            bench.rx[XM].send(through(bench, chunks=8), vc)
    await ClockCycles(dut.clk, 600)
    assert bench.ends(XP)[0]["free"] == 0
    assert bench.ends(XM)[1]["held"] == 2 * taken * 0x81
    bench.tx[XP].release(PRIORITY, taken)
    await ClockCycles(dut.clk, 100)
    assert bench.ends(XM)[1]["held"] == 2 * taken | taken << 7
    bench.tx[XP].hold = False
    await bench.settle()
    assert bench.ends(XP)[0]["free"] == UNITS * 0x81
    assert bench.ends(XM)[1]["held"] == 0
