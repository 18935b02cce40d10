"""Trees of routers: answers to one question of the owner become one on the way up."""

import random
from collections.abc import Collection
from functools import reduce
from operator import and_, or_
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles

from rtl.formats import EXTERNAL, ControlOp, ControlWord, Protocol, TreeClass, TreeHeader, pack, unpack
from rtl.tree.routing import way
from testbenches.kit.stream import PAUSES, Packet, never
from testbenches.kit.tree import link_header, tree_header, tree_packet
from testbenches.tree_bench import OUTSIDE, OWNER, Bench, always
from testbenches.tree_designs import PATIENCE

DUT = "testbenches.tree_designs:tree"
PARAMETERS = [{"nodes": 1}, {"nodes": 2}, {"nodes": 3}, {"nodes": 8}, {"nodes": 15}]

WORD = (1 << 32) - 1


def answer(rank: int, number: int, words: list[tuple[int, int, int]], combine: int = 1,
           tree_class: int = TreeClass.BROADCAST) -> Packet:
    """What a node answers to the owner: operation, address and data of every control word."""
    payload = tuple(pack(ControlWord, op=op, address=address, data=data) for op, address, data in words)
    return tree_packet(EXTERNAL, payload=payload, src_key=rank, source=0x40 + rank, conn_id=number, channel=OWNER,
                       protocol=Protocol.CONTROL, combine=combine, epoch=number % 256, tree_class=tree_class)


def joined(answers: list[Packet], speaks: Packet | None = None) -> Packet:
    """The answers of all that were asked as one, whose headers are those of the first if nothing else is said."""
    words = []
    for each in zip(*(packet.words[3:] for packet in answers), strict=True):
        fields = [unpack(ControlWord, word) for word in each]
        op = reduce(or_, (word["op"] for word in fields))
        data = [word["data"] for word in fields]
        kind = op & ~ControlOp.FAILED
        value = reduce(and_, data) if kind == ControlOp.ALL else sum(data) if kind == ControlOp.SUM else reduce(
            or_, data)
        words.append(pack(ControlWord, op=op, address=fields[0]["address"], data=value & WORD))
    return Packet((*(speaks or answers[0]).words[:3], *words), channel=OWNER)


def questions(choose: random.Random, nodes: int, number: int, tree_class: int = TreeClass.BROADCAST) -> list[Packet]:
    """Answers of all nodes to one question, by rank."""
    asked = [(choose.choice([ControlOp.READ, ControlOp.ALL, ControlOp.SUM, ControlOp.WRITE, ControlOp.NOP]),
              4 * choose.getrandbits(14)) for _ in range(choose.choice((1, 2, 7, 30)))]
    refused = choose.choice([None, None, choose.randrange(nodes)])
    common = choose.getrandbits(32)

    def data(op: ControlOp) -> int:
        # Such that an AND of many is not always 0, nor an OR all ones.
        same = op in (ControlOp.WRITE, ControlOp.NOP)
        return common if same else common ^ 1 << choose.randrange(32) if choose.random() < 0.2 else choose.getrandbits(
            32) if op == ControlOp.SUM else common

    return [answer(rank, number, [(op | ControlOp.FAILED * (rank == refused and at == 0), address, data(op))
                                  for at, (op, address) in enumerate(asked)], tree_class=tree_class)
            for rank in range(nodes)]


def speaker(members: Collection[int], at: int = 0) -> int:
    """Whose headers the answer of some nodes bears when it leaves the node `at`: its own, else the right child's."""
    if at in members:
        return at
    below = [child for child in (2 * at + 2, 2 * at + 1) if any(way(child, member) is not None for member in members)]
    return speaker(members, below[0])


@cocotb.test()
@cocotb.parametrize(pauses=list(PAUSES))
async def answers_become_one(dut: Any, pauses: str) -> None:
    bench = await Bench.start(dut, pauses)
    choose = random.Random(pauses)
    wanted = []
    for number in range(40):
        answers = questions(choose, bench.nodes, number)
        wanted.append(joined(answers))
        for rank in choose.sample(range(bench.nodes), bench.nodes):
            bench.send(rank, answers[rank])
            if choose.random() < 0.3:
                await ClockCycles(dut.clk, choose.randrange(60))
    await bench.settle()
    assert bench.packets(OUTSIDE) == wanted


@cocotb.test()
@cocotb.parametrize(pauses=["never", "often"])
async def the_members_of_a_class_answer_as_one(dut: Any, pauses: str) -> None:
    """Whoever they are, and whatever all are asked meanwhile: they wait for nobody else."""
    bench = await Bench.start(dut, pauses)
    choose = random.Random(pauses)
    members = {number: choose.sample(range(bench.nodes), choose.randint(1, bench.nodes))
               for number in range(1, TreeClass.BROADCAST)}
    for number, ranks in members.items():
        bench.set_class(number, ranks)
    members[TreeClass.BROADCAST] = list(range(bench.nodes))
    wanted, asked = [], TreeClass.BROADCAST
    for number in range(60):
        tree_class = choose.choice([choose.choice(list(members)), TreeClass.BROADCAST])
        if tree_class not in (asked, TreeClass.BROADCAST):
            # Of answers for two classes some would overtake the others on some ways, and not on others.
            await bench.settle()
            asked = tree_class
        answers, ranks = questions(choose, bench.nodes, number, tree_class), members[tree_class]
        wanted.append(joined([answers[rank] for rank in ranks], answers[speaker(ranks)]))
        for rank in choose.sample(ranks, len(ranks)):
            bench.send(rank, answers[rank])
            if choose.random() < 0.2:
                await ClockCycles(dut.clk, choose.randrange(60))
    await bench.settle(40_000)
    assert bench.packets(OUTSIDE) == wanted


