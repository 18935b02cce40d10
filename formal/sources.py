"""Whose packets are on a cable: an endpoint sends its own, and a router lets out no source that has not come in.

A receiver, with its buffers, and a router, with its receivers taken out, are proved apart: the router may assume of
each receiver what is claimed of it.
"""

from collections.abc import Iterable

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.hdl._ast import AnyConst, AnySeq  # have no public names in Amaranth 0.5
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, connect, flipped

from formal.harness import PARAMETERS, Harness, any_of
from formal.opened import Opened
from formal.two_nodes_parts import SCALED, anything
from rtl.formats import Flit, Header, TreeChannel, TreeHeader
from rtl.signatures import DIRECTIONS, FlitStream
from rtl.torus.buffers import LinkInput
from rtl.torus.router import Router
from rtl.torus.routing import Routed
from rtl.tree.combiner import Combiner
from rtl.tree.endpoint import TreeEndpoint
from rtl.tree.link import LinkReceiver
from rtl.tree.router import TreeRouter
from rtl.tree.routing import ClassRoutes, Target

__all__ = ["TextSource", "TorusReceiver", "TorusSource", "TreeReceiver", "TreeSource", "bare_tree_router"]


def free(component: type[wiring.Component]) -> tuple[type[wiring.Component], list[wiring.Component]]:
    """In the place of a component: every output is anything in every cycle. Returns: what to make, those made."""
    made = []

    class Anything(component):
        def elaborate(self, platform):
            m = Module()
            anything(m, self)
            made.append(self)
            return m
    return Anything, made


class TextSource(Harness):
    """What the endpoint sends for its network interface: the stamp, and the store behind it with one slot watched.

    The owner's packets and what answers them are anything.
    """

    ports = {"send_id": In(32), "hold": In(1), "tree_epoch": In(8), "i": In(FlitStream), "o_ready": In(1)}
    properties = {
        "text-source": "every header the endpoint sends into the tree for its network interface, whatever that gives "
                       "it, bears the node's id and neither stamp of the outside",
    }

    def elaborate(self, platform):
        m = Module()
        endpoint = TreeEndpoint(PARAMETERS)
        out = endpoint.local_out.tenant
        connect(m, flipped(self.i), endpoint.console_out)
        m.d.comb += [endpoint.node_id.eq(AnyConst(16)), out.ready.eq(self.o_ready)]
        for name in ("send_id", "hold", "tree_epoch"):
            m.d.comb += getattr(endpoint, name).eq(getattr(self, name))

        def good(flit):
            header = data.View(TreeHeader, flit.data)
            return ~flit.first | ((header.source == endpoint.node_id) & ~header.owner & ~header.external)

        m.submodules.dut = dut = Opened(endpoint, ("filter", "console", "control", "drain", "executor", "answers"))
        committed, fetched, count, words = (
            dut.signal(f"texts.{name}", width=None) for name in ("committed", "fetched", "count", "words"))
        collecting, ram = dut.signal("texts.collecting"), dut.memory("texts.ram")
        bits = (ram.depth - 1).bit_length()
        # The watched slot, and where it is in the packets that are kept and in the one that comes in.
        slot = Signal(bits)
        level = Signal(bits + 1)
        distance = Signal(bits + 1)
        ahead = Signal(bits + 1)
        given = Signal()
        port = ram.read_port()
        m.d.comb += [
            slot.eq(AnyConst(bits)),
            port.addr.eq(slot),
            level.eq(committed - fetched),
            distance.eq((slot - fetched)[:bits]),
            ahead.eq((slot - committed)[:bits]),
        ]
        with m.If(~out.valid | self.o_ready):
            m.d.sync += given.eq((level != 0) & (fetched[:bits] == slot))
        # Its headers are stamped when it leaves, and so while it is kept.
        kept = data.View(Flit, port.data)
        self.claim(m, "text-source", ~out.valid | ~given | good(out.payload))
        self.help(m, (distance >= level) | good(kept))
        self.help(m, ~collecting | (ahead >= count) | good(kept))
        self.help(m, level <= ram.depth)
        self.help(m, ~collecting | ((count >= 1) & (count <= words) & (words <= 32) & dut.signal("texts.i__ready")))
        return m


