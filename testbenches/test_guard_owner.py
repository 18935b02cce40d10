"""What an owner changes at an inconvenient moment, or to a value out of range: from when it counts, and for whom."""

import cocotb

from rtl.formats import PutHeader, Reason, VirtualChannel, pack
from rtl.meter import round_cycles
from rtl.signatures import DIRECTIONS
from rtl.torus.hints import hint_bit
from testbenches.guard_model import Bench, header, packet
from testbenches.kit.stream import Packet

DUT = "rtl.guard.guard:Guard"
PARAMETERS = [{}, {"lanes": 6, "table_nodes": 32, "log_entries": 4}]

LARGEST_REACH = 63
REQUESTER = 13


@cocotb.test()
@cocotb.parametrize(before=[1, 2, 3, 5, 16, 28])
async def a_get_is_as_old_as_its_header(dut, before):
    """Commits behind some flits of a remote get: all its descriptors bear the count of when the get was let in."""
    bench = Bench(dut)
    bench.model.column = {REQUESTER}
    await bench.start()
    # Into both banks, so that commits change nothing but the count.
    await bench.commit()
    await bench.commit()
    for lane in bench.lanes:
        head = header(source=REQUESTER, dma=1, size=7, vc=VirtualChannel.ESCAPE,
                      **dict(zip("xyz", bench.model.coordinate, strict=True)))
        payload = [bench.random.getrandbits(64) for _ in range(4 * 7 + 2)]
        sent = Packet((head, pack(PutHeader, remote_get=1), *payload))
        expected = bench.model.ingress(sent)[1]
        flits = list(sent.flits())
        for flit in flits[:before]:
            bench.from_router[lane].send_flit(flit)
        await bench.from_router[lane].settle()
        await bench.cycles(2)
        await bench.commit()
        # Else the next commit would wait for the get.
        await bench.retire(lane)
        for _ in range(bench.random.randrange(3)):
            await bench.commit()
        for flit in flits[before:]:
            bench.from_router[lane].send_flit(flit)
        await bench.settle()
        assert list(bench.to_ni[lane].packets) == [expected]


@cocotb.test()
async def a_reach_above_the_largest_is_the_largest(dut):
    """Any of the upper 26 bits lets a deposit packet go as far as it can, whatever the lower ones are."""
    bench = Bench(dut, (4, 4, 2), (0, 0, 0))
    model, largest = bench.model, {axis: size // 2 for axis, size in zip("xyz", (4, 4, 2), strict=True)}
    model.row = set(range(32))
    await bench.start(commit=True)

    def values(direction):
        """Too little, enough, and too much by every bit, with what may be too little in the lower ones."""
        hops = largest["xyz"[direction // 2]]
        yield from (hops - 1, hops, LARGEST_REACH, 2**32 - 1 - LARGEST_REACH)
        yield from (1 << bit | bench.random.randrange(hops) for bit in range(6, 32))

    tried = [0, 0]
    for reaches in zip(*map(values, range(DIRECTIONS)), strict=True):
        model.reach = [min(value, LARGEST_REACH) for value in reaches]
        await bench.load()
        for direction, value in enumerate(reaches):
            await bench.set("REACH", value, direction)
        await bench.set("COMMIT", 0)
        model.epoch = not model.epoch
        expected = []
        for direction in range(DIRECTIONS):
            axis = "xyz"[direction // 2]
            sent = packet(header(hint=1 << hint_bit(direction), deposit=1, **{axis: largest[axis]}), bench.random)
            reason, leaves = model.egress(sent)
            assert reason in (Reason.NONE, Reason.DEPOSIT)
            tried[bool(reason)] += 1
            expected += [leaves] if not reason else []
            bench.from_ni[0].send(sent)
        await bench.settle()
        assert list(bench.to_router[0].packets) == expected, [hex(value) for value in reaches]
        bench.to_router[0].packets.clear()
    assert tried == [DIRECTIONS * 29, DIRECTIONS]


@cocotb.test()
@cocotb.parametrize(early=range(8))
async def a_hold_of_two_cycles_clears_what_waits_for_the_log(dut, early):
    """A refusal of every source a few cycles before the owner ends the hold, as soon as it may, is in nobody's log.

    The hold itself lasts until the meter is ready.
    """
    bench = Bench(dut)
    await bench.start(commit=True)
    dut.tree_source.value = 9
    for lane in bench.lanes:
        for source in (bench.from_ni[lane], bench.from_router[lane]):
            source.send(packet(header(source=20 + lane), bench.random))
    await bench.cycles(early)
    dut.tree_refused.value = 1
    await bench.set("HOLD", 3)
    await bench.set("HOLD", 0)
    dut.tree_refused.value = 0
    await bench.cycles(3 * round_cycles())
    assert not int(dut.hold.value)
    assert (await bench.get("LOG_COUNT"), await bench.get("LOG_LOST"), await bench.log()) == (0, 0, [])
    assert not any(await bench.counts("REFUSED"))
