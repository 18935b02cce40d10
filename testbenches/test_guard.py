"""The permission guard of a node, against its model."""

from collections import Counter
from itertools import product

import cocotb
from cocotb.triggers import RisingEdge

from rtl.formats import Header, PutHeader, Reason, pack, unpack
from rtl.registers import REGISTERS
from rtl.torus.coordinates import node_coordinates, node_id
from testbenches.guard_model import Bench, header, packet, replace
from testbenches.guard_traffic import drawn_shape, random_packets
from testbenches.kit.stream import PAUSES, Packet

DUT = "rtl.guard.guard:Guard"
PARAMETERS = [{}, {"lanes": 1, "table_nodes": 4096}, {"lanes": 6, "table_nodes": 32, "log_entries": 4}]


@cocotb.test()
@cocotb.parametrize(
    pauses=list(PAUSES),
    shape=[((4, 3, 2), (1, 2, 1)), ((2, 2, 2), (0, 0, 0)), ((8, 1, 4), (7, 0, 2)), "drawn"])
async def random_traffic(dut, pauses, shape):
    """Any packets on all lanes both ways: exactly what the model lets through comes out, all is counted."""
    bench = Bench(dut, *(drawn_shape() if shape == "drawn" else shape), pauses)
    bench.randomise()
    await bench.start(commit=True)
    expected = Counter()
    for _ in range(2):
        await random_packets(bench, expected)
        bench.randomise()
        await bench.commit()


@cocotb.test()
async def nothing_passes_before_the_first_commit(dut):
    """After the fabric reset tables hold whatever they held: everything is refused with NO_TABLE."""
    bench = Bench(dut)
    bench.model.row = bench.model.column = set(range(bench.parameters.table_nodes))
    await bench.start(commit=True)
    dut.rst.value = 1
    await bench.cycles(2)
    dut.rst.value = 0
    await bench.cycles(1)
    assert await bench.get("GUARD_STATUS") == REGISTERS["GUARD_STATUS"].pack(hold=1, drained=1)
    await bench.set("HOLD", 0)
    dut.tree_source.value = bench.model.id
    bench.model.valid = False
    kinds = list(product((0, 1), (0, 1), (0, 1), (0, bench.parameters.table_nodes)))
    for dma, get, deposit, source in kinds:
        for lane in bench.lanes:
            # The second word says of a put whether it is a remote get.
            _, second, *rest = bench.to_node(0).words
            words = replace(PutHeader, second, remote_get=get), *rest
            bench.out(lane, Packet((header(dma=dma, deposit=deposit), *words)))
            back = header(dma=dma, deposit=deposit, source=source, **dict(zip("xyz", (1, 2, 1), strict=True)))
            bench.back(lane, Packet((back, *words)))
    await bench.settle()
    assert not any(sink.packets for sink in (*bench.to_router, *bench.to_ni))
    assert not int(dut.tree_allowed.value)
    assert await bench.get("REFUSED", Reason.NO_TABLE) == 2 * len(bench.lanes) * len(kinds)
    bench.confirm()


@cocotb.test()
@cocotb.parametrize(shape=[
    ((5, 4, 1), (2, 3, 0)), ((2, 3, 4), (1, 1, 3)), ((64, 1, 1), (40, 0, 0)), ((6, 6, 1), (0, 0, 0)), "drawn"])
