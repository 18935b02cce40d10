"""What the guard tells the meter of packets, and how the registers serve it."""

from collections import Counter
from collections.abc import Iterator

import cocotb

from rtl.codec import Codec
from rtl.formats import Header, Reason, unpack
from rtl.meter import TreePacket
from rtl.meter_lines import TENANT_LINES, MeterLine
from rtl.registers import REGISTERS, joined
from rtl.torus.coordinates import node_id
from testbenches.guard_model import Bench, packet, replace

DUT = "rtl.guard.guard:Guard"
PARAMETERS = [{"lanes": 3, "table_nodes": 32}]

_PEERS = "OWN", "SHARED"


class _Counts(Counter[MeterLine]):
    """What a meter must have."""

    def add(self, name: str, flits: int) -> None:
        self[MeterLine[f"{name}_PACKETS"]] += 1
        self[MeterLine[f"{name}_FLITS"]] += flits


def _distance(bench: Bench, head: dict[str, int]) -> int:
    ways = ((head[axis] - here) % size for axis, here, size in zip(
        "xyz", bench.model.coordinate, bench.model.sizes, strict=True))
    return sum(min(way, size - way) for way, size in zip(ways, bench.model.sizes, strict=True))


async def _reading(bench: Bench, tag: int) -> list[int]:
    await bench.set("METER_SNAPSHOT", tag)
    while not await bench.get("METER_STATUS"):
        pass
    words = await bench.counts("METER_READING")
    return [joined(*halves) for halves in zip(words[::2], words[1::2], strict=True)]


async def _used(bench: Bench) -> list[int]:
    words = []
    for index in range(2 * TENANT_LINES):
        answer = await bench.host.read(REGISTERS["METER_USED"].at(index))
        assert not answer.error
        words.append(answer.value)
    return [joined(*halves) for halves in zip(words[::2], words[1::2], strict=True)]


def _lines(counts: _Counts) -> list[int]:
    return [counts[line] for line in MeterLine]


@cocotb.test()
@cocotb.parametrize(pauses=["never", "often"])
async def every_packet_is_counted(dut, pauses):
    """Packets both ways, of all classes and fates, on all lanes; SHARED as it is when a header enters."""
    bench = Bench(dut, pauses=pauses)
    await bench.start(commit=True)
    counts = _Counts()
    for tag in range(1, 5):
        bench.randomise(0.8)
        await bench.commit()
        for lane in bench.lanes:
            for _ in range(20):
                _send(bench, lane, counts)
                _receive(bench, lane, counts)
        await bench.settle()
        assert await _reading(bench, tag) == _lines(counts)
        for lane in bench.lanes:
            await bench.retire(lane, 255)
    assert all(_lines(counts)[:MeterLine.EXTERNAL_SENT_PACKETS])
    assert await _used(bench) == _lines(counts)[:TENANT_LINES]


def _send(bench: Bench, lane: int, counts: _Counts) -> None:
    sent = packet(bench.any_header(), bench.random)
    reason, _ = bench.out(lane, sent)
    if reason is Reason.NONE:
        head = unpack(Header, sent.words[0])
        peer = node_id(bench.model.sizes, [head[axis] for axis in "xyz"]) in bench.model.shared
        counts.add(f"{_PEERS[peer]}_SENT", len(sent.words))
        counts[MeterLine[f"{_PEERS[peer]}_FLIT_HOPS"]] += len(sent.words) * _distance(bench, head)


def _receive(bench: Bench, lane: int, counts: _Counts) -> None:
    head = replace(Header, bench.any_header(), source=bench.random.randrange(bench.parameters.table_nodes))
    arrived = packet(head, bench.random)
    reason, _ = bench.back(lane, arrived)
    copy, flits = bench.model.is_copy(arrived), len(arrived.words)
    if reason is Reason.NONE:
        peer = unpack(Header, head)["source"] in bench.model.shared
        counts.add("COPIED" if copy else f"{_PEERS[peer]}_RECEIVED", flits)
    elif not copy:
        counts.add("REFUSED", flits)


