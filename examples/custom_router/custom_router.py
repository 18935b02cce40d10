"""A store-and-forward router: what the torus would be without cut-through."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped

from rtl.parameters import Bubble, ParameterError, Parameters
from rtl.torus.buffers import LinkInput
from rtl.torus.router import Router
from rtl.torus.routing import CHANNELS

__all__ = ["StoreAndForwardInput", "StoreAndForwardRouter"]


class StoreAndForwardInput(wiring.Component):
    """A link input that shows a packet to the switch only when all of it has arrived.

    Parameters and members are those of :class:`~rtl.torus.buffers.LinkInput`.
    """

    def __init__(self, parameters: Parameters, port: int) -> None:
        self.parameters = parameters
        self.buffer = LinkInput(parameters, port)
        super().__init__(self.buffer.signature)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.buffer = buffer = self.buffer
        connect(m, flipped(self.rx), buffer.rx)
        m.d.comb += [
            buffer.straps.eq(self.straps), self.idle.eq(buffer.idle), self.report.eq(buffer.report),
        ]

        for number, channel in enumerate(CHANNELS):
            # Tails that came in, less those that left: a credit follows each one cycle behind.
            tails, whole = Signal(range(self.parameters.slots + 1)), Signal()
            came = self.rx.valid & self.rx.flit.last & (self.rx.vc == channel)
            left = buffer.rx.credit[channel]
            m.d.sync += tails.eq(tails + came - left)
            m.d.comb += whole.eq(tails != left)

            inner, outer = buffer.o[number], self.o[number]
            m.d.comb += [
                outer.valid.eq(inner.valid & whole),
                outer.head.eq(inner.head & whole),
                outer.flit.eq(inner.flit),
                outer.route.eq(Mux(whole, inner.route, 0)),
                inner.take.eq(outer.take),
                self.discarded[number].eq(buffer.discarded[number]),
            ]
        return m


class StoreAndForwardRouter(Router):
    """The torus router with :class:`StoreAndForwardInput` on every cable.

    The header of a packet of ``f`` flits takes ``f + 1`` cycles from cable to cable instead of 3. Everything
    else stays: dimension order, bubbles, lanes, deposit copies.

    Parameters
    ----------
    parameters : Parameters
        As for any router; credits must stand for whole packets, so not with ``Bubble.CHUNKS``.

    Raises
    ------
    ParameterError
        For ``Bubble.CHUNKS``.
    """

    def __init__(self, parameters: Parameters) -> None:
        if parameters.bubble is Bubble.CHUNKS:
            raise ParameterError("a store-and-forward router counts whole packets: bubble cannot be 'chunks'")
        super().__init__(parameters)

    def link_input(self, port: int) -> wiring.Component:
        return StoreAndForwardInput(self.parameters, port)
