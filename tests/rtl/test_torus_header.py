"""Header CRC, hint rules and node ids: properties of the software twins, and the hardware against them."""

from itertools import product

import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rtl.formats import Direction, Header
from rtl.torus.coordinates import CoordinatePacker, CoordinateUnpacker, node_coordinates, node_id, size_bits
from rtl.torus.header import check_header, hardware_crc, header_crc, hint_parity, seal
from rtl.torus.hints import HintNormaliser, hint_bit, normalise

HEADERS = st.integers(0, (1 << 64) - 1)
SIZES = st.tuples(*[st.integers(1, 64)] * 3).filter(lambda sizes: sum(map(size_bits, sizes)) <= 16)
DIMENSIONS = range(3)


@st.composite
def journeys(draw):
    """Torus size, source, destination and hint."""
    sizes = draw(SIZES)
    source, destination = (tuple(draw(st.integers(0, size - 1)) for size in sizes) for _ in range(2))
    return sizes, source, destination, draw(st.integers(0, 63))


def bit_serial_crc(header):
    """The CRC as a shift register computes it."""
    register = 0
    for bit in reversed(range(57)):
        feedback = register >> 6 & 1 ^ header >> bit & 1
        register = register << 1 & 0x7F ^ (0b0001001 if feedback else 0)
    return register ^ 0x7F


def distances(sizes, source, destination):
    """Hops in plus and in minus direction, a dimension each."""
    plus = [(end - start) % size for size, start, end in zip(sizes, source, destination, strict=True)]
    return [(way, (size - way) % size) for way, size in zip(plus, sizes, strict=True)]


class TestCrc:
    @given(HEADERS)
    def test_is_what_a_shift_register_computes(self, header):
        assert header_crc(header) == bit_serial_crc(header)

    @given(HEADERS)
    def test_sealed_headers_pass(self, header):
        assert check_header(seal(header))
        assert seal(header) & (1 << 57) - 1 == header & (1 << 57) - 1

    @given(HEADERS, st.integers(0, 63), st.integers(0, 63))
    def test_one_and_two_wrong_bits_are_seen(self, header, one, other):
        assert not check_header(seal(header) ^ (1 << one | 1 << other))

    @given(HEADERS, st.integers(1, 0x7F), st.integers(0, 57 - 7) | st.just(57))
    def test_bursts_up_to_seven_bits_are_seen_in_the_fields_or_in_the_crc(self, header, burst, offset):
        assert not check_header(seal(header) ^ burst << offset)

    def test_dead_links_are_seen(self):
        assert not check_header(0)
        assert not check_header((1 << 64) - 1)


class TestHints:
    @given(journeys())
    def test_legal_hints_lead_there_the_shortest_way(self, journey):
        sizes, source, destination, hint = journey
        found = normalise(sizes, source, destination, hint)
        assume(not found.illegal)
        at, steps = list(source), 0
        for direction in Direction:
            dimension = direction // 2
            while found.hint >> hint_bit(direction) & 1 and at[dimension] != destination[dimension]:
                at[dimension] = (at[dimension] + (-1 if direction % 2 else 1)) % sizes[dimension]
                steps += 1
        assert tuple(at) == destination
        assert steps == sum(min(ways) for ways in distances(sizes, source, destination))

    @given(journeys())
    def test_one_bit_a_dimension_with_distance(self, journey):
        sizes, source, destination, hint = journey
        found = normalise(sizes, source, destination, hint)
        assume(not found.illegal)
        for dimension, ways in zip(DIMENSIONS, distances(sizes, source, destination), strict=True):
            pair = found.hint >> hint_bit(2 * dimension + 1) & 0b11
            assert pair.bit_count() == (ways[0] > 0)

    @given(journeys())
    def test_normal_hints_stay(self, journey):
        sizes, source, destination, hint = journey
        found = normalise(sizes, source, destination, hint)
        assume(not found.illegal)
        assert normalise(sizes, source, destination, found.hint) == found

    @given(journeys())
    def test_refused_are_both_bits_and_the_long_way_only(self, journey):
        sizes, source, destination, hint = journey
        wrong = False
        for dimension, (plus, minus) in zip(DIMENSIONS, distances(sizes, source, destination), strict=True):
            wants = [hint >> hint_bit(2 * dimension + sign) & 1 for sign in (0, 1)]
            wrong |= plus > 0 and (all(wants) or bool(wants[0] and plus > minus) or bool(wants[1] and minus > plus))
        assert normalise(sizes, source, destination, hint).illegal == wrong

    @given(journeys())
    def test_no_hint_is_never_refused(self, journey):
        assert not normalise(*journey[:3], 0).illegal

    @pytest.mark.parametrize("source", list(product(range(4), repeat=3)))
    def test_ties_follow_the_parity_of_the_source(self, source):
        destination = tuple((start + 2) % 4 for start in source)
        expected = 0b101010 if sum(source) % 2 == 0 else 0b010101
        assert normalise((4, 4, 4), source, destination, 0).hint == expected

    @given(journeys())
    def test_straight_lines(self, journey):
        sizes, source, destination, hint = journey
        found = normalise(sizes, source, destination, hint)
        ways = distances(sizes, source, destination)
        differ = [dimension for dimension in DIMENSIONS if ways[dimension][0]]
        assert (found.here, found.straight) == (not differ, len(differ) == 1)
        if found.straight and not found.illegal:
            assert found.hint == 1 << hint_bit(found.direction)
            assert found.hops == min(ways[differ[0]])


