"""What stands instead of a guard when its cost is measured: two parts of a node that permit everything.

They keep what a router needs of a guard: the source stamp, normal hints, the header CRC, packets that end, a hold that
lasts. There are no tables, epochs, verdicts, counters, log and drains; a remote get is answered to whom it names.
Such a node isolates nobody.
"""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from rtl.formats import Flit, Header, Reason, Straps
from rtl.guard.control import GuardControl
from rtl.guard.gate import Gate
from rtl.parameters import Parameters
from rtl.signatures import FlitStream, guard_signature
from rtl.torus.coordinates import CoordinatePacker
from rtl.torus.header import hardware_crc
from rtl.torus.hints import HintNormaliser

__all__ = ["BareGuard", "BareIngress", "OpenEgress", "OpenGuard", "OpenIngress"]


class OpenEgress(wiring.Component):
    """One injection lane: writes what the router relies on into every header, whatever it is. Adds one cycle.

    A packet that `hold` cuts is closed by one flit with `last` and `bad`, as by the guard.

    Members
    -------
    straps : In(Straps)
    node_id : In(16)
        Is stamped.
    hold : In(1)
    i, o : FlitStream
        From the network interface, to the router.
    quiescent : Out(1)
        Nothing is in the stage or waits for it.
    """

    straps: In(Straps)
    node_id: In(16)
    hold: In(1)
    i: In(FlitStream)
    o: Out(FlitStream)
    quiescent: Out(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.stage = stage = Gate(Reason.NONE)
        m.d.comb += stage.allowed.eq(1)
        self._enter(m, stage, self._stamp(m))

        connect(m, stage.o, flipped(self.o))
        with m.If(stage.o.payload.first):
            m.d.comb += self.o.payload.data[Header["crc"].offset:].eq(hardware_crc(stage.flit.data))
        m.d.comb += self.quiescent.eq(~stage.busy & ~self.i.valid & ~(self.hold & stage.inside))
        return m

    def _stamp(self, m: Module) -> Signal:
        """The header at `i`, stamped and normalised, but for its CRC."""
        header = data.View(Header, self.i.payload.data)
        m.submodules.hints = hints = HintNormaliser()
        stamped = Signal(Header)
        m.d.comb += [
            hints.straps.eq(self.straps), hints.x.eq(header.x), hints.y.eq(header.y), hints.z.eq(header.z),
            hints.hint_in.eq(header.hint),
            stamped.eq(header),
            stamped.crc.eq(0), stamped.epoch.eq(0),
            stamped.source.eq(self.node_id),
            stamped.hint.eq(hints.hint),
            stamped.deposit.eq(header.deposit & ~hints.here),
        ]
        return stamped

    def _enter(self, m: Module, stage: Gate, stamped: Signal) -> None:
        """Feed the stage: the lane's flits, or the end of a packet that was cut."""
        i = self.i
        cut, closing = Signal(), Signal()
        m.d.comb += [closing.eq(self.hold | cut), i.ready.eq(stage.i.ready & ~closing)]
        m.d.sync += cut.eq(closing & stage.inside & ~stage.i.ready)
        with m.If(closing):
            m.d.comb += [stage.i.valid.eq(stage.inside), stage.i.payload.eq(Flit.const({"last": 1, "bad": 1}))]
        with m.Else():
            m.d.comb += [
                stage.i.valid.eq(i.valid),
                stage.i.payload.eq(i.payload),
                stage.i.payload.data.eq(Mux(i.payload.first & ~stage.inside, stamped, i.payload.data)),
            ]


class OpenIngress(wiring.Component):
    """One ejection lane: a register stage that is emptied during `hold`. Adds one cycle.

    Members
    -------
    hold : In(1)
        Everything is sunk, also the rest of a packet that was cut.
    i, o : FlitStream
        From the router, to the network interface.
    quiescent : Out(1)
        Nothing is in the lane or waits for it.
    """

    hold: In(1)
    i: In(FlitStream)
    o: Out(FlitStream)
    quiescent: Out(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.stage = stage = Gate(Reason.NONE)
        connect(m, flipped(self.i), stage.i)
        connect(m, stage.o, flipped(self.o))
        m.d.comb += [
            stage.allowed.eq(1), stage.drop.eq(self.hold), self.quiescent.eq(~stage.busy & ~self.i.valid),
        ]
        return m


class BareIngress(wiring.Component):
    """One ejection lane as wires: as :class:`OpenIngress`, with its members, but adds no cycle."""

    hold: In(1)
    i: In(FlitStream)
    o: Out(FlitStream)
    quiescent: Out(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        i, o = self.i, self.o
        inside, sinking = Signal(), Signal()
        closed = Signal()
        m.d.comb += [
            closed.eq(self.hold | sinking),
            o.payload.eq(i.payload),
            o.valid.eq(i.valid & ~closed),
            i.ready.eq(o.ready | closed),
            self.quiescent.eq(~i.valid),
        ]
        m.d.sync += sinking.eq(closed & inside)
        with m.If(i.valid & i.ready):
            m.d.sync += [inside.eq(~i.payload.last), sinking.eq(closed & ~i.payload.last)]
        return m


class OpenGuard(wiring.Component):
    """A guard taken out: permits everything, in the same two register stages, so as many cycles as the guard.

    The owner's registers are there, so a machine is opened like any other, and `hold` works; tables and reach can be
    written and do nothing, refusals, epochs and the meter count nothing.

    Parameters
    ----------
    parameters : Parameters

    Members
    -------
    See :func:`~rtl.signatures.guard_signature`.
    """

    ingress: type[wiring.Component] = OpenIngress

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        super().__init__(guard_signature(parameters))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.control = control = GuardControl(self.parameters)
        m.submodules.packer = packer = CoordinatePacker()
        quiet = [self._lane(m, lane, control.policy.hold) for lane in range(self.parameters.lanes)]
        connect(m, flipped(self.owner), control.owner)
        connect(m, flipped(self.host), control.host)
        m.d.comb += [
            packer.straps.eq(self.straps),
            packer.x.eq(self.straps.x), packer.y.eq(self.straps.y), packer.z.eq(self.straps.z),
            self.node_id.eq(packer.id),
            control.drained.eq(1),
            control.unfinished.eq(self.unfinished),
            control.meter.done.eq(1),
            self.tree_allowed.eq(1),
            self.send_id.eq(control.send_id),
            self.console_class.eq(control.console_class),
            self.class_routes.eq(control.class_routes),
            self.receive_ids.eq(control.receive_ids),
            self.receive_valid.eq(control.receive_valid),
            self.hold.eq(control.policy.hold),
            self.clear.eq(control.clear),
            self.quiescent.eq(~control.busy & Cat(*quiet).all()),
        ]
        return m

    def _lane(self, m: Module, lane: int, hold: Signal) -> Signal:
        """One lane each way; whether both are quiescent."""
        m.submodules[f"egress_{lane}"] = egress = OpenEgress()
        m.submodules[f"ingress_{lane}"] = ingress = self.ingress()
        connect(m, flipped(self.from_ni[lane]), egress.i)
        connect(m, egress.o, flipped(self.to_router[lane]))
        connect(m, flipped(self.from_router[lane]), ingress.i)
        connect(m, ingress.o, flipped(self.to_ni[lane]))
        m.d.comb += [
            egress.straps.eq(self.straps), egress.node_id.eq(self.node_id),
            egress.hold.eq(hold), ingress.hold.eq(hold),
        ]
        return egress.quiescent & ingress.quiescent


class BareGuard(OpenGuard):
    """A node that was never meant to have a guard: as :class:`OpenGuard`, but ejection lanes are wires.

    So it is a cycle faster. The stage at injection stays: hints and CRC take it, permission or not.
    """

    ingress = BareIngress
