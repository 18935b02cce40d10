"""Trees to test: N tree routers of one converted module, and the port above the root."""

from amaranth.hdl import Cat, Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.clone import clone
from rtl.formats import Flit, Straps
from rtl.parameters import Parameters
from rtl.signatures import TreeStream
from rtl.tree.combiner import Combiner
from rtl.tree.port import RootPort
from rtl.tree.router import TreeRouter
from rtl.tree.routing import ClassRoutes

__all__ = ["PATIENCE", "Tree", "tree"]

_MODULE = "tree_router"
PATIENCE = 1024
"""Cycles for which answers wait to be combined here."""


class ImpatientRouter(TreeRouter):
    """Does not wait so long that a test would."""

    def combiner(self) -> Combiner:
        return Combiner(PATIENCE)


class Tree(wiring.Component):
    """A tree of `nodes` routers whose endpoints are outside, as flat vectors.

    Parameters
    ----------
    parameters : Parameters
        Of the nodes.
    nodes : int
        Number of routers.

    Members
    -------
    class_routes : In
        Ways of all classes, of node ``n`` in element ``n``.
    inject_valid, inject_ready, inject_payload
        Streams into the tree: node ``n``'s of channel ``c`` is element ``2 n + c``.
    local_valid, local_channel, local_flit, local_credit
        Links to the endpoints by rank.
    owner_in, owner_out : TreeStream
        The outside.
    quiescent : Out(nodes + 1)
        Routers by rank, and the port.
    """

    def __init__(self, parameters: Parameters, nodes: int) -> None:
        self.parameters = parameters
        self.nodes = nodes
        self.extra_modules = {_MODULE: ImpatientRouter(parameters)}
        super().__init__({
            "class_routes": In(nodes * ClassRoutes.size),
            "inject_valid": In(2 * nodes), "inject_ready": Out(2 * nodes), "inject_payload": In(2 * nodes * Flit.size),
            "local_valid": Out(nodes), "local_channel": Out(nodes), "local_flit": Out(nodes * Flit.size),
            "local_credit": In(2 * nodes),
            "owner_in": In(TreeStream), "owner_out": Out(TreeStream),
            "quiescent": Out(nodes + 1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.port = port = RootPort(self.parameters)
        routers = []
        for rank in range(self.nodes):
            router, m.submodules[f"node_{rank}"] = clone(_MODULE, self.extra_modules[_MODULE])
            routers.append(router)
            present = sum(1 << side for side in (0, 1) if 2 * rank + 1 + side < self.nodes)
            m.d.comb += router.straps.eq(Straps.const({"rank": rank, "children": present}))
            m.d.comb += router.class_routes.eq(self.class_routes.word_select(rank, ClassRoutes.size))
            for channel, stream in enumerate((router.local_in.owner, router.local_in.tenant)):
                bit = 2 * rank + channel
                m.d.comb += [
                    Value.cast(stream.payload).eq(self.inject_payload.word_select(bit, Flit.size)),
                    stream.valid.eq(self.inject_valid[bit]),
                    self.inject_ready[bit].eq(stream.ready),
                ]
            m.d.comb += router.local_out.credit.eq(self.local_credit.word_select(rank, 2))
            if rank:
                parent, side = routers[(rank - 1) // 2], (rank - 1) % 2
                wiring.connect(m, router.parent_tx, parent.child_rx[side])
                wiring.connect(m, parent.child_tx[side], router.parent_rx)
        wiring.connect(m, routers[0].parent_tx, port.rx)
        wiring.connect(m, port.tx, routers[0].parent_rx)
        wiring.connect(m, wiring.flipped(self.owner_in), port.owner_in)
        wiring.connect(m, port.owner_out, wiring.flipped(self.owner_out))
        m.d.comb += [
            self.local_valid.eq(Cat(router.local_out.valid for router in routers)),
            self.local_channel.eq(Cat(router.local_out.channel for router in routers)),
            self.local_flit.eq(Cat(router.local_out.flit for router in routers)),
            self.quiescent.eq(Cat(*(router.quiescent for router in routers), port.quiescent)),
        ]
        return m


def tree(parameters: Parameters, nodes: int) -> Tree:
    """A tree of `nodes` routers."""
    return Tree(parameters, nodes)
