"""Trees of routers: who gets a packet, that nobody else does, and that the owner gets through."""

import random
from collections import Counter, defaultdict
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from rtl.formats import EXTERNAL, ControlOp, Protocol, TreeChannel, TreeClass
from rtl.tree.routing import Target, way
from testbenches.kit.stream import PAUSES, Packet, never
from testbenches.kit.tree import control_packet, link_header, tree_packet
from testbenches.tree_bench import HOP_CYCLES, OUTSIDE, OWNER, TENANT, Bench, always, destinations, on_arrival

DUT = "testbenches.tree_designs:tree"
PARAMETERS = [{"nodes": 1}, {"nodes": 2}, {"nodes": 3}, {"nodes": 8}, {"nodes": 15}]

@cocotb.test()
async def every_rank_is_reached_from_everywhere(dut: Any) -> None:
    bench = await Bench.start(dut)
    expected = defaultdict(list)
    for source in bench.everyone:
        for target in bench.everyone:
            for channel in TreeChannel:
                vector = EXTERNAL if target == OUTSIDE else target
                packet = tree_packet(vector, payload=(source & 0xFF, target & 0xFF), src_key=source & 0xFF,
                                     channel=channel, owner=1, external=0, source=0xABCD)
                bench.send(source, packet)
                for node in destinations(source, vector, bench.nodes):
                    expected[node].append(on_arrival(source, packet))
    await bench.settle()
    for node in bench.everyone:
        assert sorted(p.words for p in bench.packets(node)) == sorted(p.words for p in expected[node])


@cocotb.test()
async def broadcast_reaches_all_exactly_once(dut: Any) -> None:
    bench = await Bench.start(dut)
    for source in bench.everyone:
        packet = tree_packet(None, payload=tuple(range(30)), src_key=source & 0xFF)
        bench.send(source, packet)
        await bench.settle()
        for node in bench.everyone:
            wanted = [on_arrival(source, packet)] if node != OUTSIDE or source != OUTSIDE else []
            assert bench.packets(node) == wanted, f"from {source} to {node}"
        for rank in range(bench.nodes):
            bench.tree.packets[rank].clear()
        bench.sink.packets.clear()


@cocotb.test()
@cocotb.parametrize(pauses=["never", "often"])
async def a_class_reaches_its_members_alone(dut: Any, pauses: str) -> None:
    """Any members, also none, of all classes at once; from members and others; the outside is one if its route says.

    Who names a node reaches it only if it is one of them; the outside is reached in any case.
    """
    bench = await Bench.start(dut, pauses)
    choose = random.Random(pauses)
    for _ in range(3):
        members = {number: choose.sample(bench.everyone, choose.randint(0, len(bench.everyone)))
                   for number in range(1, TreeClass.BROADCAST)}
        members |= {TreeClass.OUTSIDE: [OUTSIDE], TreeClass.BROADCAST: bench.everyone}
        for number in range(1, TreeClass.BROADCAST):
            bench.set_class(number, members[number])
        expected = defaultdict(list)
        for serial in range(120):
            source, number = choose.choice(bench.everyone), choose.choice(list(members))
            named = choose.choice([*range(bench.nodes), EXTERNAL]) if choose.random() < 0.3 else None
            packet = tree_packet(choose.getrandbits(24) if named is None else named, p2p=int(named is not None),
                                 tree_class=number, source=1, src_key=source & 0xFF, conn_id=serial,
                                 payload=(serial, ) * choose.choice((0, 3)), channel=choose.choice(list(TreeChannel)))
            bench.send(source, packet)
            for node in destinations(source, named, bench.nodes, members[number]):
                if named in (None, EXTERNAL, *members[number]):
                    expected[node].append(on_arrival(source, packet))
        await bench.settle()
        for node in bench.everyone:
            assert sorted(p.words for p in bench.packets(node)) == sorted(p.words for p in expected[node])
            bench.packets(node).clear()
        bench.sink.packets.clear()


@cocotb.test()
async def ranks_that_do_not_exist_are_forgotten(dut: Any) -> None:
    bench = await Bench.start(dut)
    for vector in (bench.nodes, bench.nodes + 1, 2 * bench.nodes + 1, 0xFFFF, 0x10000, 0x10000 + bench.nodes - 1,
                   EXTERNAL - 1, 0x800000):
        bench.send(bench.nodes - 1, tree_packet(vector))
        bench.send(OUTSIDE, tree_packet(vector, channel=OWNER))
    bench.send(OUTSIDE, tree_packet(EXTERNAL))
    await bench.settle()
    assert not any(bench.packets(node) for node in bench.everyone)


