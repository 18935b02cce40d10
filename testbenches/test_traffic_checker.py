"""The traffic checker: what it makes of packets that are right, wrong or not its own, and what it measures."""

from collections import Counter
from dataclasses import replace

import cocotb

from rtl.formats import Header, TrafficHeader, pack, unpack
from rtl.registers import REGISTERS, TRAFFIC_PAGE, Access, Pattern, TrafficError
from testbenches.kit.stream import Packet
from testbenches.traffic_bench import Bench
from testbenches.traffic_model import bin_of, traffic_packet

DUT = "rtl.traffic.traffic:Traffic"
PARAMETERS = [{"lanes": 6, "table_nodes": 256}, {"lanes": 1}]

ESCAPE = {"dynamic": 0, "vc": 2}
ADAPTIVE = {"dynamic": 1, "vc": 0}


def right(bench, **changes):
    """A packet for this node that is right, but for the changes."""
    rng = bench.random
    return traffic_packet(bench.coordinate, **{
        "source": rng.randrange(60), "size": rng.randrange(8), "generated": bench.now - rng.randrange(1, 3000),
        "number": rng.getrandbits(24), **ADAPTIVE, **changes})


def spoiled(packet, index, bit):
    """With one bit of one flit changed."""
    words = list(packet.words)
    words[index] ^= 1 << bit
    return replace(packet, words=tuple(words))


@cocotb.test()
@cocotb.parametrize(pauses=["never", "often"])
async def measured(dut, pauses):
    """Counts, sum, maximum and histogram are those of the packets, to the last; back to back on all lanes."""
    bench = Bench(dut, pauses)
    await bench.start((2, 1, 0), (3, 2, 2))
    await bench.control(enable=0, record=1)
    begin = bench.now
    expected = {lane: [] for lane in bench.lanes}
    for number in range(120):
        lane = number % bench.parameters.lanes
        late = bench.random.choice([3, 40, 900, 50_000, 400_000])
        packet = right(bench, generated=bench.now - bench.random.randrange(1, late), recorded=number % 4 != 0,
                       size=bench.random.choice([0, 0, 0, 7, 2]))
        expected[lane].append(packet)
        bench.from_guard[lane].send(packet)
    await bench.settle()
    window = await bench.get("WINDOW")
    assert abs(window - (bench.now - begin)) < 8
    latencies, flits = [], 0
    for lane, packets in expected.items():
        ends = [now for at, now in bench.ends if at == lane]
        for packet, end in zip(packets, ends, strict=True):
            software = unpack(TrafficHeader, packet.words[1])
            if software["recorded"]:
                latencies.append(end - software["generated"] & 0xFFFFFFFF)
                flits += len(packet.words)
    assert await bench.errors() == [0] * 6
    assert await bench.get("RECEIVED") == len(latencies) == 90
    assert await bench.get("RECEIVED_FLITS") == flits
    assert await bench.get("ACCEPTED") == 120
    assert await bench.get("ACCEPTED_FLITS") == sum(len(p.words) for packets in expected.values() for p in packets)
    assert await bench.get("LATENCY_SUM") == sum(latencies)
    assert await bench.get("LATENCY_MAX") == max(latencies)
    assert await bench.histogram() == Counter(map(bin_of, latencies))
    assert [sum(1 for at, _ in bench.ends if at == lane) for lane in bench.lanes] == bench.retired
    assert pauses != "never" or bench.longest_wait == 0

    await bench.control(enable=0, record=0)
    bench.from_guard[0].send(right(bench))
    await bench.settle()
    assert await bench.get("ACCEPTED") == 120 and await bench.get("RECEIVED") == 91
    await bench.set("CLEAR", 1)
    await bench.settle()
    wide = [name for name, register in REGISTERS.items() if name.startswith("TRAFFIC_") and register.count == 2]
    assert [await bench.get(name.removeprefix("TRAFFIC_")) for name in wide] == [0] * len(wide)
    assert await bench.histogram() == {} and await bench.get("LATENCY_MAX") == 0