@cocotb.test()
@cocotb.parametrize(seed=[1, 2])
async def answers_of_single_nodes_pass(dut: Any, seed: int) -> None:
    """In any order between the others, the same at no two nodes."""
    bench = await Bench.start(dut, "often")
    choose = random.Random(seed)
    single: list[list[Packet]] = [[] for _ in range(bench.nodes)]
    together = []
    for number in range(60):
        answers = questions(choose, bench.nodes, number)
        if choose.random() < 0.5:
            together.append(joined(answers))
            for rank, packet in enumerate(answers):
                bench.send(rank, packet)
        else:
            for rank in choose.sample(range(bench.nodes), choose.randint(1, bench.nodes)):
                packet = answer(rank, number, [(ControlOp.READ, 0, number)] * choose.choice((1, 30)), combine=0)
                single[rank].append(packet)
                bench.send(rank, packet)
    await bench.settle(40_000)
    got = bench.packets(OUTSIDE)
    assert [packet for packet in got if tree_header(packet)["combine"]] == together
    for rank, wanted in enumerate(single):
        assert [packet for packet in got if not tree_header(packet)["combine"]
                and link_header(packet)["src_key"] == rank] == wanted


@cocotb.test()
async def who_waits_for_the_outside_is_not_silent(dut: Any) -> None:
    """What is before them cannot leave, for longer than a silent node is waited for: no answer goes alone for that."""
    bench = await Bench.start(dut)
    bench.sink.pauses = always()
    single = [answer(rank, rank, [(ControlOp.READ, 0, rank)] * 30, combine=0)
              for rank in range(1, bench.nodes) for _ in range(6)]
    for packet in single:
        bench.send(link_header(packet)["src_key"], packet)
    answers = questions(random.Random(0), bench.nodes, 1)
    for rank, packet in enumerate(answers):
        bench.send(rank, packet)
    await ClockCycles(dut.clk, 4 * PATIENCE)
    bench.sink.pauses = never()
    await bench.settle()
    got = bench.packets(OUTSIDE)
    assert [packet for packet in got if tree_header(packet)["combine"]] == [joined(answers)]
    assert len(got) == len(single) + 1


def apart(packet: Packet) -> Packet:
    """The packet as one that is not combined."""
    header = {**tree_header(packet), "combine": 0}
    return Packet((pack(TreeHeader, **header), *packet.words[1:]), channel=packet.channel)


@cocotb.test()
async def answers_to_two_owners_are_not_mixed(dut: Any) -> None:
    """One asks what another has asked under the same number, of whom a node's answer was lost; none blocks the tree."""
    bench = await Bench.start(dut)
    last = bench.nodes - 1
    for rank in range(last):
        bench.send(rank, answer(rank, 1, [(ControlOp.READ, 4, 1), (ControlOp.READ, 8, 1)]))
    await ClockCycles(dut.clk, 200)
    for rank in range(bench.nodes):
        bench.send(rank, answer(rank, 1, [(ControlOp.READ, 4, 2)]))
    # Each node on the way of the one that is ahead by an answer gives up for itself.
    await ClockCycles(dut.clk, 2 * bench.depth * PATIENCE)
    assert all(word & WORD in (1, 2) for packet in bench.packets(OUTSIDE) for word in packet.words[3:])
    bench.sink.packets.clear()
    text = tree_packet(EXTERNAL, payload=(7,), src_key=last)
    bench.send(last, text)
    following = questions(random.Random(0), bench.nodes, 2)
    for rank, packet in enumerate(following):
        bench.send(rank, packet)
    await bench.settle(4 * bench.depth * PATIENCE)
    got = bench.packets(OUTSIDE)
    assert text in got and joined(following) in got


@cocotb.test()
@cocotb.parametrize(later=[1, 2, 100, 127])
async def a_silent_node_does_not_silence_the_others(dut: Any, later: int) -> None:
    bench = await Bench.start(dut)
    last, first = bench.nodes - 1, 250
    numbers = [first, (first + later) % 256, (first + later + 1) % 256]
    asked = [questions(random.Random(later + n), bench.nodes, number) for n, number in enumerate(numbers)]
    for rank in range(last):
        bench.send(rank, asked[0][rank])
    await ClockCycles(dut.clk, PATIENCE - 20)
    assert not bench.packets(OUTSIDE)
    await ClockCycles(dut.clk, 2 * PATIENCE)
    got = bench.packets(OUTSIDE)
    spoke = {link_header(packet)["src_key"] for packet in got}
    assert all(not tree_header(packet)["combine"] for packet in got)
    # Whoever is not above the silent one, or below one who is, has gone together with his own.
    above = {last}
    while 0 not in above:
        above.add((min(above) - 1) // 2)
    assert spoke == {rank for rank in range(last) if rank in above or (rank - 1) // 2 in above}
    assert bench.nodes > 1 or not spoke
    # What it answers late is not taken for an answer to the next question.
    bench.sink.packets.clear()
    for answers in asked[1:]:
        for rank in range(last):
            bench.send(rank, answers[rank])
    await ClockCycles(dut.clk, 200)
    for answers in asked:
        bench.send(last, answers[last])
    await bench.settle()
    wanted = [joined(answers) for answers in asked[1:]]
    if bench.nodes == 1:
        wanted.insert(0, joined(asked[0]))
        assert bench.packets(OUTSIDE) == wanted
    else:
        assert bench.packets(OUTSIDE) == [apart(asked[0][last]), *wanted]