class SourceHarness(Harness):
    """One mark of origin, any, and whether a header that bears it has come in since the last reset.

    Attributes
    ----------
    marks : tuple of str
        The fields of `layout` that make it up.
    """

    layout = Header
    marks: tuple[str, ...] = ("source",)

    def mark(self, flit: data.View) -> Value:
        """The mark of a header."""
        header = data.View(self.layout, flit.data)
        return Cat(header[name] for name in self.marks)

    def expect(self, m: Module, entering: Iterable[Value]) -> None:
        """Remember whether it has entered: `entering` are the ways by which it may do so in this cycle."""
        self.entered = Signal()
        self.enters = Signal()
        m.d.comb += self.enters.eq(self.entered | Cat(entering).any())
        m.d.sync += self.entered.eq(self.enters)

    def bears(self, m: Module, valid: Value, flit: data.View) -> Value:
        """There is a header that bears it."""
        found = Signal(name="found")
        m.d.comb += found.eq(valid & flit.first & (self.mark(flit) == self.wanted))
        return found

    def choose(self, m: Module) -> None:
        """Any mark; constant."""
        self.wanted = Signal(sum(self.layout[name].width for name in self.marks))
        m.d.comb += self.wanted.eq(AnyConst(len(self.wanted)))

    def one_at_most(self, m: Module, choice: Value) -> None:
        """Help with a register that chooses among packets: two at once would be mixed."""
        self.help(m, ~(choice & (choice - 1)).any())


class ReceiverHarness(SourceHarness):
    """A receiver, with one slot of each buffer watched, any: what came from it to the output."""

    def sunk(self, word: Value) -> Value:
        """What a buffer holds is no header, whatever it looks like: it is never shown."""
        return Const(0)

    def watch(self, m: Module, dut: Opened, buffer: str) -> Value:
        """Help with a buffer. Returns: its output came from the watched slot."""
        storage = dut.memory(f"{buffer}.storage")
        produce, consume, level = (
            dut.signal(f"{buffer}.{name}", width=None) for name in ("produce", "consume", "inner_level"))
        depth = storage.depth
        slot = Signal(range(depth))
        distance = Signal(range(depth))
        watched = Signal()
        port = storage.read_port()
        m.d.comb += [
            slot.eq(AnyConst(len(slot))),
            distance.eq(Mux(slot >= consume, slot - consume, slot + depth - consume)),
            port.addr.eq(slot),
        ]
        self.assume(m, "slot-is-there", slot < depth)
        with m.If(dut.signal(f"{buffer}.r_port__en")):
            m.d.sync += watched.eq(consume == slot)
        end = consume + level
        self.help(m, (level <= depth) & (consume < depth) & (produce == Mux(end >= depth, end - depth, end)))
        kept = data.View(Flit, port.data[:Flit.size])
        self.help(m, ~self.bears(m, (distance < level) & ~self.sunk(port.data), kept) | self.entered)
        return watched


class TorusReceiver(ReceiverHarness):
    """The receiving end of a torus cable, anywhere in any torus; one port a part."""

    parts = DIRECTIONS
    properties = {
        "torus-receiver": "the receiving end of a torus cable gives the switch no header with a source of which no "
                          "header has come by the cable",
    }

    def sunk(self, word):
        return Routed(word).discard

    def elaborate(self, platform):
        m = Module()
        receiver = LinkInput(SCALED, self.part)
        rx = receiver.rx
        self.choose(m)
        m.d.comb += [receiver.straps.eq(self.any_straps(m)), rx.valid.eq(AnySeq(1)), rx.vc.eq(AnySeq(2)),
                     Value.cast(rx.flit).eq(AnySeq(Flit.size)), *(path.take.eq(AnySeq(1)) for path in receiver.o)]
        self.expect(m, [self.bears(m, rx.valid, rx.flit)])
        m.submodules.dut = dut = Opened(receiver)
        for path, buffer in zip(receiver.o, ("buffer_escape", "buffer_priority"), strict=True):
            watched = self.watch(m, dut, buffer)
            self.claim(m, "torus-receiver", ~watched | ~self.bears(m, path.valid, path.flit) | self.entered)
        return m


