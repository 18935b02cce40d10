"""Where generated packets go: the patterns on coordinates of a torus of any shape."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.formats import FLIT_BITS, Straps
from rtl.registers import Pattern

__all__ = ["Destination", "Coordinate", "PatternDraw"]

COORDINATE_BITS = 6

Coordinate = data.StructLayout({"z": 8, "y": 8, "x": 8})
"""A coordinate, as in a register and in a packet's header."""

Destination = data.StructLayout({"coordinate": Coordinate, "here": 1})
"""What a pattern gives; with `here` it is this node, and nothing is to be sent."""


class PatternDraw(wiring.Component):
    """Holds the destination of the next packet, drawn in advance.

    The definitions are those of Dally and Towles, "Principles and Practices of Interconnection Networks" (2004),
    section 3.2, carried over to sizes that are no power of two, see :class:`~rtl.registers.Pattern`.
    UNIFORM takes two candidates a dimension from as many bits as the size needs, and draws again unless one of them
    is inside and the node found is another: exactly uniform, at the price of now and then a cycle.

    Members
    -------
    straps : In(Straps)
    walk : In(1)
        Look for the node opposite in TRANSPOSE: a node a cycle, all from the first at `walk_start`.
    walk_start : In(1)
    pattern : In(Pattern)
    target, hotspot : In(Coordinate)
    hotspot_probability : In(28)
    random : In(64)
        Another number after each cycle with `draw`.
    wanted : In(1)
        A destination will be needed.
    forget : In(1)
        What was drawn is void.
    draw : Out(1)
        `random` is used in this cycle.
    valid : Out(1)
        There is a `destination`.
    destination : Out(Destination)
    take : In(1)
        It is used; only with `valid`.
    """

    straps: In(Straps)
    walk: In(1)
    walk_start: In(1)
    pattern: In(3)
    target: In(Coordinate)
    hotspot: In(Coordinate)
    hotspot_probability: In(28)
    random: In(FLIT_BITS)
    wanted: In(1)
    forget: In(1)
    draw: Out(1)
    valid: Out(1)
    destination: Out(Destination)
    take: In(1)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        axes = [(axis, self.straps[axis], self.straps[f"size_{axis}"]) for axis in "xyz"]
        transposed = self._transpose(m, axes)
        candidate, inside = self._candidate(m, axes)

        # Whom it would be, and whether that is drawn again.
        found = Signal(Coordinate)
        here = Signal()
        alone = Signal()
        hot = Signal()
        cold = Signal()
        uniform = Signal()
        rejected = Signal()
        m.d.comb += [
            here.eq(Cat(found[axis] == own for axis, own, _ in axes).all()),
            alone.eq(Cat(size == 1 for _, _, size in axes).all()),
            # A draw that was rejected must not be asked again whether it goes to the hot spot.
            hot.eq((self.pattern == Pattern.HOT_SPOT) & ~cold & (self.random[36:] < self.hotspot_probability)),
            uniform.eq((self.pattern == Pattern.UNIFORM) | ((self.pattern == Pattern.HOT_SPOT) & ~hot)),
            rejected.eq(uniform & ~alone & (here | ~inside)),
            self.draw.eq(self.wanted & (~self.valid | self.take)),
        ]
        with m.Switch(self.pattern):
            with m.Case(Pattern.TRANSPOSE):
                m.d.comb += found.eq(transposed)
            with m.Case(Pattern.BIT_COMPLEMENT):
                m.d.comb += [found[axis].eq(size - 1 - own) for axis, own, size in axes]
            with m.Case(Pattern.TORNADO):
                m.d.comb += [found[axis].eq(_around(own + ((size - 1) >> 1), size)) for axis, own, size in axes]
            with m.Case(Pattern.NEIGHBOUR):
                m.d.comb += [found[axis].eq(_around(own + 1, size)) for axis, own, size in axes]
            with m.Case(Pattern.TARGET):
                m.d.comb += found.eq(self.target)
            with m.Default():
                m.d.comb += found.eq(Mux(hot, self.hotspot, candidate))
        # Offer it until it is taken.
        with m.If(self.draw):
            m.d.sync += [
                self.valid.eq(~rejected), cold.eq(rejected),
                self.destination.coordinate.eq(found), self.destination.here.eq(here),
            ]
        with m.Elif(self.take):
            m.d.sync += self.valid.eq(0)
        with m.If(self.forget):
            m.d.sync += [self.valid.eq(0), cold.eq(0)]
        return m

    def _candidate(self, m: Module, axes: list[tuple[str, Value, Value]]) -> tuple[data.View, Value]:
        """A node from random bits, and whether it is one: of two trials a dimension the first that is inside."""
        candidate = Signal(Coordinate)
        inside = []
        for number, (axis, _, size) in enumerate(axes):
            # All bits below the highest of size - 1, and that one.
            last, mask = Signal(COORDINATE_BITS, name=f"last_{axis}"), Signal(COORDINATE_BITS, name=f"mask_{axis}")
            trials = [Signal(COORDINATE_BITS, name=f"{axis}_{trial}") for trial in range(2)]
            m.d.comb += [last.eq(size - 1), mask.eq(Cat(last[bit:].any() for bit in range(COORDINATE_BITS)))]
            for trial, value in enumerate(trials):
                m.d.comb += value.eq(self.random.word_select(2 * number + trial, COORDINATE_BITS) & mask)
            fits = [value < size for value in trials]
            m.d.comb += candidate[axis].eq(Mux(fits[0], trials[0], trials[1]))
            inside.append(fits[0] | fits[1])
        return candidate, Cat(inside).all()

    def _transpose(self, m: Module, axes: list[tuple[str, Value, Value]]) -> data.View:
        """The node whose rank with x fastest is this node's with z fastest: both count until this one comes."""
        transposed = Signal(Coordinate)
        there = Signal(Coordinate)
        here = Signal(Coordinate)
        with m.If(self.walk):
            for counter, order in ((there, axes), (here, axes[::-1])):
                carry: Value = Const(1)
                for axis, _, size in order:
                    past = Signal()
                    m.d.comb += past.eq(counter[axis] == size - 1)
                    with m.If(carry):
                        m.d.sync += counter[axis].eq(Mux(past, 0, counter[axis] + 1))
                    carry = carry & past
            with m.If(Cat(here[axis] == own for axis, own, _ in axes).all()):
                m.d.sync += transposed.eq(there)
        with m.If(self.walk_start):
            m.d.sync += [there.eq(0), here.eq(0)]
        return transposed


def _around(value: Value, size: Value) -> Value:
    """`value` modulo `size`; it is less than twice that."""
    return Mux(value >= size, value - size, value)