@cocotb.test()
async def bins(dut):
    """Every bin holds what the register map says, also where two octaves meet and above the last."""
    bench = Bench(dut, epoch=1 << 33)
    await bench.start()
    edges = [*range(16), *((8 + i % 8) * 2 ** (i // 8 - 1) for i in range(16, 128))]
    expected = Counter()
    way = 0
    for bin_, edge in [(0, 0), *enumerate(edges)]:
        for latency in (edge, max(edge - 1, 0)):
            begin = bench.now
            bench.from_guard[0].send(right(bench, size=0, generated=begin + way - latency, recorded=way != 0))
            await bench.settle()
            if way:
                assert bench.ends[-1][1] == begin + way
                expected[bin_ if latency == edge else bin_ - 1] += 1
            way = bench.ends[-1][1] - begin
    for latency in (1 << 18, 1 << 30):
        bench.from_guard[0].send(right(bench, size=0, generated=bench.now - latency))
        expected[127] += 1
    await bench.settle()
    assert await bench.histogram() == expected
    assert all(bin_of(edge) == bin_ for bin_, edge in enumerate(edges))


@cocotb.test()
async def wrong(dut):
    """Each fault is found, counted once under its name, and nowhere else."""
    bench = Bench(dut)
    await bench.start((1, 2, 0), (3, 4, 2))
    await bench.control(enable=0, record=1)
    expected = Counter()

    async def send(kind, packet):
        expected[kind] += 1
        bench.from_guard[bench.random.choice(bench.lanes)].send(packet)
        await bench.settle()
        assert await bench.errors() == [expected[error] for error in TrafficError], kind

    for _ in range(3):
        packet = right(bench)
        await send(TrafficError.BAD, replace(packet, bad=True))
        await send(TrafficError.BAD, replace(spoiled(packet, -1, 3), bad=True))
        await send(TrafficError.LENGTH, replace(packet, words=packet.words[:-1]))
        await send(TrafficError.LENGTH, replace(packet, words=(*packet.words, 5)))
        await send(TrafficError.LENGTH, replace(packet, words=packet.words[:1]))
        await send(TrafficError.LENGTH, replace(packet, words=packet.words[:2]))
        await send(TrafficError.LENGTH, replace(packet, words=packet.words + (7,) * 32))
        for axis in "xyz":
            coordinate = dict(zip("xyz", bench.coordinate, strict=True))
            coordinate[axis] ^= 1
            elsewhere = replace(packet, words=(pack(Header, **{**unpack(Header, packet.words[0]), **coordinate}),
                                               *packet.words[1:]))
            await send(TrafficError.MISROUTED, elsewhere)
        await send(TrafficError.MISROUTED, spoiled(packet, 0, Header["deposit"].offset))
        # One bit of any payload flit, of the source, of any field of the software header, and a rerouted header.
        for index in {2, len(packet.words) - 1, bench.random.randrange(2, len(packet.words))}:
            await send(TrafficError.CONTENT, spoiled(packet, index, bench.random.randrange(64)))
        await send(TrafficError.CONTENT, spoiled(packet, 0, bench.random.randrange(16)))
        await send(TrafficError.CONTENT, spoiled(packet, 1, bench.random.randrange(64)))
        other = traffic_packet((2, 2, 1), 9, size=1, generated=bench.now)
        renamed = pack(Header, **{**unpack(Header, other.words[0]), "x": 1, "y": 2, "z": 0})
        await send(TrafficError.CONTENT, replace(other, words=(renamed, *other.words[1:])))
        await send(TrafficError.TIME, right(bench, generated=bench.now + 1000))
    assert await bench.get("RECEIVED") == await bench.get("ACCEPTED") == await bench.get("LATENCY_SUM") == 0
    assert await bench.histogram() == {}
    # The errors have changed nothing for what follows.
    for lane in bench.lanes:
        bench.from_guard[lane].send(right(bench))
    await bench.settle()
    assert await bench.get("RECEIVED") == bench.parameters.lanes
    assert sum(bench.retired) == len(bench.ends)


@cocotb.test()
async def order(dut):
    """On ordered channels a packet must be newer than the last of its source, also past the last number."""
    bench = Bench(dut)
    await bench.start()
    sequence = [(5, 1), (5, 2), (5, 9), (6, 3), (5, 0xFFFFF), (5, 0x7FFFFF), (5, 0xFFFFFE), (5, 0xFFFFFF), (5, 0),
                (5, 7), (6, 4)]
    for source, number in sequence:
        bench.from_guard[0].send(right(bench, source=source, number=number, size=0, **ESCAPE))
    await bench.settle()
    assert await bench.errors() == [0] * 6
    for source, number in ((5, 7), (5, 6), (5, 0xFFFFFF), (6, 4), (6, 3)):
        bench.from_guard[0].send(right(bench, source=source, number=number, size=0, **ESCAPE))
    for _ in range(4):
        bench.from_guard[0].send(right(bench, source=5, number=3, size=0, **ADAPTIVE))
    bench.from_guard[0].send(right(bench, source=5, number=8, size=0, **ESCAPE))
    await bench.settle()
    assert await bench.errors() == [0] * 5 + [5]
    assert await bench.get("RECEIVED") == len(sequence) + 5
    await bench.set("CLEAR", 1)
    await bench.settle()
    bench.from_guard[0].send(right(bench, source=5, number=1, size=0, **ESCAPE))
    await bench.settle()
    assert await bench.errors() == [0] * 6


@cocotb.test()
@cocotb.parametrize(pauses=["never", "bursts"])
async def beside_the_interface(dut, pauses):
    """Software's packets pass both ways whole and in order among generated ones, and finish in order."""
    bench = Bench(dut, pauses)
    await bench.start((1, 0, 0), (2, 1, 1))
    await bench.lengths([1 / 8] * 8)
    await bench.set("PROBABILITY", 0xFFFFFFFF)
    await bench.set("COUNT", 60)
    rng = bench.random

    def software():
        size = rng.randrange(8)
        mark = rng.choice([{"dma": 1, "pid0": 1, "pid1": 1}, {"pid0": 1}, {"pid1": 1}, {}])
        head = pack(Header, size=size, source=3, **mark)
        return Packet((head, *(rng.getrandbits(64) for _ in range(4 * size + 3))))

    out = [[software() for _ in range(8)] for _ in bench.lanes]
    into = [[software() for _ in range(8)] for _ in bench.lanes]
    for lane in bench.lanes:
        for one, other in zip(out[lane], into[lane], strict=True):
            bench.from_ni[lane].send(one)
            bench.from_guard[lane].send(other)
            for _ in range(rng.randrange(3)):
                bench.from_guard[lane].send(right(bench, size=rng.choice([0, 0, 5])))
    await bench.control()
    await bench.settle()
    for lane in bench.lanes:
        ours = [bool(unpack(Header, p.words[0])["pid0"] & unpack(Header, p.words[0])["pid1"])
                and not unpack(Header, p.words[0])["dma"] for p in bench.to_guard[lane].packets]
        assert [p for p, own in zip(bench.to_guard[lane].packets, ours, strict=True) if not own] == out[lane]
        assert list(bench.to_ni[lane].packets) == into[lane]
        # In turns: while both have packets none waits for two of the other.
        begin = ours.index(True)
        assert pauses != "never" or ours[begin:begin + 4] == [True, False] * 2
    await bench.cycles(30)
    assert bench.early == 0
    assert bench.retired == [sum(1 for at, _ in bench.ends if at == lane) for lane in bench.lanes]
    assert await bench.errors() == [0] * 6
    assert await bench.get("RECEIVED") == sum(bench.retired) - 8 * bench.parameters.lanes


@cocotb.test()
async def hostile(dut):
    """Whatever comes with the mark, of any length and content, is an error and never makes the lane wait."""
    bench = Bench(dut)
    await bench.start()
    rng = bench.random
    for lane in bench.lanes:
        for _ in range(60):
            head = pack(Header, **{**unpack(Header, rng.getrandbits(64)), "pid0": 1, "pid1": 1, "dma": 0})
            words = (head, *(rng.getrandbits(64) for _ in range(rng.choice([0, 1, 2, 3, 3, 7, 31, 63]))))
            bench.from_guard[lane].send(Packet(words, bad=rng.random() < 0.3))
    await bench.settle()
    assert sum(await bench.errors()) == 60 * bench.parameters.lanes == sum(bench.retired)
    assert await bench.get("ACCEPTED") == await bench.get("RECEIVED") == 0
    # Packets shorter than hardware lets through may wait for their turn to be counted.
    assert bench.longest_wait <= 3
    bench.from_guard[0].send(right(bench))
    await bench.settle()
    assert await bench.get("RECEIVED") == 1


@cocotb.test()
async def time_wraps(dut):
    """Latencies and the window are right while the low half of the time runs over."""
    bench = Bench(dut, epoch=(7 << 32) - 300)
    await bench.start()
    await bench.control(enable=0, record=1)
    begin = bench.now
    assert begin < 7 << 32
    packet = right(bench, generated=bench.now)
    await bench.cycles(400)
    bench.from_guard[0].send(packet)
    await bench.settle()
    (_, end), = bench.ends
    latency = end - unpack(TrafficHeader, packet.words[1])["generated"] & 0xFFFFFFFF
    assert 400 < latency < 450
    assert await bench.get("LATENCY_SUM") == await bench.get("LATENCY_MAX") == latency
    await bench.control(enable=0, record=0)
    window, end = await bench.get("WINDOW"), bench.now
    assert 400 < window <= end - begin and await bench.get("WINDOW") == window


@cocotb.test()
async def quiescent(dut):
    """Quiescent exactly when it will do nothing by itself; then nothing changes but by an access."""
    bench = Bench(dut)
    await bench.start()

    async def state():
        await bench.cycles(4)
        return int(dut.quiescent.value)

    assert await state() == 1
    await bench.control()
    assert await state() == 1, "a probability of 0 is no work"
    await bench.set("PROBABILITY", 1)
    assert await state() == 0, "the next packet may come at any time"
    await bench.control(enable=0)
    assert await state() == 1
    await bench.set("PROBABILITY", 0xFFFFFFFF)
    await bench.set("COUNT", 2)
    await bench.control()
    await bench.settle()
    await bench.cycles(200)
    assert await bench.get("GENERATED") == 2 and await state() == 1
    # From the trial to the last flit there is no cycle in which nothing seems to be left.
    for _ in range(8):
        await bench.set("COUNT", 1)
        seen = []
        for _ in range(60):
            await bench.cycles(1)
            seen.append((int(dut.quiescent.value), sum(sink.flits for sink in bench.to_guard)))
        assert all(flits == seen[-1][1] for quiet, flits in seen if quiet)
    await bench.set("SEED", 3)
    assert await state() == 0
    await bench.settle()
    await bench.set("CLEAR", 0)
    assert await state() == 0
    assert (await bench.host.write(REGISTERS["TRAFFIC_CLEAR"].at(), 0)).error, "clearing already"
    await bench.settle()
    await bench.set("COUNT", 0)
    assert (await bench.host.write(REGISTERS["TRAFFIC_CLEAR"].at(), 0)).error, "generating"


@cocotb.test()
async def registers(dut):
    """What the map allows and nothing else; what is written is read; the guard's accesses go to the guard."""
    bench = Bench(dut)
    await bench.start()
    ours = [register for register in REGISTERS.values() if register.address >= TRAFFIC_PAGE]
    elements = {register.at(index): register for register in ours
                for index in range(register.elements(bench.parameters))}
    for address in [*elements, 0xC024, 0xC03C, 0xC05C, 0xC08C, 0xC100, 0xC1FC, 0xC400, 0xC002, 0xFFFC]:
        register = elements.get(address)
        right_ = register.host if register else Access.NONE
        read = await bench.host.read(address)
        assert read.error == (right_ not in (Access.RW, Access.RO)), hex(address)
        if right_ is Access.RW and register.name not in ("TRAFFIC_CONTROL", "TRAFFIC_PROBABILITY"):
            value = bench.random.getrandbits(sum(w for n, w in register.fields.items() if n != "reserved") or 32)
            assert not (await bench.host.write(address, value)).error
            assert (await bench.host.read(address)).value == value, register.name
        elif right_ in (Access.RO, Access.NONE):
            assert (await bench.host.write(address, 0xFFFFFFFF)).error, hex(address)
    await bench.control(Pattern.TARGET, enable=0, channel=3)
    control = await bench.get("CONTROL")
    assert control == REGISTERS["TRAFFIC_CONTROL"].pack(channel=3, pattern=Pattern.TARGET, record=1)
    register = REGISTERS["TRAFFIC_CONTROL"]
    assert (await bench.host.write(register.at(), register.pack(pattern=7))).error
    assert await bench.get("CONTROL") == control
    assert not bench.guard.accesses
    assert (await bench.host.read(0x4008)).value == 0x4008 ^ 0xFFFF
    assert bench.guard.accesses == [(False, 0x4008, 0)]