class TreeReceiver(ReceiverHarness):
    """The receiving end of a tree cable."""

    layout, marks = TreeHeader, ("source", "owner", "external")
    properties = {
        "tree-receiver": "the receiving end of a tree cable gives out no header with a source and stamps of which no "
                         "header has come by the cable",
    }

    def elaborate(self, platform):
        m = Module()
        receiver = LinkReceiver()
        rx = receiver.rx
        self.choose(m)
        m.d.comb += [rx.valid.eq(AnySeq(1)), Value.cast(rx.channel).eq(AnySeq(1)),
                     Value.cast(rx.flit).eq(AnySeq(Flit.size)), *(o.ready.eq(AnySeq(1)) for o in receiver.o)]
        self.expect(m, [self.bears(m, rx.valid, rx.flit)])
        m.submodules.dut = dut = Opened(receiver)
        for channel, o in zip(TreeChannel, receiver.o, strict=True):
            watched = self.watch(m, dut, channel.name.lower())
            self.claim(m, "tree-receiver", ~watched | ~self.bears(m, o.valid, o.payload) | self.entered)
        return m


class RouterHarness(SourceHarness):
    """A router whose receivers are anything that keeps what is claimed of them.

    Attributes
    ----------
    trusts : str
        Name of what is assumed of receivers.
    """

    trusts: str

    def trust(self, m: Module, outputs: Iterable[tuple[Value, data.View]]) -> None:
        """What is claimed of receivers."""
        for valid, flit in outputs:
            self.assume(m, self.trusts, ~self.bears(m, valid, flit) | self.entered)


class TorusSource(RouterHarness):
    """A torus router, anywhere in any torus; one output a part.

    Of the ejection lane it is shown what moves there; `ejection-flow` says that nothing else comes out.
    """

    trusts = "torus-receivers"
    solver = "z3"
    parts = 1 + DIRECTIONS
    properties = {
        "torus-source": "a torus router lets out no header with a source of which no header has come in, by any cable "
                        "or from the node's own guard",
    }

    def elaborate(self, platform):
        m = Module()
        receiver, receivers = free(LinkInput)

        class Bare(Router):
            def link_input(self, port):
                return receiver(self.parameters, port, self.order)

        router = Bare(SCALED)
        lane = router.inject[0]
        self.choose(m)
        m.d.comb += [
            router.straps.eq(self.any_straps(m)),
            lane.valid.eq(AnySeq(1)), Value.cast(lane.payload).eq(AnySeq(Flit.size)),
            router.eject[0].ready.eq(AnySeq(1)),
        ]
        for rx, tx in zip(router.rx, router.tx, strict=True):
            m.d.comb += [rx.valid.eq(AnySeq(1)), Value.cast(rx.flit).eq(AnySeq(Flit.size)), tx.credit.eq(AnySeq(4))]
        self.expect(m, [self.bears(m, lane.valid & lane.ready, lane.payload),
                        *(self.bears(m, rx.valid, rx.flit) for rx in router.rx)])
        m.submodules.dut = dut = Opened(router, ("ejection_0.buffer",))
        self.trust(m, [(path.valid, path.flit) for unit in receivers for path in unit.o])
        held = data.View(Flit, dut.signal("injection_0.held", width=None)[:Flit.size])
        self.help(m, ~self.bears(m, Const(1), held) | self.entered)
        ejected = (dut.signal("switch.move", width=DIRECTIONS + 1)[DIRECTIONS],
                   data.View(Flit, dut.signal(f"switch.out__{DIRECTIONS}", width=Flit.size)))
        valid, flit = [ejected, *((tx.valid, tx.flit) for tx in router.tx)][self.part]
        self.claim(m, "torus-source", ~self.bears(m, valid, flit) | self.entered)
        self.one_at_most(m, dut.signal("deposit.chosen", width=None))
        for path, register in dut.registers():
            if path.endswith(".allocator.owner"):
                self.one_at_most(m, register)
        return m


def passed_on(harness: SourceHarness, m: Module, combiner: Combiner) -> tuple[Value, Value]:
    """Whether a header that bears the mark goes into a combiner in this cycle, and whether one comes out."""
    ends = [any_of(harness.bears(m, end.valid & end.ready, end.payload) for end in side)
            for side in (combiner.i, combiner.o)]
    return ends[0], ends[1]


