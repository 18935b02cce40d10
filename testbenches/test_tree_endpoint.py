"""The tree endpoint: what a node may send and see on the console, and what the owner does to it."""

from collections.abc import Iterator
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from rtl.formats import EXTERNAL, STALE_COMMITS, ControlOp, ControlWord, Protocol, TreeChannel, TreeClass, pack, unpack
from testbenches.kit.stream import PAUSES, Packet
from testbenches.kit.tree import control_packet, link_header, tree_header, tree_packet
from testbenches.tree_endpoint_bench import (
    ALLOWED,
    EPOCH,
    NODE_ID,
    RANK,
    RECEIVE_IDS,
    REFUSING,
    SEND_ID,
    Bench,
    of_tree,
    text,
)

DUT = "rtl.tree.endpoint:TreeEndpoint"
PARAMETERS = [{}, {"receive_ids": 1}]


@cocotb.test()
@cocotb.parametrize(pauses=list(PAUSES))
async def console_takes_what_it_listens_to(dut: Any, pauses: str) -> None:
    bench = await Bench.start(dut, pauses)
    wanted = []
    for i in range(12):
        key = RECEIVE_IDS[i % len(RECEIVE_IDS)]
        packet = text(2 if i % 2 else 7, key, flits=i % 4 * 10)
        bench.tree.send(packet)
        bench.tree.send(text(2, key ^ 1, flits=3))
        if i % len(RECEIVE_IDS) < bench.ids:
            wanted.append(packet)
    assert of_tree(await bench.settle()) == of_tree(wanted)
    assert not bench.refused


@cocotb.test()
async def unused_receive_id_takes_nothing(dut: Any) -> None:
    bench = await Bench.start(dut, valid=0)
    bench.tree.send(text(2))
    assert await bench.settle() == []


@cocotb.test()
async def column_refuses_whom_it_does_not_allow(dut: Any) -> None:
    bench = await Bench.start(dut)
    # Back to back and as short as can be: the lookup of one must not serve another.
    sources = [2, 3, 7, 4, 2, 2, 5, 7]
    for source in sources:
        bench.tree.send(text(source, flits=0))
    bench.tree.send(text(6, key=0xABCD))
    got = [tree_header(packet)["source"] for packet in await bench.settle()]
    assert got == [source for source in sources if source in ALLOWED]
    assert bench.refused == [source for source in sources if source not in ALLOWED]


@cocotb.test()
async def old_packets_are_stale(dut: Any) -> None:
    bench = await Bench.start(dut)
    ages = {-1: True, 0: True, STALE_COMMITS - 1: True, STALE_COMMITS: False, 80: False, -2: False}
    for age in ages:
        bench.tree.send(text(2, flits=age % 5, epoch=EPOCH - age))
    bench.tree.send(text(3, epoch=EPOCH - STALE_COMMITS))
    bench.tree.send(text(0, external=1, epoch=0))
    got = [tree_header(packet)["epoch"] for packet in await bench.settle()]
    assert got == [EPOCH - age for age, taken in ages.items() if taken] + [0]
    assert bench.refused == [2] * list(ages.values()).count(False) + [3]
    assert bench.stale == [1] * list(ages.values()).count(False) + [0]
    assert bench.passed == len(got)


@cocotb.test()
async def a_packet_can_become_stale_while_it_arrives(dut: Any) -> None:
    bench = await Bench.start(dut)
    bench.tree.send(text(2, flits=30, epoch=EPOCH - STALE_COMMITS + 1))
    while not int(dut.local_in__valid.value):
        await RisingEdge(dut.clk)
    await ClockCycles(dut.clk, 10)
    dut.tree_epoch.value = EPOCH + 1
    assert await bench.settle() == []
    assert (bench.refused, bench.stale) == ([2], [1])


