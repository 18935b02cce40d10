"""``khhw bench guard``: taking permission out changes no cycle, its cost is counted, differences are found."""

import json
import random
from collections import Counter

import numpy as np
import pytest
from amaranth.hdl import Fragment, Module
from amaranth.sim import Simulator

from khhw.bench import guard as bench
from khhw.bench import guard_cost
from khhw.bench.open_guard import BareGuard, BareIngress, OpenGuard, OpenIngress
from khhw.cli import main
from rtl.formats import Flit, Header, Straps, pack, unpack
from rtl.guard.guard import Guard
from rtl.parameters import Parameters
from rtl.registers import REGISTERS
from rtl.signatures import DIRECTIONS, guard_signature
from rtl.torus.header import seal
from rtl.torus.hints import normalise

PARAMETERS = Parameters(lanes=2, table_nodes=32, log_entries=4)
SIZES, HERE = (4, 3, 2), (1, 2, 1)
LANES = range(PARAMETERS.lanes)


def flits(head, rng):
    """A packet of the length its header says."""
    words = [head, *(rng.getrandbits(64) for _ in range(4 * (unpack(Header, head)["size"]) + 3))]
    return [pack(Flit, first=i == 0, last=i == len(words) - 1, data=word) for i, word in enumerate(words)]


def outgoing(rng):
    """What software may send, hints, deposit and priority included; what is stamped it leaves to hardware."""
    there = [rng.randrange(size) for size in SIZES]
    deposit = rng.random() < 0.2
    if deposit:
        there = [rng.randrange(SIZES[0]), *HERE[1:]]
    vc = rng.choice((0, 1, 2, 3))
    hint = normalise(SIZES, HERE, there, 0).hint * rng.randrange(2)
    return flits(pack(
        Header, x=there[0], y=there[1], z=there[2], vc=vc, hint=hint, dynamic=vc < 2, size=rng.randrange(8),
        deposit=deposit, source=rng.getrandbits(16), epoch=rng.getrandbits(1), crc=rng.getrandbits(7)), rng)


def incoming(rng):
    """What a router hands over: no remote gets, which a guard rewrites."""
    return flits(seal(pack(Header, x=HERE[0], y=HERE[1], z=HERE[2], vc=2, size=rng.randrange(8),
                           source=rng.randrange(PARAMETERS.table_nodes))), rng)


class Lane:
    """Sends packets into the same lane of several components, which must take them in the same cycles."""

    def __init__(self, streams, make, rng):
        self.streams, self.make, self.rng = streams, make, rng
        self.left, self.valid, self.taken = [], False, 0

    def drive(self, ctx, *, restart=False):
        if restart:
            self.left, self.valid = [], False
        self.valid = self.valid or (not restart and self.rng.random() < 0.8)
        if not self.left:
            self.left = self.make(self.rng)
        for stream in self.streams:
            ctx.set(stream.valid, self.valid)
            ctx.set(stream.payload.as_value(), self.left[0])

    def look(self, ctx):
        ready = [ctx.get(stream.ready) for stream in self.streams]
        assert len(set(ready)) == 1
        if self.valid and ready[0]:
            self.left.pop(0)
            self.valid, self.taken = False, self.taken + 1


def ask(ctx, guards, name, value, index=0):
    """The owner begins to write a register."""
    for guard in guards:
        ctx.set(guard.owner.valid, 1)
        ctx.set(guard.owner.write, 1)
        ctx.set(guard.owner.address, REGISTERS[name].at(index))
        ctx.set(guard.owner.data, value)


async def finish(ctx, guards):
    """A cycle passes; what was written in it is."""
    done = [ctx.get(guard.owner.done) for guard in guards]
    assert len(set(done)) == 1
    assert not any(done and ctx.get(guard.owner.error) for guard, done in zip(guards, done, strict=True))
    await ctx.tick()
    if done[0]:
        for guard in guards:
            ctx.set(guard.owner.valid, 0)
    return done[0]


async def access(ctx, guards, name, value, index=0):
    ask(ctx, guards, name, value, index)
    while not await finish(ctx, guards):
        pass


