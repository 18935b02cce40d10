"""A router with one more stage: a register between each cable and the router's input."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped

from rtl.parameters import Parameters
from rtl.torus.buffers import LinkInput
from rtl.torus.router import Router

__all__ = ["LaterInput", "LaterRouter"]


class LaterInput(wiring.Component):
    """A link input that sees every flit a cycle later; parameters and members of :class:`LinkInput`."""

    def __init__(self, parameters: Parameters, port: int) -> None:
        self.buffer = LinkInput(parameters, port)
        super().__init__(self.buffer.signature)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.buffer = buffer = self.buffer
        m.d.sync += [
            buffer.rx.valid.eq(self.rx.valid),
            buffer.rx.vc.eq(self.rx.vc),
            buffer.rx.flit.eq(self.rx.flit),
        ]
        m.d.comb += [
            self.rx.credit.eq(buffer.rx.credit),
            buffer.straps.eq(self.straps),
            self.report.eq(buffer.report),
            self.idle.eq(buffer.idle & ~buffer.rx.valid),
        ]
        for number, inner in enumerate(buffer.o):
            connect(m, inner, flipped(self.o[number]))
            m.d.comb += self.discarded[number].eq(buffer.discarded[number])
        return m


class LaterRouter(Router):
    """The torus router with :class:`LaterInput` on every cable: a hop takes four cycles instead of three."""

    def link_input(self, port: int) -> wiring.Component:
        return LaterInput(self.parameters, port)