@cocotb.test()
async def text_for_the_tenant_before_is_nobodys(dut: Any) -> None:
    """After a hold a packet that was sent before it ended, by the count of commits, is neither taken nor refused."""
    bench = await Bench.start(dut)
    dut.hold.value = 1
    await ClockCycles(dut.clk, 3)
    dut.hold.value = 0
    now, ages = EPOCH, (*range(6), 200, 253)
    # After 256 the count has gone round.
    for commits in (0, 1, 3, 4, 130, 255, 300):
        while now < EPOCH + commits:
            now += 1
            dut.tree_epoch.value = now % 256
            await RisingEdge(dut.clk)
        await ClockCycles(dut.clk, 2)
        bench.refused.clear()
        bench.console.packets.clear()
        for age in ages:
            for source in (2, 3):
                bench.tree.send(text(source, epoch=(now - age) % 256))
        bench.tree.send(text(3, epoch=(now + 1) % 256))
        bench.tree.send(text(0, external=1, epoch=(now - 100) % 256))
        got = [(tree_header(packet)["source"], (now - tree_header(packet)["epoch"]) % 256)
               for packet in await bench.settle()]
        told = [age for age in ages if age <= commits]
        assert got == [(2, age) for age in told if age < STALE_COMMITS] + [(0, 100)]
        refused = [(source, age) for age in told for source in (2, 3) if source == 3 or age >= STALE_COMMITS]
        assert bench.refused == [source for source, _ in refused] + [3]


@cocotb.test()
async def what_hold_finds_here_is_unfinished(dut: Any) -> None:
    bench = await Bench.start(dut, "often")
    for _ in range(4):
        bench.tree.send(text(2, flits=30))
    while not int(dut.unfinished.value):
        await RisingEdge(dut.clk)
    await ClockCycles(dut.clk, 60)
    dut.hold.value = 1
    await RisingEdge(dut.clk)
    seen = len(bench.console.packets)
    assert int(dut.unfinished.value)
    while int(dut.unfinished.value):
        await RisingEdge(dut.clk)
    bench.console.flush()
    dut.hold.value = 0
    await bench.settle()
    assert len(bench.console.packets) == seen


@cocotb.test()
async def outside_needs_no_column_and_own_text_does_not_return(dut: Any) -> None:
    bench = await Bench.start(dut)
    outside = text(0, external=1)
    by_owner = text(0, external=1, owner=1, channel=TreeChannel.OWNER, flits=30)
    for packet in (outside, text(NODE_ID), by_owner, text(0)):
        bench.tree.send(packet)
    assert of_tree(await bench.settle()) == of_tree([outside, by_owner])
    assert bench.refused == [0]


@cocotb.test()
async def outside_reaches_the_node_whose_id_is_0(dut: Any) -> None:
    bench = await Bench.start(dut)
    dut.node_id.value = 0
    packet = text(0, external=1)
    bench.tree.send(packet)
    assert of_tree(await bench.settle()) == of_tree([packet])


@cocotb.test()
@cocotb.parametrize(pauses=list(PAUSES))
async def owner_reads_writes_and_hears_of_errors(dut: Any, pauses: str) -> None:
    bench = await Bench.start(dut, pauses)
    bench.registers[0x4010] = 0x1234_5678
    operations = [
        (ControlOp.WRITE, 0x4000, 0xAABB_CCDD), (ControlOp.READ, 0x4000, 0), (ControlOp.READ, 0x4010, 5),
        (ControlOp.NOP, 0x123456, 77), (ControlOp.READ, REFUSING, 1), (ControlOp.WRITE, REFUSING, 2),
        (ControlOp.WRITE, 0x14000, 3), (ControlOp.WRITE, 0x4002, 4), (0x55, 0x4000, 6), (ControlOp.WRITE, 0x4000, 8),
        (ControlOp.ALL, 0x4010, 5), (ControlOp.SUM, 0x4010, 5), (ControlOp.SUM, REFUSING, 1),
    ]
    bench.tree.send(control_packet(operations, conn_id=0x4242, src_key=0xFFFF_0001))
    answer = await bench.answers.recv()
    await bench.settle()
    header, link = tree_header(answer), link_header(answer)
    assert (header["p2p"], header["vector"], header["source"], header["words"]) == (1, EXTERNAL, NODE_ID, 15)
    assert (header["owner"], header["external"]) == (0, 0)
    assert (link["src_key"], link["dst_key"], link["conn_id"]) == (RANK, 0xFFFF_0001, 0x4242)
    assert link["protocol"] == Protocol.CONTROL
    done = [tuple(unpack(ControlWord, word).values()) for word in answer.words[3:]]
    failed = ControlOp.FAILED
    assert done == [
        (ControlOp.WRITE, 0x4000, 0xAABB_CCDD), (ControlOp.READ, 0x4000, 0xAABB_CCDD),
        (ControlOp.READ, 0x4010, 0x1234_5678),
        (ControlOp.NOP, 0x123456, 77), (ControlOp.READ | failed, REFUSING, 1), (ControlOp.WRITE | failed, REFUSING, 2),
        (ControlOp.WRITE | failed, 0x14000, 3), (ControlOp.WRITE | failed, 0x4002, 4), (0x55 | failed, 0x4000, 6),
        (ControlOp.WRITE, 0x4000, 8), (ControlOp.ALL, 0x4010, 0x1234_5678), (ControlOp.SUM, 0x4010, 0x1234_5678),
        (ControlOp.SUM | failed, REFUSING, 1),
    ]
    reached = [(write, address) for write, address, _ in bench.bus.accesses]
    assert reached == [(operations[i][0] == ControlOp.WRITE, operations[i][1]) for i in (0, 1, 2, 4, 5, 9, 10, 11, 12)]
    assert bench.registers == {0x4000: 8, 0x4010: 0x1234_5678}


