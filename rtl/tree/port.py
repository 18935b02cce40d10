"""The port above the root: where the tree meets the outside."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.formats import TreeChannel
from rtl.one_hot import lowest
from rtl.parameters import Parameters
from rtl.signatures import TreeLink, TreeStream
from rtl.tree.link import CHANNELS, Credits, LinkReceiver
from rtl.tree.path import Mover
from rtl.tree.store import PacketStore

__all__ = ["RootPort"]


class RootPort(wiring.Component):
    """Adapter between the cable above the root and two streams of packets.

    Packets going in are stored whole first, so a slow or malformed source cannot stop the tree: a packet
    whose length is not what its header says, or that changes its channel, is dropped. Each channel has a
    buffer of its own in both directions; in both directions the owner's goes first.

    Parameters
    ----------
    parameters : Parameters
        Of the nodes; the port needs none of them.

    Members
    -------
    owner_in : In(TreeStream)
        Packets for the tree. What comes on the owner's channel will bear the owner's stamp.
    owner_out : Out(TreeStream)
        Packets for the outside. While they are not taken, the tree keeps what is sent there.
    tx, rx : TreeLink
        To and from the parent's port of the root.
    quiescent : Out(1)
        No packet is in the port, none waits to be taken, and no credit is on its way.
    """

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        super().__init__({
            "owner_in": In(TreeStream),
            "owner_out": Out(TreeStream),
            "tx": Out(TreeLink),
            "rx": In(TreeLink),
            "quiescent": Out(1),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.receiver = receiver = LinkReceiver()
        m.submodules.credits = credits = Credits()
        m.submodules.inward = inward = Mover(CHANNELS)
        m.submodules.outward = outward = Mover(CHANNELS)
        wiring.connect(m, wiring.flipped(self.rx), receiver.rx)

        # In: a store a channel lets only whole packets on.
        stores = []
        for channel in TreeChannel:
            m.submodules[f"{channel.name.lower()}_store"] = store = PacketStore(128)
            mine = self.owner_in.payload.channel == channel
            m.d.comb += [
                store.i.payload.eq(self.owner_in.payload.flit),
                store.i.valid.eq(self.owner_in.valid & mine),
                store.accept.eq(~self.owner_in.payload.flit.bad),
            ]
            with m.If(mine):
                m.d.comb += self.owner_in.ready.eq(store.i.ready)
            wiring.connect(m, store.o, inward.i[channel])
            wiring.connect(m, receiver.o[channel], outward.i[channel])
            stores.append(store)

        # Choose a channel each way, and pass the owner its packets.
        fits = Signal(CHANNELS)
        waiting = Signal(CHANNELS)
        m.d.comb += [
            fits.eq(Cat(store.o.valid for store in stores) & ~inward.select & credits.room),
            waiting.eq(Cat(o.valid for o in receiver.o) & ~outward.select),
            inward.start.eq(lowest(fits)),
            outward.start.eq(lowest(waiting)),
            inward.o.ready.eq(1),
            credits.credit.eq(self.tx.credit),
            self.owner_out.payload.flit.eq(outward.o.payload),
            self.owner_out.payload.channel.eq(outward.select[TreeChannel.TENANT]),
            self.owner_out.valid.eq(outward.o.valid),
            outward.o.ready.eq(self.owner_out.ready),
            self.quiescent.eq(receiver.empty & stores[0].empty & stores[1].empty & credits.home
                              & ~self.owner_in.valid & ~self.rx.valid),
        ]
        # To the root, behind a register.
        with m.If(inward.free):
            m.d.comb += credits.take.eq(inward.start)
        m.d.sync += [
            self.tx.valid.eq(inward.o.valid),
            self.tx.flit.eq(inward.o.payload),
            self.tx.channel.eq(inward.select[TreeChannel.TENANT]),
        ]
        return m
