"""One tree router between models of its cables: whose packet goes next on the tenants' way up, and what it promises."""

import random
from collections import Counter
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge

from rtl.formats import EXTERNAL, Flit, Straps, TreeChannel, TreeHeader, pack, unpack
from rtl.tree.rounds import PATIENCE
from rtl.tree.routing import CLASSES, FIXED_ROUTES, Target
from testbenches.kit.stream import FlitSource, Packet
from testbenches.kit.tree import LINK_PACKETS, LinkSource, link_header, tree_header, tree_packet

DUT = "rtl.tree.router:TreeRouter"
PARAMETERS = [{}]

LEFT, RIGHT, OWN = range(3)
CABLES = ("parent_tx", "child_tx__0", "child_tx__1", "local_out")
LONGEST = 33
PASSAGE = 8
"""Cycles from a flit at a cable or at the own node's stream to the same at the parent's cable, and some."""


class Cable:
    """Receiving end of a cable that takes packets, and returns their credits while it is `open`."""

    def __init__(self, dut: Any, prefix: str) -> None:
        self.packets: list[Packet] = []
        self.times: list[int] = []
        self.open = True
        self.now = 0
        self._dut = dut
        self._valid, self._channel, self._flit, self._credit = (
            getattr(dut, f"{prefix}__{name}") for name in ("valid", "channel", "flit", "credit"))
        self._credit.value = 0
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        words: list[int] = []
        owed: list[int] = []
        while True:
            await RisingEdge(self._dut.clk)
            self.now += 1
            if int(self._valid.value):
                flit = unpack(Flit, int(self._flit.value))
                if flit["first"]:
                    self.times.append(self.now)
                words.append(flit["data"])
                if flit["last"]:
                    owed.append(int(self._channel.value))
                    self.packets.append(Packet(tuple(words), channel=owed[-1]))
                    words = []
            self._credit.value = 1 << owed.pop(0) if owed and self.open else 0


class Bench:
    """A tree router with two children: sources at its inputs, and who takes what it sends."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.children = [LinkSource(dut, f"child_rx__{side}") for side in (0, 1)]
        self.outside = LinkSource(dut, "parent_rx")
        self.own = FlitSource(dut, "local_in__tenant")
        self.cables = {name: Cable(dut, name) for name in CABLES}
        self.up = self.cables["parent_tx"]

    @classmethod
    async def start(cls, dut: Any, rank: int = 1) -> "Bench":
        """Reset, and attach the models."""
        cocotb.start_soon(Clock(dut.clk, 2, "ns").start())
        dut.rst.value = 1
        dut.straps.value = pack(Straps, rank=rank, children=3)
        dut.class_routes.value = sum(ways << len(Target) * number for number, ways in FIXED_ROUTES.items())
        assert len(dut.class_routes) == len(Target) * CLASSES
        dut.local_in__owner__valid.value = 0
        dut.local_in__owner__payload.value = 0
        bench = cls(dut)
        await ClockCycles(dut.clk, 4)
        dut.rst.value = 0
        await ClockCycles(dut.clk, 2)
        return bench

    async def block(self) -> None:
        """Fill the buffer at the other end of the way up; what was sent for that does not count."""
        self.up.open = False
        self.send(OWN, *[0] * LINK_PACKETS)
        await ClockCycles(self.dut.clk, 2 * PASSAGE)
        assert len(self.up.packets) == LINK_PACKETS
        self.up.packets.clear()

    async def open(self) -> None:
        """Let the way up take packets again, when buffers are full."""
        await ClockCycles(self.dut.clk, 2 * LINK_PACKETS * LONGEST)
        assert not self.up.packets
        self.up.times.clear()
        self.up.open = True

    def send(self, source: int, *promises: int, payload: int = 0, vector: int | None = EXTERNAL) -> None:
        """Queue packets at an input, each of which promises another one or not."""
        for more in promises:
            packet = tree_packet(vector, payload=tuple(range(payload)), src_key=source, more=more)
            (self.own if source == OWN else self.children[source]).send(packet)

    async def left(self, packets: int, cycles: int = 4000) -> list[tuple[int, int]]:
        """Source and promise of all packets that have gone up, when there are so many."""
        for _ in range(cycles):
            if len(self.up.packets) >= packets:
                break
            await RisingEdge(self.dut.clk)
        await ClockCycles(self.dut.clk, LONGEST + PASSAGE)
        found = [(link_header(packet)["src_key"], tree_header(packet)["more"]) for packet in self.up.packets]
        assert len(found) == packets
        return found


def rounds_of(left: list[tuple[int, int]]) -> list[list[int]]:
    """The sources of each round that went up: it ends with who promises nothing."""
    rounds: list[list[int]] = [[]]
    for source, more in left:
        rounds[-1].append(source)
        if not more:
            rounds.append([])
    assert not rounds.pop(), "the last packet promises another one"
    return rounds


@cocotb.test()
@cocotb.parametrize(payload=[0, 30])
async def each_input_has_its_round(dut: Any, payload: int) -> None:
    """All inputs always wait: a round of this router has one of each child's, and one packet of the own node."""
    bench = await Bench.start(dut)
    left, right = [3, 1, 2, 5, 1], [1, 4, 1, 2, 7]
    await bench.block()
    for source, lengths in ((LEFT, left), (RIGHT, right), (OWN, [1] * 5)):
        for length in lengths:
            bench.send(source, *[1] * (length - 1), 0, payload=payload)
    await bench.open()
    rounds = rounds_of(await bench.left(sum(left) + sum(right) + 5))
    assert [Counter(sources) for sources in rounds] == [
        Counter({LEFT: here, RIGHT: there, OWN: 1}) for here, there in zip(left, right, strict=True)]
    # Within a round inputs take turns.
    assert all(set(sources[:3]) == {LEFT, RIGHT, OWN} for sources in rounds)


