"""The traffic generator: when it sends, where to, how long packets are and what is in them."""

from collections import Counter
from itertools import product

import cocotb

from rtl.formats import Header, TrafficHeader, unpack
from rtl.registers import REGISTERS, Pattern
from testbenches.traffic_bench import Bench
from testbenches.traffic_model import destination_of, traffic_packet

DUT = "rtl.traffic.traffic:Traffic"
PARAMETERS = [{"lanes": 6, "table_nodes": 256}, {"lanes": 1}]

ALWAYS = 0xFFFFFFFF


def heads(bench):
    """Header and software header of every packet that was sent, oldest first."""
    both = [(unpack(Header, packet.words[0]), unpack(TrafficHeader, packet.words[1])) for packet in bench.sent()]
    return sorted(both, key=lambda pair: pair[1]["number"])


def coordinate_in(head):
    return head["x"], head["y"], head["z"]


@cocotb.test()
async def fixed_patterns(dut):
    """Each pattern goes where it is defined to, from all kinds of coordinates; what is for itself is only counted."""
    bench = Bench(dut)
    fixed = [pattern for pattern in Pattern if pattern not in (Pattern.UNIFORM, Pattern.HOT_SPOT)]
    for sizes in ((4, 4, 4), (5, 3, 2), (8, 8, 1), (7, 1, 1), (1, 1, 1), (2, 6, 3)):
        coordinates = list(product(*map(range, sizes)))
        for coordinate in bench.random.sample(coordinates, min(3, len(coordinates))):
            await bench.start(coordinate, sizes)
            await bench.fixed_length(1)
            await bench.set("PROBABILITY", ALWAYS)
            omitted = 0
            for pattern in fixed:
                target = bench.random.choice(coordinates)
                await bench.set_coordinate("TARGET", target)
                expected = destination_of(pattern, coordinate, sizes, target)
                for sink in bench.to_guard:
                    sink.packets.clear()
                await bench.set("COUNT", 3)
                await bench.control(pattern)
                await bench.settle()
                found = [coordinate_in(head) for head, _ in heads(bench)]
                assert found == [expected] * 3 * (expected != coordinate), (sizes, coordinate, pattern)
                omitted += 3 * (expected == coordinate)
                assert await bench.get("SELF") == omitted
                await bench.control(enable=0)


