"""Whom a tree router gives a packet: the members of its class, or the node it is for."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.hdl._ast import AnyConst, AnySeq  # have no public names in Amaranth 0.5
from amaranth.lib import data

from formal.harness import Harness
from formal.opened import Opened
from formal.sources import bare_tree_router
from rtl.formats import Flit, TreeChannel, TreeHeader
from rtl.signatures import FlitStream
from rtl.tree.routing import ClassRoutes, Target

__all__ = ["TreeClasses"]


class TreeClasses(Harness):
    """A tree router, anywhere in any tree, while the routes of classes stay as they are, whatever they are.

    Attributes
    ----------
    dut : Opened
        The router, when it has been elaborated.
    tenants : list of FlitStream
        What goes up on the tenants' channel: from the left child, the right one, and this node.
    """

    properties = {
        "tree-class": "a tree router gives its endpoint a packet that is for a class only if its route of that class "
                      "says so, and one for a rank only if it is this node's; a cable to a child gets one for a class "
                      "only if the route says so",
    }

    def elaborate(self, platform):
        m = Module()
        router, receivers, combiners = bare_tree_router()
        self._routes = Signal(ClassRoutes)
        m.d.comb += [
            Value.cast(self._routes).eq(AnyConst(ClassRoutes.size)), router.class_routes.eq(self._routes),
            router.straps.eq(self.any_straps(m)),
        ]
        self._rank = router.straps.rank
        local = router.local_in
        for stream in (local.owner, local.tenant):
            m.d.comb += [stream.valid.eq(AnySeq(1)), Value.cast(stream.payload).eq(AnySeq(Flit.size))]
        ports = {Target.LEFT: router.child_tx[0], Target.RIGHT: router.child_tx[1], Target.LOCAL: router.local_out}
        m.d.comb += [port.credit.eq(AnySeq(len(TreeChannel))) for port in (router.parent_tx, *ports.values())]

        m.submodules.dut = self.dut = dut = Opened(router)
        (joins, ), (parent, left, right) = combiners, receivers
        tenant = TreeChannel.TENANT
        self.tenants = [left.o[tenant], right.o[tenant], local.tenant]
        self._path(m, dut, "up", [*joins.o, *self.tenants])
        self._path(m, dut, "down", list(parent.o))
        # What turns at the root takes the registers of what comes down.
        up, down = (dut.signal(f"{path}.going", width=len(Target)) for path in ("up", "down"))
        self.help(m, ~up[Target.LEFT:].any() | ~down.any())
        for target, port in ports.items():
            self.claim(m, "tree-class", ~(port.valid & port.flit.first) | self._allowed(port.flit)[target])
        return m

    def _allowed(self, flit: data.View) -> Value:
        """Where a packet with this header may go, but to the parent."""
        header = data.View(TreeHeader, flit.data)
        own = header.vector == self._rank
        return Mux(header.p2p, Cat(1, 1, 1, own), 15) & (self._routes[header.tree_class] | 1 << Target.PARENT)

    def _path(self, m: Module, dut: Opened, path: str, streams: list[FlitStream]) -> None:
        """What is chosen, and what moves, has found its ways by the header that is, or was, at its input."""
        select = dut.signal(f"{path}.mover.select", width=len(streams))
        going = dut.signal(f"{path}.going", width=len(Target))
        self.help(m, ~(select & (select - 1)).any())
        for number, stream in enumerate(streams):
            channel, position = divmod(number, len(streams) // len(TreeChannel))
            chosen = dut.signal(f"{path}.{TreeChannel(channel).name.lower()}_chosen", width=None)[position]
            want = dut.signal(f"{path}.want__{channel}", width=len(Target))
            allowed = Signal(len(Target), name=f"{path}_allowed_{number}")
            m.d.comb += allowed.eq(self._allowed(stream.payload))
            inside = self._whole(m, stream, f"{path}_{number}")
            self.help(m, ~chosen | (stream.valid & ~inside & ~select[number] & ~(want & ~allowed).any()))
            self.help(m, ~select[number] | inside | (stream.valid & ~(going & ~allowed).any()))
            self.help(m, select[number] | ~inside)
        for channel in TreeChannel:
            chosen = dut.signal(f"{path}.{channel.name.lower()}_chosen", width=None)
            self.help(m, ~(chosen & (chosen - 1)).any())

    def _whole(self, m: Module, stream: FlitStream, name: str) -> Value:
        """Packets one after the other, each flit until it is taken. Returns: a packet has begun and not ended."""
        inside, waited, before = (Signal(shape, name=f"{part}_{name}", reset_less=part == "before") for part, shape in (
            ("inside", 1), ("waited", 1), ("before", Flit.size)))
        m.d.sync += [waited.eq(stream.valid & ~stream.ready), before.eq(Value.cast(stream.payload))]
        with m.If(stream.valid & stream.ready):
            m.d.sync += inside.eq(~stream.payload.last)
        self.assume(m, "tree-streams", ~waited | (stream.valid & (Value.cast(stream.payload) == before)))
        self.assume(m, "tree-streams", ~stream.valid | (stream.payload.first == ~inside))
        return inside
