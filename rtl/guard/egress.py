"""The egress guard of one injection lane: where may this node send."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.formats import CHUNK_FLITS, Flit, Header, Reason, Straps
from rtl.guard.gate import Gate
from rtl.guard.policy import HOP_BITS, policy_signature
from rtl.guard.table import PermissionTable, Plane
from rtl.meter import Sent
from rtl.parameters import Parameters
from rtl.signatures import DIRECTIONS, FlitStream, Refusal
from rtl.torus.coordinates import CoordinatePacker
from rtl.torus.header import hardware_crc
from rtl.torus.hints import HintNormaliser

__all__ = ["EgressGuard"]


class EgressGuard(wiring.Component):
    """Lets packets into the torus whose destination the row permits, with a header software cannot forge.

    `source`, `epoch` and `crc` are written here, hints are normalised, a deposit bit that says nothing is
    cleared. A packet that leaves has the length its header says, or a tail marked bad. The order in
    which reasons are looked for is NO_TABLE, RANGE, CHANNEL, PRIORITY, HINT, DEPOSIT, ROW. Adds one cycle: hints
    and id are computed beside each other while the header enters, the table answers and the CRC is
    added while it leaves. One flit a cycle, refused ones too.

    While `policy.hold`, nothing enters, and a packet that was cut is closed by one flit with `last` and
    `bad`. A header already offered to the router still goes there; one that was not has never been.

    Parameters
    ----------
    parameters : Parameters

    Members
    -------
    straps : In(Straps)
    node_id : In(16)
        This node's id, which is stamped.
    policy : In(policy_signature)
    i, o : FlitStream
        From the network interface, to the router.
    sent : Out(1)
        One cycle a permitted packet, before or when its header leaves.
    sent_epoch : Out(1)
        With `sent`: the parity the packet is stamped with.
    metered : Out(Sent)
        For the meter.
    refused : Out(1)
        One cycle a refused packet.
    refusal : Out(Refusal)
        With `refused`. A destination outside the machine is logged as its packed low bits.
    cut_short : Out(1)
        A packet that hold cuts has not left to its end.
    quiescent : Out(1)
        Nothing is in the stage or waits for it.
    """

    def __init__(self, parameters: Parameters):
        self.parameters = parameters
        super().__init__({
            "straps": In(Straps),
            "node_id": In(16),
            "policy": In(policy_signature(parameters)),
            "i": In(FlitStream),
            "o": Out(FlitStream),
            "sent": Out(1),
            "sent_epoch": Out(1),
            "metered": Out(Sent),
            "cut_short": Out(1),
            "refused": Out(1),
            "refusal": Out(Refusal),
            "quiescent": Out(1),
        })
        self.gate = Gate(Reason.ROW)
        self.table = PermissionTable(parameters, Plane.ROW)
        self.leases = PermissionTable(parameters, Plane.SHARED)
        self.packer = CoordinatePacker()
        self.hints = HintNormaliser()
        self.cut = Signal()
        self.destination = Signal(16)
        self.remaining = Signal(5)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.gate = gate = self.gate
        m.submodules.table = table = self.table
        m.submodules.leases = leases = self.leases
        policy = wiring.flipped(self.policy)
        for asked in (table, leases):
            wiring.connect(m, policy, asked.policy)
            m.d.comb += [asked.lookup.eq(gate.lookup), asked.id.eq(self.packer.id)]
        header = data.View(Header, self.i.payload.data)

        packer = self._packer(m, header)
        stamped = self._judge(m, header, packer)
        self._enter(m, stamped)

        m.d.comb += gate.allowed.eq(table.allowed)
        with m.If(gate.lookup):
            m.d.sync += [self.destination.eq(packer.id), self.metered.hops.eq(self.hints.distance)]

        # Out: everything but the CRC was written while the header entered.
        held = data.View(Header, gate.o.payload.data)
        wiring.connect(m, gate.o, wiring.flipped(self.o))
        with m.If(gate.o.payload.first):
            m.d.comb += self.o.payload.data[Header["crc"].offset:].eq(hardware_crc(gate.flit.data))
        m.d.comb += [
            self.sent.eq(gate.passed),
            self.sent_epoch.eq(held.epoch),
            self.metered.packet.eq(gate.passed),
            self.metered.flit.eq(self.o.valid & self.o.ready),
            self.metered.shared.eq(leases.allowed),
            self.refused.eq(gate.refused),
            self.refusal.source.eq(self.node_id),
            self.refusal.destination.eq(self.destination),
            self.refusal.reason.eq(gate.why),
            self.cut_short.eq(gate.busy | gate.inside),
            self.quiescent.eq(~gate.busy & ~self.i.valid & ~(self.policy.hold & gate.inside)),
        ]
        return m

    def _packer(self, m, header):
        m.submodules.packer = packer = self.packer
        m.d.comb += [
            packer.straps.eq(self.straps), packer.x.eq(header.x), packer.y.eq(header.y), packer.z.eq(header.z),
        ]
        return packer

    def _judge(self, m, header, packer):
        """Set `gate.reason` for a header that enters, and return it stamped and normalised."""
        # Where the header leads, and how far it may.
        m.submodules.hints = hints = self.hints
        m.d.comb += [
            hints.straps.eq(self.straps), hints.x.eq(header.x), hints.y.eq(header.y), hints.z.eq(header.z),
            hints.hint_in.eq(header.hint),
        ]
        reach = Signal(HOP_BITS)
        deposit = Signal()
        policy = self.policy
        with m.Switch(hints.direction):
            for direction in range(DIRECTIONS):
                with m.Case(direction):
                    m.d.comb += reach.eq(policy.reach[direction])
        m.d.comb += deposit.eq(header.deposit & ~hints.here)

        reason = self.gate.reason
        with m.If(~policy.valid):
            m.d.comb += reason.eq(Reason.NO_TABLE)
        with m.Elif(~packer.inside | (packer.id >= self.parameters.table_nodes)):
            m.d.comb += reason.eq(Reason.RANGE)
        with m.Elif(header.dynamic == header.vc[1]):
            m.d.comb += reason.eq(Reason.CHANNEL)
        with m.Elif((header.vc == 3) & ~policy.priority):
            m.d.comb += reason.eq(Reason.PRIORITY)
        with m.Elif(hints.illegal):
            m.d.comb += reason.eq(Reason.HINT)
        with m.Elif(deposit & (~hints.straight | (hints.hops > reach))):
            m.d.comb += reason.eq(Reason.DEPOSIT)

        # What leaves: the node's own source, epoch and hint, whatever the header said.
        stamped = Signal(Header)
        m.d.comb += [
            stamped.eq(header),
            stamped.crc.eq(0),
            stamped.source.eq(self.node_id),
            stamped.epoch.eq(policy.epoch),
            stamped.hint.eq(hints.hint),
            stamped.deposit.eq(deposit),
        ]
        return stamped

    def _enter(self, m, stamped):
        """Feed the gate: the lane's flits, cut to the length the header says, or the end of a cut packet."""
        gate = self.gate
        closing = Signal()
        tail = Signal()
        i = self.i
        first = Signal()
        m.d.comb += [
            first.eq(i.payload.first & ~gate.inside),
            tail.eq(gate.inside & (self.remaining == 0)),
            closing.eq(self.policy.hold | self.cut),
            i.ready.eq(gate.i.ready & ~closing),
        ]
        m.d.sync += self.cut.eq(closing & gate.inside & ~gate.i.ready)
        with m.If(closing):
            m.d.comb += [
                gate.i.valid.eq(gate.inside),
                gate.i.payload.eq(Flit.const({"last": 1, "bad": 1})),
            ]
        with m.Else():
            m.d.comb += [
                gate.i.valid.eq(i.valid),
                gate.i.payload.eq(i.payload),
                gate.i.payload.data.eq(Mux(first, stamped, i.payload.data)),
                gate.i.payload.last.eq(i.payload.last | tail),
                gate.i.payload.bad.eq(i.payload.bad | (i.payload.last & ~tail)),
            ]
        with m.If(gate.lookup):
            m.d.sync += self.remaining.eq(stamped.size * CHUNK_FLITS + CHUNK_FLITS - 2)
        with m.Elif(gate.i.valid & gate.i.ready):
            m.d.sync += self.remaining.eq(self.remaining - 1)
        return m
