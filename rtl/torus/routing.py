"""Where a packet goes next: what its header says on arrival, and in which order dimensions are travelled."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.formats import Direction, Flit, Header, Straps, VirtualChannel
from rtl.torus.header import hardware_crc, hint_parity
from rtl.torus.hints import hint_bit

__all__ = ["CHANNELS", "DIMENSION_ORDER", "EJECT", "Arrival", "Route", "Routed", "channel_of", "outputs_from", "route"]

CHANNELS = (VirtualChannel.ESCAPE, VirtualChannel.PRIORITY)
"""Virtual channels with buffers, first the one that yields. Adaptive ones would join here."""

DIMENSION_ORDER = (0, 1, 2)
"""x, then y, then z. All routers of a machine must agree, or rings of rings can lock."""

EJECT = len(Direction)
"""The bit of a :data:`Route` that stands for the ejection lane; those below are directions."""

Route = data.StructLayout({"to": EJECT + 1, "size": 3, "deposit": 1, "vc": 2})
"""What the head of a packet asks for: one output (one-hot) for so many chunks plus one, and from its header
whether it leaves copies and on which channel it wants to be injected."""

Routed = data.StructLayout({"flit": Flit, "discard": 1, "damaged": 1})
"""A flit that has passed :class:`Arrival`; both marks count with `first`. `discard` condemns the packet; `damaged` says
why: its header cannot be trusted, not even for its epoch."""


def outputs_from(port: int | None, order: Sequence[int] = DIMENSION_ORDER) -> list[Direction]:
    """Directions a packet may leave by: straight on, or into a later dimension.

    Parameters
    ----------
    port : int or None
        Port it arrived on; None for an injection lane, whose packets may start anywhere.
    order : sequence of 3 int
        The dimension order.
    """
    if port is None:
        return list(Direction)
    later = order[order.index(port // 2) + 1:]
    return [direction for direction in Direction if direction == port ^ 1 or direction // 2 in later]


def channel_of(vc: Value) -> list[Value]:
    """Which of :data:`CHANNELS` an injected packet with this `vc` field travels on, one condition each.

    Dynamic packets take the escape channel as long as there are no adaptive ones.
    """
    priority = vc == VirtualChannel.PRIORITY
    return [~priority, priority]


def route(header: data.View, order: Sequence[int] = DIMENSION_ORDER) -> list[Value]:
    """Outputs wanted by a header whose hints are clear where the distance is 0: six directions, then ejection."""
    wanted: dict[int, Value] = {}
    before = []
    for dimension in order:
        plus, minus = (header.hint[hint_bit(2 * dimension + sign)] for sign in (0, 1))
        earlier = Cat(before).any()
        wanted[2 * dimension] = plus & ~earlier
        wanted[2 * dimension + 1] = minus & ~Cat(plus, before).any()
        before += [plus, minus]
    return [wanted[direction] for direction in Direction] + [~header.hint.any()]


class Arrival(wiring.Component):
    """Reads and rewrites headers on arrival: CRC check, hint clearing, CRC update, legality. No latency.

    Hint bits of dimensions in which the packet has arrived are cleared. The CRC follows by the difference
    these bits make, so an error of the header stays visible for good. A packet is condemned if its CRC is
    wrong, if it has no hints left away from its destination, if a hint points along a dimension of size 1,
    and if it would turn against the dimension order.

    Parameters
    ----------
    port : int or None
        Port the packets arrive on; None for an injection lane.
    order : sequence of 3 int
        Dimension order.

    Members
    -------
    straps : In(Straps)
    i : In(Flit)
    o : Out(Routed)
        Body flits pass unchanged.
    """

    def __init__(self, port: int | None, order: Sequence[int] = DIMENSION_ORDER) -> None:
        self.port = port
        self.order = tuple(order)
        super().__init__({"straps": In(Straps), "i": In(Flit), "o": Out(Routed)})

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        word = self.i.data
        header = data.View(Header, word)

        # Bits follow the hint field: both of z, both of y, both of x.
        here = Signal(3)
        single = Signal(3)
        m.d.comb += [
            here.eq(Cat(header[axis] == self.straps[axis] for axis in "zyx")),
            single.eq(Cat(self.straps[f"size_{axis}"] == 1 for axis in "zyx")),
        ]
        arrived, alone = (Cat(bit.replicate(2) for bit in bits) for bits in (here, single))
        cleared = Signal(6)
        hint = Signal(6)
        good = Signal()
        legal = sum(1 << hint_bit(direction) for direction in outputs_from(self.port, self.order))
        m.d.comb += [
            cleared.eq(header.hint & arrived),
            hint.eq(header.hint & ~arrived),
            good.eq(header.crc == hardware_crc(word)),
        ]

        new = Signal(Header)
        m.d.comb += [
            new.eq(word),
            new.hint.eq(hint),
            new.crc.eq(header.crc ^ hint_parity(cleared)),
            self.o.flit.eq(self.i),
            self.o.flit.data.eq(Mux(self.i.first, new.as_value(), word)),
            self.o.damaged.eq(~good),
            self.o.discard.eq(~good | (~hint.any() & ~here.all()) | (hint & (alone | 0x3F & ~legal)).any()),
        ]
        return m
