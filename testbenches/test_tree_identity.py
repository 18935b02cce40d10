"""Who somebody is on the tree: node ids, ranks, keys, commits and registers, with every bit of each in use."""

from random import choice, getrandbits, randrange, sample
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles

from rtl.formats import STALE_COMMITS, ControlOp, ControlWord, Protocol, unpack
from rtl.registers import GUARD_PAGE
from testbenches.kit.stream import PAUSES, never
from testbenches.kit.tree import control_packet, link_header, tree_header, tree_packet
from testbenches.test_tree_endpoint import Bench, of_tree

DUT = "rtl.tree.endpoint:TreeEndpoint"
PARAMETERS = [{}]


class Identity:
    """What the guard says of a node: drawn anew, on the ports of an endpoint at rest."""

    def __init__(self, bench: Bench) -> None:
        dut = bench.dut
        self.node, self.rank, self.send_id, self.tree_class, self.epoch = (
            getrandbits(bits) for bits in (16, 16, 32, 4, 8))
        self.keys = [getrandbits(32) for _ in range(bench.ids)]
        self.used = getrandbits(bench.ids)
        bench.allowed = {getrandbits(16) for _ in range(8)} - {self.node}
        dut.node_id.value = self.node
        dut.straps.value = self.rank << 2
        dut.send_id.value = self.send_id
        dut.console_class.value = self.tree_class
        dut.tree_epoch.value = self.epoch
        dut.receive_ids.value = sum(key << 32 * index for index, key in enumerate(self.keys))
        dut.receive_valid.value = self.used


def almost(value: int, bits: int) -> int:
    """Mostly the value, else the value with one bit the other way."""
    return value ^ choice((0, 0, 1 << randrange(bits)))


@cocotb.test()
@cocotb.parametrize(pauses=list(PAUSES))
async def a_text_is_taken_by_whom_it_is_for(dut: Any, pauses: str) -> None:
    """Key, source, protocol, age and stamp of the outside decide, each to its last bit."""
    bench = await Bench.start(dut, pauses)
    for _ in range(12):
        me = Identity(bench)
        await ClockCycles(dut.clk, 2)
        taken, refused = [], []
        for _ in range(12):
            slot = randrange(bench.ids)
            source = choice((almost(choice(sorted(bench.allowed)), 16), almost(me.node, 16)))
            age = almost(choice((0, 1, STALE_COMMITS - 1, STALE_COMMITS, -1, -2)) % 256, 8)
            external = choice((0, 0, 0, 1))
            packet = tree_packet(
                None, payload=tuple(getrandbits(64) for _ in range(randrange(6))), source=source, external=external,
                owner=getrandbits(1), epoch=(me.epoch - age) % 256, dst_key=almost(me.keys[slot], 32),
                src_key=getrandbits(32), conn_id=getrandbits(16), protocol=almost(Protocol.CONSOLE, 16))
            link = link_header(packet)
            listens = any(key == link["dst_key"] and me.used >> index & 1 for index, key in enumerate(me.keys))
            concerns = listens and link["protocol"] == Protocol.CONSOLE and (external or source != me.node)
            fresh = age in (*range(STALE_COMMITS), 255)
            bench.tree.send(packet)
            if concerns and (external or (source in bench.allowed and fresh)):
                taken.append(packet)
            elif concerns:
                refused.append((source, int(source in bench.allowed)))
        assert of_tree(await bench.settle()) == of_tree(taken)
        assert list(zip(bench.refused, bench.stale, strict=True)) == refused
        bench.console.packets.clear()
        bench.refused.clear()
        bench.stale.clear()
    assert not bench.bus.accesses


@cocotb.test()
async def one_wrong_bit_is_wrong(dut: Any) -> None:
    """A text in which all is right is taken; one with any single bit of key, source or protocol changed is not."""
    bench = await Bench.start(dut)
    me = Identity(bench)
    key, source = choice(me.keys), choice(sorted(bench.allowed))
    me.used = dut.receive_valid.value = (1 << bench.ids) - 1
    me.keys = [key] * bench.ids
    dut.receive_ids.value = sum(key << 32 * index for index in range(bench.ids))
    bench.allowed = {source}
    await ClockCycles(dut.clk, 2)
    right = {"source": source, "dst_key": key, "protocol": Protocol.CONSOLE}
    wrong = [{**right, name: right[name] ^ 1 << bit}
             for name, bits in (("source", 16), ("dst_key", 32), ("protocol", 16)) for bit in range(bits)]
    taken = []
    for fields in (right, *wrong, right):
        packet = tree_packet(None, payload=(1, ), epoch=me.epoch, **fields)
        bench.tree.send(packet)
        taken += [packet] * (fields == right)
    assert of_tree(await bench.settle()) == of_tree(taken)
    assert bench.refused == [fields["source"] for fields in wrong[:16] if fields["source"] != me.node]


