"""The tree router: one node of the collective network."""

from collections.abc import Iterator

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.formats import EXTERNAL, Flit, Straps, TreeChannel, TreeHeader
from rtl.parameters import Parameters
from rtl.signatures import TreeLink
from rtl.tree.combiner import Combiner
from rtl.tree.link import CHANNELS, Credits, Injection, LinkReceiver
from rtl.tree.path import Path
from rtl.tree.routing import ClassRoutes, HeapRoute, Target

__all__ = ["TreeRouter"]

_DOWN = (Target.LEFT, Target.RIGHT, Target.LOCAL)
_CHILDREN = (0, 1)
"""Of the inputs of the way up, whose last one is this node's own."""


class TreeRouter(wiring.Component):
    """A node of the tree: all that is sent goes up to the root, which turns it.

    Going up, a packet leaves by the parent's port. At the root (rank 0) one for :data:`~rtl.formats.EXTERNAL`
    leaves by that port too, one for a rank goes down its way, one for a class goes where its route says. Going down, a
    packet takes its way, or those of its class; one for a rank that does not exist is forgotten where the way ends.
    What enters the root by its parent's port is stamped: external, no source, and owner if it came on
    the owner's channel.

    Answers of the members of a class to one question of the owner go up as one packet
    (:class:`~rtl.tree.combiner.Combiner`). What tenants send goes up in rounds, so that each node has an equal share,
    whatever its depth (:class:`~rtl.tree.rounds.Rounds`); nothing that the root turns or lets out bears `more`.

    A packet starts when there is room for all of it at all its targets, so a started packet never waits and
    cables never block. The owner's channel has buffers and credits of its own and goes first; the way up
    and the way down move packets at the same time. Five cycles a node from cable to cable, for the first
    flit; then one flit a cycle, with up to two cycles between packets of the same input.

    Parameters
    ----------
    parameters : Parameters
        Of the node; the tree needs none of them.

    Members
    -------
    straps : In(Straps)
        Rank and children of this node.
    class_routes : In(ClassRoutes)
        Its outputs by class.
    parent_tx, parent_rx : TreeLink
        Cable to the parent; at the root, to the outside.
    child_tx, child_rx : TreeLink, arrays of 2
        Cables to the children. Nothing is sent to one that the straps do not name.
    local_in : In(Injection)
        Packets of this node's endpoint.
    local_out : Out(TreeLink)
        Packets for this node's endpoint. Credited like a cable.
    quiescent : Out(1)
        No packet is in the router or in a buffer it sends to, and no credit is on its way.
    """

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        super().__init__({
            "straps": In(Straps),
            "class_routes": In(ClassRoutes),
            "parent_tx": Out(TreeLink),
            "parent_rx": In(TreeLink),
            "child_tx": Out(TreeLink).array(2),
            "child_rx": In(TreeLink).array(2),
            "local_in": In(Injection),
            "local_out": Out(TreeLink),
            "quiescent": Out(1),
        })

    @staticmethod
    def observables(_parameters: Parameters) -> Iterator[tuple[str, str]]:
        """What says which packets wait in here: submodule and variable."""
        for side in ("parent", "left", "right"):
            for channel in TreeChannel:
                yield from ((f"{side}.{channel.name.lower()}", name) for name in ("r_rdy", "r_data"))

    def receiver(self) -> wiring.Component:
        """The receiving end of a cable; a subclass may return any other with the ports of a `LinkReceiver`."""
        return LinkReceiver()

    def combiner(self) -> Combiner:
        """What joins answers on the way up; a subclass may return one with another patience."""
        return Combiner()

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        root = Signal()
        m.d.comb += root.eq(self.straps.rank == 0)
        m.submodules.up = up = Path(3, rounds=_CHILDREN)
        m.d.comb += up.above.eq(~root)
        m.submodules.down = down = Path(1)
        empty = self._receive(m, root, up, down)
        self._route(m, root, up, down)
        home = self._transmit(m, up, down)
        m.d.comb += self.quiescent.eq(
            empty & home & up.idle & down.idle & ~self.parent_rx.valid & ~self.child_rx[0].valid
            & ~self.child_rx[1].valid & ~self.local_in.owner.valid & ~self.local_in.tenant.valid)
        return m

    def _receive(self, m: Module, root: Signal, up: Path, down: Path) -> Signal:
        """Buffer what comes by cable and stamp what comes from outside. Returns: the buffers are empty."""
        m.submodules.parent = parent = self.receiver()
        m.submodules.left = left = self.receiver()
        m.submodules.right = right = self.receiver()
        wiring.connect(m, wiring.flipped(self.child_rx[0]), left.rx)
        wiring.connect(m, wiring.flipped(self.child_rx[1]), right.rx)

        arriving = self.parent_rx.flit
        stamped = Signal(Flit)
        stamped_header = data.View(TreeHeader, stamped.data)
        m.d.comb += stamped.eq(arriving)
        with m.If(root & arriving.first):
            m.d.comb += [
                stamped_header.owner.eq(self.parent_rx.channel == TreeChannel.OWNER),
                stamped_header.external.eq(1),
                stamped_header.source.eq(0),
                stamped_header.more.eq(0),
            ]
        m.d.comb += [
            parent.rx.valid.eq(self.parent_rx.valid),
            parent.rx.channel.eq(self.parent_rx.channel),
            parent.rx.flit.eq(stamped),
            self.parent_rx.credit.eq(parent.rx.credit),
        ]
        local = wiring.flipped(self.local_in)
        m.submodules.combiner = combiner = self.combiner()
        m.d.comb += [combiner.children.eq(self.straps.children), combiner.class_routes.eq(self.class_routes)]
        for channel, ours in ((TreeChannel.OWNER, local.owner), (TreeChannel.TENANT, local.tenant)):
            wiring.connect(m, parent.o[channel], down.i[channel])
            for index, source in enumerate((left.o[channel], right.o[channel], ours)):
                if channel is TreeChannel.OWNER:
                    wiring.connect(m, source, combiner.i[index])
                    source = combiner.o[index]
                wiring.connect(m, source, up.i[channel * up.inputs + index])
        empty = Signal()
        m.d.comb += empty.eq(parent.empty & left.empty & right.empty)
        return empty

    def _route(self, m: Module, root: Signal, up: Path, down: Path) -> None:
        """Find the targets of the packets the two paths are about to choose."""
        m.submodules.up_route = up_route = HeapRoute()
        m.submodules.down_route = down_route = HeapRoute()
        for path, route in ((up, up_route), (down, down_route)):
            m.d.comb += [
                route.rank.eq(self.straps.rank),
                route.children.eq(self.straps.children),
                route.p2p.eq(path.header.p2p),
                route.vector.eq(path.header.vector),
                route.members.eq(self.class_routes[path.header.tree_class]),
            ]
        outside = Signal()
        m.d.comb += [
            outside.eq(~root | Mux(up.header.p2p, up.header.vector == EXTERNAL, up_route.members[Target.PARENT])),
            up.targets.eq(Mux(root, up_route.targets, 0) | outside),
            down.targets.eq(down_route.targets),
        ]

    def _transmit(self, m: Module, up: Path, down: Path) -> Signal:
        """Grant and send. Returns: all credits are home and nothing is on the cables."""
        outputs = {Target.PARENT: self.parent_tx, Target.LEFT: self.child_tx[0], Target.RIGHT: self.child_tx[1],
                   Target.LOCAL: self.local_out}
        counters = {target: Credits() for target in Target}
        room = [Signal(len(Target), name=f"{channel.name.lower()}_room") for channel in TreeChannel]
        for target, counter in counters.items():
            m.submodules[f"{target.name.lower()}_credits"] = counter
            m.d.comb += counter.credit.eq(outputs[target].credit)
            m.d.comb += [room[channel][target].eq(counter.room[channel]) for channel in TreeChannel]
            m.d.comb += [counter.take[channel].eq((up.grant[channel] & up.want[channel][target])
                                                  | (down.grant[channel] & down.want[channel][target]))
                         for channel in TreeChannel]
        self._grant(m, up, down, room)

        # The three ways down carry the same packet, so they share their registers.
        flit = Signal(Flit)
        channel = Signal(TreeChannel)
        turning = Signal()
        m.d.comb += turning.eq(up.going[Target.LEFT:].any())
        m.d.sync += [
            self.parent_tx.valid.eq(up.valid & up.going[Target.PARENT]),
            self.parent_tx.channel.eq(up.channel),
            self.parent_tx.flit.eq(up.flit),
            channel.eq(Mux(turning, up.channel, down.channel)),
            flit.eq(Mux(turning, up.flit, down.flit)),
        ]
        for target in _DOWN:
            tx = outputs[target]
            m.d.sync += tx.valid.eq((up.valid & up.going[target]) | (down.valid & down.going[target]))
            m.d.comb += [tx.channel.eq(channel), tx.flit.eq(flit)]
        home = Signal()
        m.d.comb += home.eq(Cat(counter.home for counter in counters.values()).all())
        return home

    def _grant(self, m: Module, up: Path, down: Path, room: list[Signal]) -> None:
        """Start packets that have room everywhere, the owner's first.

        A packet the root turns needs the way down too. A tenant packet from outside yields to it if another
        one from outside has passed it; else a steady stream from outside would keep it waiting.
        """
        owner, tenant = TreeChannel.OWNER, TreeChannel.TENANT
        fits_up = Signal(CHANNELS)
        fits_down = Signal(CHANNELS)
        turns = Signal(CHANNELS)
        waits = Signal(CHANNELS)
        passed = Signal()
        up_open = Signal()
        down_open = Signal()
        for c in TreeChannel:
            m.d.comb += [
                turns[c].eq(up.want[c][Target.LEFT:].any()),
                fits_up[c].eq(up.pending[c] & ~(up.want[c] & ~room[c]).any()),
                fits_down[c].eq(down.pending[c] & ~(down.want[c] & ~room[c]).any()),
                waits[c].eq(turns[c] & up.pending[c] & (room[c] | ~up.want[c])[Target.PARENT]),
            ]
        m.d.comb += [
            down_open.eq(down.free & (up.free | ~up.going[Target.LEFT:].any())),
            down.grant[owner].eq(fits_down[owner] & down_open),
            down.grant[tenant].eq(fits_down[tenant] & down_open & ~fits_down[owner] & ~(passed & waits.any())),
            up_open.eq(down_open & ~down.grant.any()),
            up.grant[owner].eq(fits_up[owner] & up.free & (~turns[owner] | up_open)),
            up.grant[tenant].eq(fits_up[tenant] & up.free & (~turns[tenant] | up_open) & ~up.grant[owner]),
        ]
        with m.If(down.grant.any() & waits.any()):
            m.d.sync += passed.eq(1)
        with m.Elif((up.grant & turns).any()):
            m.d.sync += passed.eq(0)