@cocotb.test()
@cocotb.parametrize(payload=[0, 1, 30], silent=[LEFT, RIGHT, OWN])
async def two_inputs_share_a_round(dut: Any, payload: int, silent: int) -> None:
    """The packet of the one moves when the other one's turn is granted: it is in the round all the same."""
    bench = await Bench.start(dut)
    await bench.block()
    senders = {LEFT, RIGHT, OWN} - {silent}
    for source in senders:
        bench.send(source, *[0] * 10, payload=payload)
    await bench.open()
    rounds = rounds_of(await bench.left(20))
    assert [Counter(sources) for sources in rounds] == [Counter(senders)] * 10


@cocotb.test()
@cocotb.parametrize(source=[LEFT, RIGHT, OWN])
async def who_is_alone_promises_nothing(dut: Any, source: int) -> None:
    bench = await Bench.start(dut)
    bench.send(source, *[0] * 20, payload=30)
    assert await bench.left(20) == [(source, 0)] * 20
    # At full rate: up to two cycles between two packets.
    assert bench.up.times[-1] - bench.up.times[0] <= 19 * (LONGEST + 2)


@cocotb.test()
async def what_is_promised_is_waited_for(dut: Any) -> None:
    bench = await Bench.start(dut)
    bench.send(LEFT, 1)
    await ClockCycles(dut.clk, PASSAGE)
    bench.send(OWN, 0, 0, 0)
    await ClockCycles(dut.clk, PATIENCE // 2)
    assert len(bench.up.packets) == 2, "the own node has one packet a round"
    bench.send(LEFT, 0)
    assert await bench.left(5) == [(LEFT, 1), (OWN, 1), (LEFT, 0), (OWN, 0), (OWN, 0)]


@cocotb.test()
async def who_has_no_turn_yet_goes_before_what_is_promised(dut: Any) -> None:
    bench = await Bench.start(dut)
    bench.send(LEFT, 1)
    await ClockCycles(dut.clk, PASSAGE)
    bench.send(RIGHT, 0)
    bench.send(OWN, 0)
    await ClockCycles(dut.clk, PATIENCE // 2)
    assert len(bench.up.packets) == 3
    bench.send(LEFT, 0)
    found = await bench.left(4)
    assert found[0] == (LEFT, 1) and sorted(found[1:3]) == [(RIGHT, 1), (OWN, 1)] and found[3] == (LEFT, 0)


@cocotb.test()
async def a_promise_that_is_not_kept_stops_nobody(dut: Any) -> None:
    """A child dies: the others wait for it once, and no longer than documented."""
    bench = await Bench.start(dut)
    await bench.block()
    bench.send(LEFT, 1)
    bench.send(RIGHT, 0, 0, 0)
    bench.send(OWN, 0, 0, 0)
    await bench.open()
    found = await bench.left(7)
    assert [more for _, more in found[:3]] == [1, 1, 1]
    assert [Counter(sources) for sources in rounds_of(found[3:])] == [Counter([RIGHT, OWN])] * 2
    gaps = [after - before for before, after in zip(bench.up.times, bench.up.times[1:], strict=False)]
    assert PATIENCE <= gaps[2] <= PATIENCE + 2 * PASSAGE
    assert max(gaps[:2] + gaps[3:]) <= PASSAGE


@cocotb.test()
async def patience_is_for_one_promise(dut: Any) -> None:
    """Who keeps the others waiting and then sends is waited for as long the next time."""
    bench = await Bench.start(dut)
    bench.send(LEFT, 1)
    await ClockCycles(dut.clk, PASSAGE)
    bench.send(OWN, 0, 0)
    for more in (1, 1, 0):
        await ClockCycles(dut.clk, PATIENCE * 3 // 4)
        bench.send(LEFT, more)
    assert await bench.left(6) == [(LEFT, 1), (OWN, 1), (LEFT, 1), (LEFT, 1), (LEFT, 0), (OWN, 0)]


@cocotb.test()
async def software_promises_nothing(dut: Any) -> None:
    """What stands in a packet of the own node gives it no further turn, and makes nobody wait."""
    bench = await Bench.start(dut)
    await bench.block()
    bench.send(OWN, *[1] * 6)
    bench.send(LEFT, *[0] * 6)
    await bench.open()
    assert [Counter(sources) for sources in rounds_of(await bench.left(12))] == [Counter([LEFT, OWN])] * 6
    bench.send(OWN, 1)
    assert (await bench.left(13))[-1] == (OWN, 0)
    bench.send(LEFT, 0, 0)
    before = bench.up.now
    await bench.left(15)
    assert bench.up.times[-1] - before <= 2 * PASSAGE


@cocotb.test()
async def who_comes_while_the_way_is_blocked_is_in_the_round(dut: Any) -> None:
    bench = await Bench.start(dut)
    await bench.block()
    bench.send(LEFT, 0)
    await ClockCycles(dut.clk, 2 * PASSAGE)
    bench.send(RIGHT, 0)
    await bench.open()
    assert await bench.left(2) == [(LEFT, 1), (RIGHT, 0)]


@cocotb.test()
async def nothing_leaves_the_root_with_a_promise(dut: Any) -> None:
    bench = await Bench.start(dut, rank=0)
    for source in (LEFT, RIGHT, OWN):
        bench.send(source, 1, 1, 0)
        bench.send(source, 1, 1, 0, vector=None)
    for channel in TreeChannel:
        bench.outside.send(tree_packet(None, src_key=3, channel=channel, more=1))
    await ClockCycles(dut.clk, 1000)
    assert [len(cable.packets) for cable in bench.cables.values()] == [18, 11, 11, 11]
    assert not any(tree_header(packet)["more"] for cable in bench.cables.values() for packet in cable.packets)


@cocotb.test()
async def nothing_but_the_promise_is_written(dut: Any) -> None:
    """Flits that look like headers, and packets of the owner's channel, go up as they came."""
    bench = await Bench.start(dut)
    choose = random.Random(1)
    sent: list[Packet] = []
    for number in range(60):
        source, channel = choose.choice((LEFT, RIGHT)), choose.choice(list(TreeChannel))
        payload = tuple(choose.getrandbits(64) for _ in range(choose.choice((0, 1, 30))))
        sent.append(tree_packet(choose.getrandbits(24), payload=payload, conn_id=number, channel=channel,
                                more=choose.randrange(2),
                                **{name: choose.randrange(2) for name in ("reserved", "owner", "external")}))
        bench.children[source].send(sent[-1])
    await ClockCycles(dut.clk, 60 * (LONGEST + PASSAGE))

    def without(packet: Packet) -> tuple[int, ...]:
        kept = {} if packet.channel == TreeChannel.OWNER else {"more": 0}
        return (packet.channel, pack(TreeHeader, **{**tree_header(packet), **kept}), *packet.words[1:])

    assert sorted(map(without, bench.up.packets)) == sorted(map(without, sent))