async def every_hint(dut, shape):
    """Every hint combination to every destination, or to many that the table covers, against the software twin."""
    bench = Bench(dut, *(drawn_shape() if shape == "drawn" else shape))
    bench.model.row = set(range(bench.parameters.table_nodes))
    await bench.start(commit=True)
    coordinates = list(product(*map(range, bench.model.sizes)))
    if shape == "drawn":
        covered = [each for each in coordinates if node_id(bench.model.sizes, each) in bench.model.row]
        coordinates = bench.random.sample(covered, min(len(covered), 64))
    expected, refused = [[] for _ in bench.lanes], Counter()
    for number, (x, y, z) in enumerate(coordinates):
        for hint in range(64):
            lane = number % len(bench.lanes)
            sent = packet(header(x=x, y=y, z=z, hint=hint), bench.random)
            bench.from_ni[lane].send(sent)
            reason, leaves = bench.model.egress(sent)
            refused[reason] += 1
            expected[lane] += [leaves] if not reason else []
    await bench.settle()
    assert [list(sink.packets) for sink in bench.to_router] == expected
    assert await bench.get("REFUSED", Reason.HINT) == refused[Reason.HINT] > 0
    assert await bench.get("REFUSED", Reason.RANGE) == refused[Reason.RANGE]


@cocotb.test()
@cocotb.parametrize(shape=[
    ((64, 32, 32), (63, 31, 31)), ((63, 64, 15), (42, 63, 10)), ((16, 63, 64), (5, 42, 63)), ((1, 1, 64), (0, 0, 21)),
    ((1, 1, 1), (0, 0, 0))])
async def any_coordinate_in_the_largest_tori(dut, shape):
    """Every bit of sizes, coordinates and ids: packets of any source, and refusals of the tree, tell who and where."""
    bench = Bench(dut, *shape)
    bench.randomise()
    bench.model.column |= {bench.parameters.table_nodes - 1}
    await bench.start(commit=True)
    model, out, back, refused = bench.model, [[] for _ in bench.lanes], [[] for _ in bench.lanes], Counter()
    for number in range(24):
        for lane in bench.lanes:
            coordinate = [bench.random.choice((0, size - 1, bench.random.randrange(size))) for size in model.sizes]
            hint = bench.random.choice((0, 0, 1 << bench.random.randrange(6)))
            sent = packet(header(hint=hint, **dict(zip("xyz", coordinate, strict=True))), bench.random)
            reason, leaves = bench.out(lane, sent)
            refused[model.id, model.destination(sent), reason] += 1
            out[lane] += [leaves] if not reason else []
            source = bench.random.choice((model.parameters.table_nodes - 1, bench.random.getrandbits(16)))
            kept = {"dma": number % 2, "source": source, "size": 1}
            arrived = packet(header(**kept, **dict(zip("xyz", model.coordinate, strict=True))), bench.random)
            reason, leaves = bench.back(lane, arrived)
            refused[source, model.id, reason] += 1
            back[lane] += [leaves] if not reason else []
        dut.tree_source.value = talker = bench.random.getrandbits(16)
        dut.tree_refused.value, dut.tree_stale.value = 1, number % 2
        await bench.cycles(1)
        dut.tree_refused.value = 0
        refused[talker, model.id, Reason.STALE if number % 2 else Reason.TREE] += 1
        await bench.settle()
        log = Counter(entry[:3] for entry in await bench.log())
        assert log <= refused and len(log) > 0
        await bench.set("LOG_CLEAR", 0)
    assert [list(sink.packets) for sink in bench.to_router] == out
    assert [list(sink.packets) for sink in bench.to_ni] == back
    bench.confirm()


@cocotb.test()
async def full_rate(dut):
    """Shortest packets, refused and permitted mixed, pass one flit a cycle and are one cycle late."""
    bench = Bench(dut)
    bench.model.row = bench.model.column = {0, 2}
    await bench.start(commit=True)
    for lane in bench.lanes:
        for number in range(50):
            bench.from_ni[lane].send(bench.to_node(number % 3))
            bench.from_router[lane].send(bench.to_node(bench.model.id, source=number % 3))
    await RisingEdge(dut.from_ni__0__valid)
    start = bench.time
    await RisingEdge(dut.to_router__0__valid)
    assert bench.time - start == 1
    for source in (*bench.from_ni, *bench.from_router):
        await source.settle()
    assert bench.time - start <= 50 * 4 + 2
    await bench.settle()
    assert all(len(sink.packets) == 33 for sink in (*bench.to_router, *bench.to_ni))


