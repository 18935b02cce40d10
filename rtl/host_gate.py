"""The host port's answer while the tenant's side is held."""

from functools import reduce
from operator import and_

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from rtl.signatures import AxiLite

__all__ = ["HostGate"]

_SLVERR = 2


class HostGate(Component):
    """Answers every access that `hold` cuts, or that comes while it lasts, with SLVERR.

    The network interface is in reset then and forgets what it was asked: without this a host would wait for ever
    for its owner's doing. Else the port passes through, combinationally and unchanged. An answer that the host has
    not taken yet when `hold` rises becomes SLVERR; what it was the answer to may have happened.

    Members
    -------
    hold : In(1)
        The tenant's reset.
    host : In(AxiLite)
    ni : Out(AxiLite)
        To the network interface.
    busy : Out(1)
        An access is asked for or in progress.
    """

    hold: In(1)
    host: In(AxiLite)
    ni: Out(AxiLite)
    busy: Out(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        host, ni = self.host, self.ni
        m.d.comb += [
            ni.awaddr.eq(host.awaddr), ni.wdata.eq(host.wdata), ni.wstrb.eq(host.wstrb), ni.araddr.eq(host.araddr),
        ]
        writing = self._direction(m, ("aw", "w"), "b")
        reading = self._direction(m, ("ar",), "r")
        m.d.comb += [
            host.rdata.eq(Mux(reading, 0, ni.rdata)),
            self.busy.eq(writing | reading | host.awvalid | host.wvalid | host.arvalid),
        ]
        return m

    def _direction(self, m: Module, requests: tuple[str, ...], response: str) -> Signal:
        """Gate the channels of one direction; returns whether its access is refused."""
        cut, refuse = Signal(name=f"{response}_cut"), Signal(name=f"{response}_refuse")
        m.d.comb += refuse.eq(self.hold | cut)
        taken = {channel: Signal(name=f"{channel}_taken") for channel in requests}
        for channel, held in taken.items():
            valid, ready = getattr(self.host, f"{channel}valid"), getattr(self.host, f"{channel}ready")
            m.d.comb += [
                getattr(self.ni, f"{channel}valid").eq(valid & ~refuse),
                ready.eq(Mux(refuse, ~held, getattr(self.ni, f"{channel}ready"))),
            ]
            with m.If(valid & ready):
                m.d.sync += held.eq(1)
        valid, ready = getattr(self.host, f"{response}valid"), getattr(self.host, f"{response}ready")
        m.d.comb += [
            valid.eq(Mux(refuse, reduce(and_, taken.values()), getattr(self.ni, f"{response}valid"))),
            getattr(self.host, f"{response}resp").eq(Mux(refuse, _SLVERR, getattr(self.ni, f"{response}resp"))),
            getattr(self.ni, f"{response}ready").eq(ready & ~refuse),
        ]
        # What was refused in part is refused whole, also when the rest of it comes after hold.
        with m.If(valid & ready):
            m.d.sync += [held.eq(0) for held in taken.values()]
            m.d.sync += cut.eq(0)
        with m.Elif(self.hold):
            started = [held | getattr(self.host, f"{channel}valid") for channel, held in taken.items()]
            m.d.sync += cut.eq(reduce(lambda a, b: a | b, started))
        return refuse
