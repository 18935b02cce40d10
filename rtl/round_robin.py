"""Who goes next among several requests: the one arbiter of network interface, routers and traffic generator."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["RoundRobin"]


class RoundRobin(wiring.Component):
    """Grants one of several requests; who was served last comes last. No latency.

    Parameters
    ----------
    count : int
        Number of requests.
    holds : bool
        A grant lasts until it is used, so that what waits at a shared port does not change; a request must last until
        it is served. Without it the grant follows the requests of each cycle.

    Members
    -------
    requests : In(count)
    grants : Out(count)
        One bit of `requests`, or none.
    advance : In(1)
        The grant, if there is one, is used: the turn moves on.
    """

    def __init__(self, count: int, *, holds: bool = False) -> None:
        self._holds = holds
        super().__init__({"requests": In(count), "grants": Out(count), "advance": In(1)})

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        count = len(self.requests)
        if count == 1:
            m.d.comb += self.grants.eq(self.requests)
            return m

        # Requests behind the last one served come first; `x & -x` is the lowest bit of x.
        behind = Signal(count)
        preferred = Signal(count)
        first = Signal(count)
        any_first = Signal(count)
        chosen = Signal(count)
        m.d.comb += [
            preferred.eq(self.requests & behind),
            first.eq(preferred & -preferred),
            any_first.eq(self.requests & -self.requests),
            chosen.eq(Mux(preferred.any(), first, any_first)),
            self.grants.eq(chosen),
        ]
        used = self.advance & self.grants.any()
        with m.If(used):
            # Bits above the one granted.
            m.d.sync += behind.eq(~(self.grants | (self.grants - 1)))
        if self._holds:
            held = Signal(count)
            m.d.comb += self.grants.eq(Mux(held.any(), held, chosen))
            m.d.sync += held.eq(Mux(used, 0, self.grants))
        return m