@cocotb.test()
async def a_header_keeps_its_decision(dut):
    """A packet that waits in the guard over a commit, and what is written behind it, keeps table and parity."""
    bench = Bench(dut, pauses="never")
    model = bench.model
    model.row, model.column, model.reach = {0}, {5}, [1, 1, 1, 1, 1, 1]
    await bench.start(commit=True)
    for sink in (*bench.to_router, *bench.to_ni):
        sink.pauses = iter(lambda: True, None)
    await bench.cycles(2)
    out, back = bench.to_node(0), bench.to_node(model.id, source=5)
    kept = model.egress(out)[1], model.ingress(back)[1]
    for lane in bench.lanes:
        bench.from_ni[lane].send(out)
        bench.from_router[lane].send(back)
    await bench.cycles(4)
    model.row, model.column, model.reach = set(), set(), [0] * 6
    await bench.commit()
    assert (await bench.fields("GUARD_STATUS"))["drained"] == 0
    await bench.load()
    for lane in bench.lanes:
        for sink in (bench.to_router[lane], bench.to_ni[lane]):
            sink.pauses = PAUSES["never"]()
        bench.from_ni[lane].send(out)
        bench.from_router[lane].send(back)
    await bench.settle()
    assert all(list(sink.packets) == [kept[0]] for sink in bench.to_router)
    assert all(list(sink.packets) == [kept[1]] for sink in bench.to_ni)
    lanes = len(bench.lanes)
    assert await bench.counts("INJECTED") == [0, lanes]
    assert await bench.get("REFUSED", Reason.ROW) == await bench.get("REFUSED", Reason.COLUMN) == lanes


@cocotb.test()
async def commit_waits_for_the_drain(dut):
    """DRAINED falls at a commit until all packets judged before it are finished; no commit while it is 0."""
    bench = Bench(dut)
    bench.model.column = {3}
    await bench.start(commit=True)
    assert (await bench.fields("GUARD_STATUS"))["drained"] == 1
    for lane in bench.lanes:
        for _ in range(2):
            bench.from_router[lane].send(bench.to_node(bench.model.id, source=3))
    await bench.settle()
    await bench.set("COMMIT", 0)
    for lane in bench.lanes:
        bench.from_router[lane].send(bench.to_node(bench.model.id, source=3))
    await bench.settle()
    epoch = (await bench.fields("GUARD_STATUS"))["epoch"]
    for last in bench.lanes:
        assert (await bench.fields("GUARD_STATUS"))["drained"] == 0
        assert (await bench.owner.write(REGISTERS["COMMIT"].address, 0)).error
        await bench.retire(last, 2)
    status = await bench.fields("GUARD_STATUS")
    assert status["drained"] and status["epoch"] == epoch
    await bench.set("COMMIT", 0)
    assert (await bench.fields("GUARD_STATUS"))["epoch"] != epoch


@cocotb.test()
async def a_header_in_the_cycle_of_a_commit(dut):
    """Whatever the cycle in which a header meets a commit: if the old table let it through, DRAINED waits for it."""
    bench = Bench(dut)
    await bench.start()
    seen = []
    for delay in range(8):
        bench.model.column = {3}
        await bench.commit()
        bench.model.column = set()
        await bench.load()
        for source in (9, 3):
            bench.from_router[0].send(bench.to_node(bench.model.id, source=source))
        await bench.cycles(delay)
        await bench.set("COMMIT", 0)
        await bench.settle()
        passed = len(bench.to_ni[0].packets)
        assert (await bench.fields("GUARD_STATUS"))["drained"] == 1 - passed, delay
        await bench.retire(0, passed)
        bench.to_ni[0].packets.clear()
        bench.model.epoch = not bench.model.epoch
        seen.append(passed)
    assert seen == sorted(seen) and set(seen) == {0, 1}