async def permit_everything(ctx, guards):
    """The same packets leave both only if the epochs' parity is 0, which is all a guard without epochs stamps."""
    straps = pack(Straps, x=HERE[0], y=HERE[1], z=HERE[2], size_x=SIZES[0], size_y=SIZES[1], size_z=SIZES[2])
    for guard in guards:
        ctx.set(guard.straps.as_value(), straps)
    for _ in range(2):
        for name in ("ROW", "COLUMN"):
            for index in range(PARAMETERS.table_words):
                await access(ctx, guards, name, 0xFFFFFFFF, index)
        for direction in range(DIRECTIONS):
            await access(ctx, guards, "REACH", 32, direction)
        await access(ctx, guards, "COMMIT", 1)
        await ctx.tick().repeat(3)
    await access(ctx, guards, "GRANTS", 1)
    await access(ctx, guards, "HOLD", 0)


def simulate(components, testbench):
    m = Module()
    for index, component in enumerate(components):
        m.submodules[f"part_{index}"] = component
    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()


def same_word(ctx, streams):
    """What all streams offer in this cycle, or None."""
    valid = [ctx.get(stream.valid) for stream in streams]
    assert len(set(valid)) == 1
    if not valid[0]:
        return None
    words = [ctx.get(stream.payload.as_value()) for stream in streams]
    assert len(set(words)) == 1, [f"{word:#x}" for word in words]
    return unpack(Flit, words[0])


def test_permission_costs_no_cycle_and_changes_no_bit_of_what_is_permitted():
    """Both ports of both, each cycle, under any pauses, and under holds that cut packets."""
    guards = [Guard(PARAMETERS), OpenGuard(PARAMETERS)]
    rng = random.Random(1)
    seen = Counter()

    async def testbench(ctx):
        await permit_everything(ctx, guards)
        out = [Lane([g.from_ni[lane] for g in guards], outgoing, rng) for lane in LANES]
        into = [Lane([g.from_router[lane] for g in guards], incoming, rng) for lane in LANES]
        ends = [[getattr(g, port)[lane] for g in guards] for port in ("to_router", "to_ni") for lane in LANES]
        for cycle in range(800):
            if cycle % 100 in (70, 75):
                ask(ctx, guards, "HOLD", int(cycle % 100 == 70))
            hold = bool(ctx.get(guards[0].hold))
            for lane in (*out, *into):
                # The network interface is in reset while the router goes on.
                lane.drive(ctx, restart=hold and lane in out)
            for streams in ends:
                ready = rng.random() < 0.75
                for stream in streams:
                    ctx.set(stream.ready, ready)
            for streams in ends:
                if word := same_word(ctx, streams):
                    seen["flits"] += 1
                    seen["cut"] += word["last"] and word["bad"]
                    seen["deposit"] += word["first"] and unpack(Header, word["data"])["deposit"]
            for lane in (*out, *into):
                lane.look(ctx)
            for name in ("hold", "quiescent", "node_id", "tree_allowed"):
                assert ctx.get(getattr(guards[0], name)) == ctx.get(getattr(guards[1], name)), (cycle, name)
            await finish(ctx, guards)
        assert all(lane.taken > 200 for lane in (*out, *into))

    simulate(guards, testbench)
    assert seen["flits"] > 1200
    assert seen["cut"] > 5
    assert seen["deposit"] > 5


@pytest.mark.parametrize("part", [Guard, OpenGuard])
def test_every_lane_takes_the_shortest_packets_without_a_pause(part):
    """Packets of 32 bytes on all lanes both ways: from the second cycle on a flit leaves each in every cycle."""
    guard, rng = part(PARAMETERS), random.Random(3)
    shortest = pack(Header, x=HERE[0], y=HERE[1], z=HERE[2], vc=2, source=1)
    left = {("to_router", lane): 0 for lane in LANES} | {("to_ni", lane): 0 for lane in LANES}

    async def testbench(ctx):
        await permit_everything(ctx, [guard])
        inputs = [*guard.from_ni, *guard.from_router]
        for stream in (*guard.to_router, *guard.to_ni):
            ctx.set(stream.ready, 1)
        for cycle in range(200):
            if cycle % 4 == 0:
                packets = [flits(seal(shortest), rng) for _ in inputs]
            for stream, words in zip(inputs, packets, strict=True):
                ctx.set(stream.valid, 1)
                ctx.set(stream.payload.as_value(), words[cycle % 4])
            assert all(ctx.get(stream.ready) for stream in inputs)
            for port, lane in left:
                left[port, lane] += ctx.get(getattr(guard, port)[lane].valid)
            await ctx.tick()

    simulate([guard], testbench)
    assert set(left.values()) == {199}


