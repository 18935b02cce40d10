"""The host port's answer while the tenant's side is held."""

from functools import reduce
from operator import and_, or_

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib.wiring import Component, In, Out

from rtl.signatures import AxiLite

__all__ = ["HostGate"]

_SLVERR = 2


class HostGate(Component):
    """Answers every access that `hold` cuts, or that comes while it lasts, with SLVERR.

    The network interface is in reset then and forgets what it was asked: without this a host would wait for ever
    for its owner's doing. Else the port passes through, combinationally and unchanged. An answer that the host has
    not taken yet when `hold` rises becomes SLVERR; what it was the answer to may have happened. One access a direction
    at a time is followed, as the network interface takes them. A host that is itself reset meanwhile finds the answer
    to what it asked before: it must take and drop it.

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
        _, writing = self._direction(m, ("aw", "w"), "b")
        refused, reading = self._direction(m, ("ar",), "r")
        m.d.comb += [
            host.rdata.eq(Mux(refused, 0, ni.rdata)),
            self.busy.eq(writing | reading | host.awvalid | host.wvalid | host.arvalid),
        ]
        return m

    def _direction(self, m: Module, requests: tuple[str, ...], response: str) -> tuple[Signal, Value]:
        """Gate the channels of one direction; returns whether it is refused now, and whether an access is under way."""
        cut, refuse = Signal(name=f"{response}_cut"), Signal(name=f"{response}_refuse")
        m.d.comb += refuse.eq(self.hold | cut)
        accepted = {channel: Signal(name=f"{channel}_accepted") for channel in requests}
        for channel, already in accepted.items():
            valid, ready = getattr(self.host, f"{channel}valid"), getattr(self.host, f"{channel}ready")
            m.d.comb += [
                getattr(self.ni, f"{channel}valid").eq(valid & ~refuse),
                ready.eq(Mux(refuse, ~already, getattr(self.ni, f"{channel}ready"))),
            ]
            with m.If(valid & ready):
                m.d.sync += already.eq(1)
        valid, ready = getattr(self.host, f"{response}valid"), getattr(self.host, f"{response}ready")
        m.d.comb += [
            valid.eq(Mux(refuse, reduce(and_, accepted.values()), getattr(self.ni, f"{response}valid"))),
            getattr(self.host, f"{response}resp").eq(Mux(refuse, _SLVERR, getattr(self.ni, f"{response}resp"))),
            getattr(self.ni, f"{response}ready").eq(ready & ~refuse),
        ]
        # What was refused in part is refused whole, also when the rest of it comes after hold.
        with m.If(valid & ready):
            m.d.sync += [already.eq(0) for already in accepted.values()]
            m.d.sync += cut.eq(0)
        with m.Elif(self.hold):
            started = [already | getattr(self.host, f"{channel}valid") for channel, already in accepted.items()]
            m.d.sync += cut.eq(reduce(or_, started))
        return refuse, cut | reduce(or_, accepted.values())