@cocotb.test()
async def hold_cuts_and_closes(dut):
    """A packet cut at egress gets a bad tail; at ingress it is sunk to its tail, before or after hold ends."""
    bench = Bench(dut)
    bench.model.row = bench.model.column = {0}
    await bench.start(commit=True)
    long = [bench.to_node(0, size=7), bench.to_node(bench.model.id, source=0, size=7)]
    for lane in bench.lanes:
        for flit in list(long[0].flits())[:10]:
            bench.from_ni[lane].send_flit(flit)
        for flit in list(long[1].flits())[:10]:
            bench.from_router[lane].send_flit(flit)
    await bench.settle()
    assert not any(sink.packets for sink in (*bench.to_router, *bench.to_ni))
    await bench.set("HOLD", 1)
    await bench.cycles(3)
    assert int(dut.hold.value)
    kept = bench.model.egress(long[0])[1]
    for lane in bench.lanes:
        closed = bench.to_router[lane].packets.popleft()
        assert closed.bad and closed.words == (*kept.words[:10], 0)
        bench.to_ni[lane].flush()
        if lane % 2:
            for flit in list(long[1].flits())[10:]:
                bench.from_router[lane].send_flit(flit)
    assert int(dut.from_ni__0__ready.value) == 0
    await bench.set("HOLD", 0)
    for lane in bench.lanes:
        if lane % 2 == 0:
            for flit in list(long[1].flits())[10:]:
                bench.from_router[lane].send_flit(flit)
        bench.from_ni[lane].send(bench.to_node(0))
        bench.from_router[lane].send(bench.to_node(bench.model.id, source=0, epoch=1))
    await bench.settle()
    for lane in bench.lanes:
        assert len(bench.to_router[lane].packets) == 1
        assert len(bench.to_ni[lane].packets) == 1


@cocotb.test()
async def hold_counts_what_it_drops(dut):
    """Packets that meet a node in hold are DROPPED by parity; refused ones stay refused, copies do not count."""
    bench = Bench(dut, pauses="often")
    bench.model.column = {0}
    await bench.start(commit=True, hold=True)
    lanes, me = len(bench.lanes), bench.model.id
    for lane in bench.lanes:
        bench.from_router[lane].send(bench.to_node(me, source=0))
        bench.from_router[lane].send(bench.to_node(me, source=0, epoch=1))
        bench.from_router[lane].send(bench.to_node(me, source=1))
        bench.from_router[lane].send(bench.to_node(me ^ 1, source=0, deposit=1))
    await bench.settle()
    for even, odd in ((3, 1), (28, 0), (0, 30)):
        dut.discards.value = even | odd << 5
        await bench.cycles(1)
    dut.discards.value = 0
    await bench.cycles(1)
    assert await bench.counts("DROPPED") == [lanes + 31, lanes + 31]
    assert await bench.counts("REFUSED_IN") == [lanes, 0]
    assert await bench.counts("DELIVERED") == [0, 0]
    assert (await bench.fields("GUARD_STATUS"))["drained"] == 1


@cocotb.test()
async def deposit_is_bounded_by_reach(dut):
    """A deposit packet goes along one dimension only, at most as far as the reach of its direction."""
    bench = Bench(dut, (8, 4, 1), (2, 1, 0))
    model = bench.model
    model.row, model.reach = set(range(32)), [3, 2, 1, 0, 0, 0]
    await bench.start(commit=True)
    tried, expected = Counter(), []
    for y in range(4):
        for x in range(8):
            for hint in (0, 0b100000, 0b010000):
                sent = packet(header(x=x, y=y, hint=hint, deposit=1), bench.random)
                reason, leaves = model.egress(sent)
                tried[reason] += 1
                expected += [leaves] if not reason else []
                bench.from_ni[0].send(sent)
    await bench.settle()
    assert list(bench.to_router[0].packets) == expected
    assert 8 < tried[Reason.DEPOSIT] == await bench.get("REFUSED", Reason.DEPOSIT)
    coordinates = [(h["x"], h["y"]) for p in expected if (h := unpack(Header, p.words[0]))["deposit"]]
    assert set(coordinates) == {(3, 1), (4, 1), (5, 1), (1, 1), (0, 1), (2, 2)}
    await bench.set("REACH", 100, 0)
    assert (6, 1) not in coordinates