class TestIds:
    @given(journeys())
    def test_round_trip(self, journey):
        sizes, source, *_ = journey
        assert node_coordinates(sizes, node_id(sizes, source)) == source

    def test_packing(self):
        assert node_id((6, 5, 3), (5, 4, 2)) == 0b10_100_101
        assert node_id((1, 4, 1), (0, 3, 0)) == 3

    def test_outside(self):
        with pytest.raises(ValueError, match=r"coordinate \(2, 0, 0\) is outside a torus of \(2, 2, 2\)"):
            node_id((2, 2, 2), (2, 0, 0))

    def test_ids_of_all_nodes_differ(self):
        sizes = (3, 5, 6)
        assert len({node_id(sizes, coordinate) for coordinate in product(*map(range, sizes))}) == 90


class Twins:
    """Hints, ids and CRC in one simulation."""

    def __init__(self):
        self.hints, self.packer, self.unpacker = HintNormaliser(), CoordinatePacker(), CoordinateUnpacker()
        self.header, self.crc, self.changed = Signal(Header), Signal(7), Signal(7)
        m = Module()
        m.submodules += [self.hints, self.packer, self.unpacker]
        m.d.comb += [
            self.crc.eq(hardware_crc(self.header.as_value())),
            self.changed.eq(hint_parity(self.header.hint)),
        ]
        self.simulator = Simulator(m)

    async def check(self, context, sizes, source, destination, hint, header):
        axes = dict(zip(("x", "y", "z"), source, strict=True))
        straps = axes | dict(zip(("size_x", "size_y", "size_z"), sizes, strict=True))
        for block in (self.hints, self.packer, self.unpacker):
            context.set(block.straps, straps)
        for block in (self.hints, self.packer):
            for axis, value in zip("xyz", destination, strict=True):
                context.set(getattr(block, axis), value)
        context.set(self.hints.hint_in, hint)
        context.set(self.unpacker.id, node_id(sizes, destination))
        context.set(self.header, Header.from_bits(header))
        await context.delay(1e-9)

        found = normalise(sizes, source, destination, hint)
        names = ["illegal", "here", "straight"] + ["hint", "direction", "hops"] * (not found.illegal)
        for name in names:
            assert context.get(getattr(self.hints, name)) == getattr(found, name), name
        assert context.get(self.packer.inside)
        assert context.get(self.packer.id) == node_id(sizes, destination)
        assert tuple(context.get(getattr(self.unpacker, axis)) for axis in "xyz") == destination
        assert context.get(self.crc) == header_crc(header)
        assert context.get(self.changed) == header_crc(header) ^ header_crc(header & ~(0x3F << 50))


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_hardware_is_the_same(data):
    cases = [(*data.draw(journeys()), data.draw(HEADERS)) for _ in range(5)]
    twins = Twins()

    async def bench(context):
        for case in cases:
            await twins.check(context, *case)

    twins.simulator.add_testbench(bench)
    twins.simulator.run()


@pytest.mark.parametrize("outside", [(6, 0, 0), (0, 5, 0), (0, 0, 1), (200, 0, 0)])
def test_hardware_sees_coordinates_outside(outside):
    packer = CoordinatePacker()
    simulator = Simulator(packer)

    async def bench(context):
        context.set(packer.straps, {"size_x": 6, "size_y": 5, "size_z": 1})
        for axis, value in zip("xyz", outside, strict=True):
            context.set(getattr(packer, axis), value)
        await context.delay(1e-9)
        assert not context.get(packer.inside)

    simulator.add_testbench(bench)
    simulator.run()
