"""The ingress guard of one ejection lane: who may send to this node, and what a remote get may ask."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.formats import Header, PutHeader, Reason, Straps, VirtualChannel, asked_at
from rtl.guard.gate import Gate
from rtl.guard.policy import policy_signature
from rtl.guard.table import PermissionTable, Plane
from rtl.meter import Received
from rtl.parameters import Parameters
from rtl.signatures import FlitStream, Refusal
from rtl.torus.coordinates import CoordinatePacker, CoordinateUnpacker

__all__ = ["IngressGuard"]


class IngressGuard(wiring.Component):
    """Lets packets to the network interface whose source the column permits.

    A copy of a deposit packet (its destination is another node) is judged like any packet; it does not
    count in the epoch counters. A remote get can only be answered to its requester: in every descriptor
    of its payload the destination becomes the packet's stamped source, hint and deposit become 0, and the number of
    commits by which it was let in is noted (:func:`~rtl.formats.asked_at`). Adds
    one cycle, one flit a cycle, refused ones too.

    While `policy.hold`, everything is sunk, also the rest of a packet that was cut.

    Parameters
    ----------
    parameters : Parameters

    Members
    -------
    straps : In(Straps)
    node_id : In(16)
    policy : In(policy_signature)
    commits : In(8)
        Since the fabric reset, modulo 256.
    i, o : FlitStream
        From the router, to the network interface.
    passed : Out(1)
        One cycle a packet the network interface will be handed, before or when its header is.
    refused : Out(1)
        One cycle a refused packet.
    refusal : Out(Refusal)
        With `refused`. The destination of a copy is the node its original goes to.
    delivered, denied, dropped : Out(1)
        One of them for one cycle a packet that is no copy, when its tail was handed over or sunk.
    ended_epoch : Out(1)
        With those: the parity the packet carries.
    metered : Out(Received)
        With those, or when a copy was handed over: for the meter.
    quiescent : Out(1)
        Nothing is in the stage or waits for it.
    """

    def __init__(self, parameters: Parameters):
        self.parameters = parameters
        super().__init__({
            "straps": In(Straps),
            "node_id": In(16),
            "policy": In(policy_signature(parameters)),
            "commits": In(8),
            "i": In(FlitStream),
            "o": Out(FlitStream),
            "passed": Out(1),
            "refused": Out(1),
            "refusal": Out(Refusal),
            "delivered": Out(1),
            "denied": Out(1),
            "dropped": Out(1),
            "ended_epoch": Out(1),
            "metered": Out(Received),
            "quiescent": Out(1),
        })
        self.gate = Gate(Reason.COLUMN)
        self.table = PermissionTable(parameters, Plane.COLUMN)
        self.leases = PermissionTable(parameters, Plane.SHARED)
        self.copy = Signal()
        self.dma = Signal()
        self.get = Signal()
        self.position = Signal(2)
        self.beyond = Signal()
        self.priority = Signal()
        self.source = Signal(16)
        self.asked = Signal(8)
        self.requester = Signal(data.StructLayout({"x": 6, "y": 6, "z": 6}))

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        # The gate and the column it asks.
        m.submodules.gate = gate = self.gate
        m.submodules.table = table = self.table
        m.submodules.leases = leases = self.leases
        for asked in (table, leases):
            wiring.connect(m, wiring.flipped(self.policy), asked.policy)
            m.d.comb += asked.lookup.eq(gate.lookup)
        wiring.connect(m, gate.o, wiring.flipped(self.o))
        header = data.View(Header, self.i.payload.data)

        # Judge a header by its source.
        m.submodules.packer = packer = CoordinatePacker()
        destination = Signal(16)
        epoch = Signal()
        elsewhere = Signal()
        m.d.comb += [
            elsewhere.eq(Cat(*[header[axis] != self.straps[axis] for axis in "xyz"]).any()),
            packer.straps.eq(self.straps), packer.x.eq(header.x), packer.y.eq(header.y), packer.z.eq(header.z),
            table.id.eq(header.source),
            leases.id.eq(header.source),
            gate.allowed.eq(table.allowed),
            gate.drop.eq(self.policy.hold),
            gate.reason.eq(Mux(self.policy.valid, Reason.NONE, Reason.NO_TABLE)),
        ]
        # Keep what is told of the packet when it has ended.
        with m.If(gate.lookup):
            m.d.sync += [
                self.source.eq(header.source),
                destination.eq(packer.id),
                epoch.eq(header.epoch),
                self.copy.eq(header.deposit & elsewhere),
            ]
        self._answer_requester(m, header)

        # Tell of it: passed or refused at the head, counted at the tail.
        counts = Signal()
        m.d.comb += [
            counts.eq(gate.ended & ~self.copy),
            self.passed.eq(gate.passed),
            self.refused.eq(gate.refused),
            self.refusal.source.eq(self.source),
            self.refusal.destination.eq(destination),
            self.refusal.reason.eq(gate.why),
            self.delivered.eq(counts & gate.delivered),
            self.denied.eq(counts & ~gate.delivered & gate.denied),
            self.dropped.eq(counts & ~gate.delivered & ~gate.denied),
            self.ended_epoch.eq(epoch),
            self.quiescent.eq(~gate.busy & ~self.i.valid),
        ]
        self._measure(m)
        return m

    def _measure(self, m):
        """Tell the meter of a packet that ends; its length is known then, for the next header counts a cycle later."""
        length = Signal.like(self.metered.flits)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += length.eq(Mux(self.gate.lookup, 1, length + 1))
        m.d.comb += [
            self.metered.delivered.eq(self.delivered),
            self.metered.copied.eq(self.gate.ended & self.copy & self.gate.delivered),
            self.metered.refused.eq(self.denied),
            self.metered.dropped.eq(self.dropped),
            self.metered.shared.eq(self.leases.allowed),
            self.metered.flits.eq(length),
        ]

    def _answer_requester(self, m, header):
        """Feed the gate; in a remote get, rewrite the header of every descriptor.

        Descriptors follow the two headers, four flits each with a torus header third: so every flit
        that begins a chunk, but for the packet's first, is such a header.
        """
        gate, i = self.gate, self.i
        m.submodules.unpacker = unpacker = CoordinateUnpacker()
        m.d.comb += [unpacker.straps.eq(self.straps), unpacker.id.eq(header.source)]

        put = data.View(PutHeader, i.payload.data)
        with m.If(gate.lookup):
            m.d.sync += [self.position.eq(1), self.beyond.eq(0), self.get.eq(0), self.dma.eq(header.dma)]
            m.d.sync += [self.priority.eq(header.vc == VirtualChannel.PRIORITY), self.asked.eq(self.commits)]
            m.d.sync += [self.requester[axis].eq(getattr(unpacker, axis)) for axis in "xyz"]
        with m.Elif(i.valid & i.ready):
            m.d.sync += self.position.eq(self.position + 1)
            with m.If((self.position == 1) & ~self.beyond):
                m.d.sync += self.get.eq(self.dma & put.remote_get)
            with m.If(self.position == 3):
                m.d.sync += self.beyond.eq(1)

        answer = Signal(Header)
        m.d.comb += [answer.eq(header), answer.hint.eq(0), answer.deposit.eq(0)]
        m.d.comb += asked_at(answer).eq(self.asked)
        m.d.comb += [answer[axis].eq(self.requester[axis]) for axis in "xyz"]
        with m.If((header.vc == VirtualChannel.PRIORITY) & ~self.priority):
            m.d.comb += answer.vc.eq(VirtualChannel.ESCAPE)
        embedded = gate.inside & self.get & self.beyond & (self.position == 0)
        m.d.comb += [
            gate.i.valid.eq(i.valid),
            i.ready.eq(gate.i.ready),
            gate.i.payload.eq(i.payload),
            gate.i.payload.data.eq(Mux(embedded, answer, i.payload.data)),
        ]
