"""A router for tests, one of whose cables loses what it is told to lose: by the length of the packet."""

import enum

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring

from rtl.formats import Direction, Header
from rtl.parameters import Parameters
from rtl.torus.buffers import LinkInput
from rtl.torus.router import Router

__all__ = ["FaultyRouter", "Loss"]

PORT, X = Direction.XM, 2
"""The faulty cable comes in here, at the node with this x coordinate."""


class Loss(enum.IntEnum):
    """What happens to a packet of so many chunks minus one; others are let through."""

    SOURCE = 1
    """A wrong bit in the source of its header."""
    EPOCH = 2
    """A wrong epoch parity in its header."""
    HEADER = 3
    """Its header is lost."""
    PACKET = 4
    """All of it is lost."""
    CREDIT = 5
    """It comes, but the next credit that goes back is lost."""
    END = 6
    """Its last flit is lost."""
    PLUG = 7
    """Nothing is lost, but from it on nothing leaves the buffers behind the cable."""


class FaultyInput(wiring.Component):
    """A link input behind the end of such a cable.

    Parameters and members are those of :class:`~rtl.torus.buffers.LinkInput`.
    """

    def __init__(self, parameters: Parameters, port: int) -> None:
        self.inner = LinkInput(parameters, port)
        super().__init__(self.inner.signature)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.inner = inner = self.inner
        rx, header = self.rx, Header(self.rx.flit.data)
        here, begins = Signal(), Signal()
        kept, loss = Signal(3), Signal(3)
        m.d.comb += [
            here.eq((self.straps.x == X) & (self.inner.port == PORT)),
            begins.eq(here & rx.valid & rx.flit.first),
            loss.eq(Mux(rx.flit.first, header.size, kept)),
        ]
        with m.If(begins):
            m.d.sync += kept.eq(header.size)

        lost = (loss == Loss.PACKET) | ((loss == Loss.HEADER) & rx.flit.first) | ((loss == Loss.END) & rx.flit.last)
        wrong = Header(inner.rx.flit.data)
        m.d.comb += [
            inner.straps.eq(self.straps),
            inner.rx.vc.eq(rx.vc),
            inner.rx.flit.eq(rx.flit),
            inner.rx.valid.eq(rx.valid & ~(here & lost)),
            self.report.eq(inner.report), self.idle.eq(inner.idle),
        ]
        with m.If(begins & (loss == Loss.SOURCE)):
            m.d.comb += wrong.source.eq(header.source ^ 1)
        with m.If(begins & (loss == Loss.EPOCH)):
            m.d.comb += wrong.epoch.eq(~header.epoch)

        swallows = Signal()
        with m.If(begins & (loss == Loss.CREDIT)):
            m.d.sync += swallows.eq(1)
        with m.Elif(inner.rx.credit.any()):
            m.d.sync += swallows.eq(0)
        m.d.sync += rx.credit.eq(Mux(swallows, 0, inner.rx.credit))

        plugged = Signal()
        with m.If(begins & (loss == Loss.PLUG)):
            m.d.sync += plugged.eq(1)
        for inside, outside, discarded, ours in zip(
                inner.o, self.o, inner.discarded, self.discarded, strict=True):
            m.d.comb += [
                outside.valid.eq(inside.valid & ~plugged), outside.head.eq(inside.head & ~plugged),
                outside.flit.eq(inside.flit), outside.route.eq(Mux(plugged, 0, inside.route)),
                inside.take.eq(outside.take), ours.eq(discarded),
            ]
        return m


class FaultyRouter(Router):
    """The torus router with :class:`FaultyInput` on every cable."""

    def link_input(self, port: int) -> wiring.Component:
        return FaultyInput(self.parameters, port)