def test_a_wire_is_a_cycle_faster_than_the_stage_and_hands_over_no_part_of_a_cut_packet():
    lanes = [OpenIngress(), BareIngress()]
    rng = random.Random(2)
    came = [[], []]

    async def testbench(ctx):
        source = Lane([lane.i for lane in lanes], incoming, rng)
        for lane in lanes:
            ctx.set(lane.o.ready, 1)
        for cycle in range(600):
            source.drive(ctx)
            for lane, arrived in zip(lanes, came, strict=True):
                if ctx.get(lane.o.valid):
                    arrived.append((cycle, ctx.get(lane.o.payload.as_value())))
            source.look(ctx)
            await ctx.tick()
        inside = held = False
        for cycle in range(1500):
            source.drive(ctx)
            hold = 50 < cycle % 100 < 60 or cycle % 77 == 0
            ready = rng.random() < 0.6
            for lane in lanes:
                ctx.set(lane.hold, hold)
                ctx.set(lane.o.ready, ready or hold)
            word = ctx.get(lanes[1].o.payload)
            if hold:
                assert not ctx.get(lanes[1].o.valid)
                assert ctx.get(lanes[1].i.ready)
                held = held or inside
                inside = False
            elif ctx.get(lanes[1].o.valid) and ready:
                assert bool(word.first) != inside
                inside = not word.last
            source.streams = [lanes[1].i]
            source.look(ctx)
            await ctx.tick()
        assert held

    simulate(lanes, testbench)
    assert len(came[1]) > 300
    assert came[0] == [(cycle + 1, word) for cycle, word in came[1]][:len(came[0])]
    assert len(came[0]) >= len(came[1]) - 1


@pytest.mark.parametrize("part", [OpenGuard, BareGuard])
def test_they_stand_where_a_guard_stands(part):
    built = part(PARAMETERS)
    Fragment.get(built, None)
    assert built.signature == guard_signature(PARAMETERS)


@pytest.mark.rare
def test_cost_of_a_table(monkeypatch, capsys):
    """A small one is in distributed memory, a large one in block RAM."""
    monkeypatch.setattr(guard_cost, "DESIGNS", {"table": guard_cost.DESIGNS["table"]})
    assert main(["bench", "guard", "--only", "cost", "--sizes", "8", "1024", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"version", "seed", "parameters", "build", "cpu_model", "results", "difference"} <= found.keys()
    small, large = found["results"]
    assert (small["guard"], small["table_nodes"], large["table_nodes"]) == ("table", 8, 1024)
    assert (small["table_bits"], small["block_ram"], large["table_bits"], large["block_ram"]) == (64, 0, 2048, 1)
    assert small["distributed_ram"] > large["distributed_ram"] == 0
    assert small["flip_flops"] > large["flip_flops"] >= 6
    assert small["lut4"] > 0 < large["lut4"]
    assert small["samples"] == 1


def test_bits_of_tables():
    assert guard_cost.table_bits(Parameters(table_nodes=65536, lanes=2)) == 5 * 2 * 65536
    assert guard_cost.table_bits(Parameters(table_nodes=8, lanes=6)) == 13 * 2 * 32


def test_differences_are_counted_row_by_row():
    def measured():
        for guard, change in (("in", 0), ("out", 0), ("bare", 1)):
            for distance in (1, 2):
                yield {"guard": guard, "hops": distance}, np.array([10, 20, 30 + change * (distance == 2)])

    rows = bench._compared(measured())
    assert [row["differing"] for row in rows] == [None, None, 0, 0, 0, 1]
    assert [row["compared"] for row in rows] == [None, None, 3, 3, 3, 3]


@pytest.mark.parametrize("options", [["--lanes", "7"], ["--sizes", "7"], ["--sizes", "100"], ["--cycles", "0"]])
def test_wrong_requests_are_refused_before_anything_is_built(options, capsys):
    assert main(["bench", "guard", *options]) == 2
    assert capsys.readouterr().out == ""