@cocotb.test()
async def answers_to_all_nodes_say_whether_they_are_combined(dut: Any) -> None:
    bench = await Bench.start(dut)
    asked = [(None, 0, 7), (None, 1, 255), (RANK, 1, 0), (RANK, 0, 9), (None, 1, 0)]
    for vector, combine, number in asked:
        bench.tree.send(control_packet([(ControlOp.NOP, 0, 0)], vector=vector, combine=combine, epoch=number,
                                       tree_class=number % 16))
    answers = [tree_header(await bench.answers.recv()) for _ in asked]
    assert [(header["combine"], header["epoch"]) for header in answers] == [(0, 7), (1, 255), (0, 0), (0, 9), (1, 0)]
    assert all((header["p2p"], header["vector"]) == (1, EXTERNAL) for header in answers)
    assert [header["tree_class"] for header in answers] == [number % 16 for _, _, number in asked]


@cocotb.test()
@cocotb.parametrize(pauses=list(PAUSES))
async def every_control_packet_is_answered_in_order(dut: Any, pauses: str) -> None:
    bench = await Bench.start(dut, pauses)
    for number in range(20):
        count = (0, 1, 30, 7)[number % 4]
        bench.tree.send(control_packet([(ControlOp.WRITE, 4 * i, number << 8 | i) for i in range(count)],
                                      vector=None if number % 2 else RANK, conn_id=number))
    answers = [await bench.answers.recv() for _ in range(20)]
    await bench.settle()
    assert [link_header(answer)["conn_id"] for answer in answers] == list(range(20))
    assert [len(answer.words) for answer in answers] == [3 + (0, 1, 30, 7)[n % 4] for n in range(20)]
    assert bench.bus.accesses == [
        (True, 4 * i, n << 8 | i) for n in range(20) for i in range((0, 1, 30, 7)[n % 4])]


@cocotb.test()
async def only_both_stamps_make_an_owner(dut: Any) -> None:
    bench = await Bench.start(dut)
    for channel in TreeChannel:
        for owner, external in ((0, 0), (1, 0), (0, 1)):
            bench.tree.send(control_packet([(ControlOp.WRITE, 0x4000, 1)], owner=owner, external=external,
                                          source=2, dst_key=RECEIVE_IDS[0], channel=channel))
    assert await bench.settle() == []
    assert bench.bus.accesses == []
    assert not bench.answers.packets
    assert not bench.refused


@cocotb.test()
@cocotb.parametrize(pauses=list(PAUSES))
async def stamps_override_what_software_wrote(dut: Any, pauses: str) -> None:
    bench = await Bench.start(dut, pauses)
    for number in range(8):
        forged = tree_packet((None, EXTERNAL, 3)[number % 3], payload=tuple(range(number % 4 * 10)),
                             protocol=Protocol.CONTROL, dst_key=0xBAD, src_key=0xBAD, conn_id=number, owner=1,
                             external=1, source=0xFFFF, epoch=0xFF, combine=1)
        bench.ni.send(forged)
        sent = await bench.texts.recv()
        header, link = tree_header(sent), link_header(sent)
        assert header == {**tree_header(forged), "owner": 0, "external": 0, "epoch": EPOCH, "source": NODE_ID,
                          "tree_class": TreeClass.BROADCAST}
        assert link == {**link_header(forged), "dst_key": SEND_ID, "src_key": RANK, "protocol": Protocol.CONSOLE}
        assert sent.words[3:] == forged.words[3:]
    await bench.settle()
    assert not bench.answers.packets


