"""One router, its neighbours played by models."""

import random
from collections import Counter
from itertools import pairwise

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from rtl.formats import Direction, Header, VirtualChannel, pack, unpack
from rtl.torus.arbiter import THROUGH_GRANTS, YIELD_CYCLES
from rtl.torus.header import seal
from testbenches.kit.router import BUBBLE, CHUNKS, LANES, SHAPE, SLOTS, UNITS, Bench, hop
from testbenches.kit.stream import PAUSES, Packet
from testbenches.kit.torus import clear_hints

DUT = "rtl.torus.router:Router"
PARAMETERS = [{}, {"lanes": 1}, {"lanes": 6, "slots": 4}, {"bubble": "chunks"}]

ESCAPE, PRIORITY = VirtualChannel.ESCAPE, VirtualChannel.PRIORITY
XP, XM, YP, YM, ZP, ZM = Direction


@cocotb.test
async def latency(dut):
    """Header: 3 cycles from cable to cable and lane, 2 from injection lane to cable and lane."""
    bench = await Bench.start(dut)
    bench.rx[XM].send(bench.packet(bench.at(1, 0, 0), bench.at(-1, 0, 0)))
    start = await cycles_until(dut, dut.rx__1__valid)
    assert await cycles_until(dut, dut.tx__0__valid) == 3, start
    await bench.settle()
    bench.rx[XM].send(bench.packet(bench.here, bench.at(-1, 0, 0)))
    await cycles_until(dut, dut.rx__1__valid)
    assert await cycles_until(dut, getattr(dut, f"eject__{1 % LANES}__valid")) == 3
    await bench.settle()
    for destination, out in ((bench.at(1, 0, 0), dut.tx__0__valid), (bench.here, dut.eject__0__valid)):
        bench.inject[0].send(bench.packet(destination))
        await cycles_until(dut, dut.inject__0__valid)
        assert await cycles_until(dut, out) == 2
        await bench.settle()


async def cycles_until(dut, signal):
    """Cycles from now until a signal is 1."""
    for cycle in range(100):
        if cycle:
            await RisingEdge(dut.clk)
        if int(signal.value):
            return cycle
    raise AssertionError(f"{signal._path} stayed 0")


@cocotb.test
async def routes_by_hint(dut):
    """Injected packets leave in the direction of their first hint, x before y before z."""
    bench = await Bench.start(dut)
    for direction in Direction:
        packet = bench.packet(bench.at(*hop(direction, 2)), chunks=direction + 1)
        bench.inject[direction % LANES].send(packet)
        assert (await bench.recv(direction))[0].packet == packet
    for steps, direction in (((-1, 1, -1), XM), ((0, -2, 1), YM), ((2, 2, 2), XP)):
        packet = bench.packet(bench.at(*steps))
        bench.inject[0].send(packet)
        assert (await bench.recv(direction))[0].packet == packet
    await bench.settle()