@cocotb.test()
async def malformed_packets_from_outside_do_not_enter(dut: Any) -> None:
    bench = await Bench.start(dut)
    for packet in (tree_packet(None, payload=(1, 2), words=3), tree_packet(None, payload=tuple(range(60)), words=32),
                   tree_packet(None, payload=(1,), words=63), Packet(tree_packet(None).words[:1]),
                   Packet(tree_packet(None).words, bad=True)):
        for channel in TreeChannel:
            bench.send(OUTSIDE, Packet(packet.words, packet.bad, channel))
    for number, flit in enumerate(tree_packet(None, payload=(1, 2, 3)).flits()):
        bench.source.send_flit(flit ^ (number == 3) << len(dut.owner_in__payload) - 1)
    good = tree_packet(bench.nodes - 1, payload=(7,))
    bench.send(OUTSIDE, good)
    await bench.settle()
    for rank in range(bench.nodes):
        assert bench.packets(rank) == ([on_arrival(OUTSIDE, good)] if rank == bench.nodes - 1 else [])


@cocotb.test()
@cocotb.parametrize(pauses=list(PAUSES), seed=[1, 2])
async def random_traffic_is_all_accounted_for(dut: Any, pauses: str, seed: int) -> None:
    bench = await Bench.start(dut, pauses)
    choose = random.Random(f"{pauses} {seed}")
    expected = defaultdict(list)
    for number in range(400):
        source = choose.choice(bench.everyone)
        vector = choose.choice([None, EXTERNAL, *range(bench.nodes + 1)])
        payload = tuple(choose.getrandbits(64) for _ in range(choose.choice((0, 1, 5, 30))))
        packet = tree_packet(vector, payload=payload, dst_key=number, src_key=source & 0xFF, source=source & 0xFFFF,
                             channel=choose.choice(list(TreeChannel)))
        bench.send(source, packet)
        for node in destinations(source, vector, bench.nodes):
            expected[node, source & 0xFF, packet.channel].append(on_arrival(source, packet))
    await bench.settle()
    got = defaultdict(list)
    for node in bench.everyone:
        for packet in bench.packets(node):
            got[node, link_header(packet)["src_key"], packet.channel].append(packet)
    # Packets of one source and channel stay in order, so the lists must be equal.
    assert got == expected


@cocotb.test()
async def owner_passes_a_tenant_channel_that_is_stuck(dut: Any) -> None:
    last = len(dut.local_valid) - 1
    bench = await Bench.start(dut, "never", frozenset({(last, TENANT)}))
    for rank in range(bench.nodes):
        for number in range(8):
            bench.send(rank, tree_packet(None if number % 2 else last, payload=tuple(range(30))))
    await ClockCycles(dut.clk, 2000)
    assert len(bench.packets(last)) == 2, "the flood is not stuck"
    before = bench.tree.now
    bench.send(OUTSIDE, control_packet([(ControlOp.NOP, 0, 0)] * 30, vector=None))
    await ClockCycles(dut.clk, 60 + (33 + HOP_CYCLES) * bench.depth)
    for rank in range(bench.nodes):
        assert any(packet.channel == OWNER for packet in bench.packets(rank)), f"rank {rank}"
        bench.send(rank, tree_packet(EXTERNAL, src_key=rank, protocol=Protocol.CONTROL, channel=OWNER, payload=(rank,)))
    # Room for every answer to wait for one tenant packet that is moving, at every node on its way.
    await ClockCycles(dut.clk, (33 + HOP_CYCLES) * bench.depth + 12 * bench.nodes)
    answers = {link_header(packet)["src_key"] for packet in bench.sink.packets if packet.channel == OWNER}
    assert answers == set(range(bench.nodes))
    assert bench.tree.now - before < 1200