@cocotb.test()
@cocotb.parametrize(pauses=["never", "bursts"])
async def content(dut, pauses):
    """Every flit is what the model says, numbers follow each other, and times are those of the trials."""
    bench = Bench(dut, pauses)
    await bench.start((2, 1, 0), (3, 2, 2))
    await bench.lengths([1 / 8] * 8)
    await bench.set("PROBABILITY", ALWAYS // 12)
    await bench.set("COUNT", 60)
    begin = bench.now
    await bench.control(record=1)
    await bench.settle()
    packets = bench.sent()
    assert len(packets) == 60
    found = heads(bench)
    assert [software["number"] for _, software in found] == list(range(60))
    times = [software["generated"] for _, software in found]
    assert times == sorted(set(times)) and begin < times[0] and times[-1] < bench.now
    assert [head["vc"] for head, _ in found] == [0, 1] * 30
    for packet in packets:
        head, software = unpack(Header, packet.words[0]), unpack(TrafficHeader, packet.words[1])
        assert packet == traffic_packet(
            coordinate_in(head), bench.id, size=head["size"], generated=software["generated"],
            number=software["number"], dynamic=1, vc=head["vc"])
    flits = sum(len(packet.words) for packet in packets)
    for name in ("GENERATED", "INJECTED"):
        assert await bench.get(name) == 60
        assert await bench.get(f"{name}_FLITS") == flits


def chi_square(counts, expected):
    """Pearson's statistic of counts against expected ones."""
    return sum((count - wanted) ** 2 / wanted for count, wanted in zip(counts, expected, strict=True))


@cocotb.test()
@cocotb.parametrize(sizes=[(3, 1, 1), (5, 3, 2), (4, 2, 2)])
async def uniform(dut, sizes):
    """Every other node as likely as any, whatever the shape, and never this one."""
    bench = Bench(dut)
    await bench.start((sizes[0] - 1, 0, 0), sizes)
    await bench.fixed_length(1)
    await bench.set("SEED", 99)
    await bench.set("PROBABILITY", ALWAYS // 4)
    await bench.set("COUNT", 1000)
    await bench.control()
    await bench.settle(60_000)
    others = [coordinate for coordinate in product(*map(range, sizes)) if coordinate != bench.coordinate]
    found = Counter(coordinate_in(head) for head, _ in heads(bench))
    assert set(found) == set(others)
    # One in 10^6 for these degrees of freedom: mean plus seven deviations is far above.
    freedom = max(1, len(others) - 1)
    counts = [found[coordinate] for coordinate in others]
    assert chi_square(counts, [1000 / len(others)] * len(others)) < freedom + 7 * (2 * freedom) ** 0.5
    assert await bench.get("SELF") == 0


@cocotb.test()
async def hot_spot(dut):
    """A share of the packets to one node, the rest uniform; a rejected draw does not ask again."""
    bench = Bench(dut)
    await bench.start((2, 0, 0), (3, 1, 1))
    await bench.fixed_length(1)
    await bench.set_coordinate("HOTSPOT", (1, 0, 0))
    await bench.set("HOTSPOT_PROBABILITY", 1 << 30)
    await bench.set("PROBABILITY", ALWAYS // 4)
    await bench.set("COUNT", 1200)
    await bench.control(Pattern.HOT_SPOT)
    await bench.settle(60_000)
    found = Counter(coordinate_in(head) for head, _ in heads(bench))
    assert set(found) == {(0, 0, 0), (1, 0, 0)}
    hot = 1200 * (1 / 4 + 3 / 4 / 2)
    assert abs(found[1, 0, 0] - hot) < 5 * hot ** 0.5
    await bench.set_coordinate("HOTSPOT", (bench.coordinate[0], 0, 0))
    await bench.set("COUNT", 1200)
    await bench.settle(60_000)
    omitted = await bench.get("SELF")
    assert abs(omitted - 300) < 5 * (300 * 3 / 4) ** 0.5
    assert len(bench.sent()) == 2400 - omitted


@cocotb.test()
async def lengths(dut):
    """Shares of the eight lengths as set; each fixed length is fixed."""
    bench = Bench(dut)
    await bench.start()
    await bench.set("PROBABILITY", ALWAYS)
    shares = [0.25, 0.05, 0.1, 0.0, 0.2, 0.1, 0.1, 0.2]
    await bench.lengths(shares)
    await bench.set("PROBABILITY", ALWAYS // 20)
    await bench.set("COUNT", 600)
    await bench.control()
    await bench.settle(60_000)
    found = Counter(head["size"] for head, _ in heads(bench))
    assert found[3] == 0
    expected = [(found[size], 600 * share) for size, share in enumerate(shares) if share]
    assert chi_square(*zip(*expected, strict=True)) < 6 + 7 * 12 ** 0.5
    flits = 4 * sum((size + 1) * count for size, count in found.items())
    assert await bench.get("GENERATED_FLITS") == await bench.get("INJECTED_FLITS") == flits
    for chunks in range(1, 9):
        for sink in bench.to_guard:
            sink.packets.clear()
        await bench.fixed_length(chunks)
        await bench.set("COUNT", 5)
        await bench.settle()
        assert {len(packet.words) for packet in bench.sent()} == {4 * chunks}


@cocotb.test()
async def arrivals(dut):
    """Trials are independent and of the given probability; another node or seed makes others, the same the same."""
    bench = Bench(dut)
    times = []
    for coordinate, seed in (((1, 0, 0), 1), ((1, 0, 0), 1), ((1, 0, 0), 2), ((2, 0, 0), 1)):
        await bench.start(coordinate)
        for sink in bench.to_guard:
            sink.packets.clear()
        await bench.fixed_length(1)
        await bench.set("SEED", seed)
        await bench.set("PROBABILITY", ALWAYS // 10)
        await bench.control()
        await bench.cycles(4000)
        await bench.set("PROBABILITY", 0)
        await bench.settle()
        generated = await bench.get("GENERATED")
        assert abs(generated - 400) < 5 * (400 * 0.9) ** 0.5
        assert generated == len(bench.sent())
        found = [software["generated"] for _, software in heads(bench)]
        times.append([time - found[0] for time in found])
    gaps = [after - before for before, after in zip(times[0], times[0][1:], strict=False)]
    # Geometric: one of ten gaps is 1, 0.9^10 of them are longer than 10.
    assert abs(gaps.count(1) / len(gaps) - 0.1) < 0.07
    assert abs(sum(gap > 10 for gap in gaps) / len(gaps) - 0.9 ** 10) < 0.12
    assert times[0] == times[1] and times[0][:20] != times[2][:20] and times[0][:20] != times[3][:20]


@cocotb.test()
async def overrun(dut):
    """A source that cannot send queues, then counts what it must leave out; nothing queued is lost or late in time."""
    bench = Bench(dut)
    await bench.start()
    for sink in bench.to_guard:
        sink.pauses = iter(lambda: True, None)
    await bench.set("PROBABILITY", ALWAYS)
    begin = bench.now
    await bench.control()
    await bench.cycles(300)
    status = REGISTERS["TRAFFIC_STATUS"].unpack(await bench.get("STATUS"))
    assert status["active"] and status["lanes"] == (1 << bench.parameters.lanes) - 1 and status["queued"] == 64
    await bench.control(enable=0)
    generated, overruns = await bench.get("GENERATED"), await bench.get("OVERRUNS")
    assert generated == 64 + 1 + bench.parameters.lanes
    assert overruns > 200 and await bench.get("INJECTED") == 0 and not int(dut.quiescent.value)
    for sink in bench.to_guard:
        sink.pauses = iter(lambda: False, None)
    await bench.settle()
    assert [software["number"] for _, software in heads(bench)] == list(range(generated))
    assert all(begin < software["generated"] < begin + 100 for _, software in heads(bench))
    assert await bench.get("INJECTED") == generated


@cocotb.test()
async def lanes(dut):
    """All lanes are busy when asked; on a channel that keeps order a destination has one lane."""
    bench = Bench(dut)
    await bench.start((0, 0, 0), (4, 4, 4))
    await bench.set("PROBABILITY", ALWAYS)
    await bench.control()
    await bench.cycles(100)
    before = sum(sink.flits for sink in bench.to_guard)
    await bench.cycles(200)
    # A draw that is rejected while lanes become free one after the other costs one of them a cycle.
    assert sum(sink.flits for sink in bench.to_guard) - before >= 198 * bench.parameters.lanes
    await bench.control(enable=0)
    await bench.settle()
    for channel in (2, 3):
        for sink in bench.to_guard:
            sink.packets.clear()
        await bench.set("COUNT", 300)
        await bench.control(channel=channel)
        await bench.settle()
        used = {}
        for lane, sink in enumerate(bench.to_guard):
            for packet in sink.packets:
                head = unpack(Header, packet.words[0])
                assert (head["dynamic"], head["vc"]) == (0, channel)
                assert used.setdefault(coordinate_in(head), lane) == lane
            numbers = [unpack(TrafficHeader, packet.words[1])["number"] for packet in sink.packets]
            assert numbers == sorted(numbers)
        assert set(used.values()) == set(bench.lanes)