@cocotb.test
async def hints_are_cleared_on_arrival(dut):
    """Where a packet has arrived in a dimension it turns; the CRC is right again."""
    bench = await Bench.start(dut)
    for port, steps, out in ((XM, (0, 2, 0), YP), (XP, (0, 0, -1), ZM), (YP, (0, 0, 1), ZP), (XM, (0, -1, 2), YM)):
        packet = bench.packet(bench.at(*steps), bench.at(*hop(port, 1)))
        bench.rx[port].send(packet)
        expected = clear_hints(packet, port // 2)
        assert expected != packet
        assert (await bench.recv(out))[0].packet == expected
    await bench.settle()


@cocotb.test
async def continues_on_every_port(dut):
    bench = await Bench.start(dut)
    for port in Direction:
        packet = bench.packet(bench.at(*hop(port ^ 1, 1)), bench.at(*hop(port, 1)))
        bench.rx[port].send(packet)
        assert (await bench.recv(port ^ 1))[0].packet == packet
    await bench.settle()


@cocotb.test
async def ejects_on_the_lane_of_the_port(dut):
    """Port p ejects on lane p mod lanes, injection lane i on lane i; all hints are clear then."""
    bench = await Bench.start(dut)
    for port in Direction:
        for vc in (ESCAPE, PRIORITY):
            packet = bench.packet(bench.here, bench.at(*hop(port, 2)), vc=vc)
            bench.rx[port].send(packet, vc)
            assert await bench.eject[port % LANES].recv() == clear_hints(packet)
    for lane in range(LANES):
        packet = bench.packet(bench.here, chunks=8)
        bench.inject[lane].send(packet)
        assert await bench.eject[lane].recv() == packet
    await bench.settle()


@cocotb.test
async def channels_are_kept(dut):
    """Priority stays on its channel; dynamic packets travel on the escape channel, their header unchanged."""
    bench = await Bench.start(dut)
    for vc, expected in ((0, ESCAPE), (1, ESCAPE), (2, ESCAPE), (3, PRIORITY)):
        packet = bench.packet(bench.at(0, 1, 0), vc=vc)
        bench.inject[0].send(packet)
        arrived, = await bench.recv(YP)
        assert (arrived.vc, arrived.packet) == (expected, packet)
    for vc in (ESCAPE, PRIORITY):
        bench.rx[YM].send(bench.packet(bench.at(0, 1, 0), bench.at(0, -1, 0), vc=vc), vc)
        assert (await bench.recv(YP))[0].vc == vc
    await bench.settle()


@cocotb.test
async def bad_headers_are_discarded_whole(dut):
    """Any one wrong bit: nothing leaves, and the slot comes back. What a cable damaged is of no known epoch."""
    bench = await Bench.start(dut)
    discards, damaged = Counter(), 0
    for bit in range(64):
        packet = bench.packet(bench.at(1, 0, 0), bench.at(-1, 0, 0), epoch=bit & 1, chunks=bit % 8 + 1)
        broken = Packet((packet.words[0] ^ 1 << bit, *packet.words[1:]))
        if bit % 3:
            bench.rx[XM].send(broken)
            damaged += 1
        else:
            bench.inject[0].send(broken)
            discards[unpack(Header, broken.words[0])["epoch"]] += 1
    good = bench.packet(bench.at(1, 0, 0), bench.at(-1, 0, 0))
    bench.rx[XM].send(good)
    assert (await bench.recv(XP))[0].packet == good
    await bench.settle()
    assert bench.discards == discards
    assert +bench.links[XM] == {"received_0": 1, "damaged": damaged}
    assert not any(sink.packets for sink in [*bench.tx, *bench.eject])


@cocotb.test
async def packets_without_a_way_are_discarded(dut):
    """No hints away from the destination, a hint along a dimension of size 1, a turn against the order."""
    bench = await Bench.start(dut, shape=(6, 6, 1), here=(2, 3, 0))

    def lost(hint, destination):
        packet = bench.packet(destination)
        header = pack(Header, **{**unpack(Header, packet.words[0]), "hint": hint})
        return Packet((seal(header), *packet.words[1:]))

    bench.rx[XM].send(lost(0, (3, 3, 0)))
    bench.rx[XM].send(lost(0b000010, (2, 3, 1)))
    bench.rx[YM].send(lost(0b100000, (3, 3, 0)))
    bench.rx[YM].send(lost(0b000100, (2, 2, 0)))
    bench.inject[0].send(lost(0, (2, 4, 0)))
    await bench.settle()
    assert bench.discards == {0: 5, 1: 0}
    assert not any(sink.packets for sink in [*bench.tx, *bench.eject])


@cocotb.test
async def never_sends_without_room(dut):
    """A neighbour that gives nothing back gets what its buffers hold, then one packet a slot."""
    bench = await Bench.start(dut)
    bench.tx[XP].hold = True
    for vc in (ESCAPE, PRIORITY):
        for _ in range(SLOTS + 3):
            bench.rx[XM].send(bench.packet(bench.at(1, 0, 0), bench.at(-1, 0, 0), chunks=8), vc)
    await ClockCycles(dut.clk, 600)
    assert len(bench.tx[XP].packets) == 2 * SLOTS, "the model would have objected to more"
    bench.tx[XP].release(PRIORITY, UNITS // SLOTS)
    await ClockCycles(dut.clk, 100)
    assert len(bench.tx[XP].packets) == 2 * SLOTS + 1
    bench.tx[XP].hold = False
    await bench.settle()
    assert bench.rx[XM].returned == dict.fromkeys((ESCAPE, PRIORITY), (SLOTS + 3) * UNITS // SLOTS)


@cocotb.test
async def bubble(dut):
    """Entering a ring leaves room for one more packet, continuing does not (see `Bubble`)."""
    bench = await Bench.start(dut)
    bench.tx[YP].hold = True
    for lane in bench.inject:
        for _ in range(SLOTS + 1):
            lane.send(bench.packet(bench.at(0, 2, 0), chunks=8))
    await ClockCycles(dut.clk, 500)
    entered = SLOTS if BUBBLE == "off" else SLOTS - 1
    assert len(bench.tx[YP].packets) == entered
    bench.rx[XM].send(bench.packet(bench.at(0, 2, 0), bench.at(-1, 0, 0), chunks=8))
    await ClockCycles(dut.clk, 100)
    assert len(bench.tx[YP].packets) == entered, "a turn enters as well"
    for _ in range(2):
        bench.rx[YM].send(bench.packet(bench.at(0, 2, 0), bench.at(0, -1, 0), chunks=8))
    await ClockCycles(dut.clk, 100)
    assert len(bench.tx[YP].packets) == SLOTS
    bench.tx[YP].hold = False
    await bench.settle()
    assert len(bench.tx[YP].packets) == LANES * (SLOTS + 1) + 3


@cocotb.test
async def short_packets_fill_chunks(dut):
    """What a packet of one chunk takes: a slot, or with `Bubble.CHUNKS` a chunk."""
    bench = await Bench.start(dut)
    bench.tx[YP].hold = True
    for _ in range(UNITS + 1):
        bench.inject[0].send(bench.packet(bench.at(0, 2, 0)))
    await ClockCycles(dut.clk, 400)
    assert len(bench.tx[YP].packets) == (UNITS if BUBBLE == "off" else UNITS - 1)
    bench.tx[YP].hold = False
    await bench.settle()


@cocotb.test
async def through_traffic_comes_first(dut):
    """While links and a lane want an output, the lane gets one packet in `THROUGH_GRANTS` + 1."""
    bench = await Bench.start(dut)
    for _ in range(100):
        bench.rx[XM].send(bench.packet(bench.at(1, 0, 0), bench.at(-1, 0, 0), chunks=8))
    await bench.recv(XP, 3)
    own = [bench.packet(bench.at(1, 0, 0), chunks=8) for _ in range(4)]
    for packet in own:
        bench.inject[0].send(packet)
    await bench.until(lambda: bench.inject[0].idle, 10_000)
    await bench.until(lambda: len(bench.tx[XP].packets) > 40, 10_000)
    positions = [position for position, arrived in enumerate(bench.tx[XP].packets) if arrived.packet in own]
    gaps = [after - before for before, after in pairwise(positions)]
    assert gaps == [THROUGH_GRANTS + 1] * 3, positions


@cocotb.test
async def short_through_packets_do_not_starve_what_enters(dut):
    """A full stream of small packets never leaves two slots free by itself; lanes and turns still get in."""
    bench = await Bench.start(dut)
    bench.tx[YP]._delay = 9
    for _ in range(400):
        bench.rx[YM].send(bench.packet(bench.at(0, 1, 0), bench.at(0, -1, 0)))
    for _ in range(4):
        bench.inject[0].send(bench.packet(bench.at(0, 1, 0)))
        bench.rx[XM].send(bench.packet(bench.at(0, 1, 0), bench.at(-1, 0, 0)))
    await bench.until(lambda: len(bench.tx[YP].packets) > 250, 20_000)
    sources = [unpack(Header, arrived.packet.words[0])["source"] for arrived in bench.tx[YP].packets]
    assert sorted(Counter(sources).values())[:2] == [4, 4], Counter(sources)


@cocotb.test
async def a_hot_spot_downstream_does_not_starve_what_enters(dut):
    """A slot becomes free now and then, much later than an output yields at first; lanes still get in."""
    bench = await Bench.start(dut)
    sink = bench.tx[YP]
    sink.hold = True
    for _ in range(250):
        bench.rx[YM].send(bench.packet(bench.at(0, 1, 0), bench.at(0, -1, 0)))
    await bench.recv(YP, 1)
    own = [bench.packet(bench.at(0, 1, 0)) for _ in range(2)]
    for packet in own:
        bench.inject[0].send(packet)
    for _ in range(200):
        await ClockCycles(dut.clk, 2 * YIELD_CYCLES)
        sink.release(ESCAPE, UNITS // SLOTS)
        if sum(arrived.packet in own for arrived in sink.packets) == len(own):
            break
    else:
        raise AssertionError("starved")
    sink.hold = False
    await bench.settle()


@cocotb.test
async def priority_comes_first(dut):
    """Of packets that wait for an output, those of the priority channel go first."""
    bench = await Bench.start(dut)
    bench.tx[ZP].hold = True
    for vc in (ESCAPE, PRIORITY):
        for _ in range(SLOTS):
            bench.rx[ZM].send(bench.packet(bench.at(0, 0, 1), bench.at(0, 0, -1), chunks=8, vc=vc), vc)
    await bench.recv(ZP, 2 * SLOTS)
    for vc in (ESCAPE, PRIORITY):
        bench.rx[ZM].send(bench.packet(bench.at(0, 0, 1), bench.at(0, 0, -1), vc=vc), vc)
    await ClockCycles(dut.clk, 100)
    assert not bench.tx[ZP].packets
    bench.tx[ZP].hold = False
    assert [arrived.vc for arrived in await bench.recv(ZP, 2)] == [PRIORITY, ESCAPE]
    await bench.settle()


@cocotb.test
async def bad_tails_pass(dut):
    """A bad mark stays on the tail, and a packet closed early gives its whole room back."""
    bench = await Bench.start(dut)
    bad = bench.packet(bench.at(1, 0, 0), bench.at(-1, 0, 0), chunks=3, bad=True)
    bench.rx[XM].send(bad)
    cut = Packet(bench.packet(bench.at(1, 0, 0), chunks=8).words[:3], bad=True)
    bench.inject[0].send(cut)
    assert Counter(a.packet for a in await bench.recv(XP, 2)) == {bad: 1, cut: 1}
    bench.rx[XM].send(Packet(bench.packet(bench.at(1, 0, 0), bench.at(-1, 0, 0)).words[:2], bad=True))
    await bench.settle()


def expect(bench, packet, port):
    """Where a packet leaves, and how: (kind, number, packet)."""
    header = unpack(Header, packet.words[0])
    there = (header["x"], header["y"], header["z"])
    arrived = [d for d in range(3) if there[d] == bench.here[d]]
    packet = clear_hints(packet, *arrived) if arrived else packet
    hint = unpack(Header, packet.words[0])["hint"]
    if not hint:
        return "eject", port % LANES, packet
    return "tx", 6 - hint.bit_length(), packet


@cocotb.test
@cocotb.parametrize(("pauses", list(PAUSES)))
async def everything_at_once(dut, pauses):
    """Random packets on all ports and lanes: each leaves once, where it should, unchanged."""
    bench = await Bench.start(dut, pauses=pauses)
    chooser = random.Random(cocotb.RANDOM_SEED)
    expected = Counter()
    for number in range(400):
        vc, chunks = chooser.choice((ESCAPE, ESCAPE, PRIORITY)), chooser.randint(1, 8)
        bad = chooser.random() < 0.1
        port = number % (6 + LANES)
        there = [chooser.randrange(size) for size in SHAPE]
        if port < 6:
            # It came straight over this port, so it agrees with us in all later dimensions of its past.
            before = bench.at(*hop(port, 1))
            for dimension in range(port // 2):
                there[dimension] = bench.here[dimension]
            there[port // 2] = bench.at(*hop(port ^ 1, chooser.randint(0, 1)))[port // 2]
            packet = bench.packet(there, before, chunks=chunks, vc=vc, bad=bad)
            bench.rx[port].send(packet, vc)
        else:
            port -= 6
            packet = bench.packet(there, chunks=chunks, vc=vc, bad=bad)
            bench.inject[port].send(packet)
        expected[expect(bench, packet, port)] += 1
    await bench.until(lambda: all(unit.idle for unit in [*bench.rx, *bench.inject]), 100_000)
    await bench.settle()
    found = Counter(("tx", d, a.packet) for d in Direction for a in bench.tx[d].packets)
    found += Counter(("eject", lane, p) for lane, sink in enumerate(bench.eject) for p in sink.packets)
    assert found == expected
    assert not bench.discards.total()


@cocotb.test
async def quiescent_means_empty(dut):
    bench = await Bench.start(dut)
    await bench.settle()
    bench.tx[XP].hold = True
    for _ in range(SLOTS + 1):
        bench.rx[XM].send(bench.packet(bench.at(1, 0, 0), bench.at(-1, 0, 0)))
    await ClockCycles(dut.clk, 100)
    if not CHUNKS:
        assert not int(dut.quiescent.value), "a packet waits for room"
    bench.tx[XP].hold = False
    await bench.settle()