def malformed() -> Iterator[Packet]:
    """Packets a hostile interface could send."""
    yield tree_packet(None, payload=(1, 2), words=3)
    yield tree_packet(None, payload=(1, 2), words=5)
    yield tree_packet(None, payload=(1, 2), words=63)
    yield tree_packet(None, payload=(1, 2), words=0)
    yield tree_packet(None, payload=tuple(range(31)))
    yield tree_packet(None, payload=tuple(range(200)), words=32)
    # Right but for a multiple of 64.
    yield tree_packet(None, payload=tuple(range(94)), words=32)
    yield Packet(tree_packet(None).words[:1])
    yield Packet(tree_packet(None, words=1).words[:2])
    yield Packet(tree_packet(None, payload=(1,)).words, bad=True)


@cocotb.test()
async def malformed_packets_leave_no_trace(dut: Any) -> None:
    bench = await Bench.start(dut)
    wanted = []
    for number, packet in enumerate(malformed()):
        good = tree_packet(None, payload=tuple(range(30)), conn_id=number)
        bench.ni.send(packet)
        bench.ni.send(good)
        wanted.append(number)
    # A packet that never ends, cut off by the start of the next.
    for flit in list(tree_packet(None, payload=(5, 6, 7)).flits())[:4]:
        bench.ni.send_flit(flit)
    bench.ni.send(tree_packet(None, conn_id=len(wanted)))
    got = [link_header(await bench.texts.recv())["conn_id"] for _ in range(len(wanted) + 1)]
    await bench.settle()
    assert got == [*wanted, len(wanted)]
    assert not bench.texts.packets


@cocotb.test()
async def hold_drops_console_but_not_control(dut: Any) -> None:
    bench = await Bench.start(dut)
    dut.hold.value = 1
    for _ in range(6):
        bench.tree.send(text(2, flits=30))
        bench.tree.send(text(3, flits=0))
        bench.tree.send(control_packet([(ControlOp.WRITE, 0x4000, 1)]))
    bench.console.pauses = iter(lambda: True, None)
    assert await bench.settle() == []
    assert len(bench.answers.packets) == 6
    assert not bench.refused


@cocotb.test()
async def hold_in_mid_packet_cuts_cleanly(dut: Any) -> None:
    bench = await Bench.start(dut)
    for held in (1, 3, 60):
        for start in range(0, 44, 3):
            bench.tree.send(text(2, flits=30))
            bench.ni.send(tree_packet(None, payload=tuple(range(30))))
            await ClockCycles(dut.clk, 30 + start)
            dut.hold.value = 1
            bench.ni.flush()
            await RisingEdge(dut.clk)
            bench.console.flush()
            await ClockCycles(dut.clk, held)
            bench.console.flush()
            dut.hold.value = 0
            await bench.settle()
            assert all(len(packet.words) == 33 for packet in bench.texts.packets)
            bench.console.packets.clear()
            bench.texts.packets.clear()
            # The next tenant's packets are whole and alone, in both directions.
            hello, reply = text(7, flits=1), tree_packet(None, payload=(1,), conn_id=start)
            bench.tree.send(hello)
            bench.ni.send(reply)
            assert of_tree(await bench.settle()) == of_tree([hello])
            assert [link_header(packet)["conn_id"] for packet in bench.texts.packets] == [start]
            bench.console.packets.clear()
            bench.texts.packets.clear()


@cocotb.test()
async def console_flood_does_not_delay_the_owner(dut: Any) -> None:
    bench = await Bench.start(dut)
    bench.console.pauses = iter(lambda: True, None)
    bench.texts.pauses = iter(lambda: True, None)
    for _ in range(2):
        bench.tree.send(text(2, flits=30))
    for _ in range(6):
        bench.ni.send(tree_packet(None, payload=tuple(range(30))))
    await ClockCycles(dut.clk, 300)
    assert not int(dut.quiescent.value)
    for number in range(4):
        bench.tree.send(control_packet([(ControlOp.READ, 0x4000, 0)] * 30, conn_id=number))
    await ClockCycles(dut.clk, 4 * 140)
    assert [link_header(packet)["conn_id"] for packet in bench.answers.packets] == [0, 1, 2, 3]
    assert not bench.console.packets


@cocotb.test()
async def full_length_console_runs_at_full_rate(dut: Any) -> None:
    bench = await Bench.start(dut)
    for number in range(20):
        bench.ni.send(tree_packet(None, payload=tuple(range(30)), conn_id=number))
        bench.tree.send(text(2, flits=30))
    await ClockCycles(dut.clk, 20 * 33 + 60)
    assert len(bench.texts.packets) == 20
    assert len(bench.console.packets) >= 18
    assert pack(ControlWord, op=1) == 1 << 56