class TreeCombiner(SourceHarness):
    """What joins answers, in any state, with any packets at its inputs."""

    solver = "z3"
    layout, marks = TreeHeader, ("source", "owner", "external")
    properties = {
        "tree-combiner": "what joins answers lets out a header only in a cycle in which one with this source and these "
                         "stamps goes into it",
    }

    def elaborate(self, platform):
        m = Module()
        combiner = Combiner()
        self.choose(m)
        m.d.comb += [combiner.children.eq(AnySeq(len(combiner.children))),
                     Value.cast(combiner.class_routes).eq(AnySeq(ClassRoutes.size)),
                     *(o.ready.eq(AnySeq(1)) for o in combiner.o)]
        for i in combiner.i:
            m.d.comb += [i.valid.eq(AnySeq(1)), Value.cast(i.payload).eq(AnySeq(Flit.size))]
        # Whatever becomes of the words of answers.
        m.submodules.dut = Opened(combiner, ("words",))
        goes_in, comes_out = passed_on(self, m, combiner)
        self.claim(m, "tree-combiner", ~comes_out | goes_in)
        return m


def bare_tree_router() -> tuple[TreeRouter, list[wiring.Component], list[wiring.Component]]:
    """A tree router in which receivers and what joins answers are anything. Returns: it, those receivers, that."""
    receiver, receivers = free(LinkReceiver)
    combiner, combiners = free(Combiner)

    class Bare(TreeRouter):
        def receiver(self):
            return receiver()

        def combiner(self):
            return combiner()

    return Bare(SCALED), receivers, combiners


class TreeSource(RouterHarness):
    """A tree router, anywhere in any tree."""

    trusts = "tree-receivers"
    layout, marks = TreeHeader, ("source", "owner", "external")
    properties = {
        "tree-source": "a tree router lets out no header with a source and stamps of which no header has come in, by "
                       "any cable or from the node's own endpoint; what the outside sends comes in, at the root, with "
                       "source 0, external, and the owner's stamp if on the owner's channel, whatever is in it",
    }

    def elaborate(self, platform):
        m = Module()
        router, receivers, combiners = bare_tree_router()
        parent, lanes = router.parent_rx, (router.local_in.owner, router.local_in.tenant)
        outputs = (router.parent_tx, *router.child_tx, router.local_out)
        self.choose(m)
        m.d.comb += [router.straps.eq(self.any_straps(m)),
                     Value.cast(router.class_routes).eq(AnySeq(ClassRoutes.size))]
        for cable in (parent, *router.child_rx):
            m.d.comb += [cable.valid.eq(AnySeq(1)), Value.cast(cable.channel).eq(AnySeq(1)),
                         Value.cast(cable.flit).eq(AnySeq(Flit.size))]
        for lane in lanes:
            m.d.comb += [lane.valid.eq(AnySeq(1)), Value.cast(lane.payload).eq(AnySeq(Flit.size))]
        m.d.comb += [port.credit.eq(AnySeq(len(TreeChannel))) for port in outputs]

        root = router.straps.rank == 0
        outside = Cat(Const(0, 16), parent.channel == TreeChannel.OWNER, Const(1, 1))
        self.expect(m, [
            parent.valid & parent.flit.first & root & (outside == self.wanted),
            ~root & self.bears(m, parent.valid, parent.flit),
            *(self.bears(m, cable.valid, cable.flit) for cable in router.child_rx),
            *(self.bears(m, lane.valid & lane.ready, lane.payload) for lane in lanes),
        ])
        # Wherever packets go.
        m.submodules.dut = dut = Opened(router, ("up_route", "down_route"))
        self.trust(m, [(o.valid, o.payload) for unit in receivers for o in unit.o])
        for unit in combiners:
            goes_in, comes_out = passed_on(self, m, unit)
            self.assume(m, "tree-combiner", ~comes_out | goes_in)
        for unit in receivers:
            self.claim(m, "tree-source", ~self.bears(m, unit.rx.valid, unit.rx.flit) | self.enters)
        for port in outputs:
            self.claim(m, "tree-source", ~self.bears(m, port.valid, port.flit) | self.entered)
        for path in ("up", "down"):
            for register in ("owner_chosen", "tenant_chosen", "mover.select"):
                self.one_at_most(m, dut.signal(f"{path}.{register}", width=None))
        # What turns at the root takes the registers of what comes down.
        up, down = (dut.signal(f"{path}.going", width=len(Target)) for path in ("up", "down"))
        self.help(m, ~up[Target.LEFT:].any() | ~down.any())
        return m