@cocotb.test()
async def owner_goes_first_in_a_flood(dut: Any) -> None:
    bench = await Bench.start(dut)
    for rank in range(bench.nodes):
        for _ in range(400 // bench.nodes):
            bench.send(rank, tree_packet(None, payload=tuple(range(30))))
    slowest = 0
    for number in range(20):
        await ClockCycles(dut.clk, 30 + 11 * number)
        sent = bench.tree.now
        rank = number % bench.nodes
        bench.send(OUTSIDE, control_packet([(ControlOp.NOP, number, 0)], vector=rank))
        while not any(packet.channel == OWNER for packet in bench.packets(rank)):
            await RisingEdge(dut.clk)
        slowest = max(slowest, bench.tree.now - sent)
        bench.tree.packets[rank].clear()
    # At each node at most the rest of one tenant packet is before it.
    assert slowest <= (33 + HOP_CYCLES) * bench.depth + 20
    assert not bench.tree.idle, "the flood was over too early"


@cocotb.test()
async def nodes_share_the_way_out(dut: Any) -> None:
    bench = await Bench.start(dut)
    for rank in range(bench.nodes):
        for _ in range(80):
            bench.send(rank, tree_packet(EXTERNAL, payload=tuple(range(30)), src_key=rank))
    await ClockCycles(dut.clk, 80 * 35)
    assert len(bench.sink.packets) >= 70
    # A round of the root has one packet of each node, but for the first ones, when not all have reached it.
    counts = Counter(link_header(packet)["src_key"] for packet in list(bench.sink.packets)[2 * bench.nodes:])
    shares = [counts[rank] for rank in range(bench.nodes)]
    assert max(shares) - min(shares) <= 1, shares


@cocotb.test()
async def who_talks_now_and_then_is_heard_in_a_flood(dut: Any) -> None:
    """The last leaf's text waits for the rest of a round at most, at each router, behind what is buffered there."""
    bench = await Bench.start(dut)
    last = bench.nodes - 1
    for rank in range(last):
        for _ in range(20 * bench.depth):
            bench.send(rank, tree_packet(EXTERNAL, payload=tuple(range(30)), src_key=rank))
    await ClockCycles(dut.clk, 20 * 35)
    for number in range(3):
        bench.send(last, tree_packet(EXTERNAL, src_key=last))
        for _ in range(2 * bench.depth * bench.nodes * 35):
            await RisingEdge(dut.clk)
            if sum(link_header(packet)["src_key"] == last for packet in bench.sink.packets) > number:
                break
        else:
            raise AssertionError(f"text {number} has not come out")
    assert not bench.tree.idle or bench.nodes == 1, "the flood was over too early"


@cocotb.test()
async def stream_from_outside_does_not_starve_what_the_root_turns(dut: Any) -> None:
    bench = await Bench.start(dut)
    for number in range(60):
        bench.send(OUTSIDE, tree_packet(number % bench.nodes, payload=tuple(range(30))))
        bench.send(number % bench.nodes, tree_packet(None, payload=tuple(range(30)), src_key=1))
    await ClockCycles(dut.clk, 40 * 36)
    turned = sum(link_header(packet)["src_key"] for packet in bench.sink.packets)
    assert turned >= 14
    await bench.settle()
    assert len(bench.sink.packets) == 60


@cocotb.test()
async def a_hop_takes_as_long_as_documented(dut: Any) -> None:
    bench = await Bench.start(dut)
    bench.send(OUTSIDE, tree_packet(None))
    await bench.settle()
    hops = [HOP_CYCLES * ((rank + 1).bit_length() - 1) for rank in range(bench.nodes)]
    down = [port.times[0] for port in bench.tree.ports]
    assert [time - down[0] for time in down] == hops
    up = []
    for rank in range(bench.nodes):
        bench.send(rank, tree_packet(EXTERNAL))
        sent = bench.tree.now
        while len(bench.sink.packets) <= rank:
            await RisingEdge(dut.clk)
        up.append(bench.tree.now - sent)
        await bench.settle()
    assert [time - up[0] for time in up] == hops


@cocotb.test()
async def both_directions_run_at_once_and_at_full_rate(dut: Any) -> None:
    bench = await Bench.start(dut)
    last = bench.nodes - 1
    for _ in range(30):
        bench.send(OUTSIDE, tree_packet(last, payload=tuple(range(30))))
        bench.send(last, tree_packet(EXTERNAL, payload=tuple(range(30))))
    await ClockCycles(dut.clk, 30 * 35 + 2 * HOP_CYCLES * bench.depth + 60)
    assert len(bench.packets(last)) == 30
    assert len(bench.sink.packets) == 30


@cocotb.test()
async def quiescent_says_that_a_packet_is_on_its_way(dut: Any) -> None:
    bench = await Bench.start(dut)
    last = bench.nodes - 1
    everything = (1 << bench.nodes + 1) - 1
    await bench.settle()
    bench.send(last, tree_packet(EXTERNAL, payload=(1,)))
    bench.sink.pauses = always()
    await ClockCycles(dut.clk, 4)
    for _ in range(100):
        await RisingEdge(dut.clk)
        assert int(dut.quiescent.value) != everything
    bench.sink.pauses = never()
    await bench.settle()
    assert len(bench.sink.packets) == 1


@cocotb.test()
async def heap_arithmetic_agrees_with_the_heap(dut: Any) -> None:
    """The software twin against a walk up the tree; the hardware was compared by the packets above."""
    for target in range(300):
        path = {target: Target.LOCAL}
        node = target
        while node:
            parent = (node - 1) // 2
            path[parent] = Target.LEFT if node == 2 * parent + 1 else Target.RIGHT
            node = parent
        for rank in range(300):
            assert way(rank, target) == path.get(rank)
    assert way(0, 0x10000) is None
