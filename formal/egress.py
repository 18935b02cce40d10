"""Properties of the egress guard of a lane."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data
from amaranth.lib.wiring import In, Out, connect, flipped

from formal.harness import PARAMETERS, Harness, Mirror, Ring, packed_id, policy_port
from rtl.formats import PACKET_FLITS, Flit, Header, Reason
from rtl.guard.egress import EgressGuard
from rtl.meter import MOST_HOPS
from rtl.signatures import FlitStream
from rtl.torus.header import hardware_crc

__all__ = ["EgressHarness"]


class EgressHarness(Harness):
    """An egress guard with any straps, any policy and any writes to its table, fed anything."""

    ports = {"policy": policy_port(), "i": In(FlitStream), "o": Out(FlitStream)}
    properties = {
        "egress-row": "no flit leaves of a packet whose row bit was 0 when its header entered",
        "egress-all": "while hold is 0 and framing is right, every packet that all rules permit leaves unchanged but "
                      "for its stamped fields, once and in order, one cycle late and with no lost cycle",
        "egress-hints": "what the guard makes of hints is what the hint rule says, for every torus, node and "
                        "destination",
        "egress-source": "the source that leaves is the node's id, packed from the straps",
        "egress-metered": "the meter is told of each packet that leaves once, before or with its header, and of each "
                          "flit with the destination's bit of SHARED, of the bank that was active when the header "
                          "entered, and the number of hops to it",
        "egress-length": "a packet that leaves ends with its 32nd flit at the latest, whatever comes in, and in hold",
    }

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut = EgressGuard(PARAMETERS)
        straps, policy = self.any_straps(m), self.policy
        me = packed_id(m, straps, {axis: straps[axis] for axis in "xyz"}, "me")
        m.d.comb += [dut.straps.eq(straps), dut.node_id.eq(me)]
        connect(m, flipped(self.i), dut.i)
        connect(m, dut.o, flipped(self.o))
        connect(m, flipped(policy), dut.policy)
        mirror = Mirror(m, self, dut.table.ram, policy, policy.row_write)

        header, leaving = data.View(Header, self.i.payload.data), data.View(Header, dut.o.payload.data)
        coordinate = {axis: header[axis] for axis in "xyz"}
        inside = Signal()
        m.d.comb += inside.eq(Cat(*[header[axis] < straps[f"size_{axis}"] for axis in "xyz"]).all())
        to = packed_id(m, straps, coordinate, "to")
        row = Signal()
        m.d.comb += row.eq(inside & mirror.bit(to))

        self._nothing_else(m, dut, row)
        self.help(m, ~inside | (dut.packer.id == to))
        self.help(m, dut.packer.inside == inside)
        self._everything(m, dut, straps, header, inside, row)
        if "egress-hints" in self.prove:
            self._hint_rule(m, straps, header, inside)

        if "egress-length" in self.prove:
            self._length(m, dut)
        if "egress-metered" in self.prove:
            self._metered(m, straps, header, inside, to)
        self.claim(m, "egress-source", ~dut.o.valid | ~dut.o.payload.first | (leaving.source == me))
        if "egress-source" in self.prove:
            self.help(m, ~dut.gate.full | ~dut.gate.flit.first | (data.View(Header, dut.gate.flit.data).source == me))
        return m

    def _nothing_else(self, m, dut, row):
        """No flit leaves of a packet whose row bit was 0 when its header entered."""
        gate = dut.gate
        permitted = Signal()
        with m.If(self.i.valid & self.i.ready & self.i.payload.first & ~gate.inside):
            m.d.sync += permitted.eq(row)
        self.claim(m, "egress-row", ~dut.o.valid | permitted)
        self.help(m, (gate.verdict != Reason.NONE) | ~dut.table.allowed | permitted | ~gate.full | ~gate.flit.first)
        self.help(m, ~gate.passing | permitted)
        self.help(m, ~gate.full | (gate.inside == ~gate.flit.last))
        self.help(m, ~gate.passing | gate.inside | gate.full)
        self.help(m, ~gate.passing | ~(gate.full & gate.flit.first))
        self.help(m, ~gate.fresh | (gate.full & gate.flit.first))

    def _length(self, m, dut):
        """Flits of a packet that have left before the one that is offered."""
        gate, left = dut.gate, Signal(range(PACKET_FLITS + 1))
        with m.If(dut.o.valid & self.o.ready):
            m.d.sync += left.eq(Mux(dut.o.payload.first, 1, left + 1))
        ends = dut.o.payload.first | (left < PACKET_FLITS - 1) | dut.o.payload.last
        self.claim(m, "egress-length", ~dut.o.valid | ((left < PACKET_FLITS) | dut.o.payload.first) & ends)
        # Behind the flit in the stage, if there is one, at most `remaining` and one more are to come.
        entered = Mux(gate.full, Mux(gate.flit.first, 1, left + 1), left)
        self.help(m, ~gate.passing | ~gate.full | (left < PACKET_FLITS))
        self.help(m, ~gate.inside | ~(gate.passing | (gate.full & gate.flit.first)) | (
            entered + dut.remaining + 1 <= PACKET_FLITS))

    def _metered(self, m, straps, header, inside, to):
        """What the meter is told, of packets that are permitted."""
        dut, gate, told = self.dut, self.dut.gate, self.dut.metered
        mirror = Mirror(m, self, dut.leases.ram, self.policy, self.policy.shared_write)
        rings = self._rings(m, straps, header)
        shared, known, hops = Signal(), Signal(), Signal(7)
        with m.If(self.i.valid & self.i.ready & self.i.payload.first & ~gate.inside):
            m.d.sync += [shared.eq(mirror.bit(to)), hops.eq(sum(ring.hops for ring in rings)), known.eq(0)]
        with m.Elif(told.packet):
            m.d.sync += known.eq(1)
        self.claim(m, "egress-metered", told.flit == (dut.o.valid & self.o.ready))
        right = (told.shared == shared) & (told.hops == hops) & (hops <= MOST_HOPS)
        self.claim(m, "egress-metered", ~told.flit | right)
        self.claim(m, "egress-metered", ~(told.flit & dut.o.payload.first) | told.packet | known)
        self.claim(m, "egress-metered", ~told.packet | (~known & dut.o.valid & dut.o.payload.first))
        # A packet that is inside the torus, and legal, has these; of others no flit leaves.
        legal = gate.passing | (gate.full & gate.flit.first & (gate.verdict == Reason.NONE))
        self.help(m, ~legal | right)
        self.help(m, ~known | ~gate.fresh)
        self.help(m, ~(gate.full & gate.flit.first & ~gate.fresh & dut.o.valid) | known)
        self.help(m, ~inside | (self.dut.hints.illegal | (self.dut.hints.distance == sum(r.hops for r in rings))))

    def _everything(self, m, dut, straps, header, inside, row):
        """A second guard, without a pipeline, that says what must be on the way out."""
        gate, i, policy = dut.gate, self.i, self.policy
        accept, first = i.valid & i.ready, i.payload.first
        permitted, stamped = self._rules(m, straps, header, inside, row)

        # Packets are whole as long as nothing is wrong.
        opened = Signal()
        left = Signal(5)
        wrong = Signal()
        seen_wrong = Signal()
        calm = Signal()
        ends = opened & (left == 1)
        m.d.comb += [
            wrong.eq(policy.hold | (accept & ((first == opened) | (i.payload.last != ends)))),
            calm.eq(~wrong & ~seen_wrong),
        ]
        m.d.sync += seen_wrong.eq(seen_wrong | wrong)

        # What must come out a cycle after it went in.
        pending = Signal()
        passes = Signal()
        expected = Signal(Flit)
        with m.If(accept):
            m.d.sync += [
                opened.eq(~i.payload.last),
                left.eq(Mux(first, header.size * 4 + 3, left - 1)),
                passes.eq(Mux(first, permitted, passes)),
                pending.eq(Mux(first, permitted, passes)),
                expected.eq(i.payload),
            ]
            with m.If(first):
                m.d.sync += expected.data.eq(stamped)
        with m.Elif(dut.o.ready):
            m.d.sync += pending.eq(0)

        # It does, with its checksum.
        sealed = Signal(Flit)
        m.d.comb += sealed.eq(expected)
        with m.If(expected.first):
            m.d.comb += sealed.data[Header["crc"].offset:].eq(hardware_crc(expected.data))
        same = dut.o.payload.as_value() == sealed.as_value()
        self.claim(m, "egress-all", ~calm | ((dut.o.valid == pending) & (~pending | same)))
        self.claim(m, "egress-all", ~calm | (i.ready == (~pending | dut.o.ready)))
        if "egress-all" in self.prove:
            head = gate.full & gate.flit.first
            self.help(m, permitted == ((gate.reason == Reason.NONE) & row))
            self.help(m, ~calm | (gate.inside == opened))
            self.help(m, ~calm | ~opened | ((left != 0) & (dut.remaining == left - 1)))
            self.help(m, ~calm | ~head | (passes == ((gate.verdict == Reason.NONE) & dut.table.allowed)))
            self.help(m, ~calm | head | ~gate.inside | (passes == gate.passing))
            self.help(m, ~calm | ~pending | (gate.flit.as_value() == expected.as_value()))
            self.help(m, ~calm | ~dut.cut)
            self.help(m, ~calm | ~pending | gate.full)

    def _rules(self, m, straps, header, inside, row):
        """Whether all rules permit a header, and the header as it must leave but for the CRC.

        What the hint rule says is taken from the guard: `egress-hints` is about that.
        """
        hints, policy = self.dut.hints, self.policy
        deposit = Signal()
        channel = Signal()
        near = Signal()
        permitted = Signal()
        m.d.comb += [
            deposit.eq(header.deposit & ~hints.here),
            channel.eq(Mux(header.dynamic, header.vc < 2, (header.vc == 2) | ((header.vc == 3) & policy.priority))),
            near.eq(Cat(*[(hints.direction == d) & (hints.hops <= policy.reach[d]) for d in range(6)]).any()),
            permitted.eq(inside & channel & ~hints.illegal & (~deposit | (hints.straight & near)) & row),
        ]
        stamped = Signal(Header)
        m.d.comb += [
            stamped.eq(header),
            stamped.crc.eq(0),
            stamped.epoch.eq(policy.epoch),
            stamped.source.eq(self.dut.node_id),
            stamped.deposit.eq(deposit),
            stamped.hint.eq(hints.hint),
        ]
        return permitted, stamped

    def _rings(self, m, straps, header):
        """The hint rule of each dimension."""
        odd = straps.x[0] ^ straps.y[0] ^ straps.z[0]
        return [
            Ring(m, axis, straps[f"size_{axis}"], straps[axis], header[axis][:6], header.hint[4 - 2 * d:6 - 2 * d], odd)
            for d, axis in enumerate("xyz")
        ]

    def _hint_rule(self, m, straps, header, inside):
        """The hint rule of three rings, against the guard's."""
        hints, rings = self.dut.hints, self._rings(m, straps, header)
        apart, legal = Cat(*[ring.differs for ring in rings]), Cat(*[ring.legal for ring in rings]).all()
        name = "egress-hints"
        self.claim(m, name, ~inside | (hints.illegal == ~legal))
        self.claim(m, name, ~inside | (hints.here == (apart == 0)))
        self.claim(m, name, ~inside | (hints.straight == ((apart == 1) | (apart == 2) | (apart == 4))))
        for d, ring in enumerate(rings):
            self.claim(m, name, ~inside | ~legal | (hints.hint[4 - 2 * d:6 - 2 * d] == ring.hint))
            self.claim(m, name, ~inside | ~legal | (apart != 1 << d) | (
                (hints.direction == 2 * d + ~ring.hint[1]) & (hints.hops == ring.hops)))
