"""The host port's answer while the tenant's side is held."""

from functools import reduce
from operator import and_, or_

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.signatures import AxiLite

__all__ = ["HostGate"]

_SLVERR = 2


class HostGate(wiring.Component):
    """Answers every access that `hold` cuts, or that comes while it lasts, with SLVERR.

    The network interface is in reset then and forgets what it was asked: without this a host would wait for ever
    for its owner's doing. Else the port passes through, combinationally and unchanged. An answer already offered when
    `hold` rises stays as it is, as AXI demands, until it is taken or `hold` ends: then it becomes SLVERR, without
    data, for whoever is there now is not who asked. Any other answer `hold` cuts is SLVERR; what it was the answer to
    may have happened. One access a direction at a time is followed, as the network interface takes them. A host that is
    itself reset meanwhile finds the answer to what it asked before: it must take and drop it.

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

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        host, ni = self.host, self.ni
        m.d.comb += [
            ni.awaddr.eq(host.awaddr), ni.wdata.eq(host.wdata), ni.wstrb.eq(host.wstrb), ni.araddr.eq(host.araddr),
        ]
        writing = self._direction(m, ("aw", "w"), "b", ("bresp", ))
        reading = self._direction(m, ("ar",), "r", ("rresp", "rdata"))
        m.d.comb += self.busy.eq(writing | reading | host.awvalid | host.wvalid | host.arvalid)
        return m

    def _direction(self, m: Module, requests: tuple[str, ...], response: str, answer: tuple[str, ...]) -> Value:
        """Gate the channels of one direction; returns whether an access is under way."""
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
            getattr(self.ni, f"{response}ready").eq(ready & ~refuse),
        ]
        self._answer(m, response, answer, refuse, waits=valid & ~ready)
        # What was refused in part is refused whole, also when the rest of it comes after hold.
        with m.If(valid & ready):
            m.d.sync += [already.eq(0) for already in accepted.values()]
            m.d.sync += cut.eq(0)
        with m.Elif(self.hold):
            started = [already | getattr(self.host, f"{channel}valid") for channel, already in accepted.items()]
            m.d.sync += cut.eq(reduce(or_, started))
        return cut | reduce(or_, accepted.values())

    def _answer(self, m: Module, response: str, names: tuple[str, ...], refuse: Signal, *, waits: Value) -> None:
        """What a response says: it waits unchanged until it is taken, or `hold` ends and the network interface has
        forgotten it."""
        given, said = (Cat(getattr(port, name) for name in names) for port in (self.ni, self.host))
        offered = Signal(name=f"{response}_offered")
        kept = Signal(len(said), name=f"{response}_kept")
        m.d.comb += said.eq(Mux(refuse, Mux(offered & self.hold, kept, Const(_SLVERR, len(said))), given))
        m.d.sync += [offered.eq(waits), kept.eq(said)]
