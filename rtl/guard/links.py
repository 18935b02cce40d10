"""What crossed the torus cables, for the owner to compare both ends of each."""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.formats import Direction
from rtl.signatures import DIRECTIONS, LinkReport

__all__ = ["LinkCounters", "LinkState"]

_BITS = 16

LinkState = data.StructLayout({
    "sent": data.ArrayLayout(_BITS, 2), "received": data.ArrayLayout(_BITS, 2), "damaged": _BITS, "ends": LinkReport,
})
"""A torus port: headers sent and received by epoch parity, and what came damaged, all modulo 2^16; its ends now."""


class LinkCounters(wiring.Component):
    """Counts what a router says of its cables. Reset only with the fabric.

    Members
    -------
    links : In, array of 6 LinkReport
        The router's.
    states : Out, array of 6 LinkState
        Events of a cycle count from the next one on.
    """

    links: In(data.ArrayLayout(LinkReport, DIRECTIONS))
    states: Out(data.ArrayLayout(LinkState, DIRECTIONS))

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        for direction, link, state in zip(Direction, self.links, self.states, strict=True):
            def count(event: Value, name: str, port: str = direction.name.lower()) -> Signal:
                counter = Signal(_BITS, name=f"{name}_{port}")
                with m.If(event):
                    m.d.sync += counter.eq(counter + 1)
                return counter

            m.d.comb += [
                state.sent.eq(Cat(count(link.tx.sent[parity], f"sent_{parity}") for parity in range(2))),
                state.received.eq(Cat(count(link.rx.received[parity], f"received_{parity}") for parity in range(2))),
                state.damaged.eq(count(link.rx.damaged, "damaged")),
                state.ends.eq(link),
            ]
        return m