@cocotb.test()
async def the_next_tenant_begins_with_nothing(dut):
    """After a clear the host reads 0 of all lines, whatever was cut, refused and dropped in hold; the owner all."""
    bench = Bench(dut)
    bench.model.row = bench.model.column = {bench.model.id, 3}
    await bench.start(commit=True)
    counts = _Counts()
    own = dict(zip("xyz", bench.model.coordinate, strict=True))
    for _ in range(10):
        sent = bench.to_node(3)
        bench.out(0, sent)
        counts.add("OWN_SENT", len(sent.words))
        counts[MeterLine.OWN_FLIT_HOPS] += len(sent.words) * _distance(bench, unpack(Header, sent.words[0]))
    await bench.settle()
    assert await _used(bench) == _lines(counts)[:TENANT_LINES] and any(_lines(counts))

    await bench.set("HOLD", REGISTERS["HOLD"].pack(hold=1, clear=1))
    for _ in range(5):
        arrived = packet(replace(Header, bench.any_header(0), source=3, deposit=0, **own), bench.random)
        bench.from_router[1].send(arrived)
        counts.add("DROPPED", len(arrived.words))
    await bench.settle()
    answer = await bench.owner.read(REGISTERS["METER_USED"].at())
    assert answer.error, "what a tenant uses is read by the tenant alone"
    await bench.set("HOLD", 0)
    while await bench.get("HOLD"):
        pass
    assert await _used(bench) == [0] * TENANT_LINES
    assert await _reading(bench, 1) == _lines(counts)

    # The same with a hold that is as short as it may be, in which something is still told to the meter.
    await bench.set("HOLD", REGISTERS["HOLD"].pack(hold=1, clear=1))
    dut.tree_sent.value = Codec.of(TreePacket).pack(packet=1, flits=5)
    await bench.cycles(1)
    dut.tree_sent.value = 0
    await bench.set("HOLD", 0)
    while await bench.get("HOLD"):
        pass
    assert await _used(bench) == [0] * TENANT_LINES


@cocotb.test()
async def a_hold_lasts_until_what_it_cut_has_left(dut):
    """The flit that closes a packet which hold has cut, and the router does not take, is not the next tenant's."""
    stalled = [False]

    class Stalled(Bench):
        def _pauses(self) -> Iterator[bool]:
            return iter(lambda: stalled[0], None)

    bench = Stalled(dut)
    bench.model.row = {3}
    await bench.start(commit=True)
    bench.from_ni[0].send(bench.to_node(3, size=7))
    await bench.cycles(6)
    stalled[0] = True
    await bench.set("HOLD", REGISTERS["HOLD"].pack(hold=1, clear=1))
    await bench.cycles(1000)
    await bench.set("HOLD", 0)
    await bench.cycles(500)
    assert await bench.fields("HOLD") == {"reserved": 0, "hold": 1, "clear": 1}
    stalled[0] = False
    while await bench.get("HOLD"):
        pass
    assert await _used(bench) == [0] * TENANT_LINES
    assert (await _reading(bench, 1))[MeterLine.OWN_SENT_PACKETS] == 1


@cocotb.test()
async def the_owner_does_not_wait_for_a_tenant(dut):
    """While the host asks for its meter, again and again, each access of the owner is done in a few cycles."""
    bench = Bench(dut)
    await bench.start(commit=True)

    async def ask() -> None:
        while True:
            assert not (await bench.host.read(REGISTERS["METER_USED"].at())).error

    asking = cocotb.start_soon(ask())
    longest = 0
    for number in range(300):
        before = bench.time
        await bench.set("GRANTS", number % 2)
        longest = max(longest, bench.time - before)
        await bench.cycles(bench.random.randrange(9))
    asking.cancel()
    assert longest <= 6
    refused = await bench.host.read(REGISTERS["METER_READING"].at())
    wrote = [await bench.host.write(REGISTERS[name].at(), 1)
             for name in ("METER_SNAPSHOT", "METER_USED", "METER_READING", "SHARED")]
    assert refused.error and all(answer.error for answer in wrote)


@cocotb.test()
async def the_tree_and_the_time(dut):
    """What the endpoint and the network interface say is counted; nothing of a node in hold is busy."""
    bench = Bench(dut)
    await bench.start(commit=True)
    counts = _Counts()
    assert not await bench.get("METER_SNAPSHOT")
    for way in ("sent", "received"):
        for flits in (3, 33, 12):
            getattr(dut, f"tree_{way}").value = Codec.of(TreePacket).pack(packet=1, flits=flits)
            await bench.cycles(1)
            getattr(dut, f"tree_{way}").value = 0
            await bench.cycles(1)
            counts.add(f"EXTERNAL_{way.upper()}", flits)
    dut.busy.value = 1
    await bench.cycles(1000)
    dut.busy.value = 0
    await bench.cycles(1)
    counts[MeterLine.BUSY_CYCLES] = 1000
    await bench.set("HOLD", REGISTERS["HOLD"].pack(hold=1))
    dut.busy.value = 1
    await bench.cycles(100)
    dut.busy.value = 0
    await bench.cycles(1)
    assert await _reading(bench, 5) == _lines(counts) and await bench.get("METER_SNAPSHOT") == 5