@cocotb.test()
async def a_text_says_whose_it_is(dut: Any) -> None:
    """Whatever software writes: what leaves bears node id, rank, send id, class and commits, and keeps the rest."""
    bench = await Bench.start(dut)
    for _ in range(12):
        me = Identity(bench)
        await ClockCycles(dut.clk, 2)
        for _ in range(4):
            forged = tree_packet(
                getrandbits(24), payload=tuple(getrandbits(64) for _ in range(randrange(31))), source=getrandbits(16),
                external=getrandbits(1), owner=getrandbits(1), epoch=getrandbits(8), dst_key=getrandbits(32),
                src_key=getrandbits(32), conn_id=getrandbits(16), protocol=getrandbits(16), tree_class=getrandbits(4))
            bench.ni.send(forged)
            sent = await bench.texts.recv()
            assert tree_header(sent) == {**tree_header(forged), "owner": 0, "external": 0, "epoch": me.epoch,
                                         "source": me.node, "tree_class": me.tree_class}
            assert link_header(sent) == {**link_header(forged), "dst_key": me.send_id, "src_key": me.rank,
                                         "protocol": Protocol.CONSOLE}
            assert sent.words[3:] == forged.words[3:]
            assert not sent.bad
    await bench.settle()


@cocotb.test()
async def an_access_is_made_as_it_is_written(dut: Any) -> None:
    """Operation, address and data of an owner's access reach the bus whole, and its answer the outside."""
    bench = await Bench.start(dut)
    reads = [ControlOp.READ, ControlOp.ALL, ControlOp.SUM]
    known = [ControlOp.NOP, ControlOp.WRITE, *reads]
    for _ in range(12):
        me = Identity(bench)
        await ClockCycles(dut.clk, 2)
        addresses = [GUARD_PAGE + 4 * number for number in sample(range(0x3000), 4)]
        operations = [(almost(choice(known), 7), almost(choice(addresses), 24), getrandbits(32)) for _ in range(12)]
        expected = []
        for operation, address, value in operations:
            good = operation == ControlOp.NOP
            if operation in known[1:] and address < 1 << 16 and address % 4 == 0 and not good:
                answer = bench._access(operation == ControlOp.WRITE, address, value)
                good = not answer.error
                value = answer.value if operation in reads and good else value
            expected.append((operation if good else operation | ControlOp.FAILED, address, value))
        bench.registers.clear()
        key, conn = getrandbits(32), getrandbits(16)
        bench.tree.send(control_packet(operations, conn_id=conn, src_key=key, dst_key=getrandbits(32)))
        answer = await bench.answers.recv()
        await bench.settle()
        link = link_header(answer)
        assert (link["src_key"], link["dst_key"], link["conn_id"]) == (me.rank, key, conn)
        assert tree_header(answer)["source"] == me.node
        assert [tuple(unpack(ControlWord, word).values()) for word in answer.words[3:]] == expected
        bench.registers.clear()


@cocotb.test()
async def answers_wait_for_the_tree(dut: Any) -> None:
    """Answers the tree does not take wait, and the owner's accesses with them; none is lost."""
    bench = await Bench.start(dut)
    bench.answers.pauses = iter(lambda: True, None)
    for number in range(10):
        bench.tree.send(control_packet([(ControlOp.WRITE, GUARD_PAGE + 4 * i, number) for i in range(30)],
                                      conn_id=number))
    await ClockCycles(dut.clk, 1000)
    assert len(bench.bus.accesses) < 300
    bench.answers.pauses = never()
    answers = [await bench.answers.recv() for _ in range(10)]
    await bench.settle()
    assert [link_header(answer)["conn_id"] for answer in answers] == list(range(10))
    assert [len(answer.words) for answer in answers] == [33] * 10
    assert bench.bus.accesses == [(True, GUARD_PAGE + 4 * i, number) for number in range(10) for i in range(30)]
