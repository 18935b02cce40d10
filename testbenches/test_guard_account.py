"""What a guard counts and waits for, whatever happens when: commits, packets by epoch parity, what is unfinished."""

from collections import Counter

import cocotb
from cocotb.triggers import FallingEdge

from rtl.formats import Header, unpack
from rtl.registers import REGISTERS
from testbenches.guard_model import Bench, packet, replace
from testbenches.kit.stream import PAUSES

DUT = "rtl.guard.guard:Guard"
PARAMETERS = [{}, {"lanes": 6, "table_nodes": 32, "log_entries": 4}]

COMMIT = REGISTERS["COMMIT"].address


@cocotb.test()
async def commits_are_counted(dut):
    """Every commit adds one, modulo 256, and turns the banks; a write that is refused does neither."""
    bench = Bench(dut)
    await bench.start()
    await bench.cycles(1)
    for number in range(1, 2 * 256 + 3):
        await bench.set("COMMIT", bench.random.getrandbits(32))
        await bench.cycles(1)
        assert int(dut.commits.value) == number % 256
        assert await bench.get("GUARD_STATUS") == REGISTERS["GUARD_STATUS"].pack(
            drained=1, epoch=number % 2, valid=1)
        if number % 50 == 0:
            assert (await bench.host.write(COMMIT, 1)).error
            await bench.cycles(1)
            assert int(dut.commits.value) == number % 256


class _Unfinished:
    """The packets one lane, or the tree, has handed over and not finished: how many, and how many of the old table."""

    def __init__(self):
        self.count = self.old = 0

    def finish(self):
        self.count = max(self.count - 1, 0)
        self.old = max(self.old - 1, 0)


@cocotb.test()
@cocotb.parametrize(seed=range(2))
async def drained_knows_what_is_finished(dut, seed):
    """Packets, commits and hold in any order: DRAINED waits for the old tables' packets, and for none that hold cut."""
    bench = Bench(dut)
    bench.random.seed(f"{seed} {bench.random.random()}")
    bench.model.column = {3}
    await bench.start(commit=True)
    draw, lanes = bench.random, len(bench.lanes)
    ways = [_Unfinished() for _ in range(lanes + 1)]
    coordinate = dict(zip("xyz", bench.model.coordinate, strict=True))

    async def arrive():
        some = draw.sample(range(lanes + 1), draw.randint(1, lanes + 1))
        for lane in filter(lambda way: way < lanes, some):
            ways[lane].count += 1
            head = replace(Header, bench.any_header(), source=3, size=draw.randrange(2), **coordinate)
            bench.from_router[lane].send(packet(head, draw))
        await bench.settle()
        for _ in range(draw.choice((1, 1, 40)) if lanes in some else 0):
            ways[lanes].count += 1
            dut.tree_passed.value = 1
            await bench.cycles(1)
        dut.tree_passed.value = 0

    async def finish():
        some = draw.sample(range(lanes + 1), draw.randint(1, lanes + 1))
        for _ in range(draw.choice((1, 1, 30))):
            for way in some:
                ways[way].finish()
            dut.retired.value = sum(1 << way for way in some if way < lanes)
            dut.tree_retired.value = int(lanes in some)
            await bench.cycles(1)
        dut.retired.value = dut.tree_retired.value = 0

    async def commit():
        drained = not any(way.old for way in ways)
        assert (await bench.owner.write(COMMIT, 0)).error == (not drained)
        if drained:
            for way in ways:
                way.old = way.count
            await bench.load()

    async def hold():
        await bench.set("HOLD", 1)
        await bench.cycles(draw.randrange(4))
        if draw.random() < 0.3:
            await bench.set("COMMIT", 0)
            await bench.load()
        await bench.set("HOLD", 0)
        for way in ways:
            way.count = way.old = 0

    await bench.load()
    for _ in range(150):
        await draw.choices((arrive, finish, commit, hold), (4, 5, 4, 1))[0]()
        await bench.cycles(2)
        drained = not any(way.old for way in ways)
        assert (await bench.fields("GUARD_STATUS"))["drained"] == drained, [(way.count, way.old) for way in ways]


class _Interface:
    """The network interface: in reset while hold lasts, else finishes a packet a lane a cycle."""

    def __init__(self, bench):
        self.bench = bench
        self.delivered = Counter()
        """Packets handed over that are no copies, by epoch parity."""
        cocotb.start_soon(self._run())

    async def _run(self):
        bench, dut = self.bench, self.bench.dut
        unfinished = [0 for _ in bench.lanes]
        while True:
            # Between the edges: hold has risen, and no sink has looked yet.
            await FallingEdge(dut.clk)
            retired = 0
            for lane, sink in enumerate(bench.to_ni):
                unfinished[lane] += len(sink.packets)
                self.delivered.update(_parity(p) for p in sink.packets if not bench.model.is_copy(p))
                sink.packets.clear()
                if int(dut.hold.value):
                    sink.flush()
                    unfinished[lane] = 0
                elif unfinished[lane]:
                    unfinished[lane] -= 1
                    retired |= 1 << lane
            dut.retired.value = retired


def _parity(packet):
    return unpack(Header, packet.words[0])["epoch"]


@cocotb.test()
@cocotb.parametrize(pauses=list(PAUSES))
async def every_packet_is_counted_once(dut, pauses):
    """Commits and hold at any moment of traffic: every packet is in one counter, of the parity it carries."""
    bench = Bench(dut, pauses=pauses)
    bench.randomise(0.7)
    await bench.start(commit=True)
    await bench.load()
    interface, draw, arrived = _Interface(bench), bench.random, Counter()
    for lane in bench.lanes:
        for _ in range(240 // len(bench.lanes)):
            bench.from_ni[lane].send(packet(bench.any_header(0.02), draw))
            head = replace(Header, bench.any_header(0.02), source=draw.randrange(40), size=draw.choice((0, 0, 1, 7)))
            coming = packet(head, draw)
            bench.from_router[lane].send(coming)
            arrived[_parity(coming)] += not bench.model.is_copy(coming)
    commits = 0
    while not all(source.idle for source in (*bench.from_ni, *bench.from_router)):
        await bench.cycles(draw.randrange(12))
        commits += not (await bench.owner.write(COMMIT, 0)).error
        if draw.random() < 0.1:
            await bench.set("HOLD", 1)
            await bench.cycles(draw.randrange(6))
            await bench.set("HOLD", 0)
    await bench.settle()
    left = Counter(_parity(p) for sink in bench.to_router for p in sink.packets)
    assert commits > 10
    for parity in range(2):
        assert await bench.get("INJECTED", parity) == left[parity] > 0
        delivered, *others = [await bench.get(name, parity) for name in ("DELIVERED", "REFUSED_IN", "DROPPED")]
        assert delivered == interface.delivered[parity] > 0
        assert delivered + sum(others) == arrived[parity] and all(others)