@cocotb.test()
async def copies_are_judged_and_not_counted(dut):
    """The column decides about a copy of a deposit packet; the epoch counters leave it to the original."""
    bench = Bench(dut)
    me = bench.model.id
    bench.model.column = {0}
    await bench.start(commit=True)
    bench.from_router[0].send(bench.to_node(me ^ 1, source=0, deposit=1))
    bench.from_router[0].send(bench.to_node(me ^ 1, source=7, deposit=1))
    bench.from_router[0].send(bench.to_node(me, source=0, deposit=1))
    await bench.settle()
    assert len(bench.to_ni[0].packets) == 2
    assert await bench.counts("DELIVERED") == [1, 0]
    assert await bench.counts("REFUSED_IN") == [0, 0]
    assert [entry[:3] for entry in await bench.log()] == [(7, me ^ 1, Reason.COLUMN)]


@cocotb.test()
async def a_remote_get_answers_its_requester(dut):
    """Every descriptor of a remote get is turned to the stamped source and bears its time; other packets stay."""
    bench = Bench(dut)
    bench.model.column = {13}
    await bench.start(commit=True)
    for _ in range(bench.random.randrange(300)):
        await bench.set("COMMIT", 0)
        bench.model.commits += 1
    bench.model.epoch = bench.model.commits % 2
    await bench.commit()
    await bench.commit()
    evil = pack(Header, x=1, y=1, z=1, hint=63, deposit=1, vc=3, dynamic=1, source=6, size=5)
    # In any order: what one packet is says nothing about the next.
    requests = [(bench.random.random() < 0.7, bench.random.random() < 0.8, vc) for vc in range(4) for _ in range(8)]
    bench.random.shuffle(requests)
    for remote_get, dma, vc in requests:
        head = header(x=1, y=2, z=1, source=13, dma=dma, size=7, vc=vc)
        words = [head, pack(PutHeader, remote_get=remote_get, ring=1)] + [evil] * 30
        bench.from_router[0].send(Packet(tuple(words)))
    await bench.settle()
    x, y, z = node_coordinates(bench.model.sizes, 13)
    for (remote_get, dma, vc), got in zip(requests, bench.to_ni[0].packets, strict=True):
        # Only a request on the priority channel is answered there.
        turned = replace(Header, evil, x=x, y=y, z=z, hint=0, deposit=0, vc=3 if vc == 3 else 2,
                         **bench.model.asked)
        for index, word in enumerate(got.words[2:], 2):
            assert word == (turned if index % 4 == 0 and remote_get and dma else evil), index


@cocotb.test()
async def lengths_are_kept(dut):
    """A lane that sends more or fewer flits than its header says cannot break the torus' framing."""
    bench = Bench(dut)
    bench.model.row = {0}
    await bench.start(commit=True)
    short, right = bench.to_node(0, size=1), bench.to_node(0, size=0)
    flits = list(right.flits())
    endless = [flits[0]] + [flit & ~(1 << 65) for flit in flits[1:]] * 15
    for flit in endless:
        bench.from_ni[0].send_flit(flit)
    bench.from_ni[0].send(Packet(short.words[:3]))
    bench.from_ni[0].send(Packet(short.words[:1]))
    bench.from_ni[0].send(right)
    await bench.settle()
    lengths = [(len(p.words), p.bad) for p in bench.to_router[0].packets]
    assert lengths == [(4, False), (3, True), (1, True), (4, right.bad)]
