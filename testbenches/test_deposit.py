"""Deposit packets in one router, its neighbours played by models."""

from collections import Counter
from itertools import repeat

import cocotb
from cocotb.triggers import ClockCycles

from rtl.formats import Direction, VirtualChannel
from rtl.torus.arbiter import THROUGH_GRANTS
from testbenches.kit.router import LANES, SLOTS, Bench, hop
from testbenches.kit.stream import PAUSES
from testbenches.kit.torus import clear_hints

DUT = "rtl.torus.router:Router"
PARAMETERS = [{}, {"lanes": 1}, {"lanes": 6, "slots": 4}]

ESCAPE, PRIORITY = VirtualChannel.ESCAPE, VirtualChannel.PRIORITY
XP, XM, *_ = Direction


@cocotb.test
@cocotb.parametrize(("pauses", list(PAUSES)))
async def deposit_leaves_copies(dut, pauses):
    """Every straight packet with the deposit bit is forwarded and copied, on every port and channel at once."""
    bench = await Bench.start(dut, pauses=pauses)
    sent, copies = Counter(), Counter()
    for number in range(96):
        port = number % 6
        vc = PRIORITY if number % 4 == 1 else ESCAPE
        last = number % 5 == 0
        there = bench.here if last else bench.at(*hop(port ^ 1, 1))
        packet = bench.packet(there, bench.at(*hop(port, 1)), chunks=number % 8 + 1, vc=vc, deposit=number % 3 != 0)
        bench.rx[port].send(packet, vc)
        if not last:
            sent[port ^ 1, packet] += 1
        if last or number % 3:
            copies[port % LANES, clear_hints(packet) if last else packet] += 1
    own = bench.packet(bench.at(2, 0, 0), deposit=1)
    bench.inject[0].send(own)
    sent[XP, own] += 1
    await bench.settle()
    assert Counter((d, a.packet) for d in Direction for a in bench.tx[d].packets) == sent
    assert Counter((lane, p) for lane, sink in enumerate(bench.eject) for p in sink.packets) == copies


@cocotb.test
async def deposit_waits_for_room_without_holding_the_lane(dut):
    """While the link ahead is full, others still eject; a stream of deposits does not keep them out either."""
    bench = await Bench.start(dut)
    bench.tx[XP].hold = True
    for _ in range(SLOTS + 2):
        bench.rx[XM].send(bench.packet(bench.at(1, 0, 0), bench.at(-1, 0, 0), chunks=8, deposit=1))
    await bench.recv(XP, SLOTS)
    other = 1 + LANES if LANES < 5 else 1
    arrivals = [bench.packet(bench.here, bench.at(*hop(other, 1)), vc=PRIORITY) for _ in range(2)]
    for packet in arrivals:
        bench.rx[other].send(packet, PRIORITY)
    lane = bench.eject[other % LANES]
    await bench.until(lambda: clear_hints(arrivals[1]) in lane.packets)
    assert not bench.tx[XP].packets
    bench.tx[XP].hold = False
    await bench.recv(XP, 2)
    for _ in range(30):
        bench.rx[XM].send(bench.packet(bench.at(1, 0, 0), bench.at(-1, 0, 0), deposit=1))
        bench.rx[XP].send(bench.packet(bench.at(-1, 0, 0), bench.at(1, 0, 0), deposit=1))
    own = bench.packet(bench.here)
    bench.inject[1 % LANES].send(own)
    await bench.until(lambda: own in bench.eject[1 % LANES].packets, 100)
    await bench.settle()


@cocotb.test
async def a_copy_that_waits_holds_no_link(dut):
    """The guard takes nothing: a packet that has begun goes on whole all the same, and the next one does not begin."""
    bench = await Bench.start(dut)
    lane = bench.eject[XM % LANES]
    taken, lane.pauses = lane.pauses, repeat(True)
    copied = [bench.packet(bench.at(1, 0, 0), bench.at(-1, 0, 0), chunks=8, deposit=1) for _ in range(3)]
    for packet in copied:
        bench.rx[XM].send(packet)
    own = bench.packet(bench.at(2, 0, 0))
    assert (await bench.recv(XP))[0].packet == copied[0]
    await ClockCycles(dut.clk, 100)
    bench.inject[0].send(own)
    assert (await bench.recv(XP))[0].packet == own
    lane.pauses = taken
    await bench.settle()
    assert [a.packet for a in bench.tx[XP].packets] == copied[1:]
    assert list(lane.packets) == copied


@cocotb.test
@cocotb.parametrize(deposit=[0, 1])
async def who_enters_is_let_in(dut, deposit):
    """Room ahead comes a slot at a time: a stream of packets that leave copies yields as any other does."""
    bench = await Bench.start(dut)
    sink = bench.tx[XP]
    sink.hold = True
    for _ in range(100):
        bench.rx[XM].send(bench.packet(bench.at(1, 0, 0), bench.at(-1, 0, 0), deposit=deposit))
    await bench.until(lambda: len(sink.packets) == SLOTS)
    own = bench.packet(bench.at(2, 0, 0))
    bench.inject[0].send(own)
    for released in range(3 * THROUGH_GRANTS):
        while len(sink.packets) <= released:
            await ClockCycles(dut.clk, 1)
        await ClockCycles(dut.clk, 20)
        if own in [arrived.packet for arrived in sink.packets]:
            break
        sink.release(ESCAPE)
    else:
        raise AssertionError("kept out")
    sink.hold = False
    await bench.settle()
