"""The trusted end of the tree at a node: console and owner's control."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.formats import Straps, TreeChannel
from rtl.meter import TreePacket
from rtl.parameters import Parameters
from rtl.signatures import FlitStream, RegisterBus, TreeLink
from rtl.tree.console import ConsoleDrain, ConsoleFilter, ConsoleStamp
from rtl.tree.control import ControlExecutor
from rtl.tree.link import Injection
from rtl.tree.store import PacketStore

__all__ = ["TreeEndpoint"]


class TreeEndpoint(wiring.Component):
    """Between tree router, network interface and guard.

    From the tree it takes console packets of channels this node listens to and control packets of the
    owner (see :class:`~rtl.tree.console.ConsoleFilter` and :class:`~rtl.tree.control.ControlExecutor`); both
    are stored whole, apart from each other, and each only as long as it takes the network interface to
    drain it, or the register bus to execute it. Into the tree it sends stamped console packets on the
    tenants' channel (:class:`~rtl.tree.console.ConsoleStamp`) and answers on the owner's; it stores them whole,
    so that a packet in the tree never waits for software, and drops those that are malformed.

    A console packet leaves three cycles after its last flit came, in either direction.

    Parameters
    ----------
    parameters : Parameters
        `receive_ids` is used.

    Members
    -------
    straps : In(Straps)
    node_id, send_id, console_class, receive_ids, receive_valid, hold : In
        From the guard. While `hold` is 1 console packets for this node are dropped, and what the network
        interface has not sent to its last flit is forgotten.
    tree_source, tree_allowed, tree_epoch, tree_refused, tree_stale, tree_passed
        Column lookup and its outcome, as in :func:`~rtl.signatures.guard_signature` seen from its other side.
    owner : Out(RegisterBus)
        To the guard.
    local_in : In(TreeLink)
        From the tree router.
    local_out : Out(Injection)
        To the tree router.
    console_in : Out(FlitStream)
        Accepted packets, to the network interface, which drains them.
    console_out : In(FlitStream)
        Packets of the network interface. One marked bad is dropped.
    sent, received : Out(TreePacket)
        For the meter: packets of `console_out` that were taken whole, and those of `tree_passed`.
    unfinished : Out(1)
        A packet for the network interface is here.
    quiescent : Out(1)
        No packet is here and no credit is owed.
    """

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        super().__init__({
            "straps": In(Straps),
            "node_id": In(16),
            "send_id": In(32),
            "console_class": In(4),
            "receive_ids": In(data.ArrayLayout(32, parameters.receive_ids)),
            "receive_valid": In(parameters.receive_ids),
            "hold": In(1),
            "tree_source": Out(16),
            "tree_allowed": In(1),
            "tree_epoch": In(8),
            "tree_refused": Out(1),
            "tree_stale": Out(1),
            "tree_passed": Out(1),
            "owner": Out(RegisterBus),
            "local_in": In(TreeLink),
            "local_out": Out(Injection),
            "console_in": Out(FlitStream),
            "console_out": In(FlitStream),
            "sent": Out(TreePacket),
            "received": Out(TreePacket),
            "unfinished": Out(1),
            "quiescent": Out(1),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        # Room for all that credits allow: two packets of each channel, or of the owner's alone.
        m.submodules.console = console = PacketStore(256)
        m.submodules.control = control = PacketStore(128)
        m.submodules.answers = answers = PacketStore(64)
        m.submodules.texts = texts = PacketStore(128)
        owed = self._receive(m, console, control)
        self._send(m, texts)

        m.submodules.drain = drain = ConsoleDrain()
        m.submodules.executor = executor = ControlExecutor()
        m.d.comb += [
            drain.hold.eq(self.hold),
            executor.node_id.eq(self.node_id),
            executor.rank.eq(self.straps.rank),
            answers.accept.eq(1),
            self.unfinished.eq(console.waiting),
            self.quiescent.eq(console.empty & control.empty & answers.empty & texts.empty & ~owed
                              & ~self.local_in.valid & ~self.console_out.valid),
        ]
        wiring.connect(m, console.o, drain.i)
        wiring.connect(m, drain.o, wiring.flipped(self.console_in))
        wiring.connect(m, control.o, executor.i)
        wiring.connect(m, executor.owner, wiring.flipped(self.owner))
        wiring.connect(m, executor.o, answers.i)
        wiring.connect(m, answers.o, wiring.flipped(self.local_out).owner)
        wiring.connect(m, texts.o, wiring.flipped(self.local_out).tenant)
        return m

    def _receive(self, m: Module, console: PacketStore, control: PacketStore) -> Signal:
        """Offer what arrives to both stores, keep what the filter accepts. Returns: credits are owed."""
        m.submodules.filter = gate = ConsoleFilter(self.parameters)
        link = self.local_in
        for name in ("node_id", "receive_ids", "receive_valid", "hold", "tree_allowed", "tree_epoch"):
            m.d.comb += getattr(gate, name).eq(getattr(self, name))
        m.d.comb += [
            gate.valid.eq(link.valid),
            gate.flit.eq(link.flit),
            self.tree_source.eq(gate.tree_source),
            self.tree_refused.eq(gate.tree_refused),
            self.tree_stale.eq(gate.tree_stale),
            self.tree_passed.eq(console.kept),
            self.received.packet.eq(console.kept),
            self.received.flits.eq(console.kept_flits),
            console.accept.eq(gate.console),
            control.accept.eq(gate.control),
        ]
        for store in (console, control):
            m.d.comb += [store.i.valid.eq(link.valid), store.i.payload.eq(link.flit)]
            # Whose credit to return when the packet leaves; `bad` has no meaning in the tree.
            m.d.comb += store.i.payload.bad.eq(link.channel)

        owed = [Signal(2, name=f"{channel.name.lower()}_owed") for channel in TreeChannel]
        for channel, count in zip(TreeChannel, owed, strict=True):
            left = [link.valid & link.flit.last & ~console.kept & ~control.kept & (link.channel == channel)]
            left += [store.o.valid & store.o.ready & store.o.payload.last & (store.o.payload.bad == channel)
                     for store in (console, control)]
            m.d.sync += [count.eq(count + sum(left) - count.any()), link.credit[channel].eq(count.any())]
        waiting = Signal()
        m.d.comb += waiting.eq(owed[0].any() | owed[1].any() | link.credit.any())
        return waiting

    def _send(self, m: Module, texts: PacketStore) -> None:
        """Stamp and store what the network interface sends."""
        m.submodules.stamp = stamp = ConsoleStamp()
        m.d.comb += [
            stamp.node_id.eq(self.node_id),
            stamp.rank.eq(self.straps.rank),
            stamp.send_id.eq(self.send_id),
            stamp.tree_class.eq(self.console_class),
            stamp.epoch.eq(self.tree_epoch),
            texts.accept.eq(~texts.i.payload.bad),
            texts.abort.eq(self.hold),
            self.sent.packet.eq(texts.kept),
            self.sent.flits.eq(texts.kept_flits),
        ]
        wiring.connect(m, wiring.flipped(self.console_out), stamp.i)
        wiring.connect(m, stamp.o, texts.i)
