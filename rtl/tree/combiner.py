"""One answer for a question to many nodes: where ways meet in the tree, answers become one."""

from functools import reduce
from operator import and_, or_

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.formats import ControlOp, ControlWord, Flit, TreeHeader
from rtl.one_hot import gather
from rtl.signatures import FlitStream
from rtl.tree.routing import ClassRoutes, Target

__all__ = ["INPUTS", "PATIENCE", "Combiner", "WordJoin"]

INPUTS = 3
"""Where answers come from: left child, right child, this node."""
PATIENCE = 1 << 16
"""Cycles for which answers wait for one that does not come."""
_HEADERS = 3
"""Flits before the control words."""
_TAG_BITS = 8


class Combiner(wiring.Component):
    """Joins the answers of a node and of those below it, between the buffers of the owner's channel and the way up.

    An answer whose header has `combine` waits at the head of its input, if members of its class are behind others too,
    until each of these has one of the same class, number (`epoch`) and length. They leave as one packet, flit by flit,
    by the output of the last of these inputs: its headers, and of each control word the bitwise AND of `data` for
    :attr:`~rtl.formats.ControlOp.ALL`, the sum modulo 2^32 for :attr:`~rtl.formats.ControlOp.SUM`, else the bitwise OR;
    `op` and `address` are ORed, so that one node that refuses sets :attr:`~rtl.formats.ControlOp.FAILED` for all. All
    other packets pass. Combinational.

    Nodes answer in the order in which they were asked, and no two questions to different classes may be under way at
    once, unless one of the two is to all: else answers would overtake each other on some ways and not on others. So
    what waits is answers to one question, as long as all nodes answer. One that does not must not keep the owner from
    hearing the others: when there was nothing but what waits for `patience` cycles, or a later number is seen beside
    it, it leaves by its own output, and is no `combine` any more.

    Parameters
    ----------
    patience : int
        Cycles, a power of two.

    Members
    -------
    children : In(2)
        Children present, left and right.
    class_routes : In(ClassRoutes)
        Which inputs members of a class are behind. Not to be changed while answers for the class are under way: what is
        offered would be withdrawn.
    i : In(FlitStream), array of 3
        Packets without pauses once begun.
    o : Out(FlitStream), array of 3
        The same. Each must take a whole packet once it has taken its first flit.
    """

    def __init__(self, patience: int = PATIENCE) -> None:
        self.patience = patience
        super().__init__({
            "children": In(INPUTS - 1),
            "class_routes": In(ClassRoutes),
            "i": In(FlitStream).array(INPUTS),
            "o": Out(FlitStream).array(INPUTS),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        waiting, late, together, alone = (
            Signal(INPUTS, name=name) for name in ("waiting", "late", "together", "alone"))
        headers = [data.View(TreeHeader, i.payload.data) for i in self.i]
        members = [Signal(INPUTS, name=f"members_{k}") for k in range(INPUTS)]

        # Who waits, whom for, which are all there, and who waits for nobody any more.
        for k, (i, header) in enumerate(zip(self.i, headers, strict=True)):
            others = [j for j in range(INPUTS) if j != k]
            m.d.comb += [
                members[k].eq(self.class_routes[header.tree_class][Target.LEFT:] & Cat(self.children, 1)),
                waiting[k].eq(i.valid & i.payload.first & header.combine & ~alone[k]
                              & members[k][k] & Cat(members[k][j] for j in others).any()),
                late[k].eq(waiting[k] & Cat(
                    members[k][j] & waiting[j] & _after(headers[j].epoch, header.epoch) for j in others).any()),
                together[k].eq(waiting[k] & Cat(
                    ~members[k][j] | (waiting[j] & _alike(headers[j], header)) for j in others).all()),
            ]
        # Of three inputs no two groups can wait: one that is whole is the one there is.
        group, joining = Signal(INPUTS), Signal(INPUTS)
        m.d.comb += group.eq(Mux(joining.any(), joining, gather(together, list(members))))
        valid, moves = Cat(i.valid for i in self.i), Cat(i.valid & i.ready for i in self.i)
        patience = Signal(range(self.patience))
        m.d.sync += [
            # A packet that passes, or would if the way up were free, is a sign of life.
            patience.eq(Mux(waiting.any() & (waiting == valid) & ~group.any(), patience + 1, 0)),
            alone.eq((alone | late | Mux(~group.any() & (patience == self.patience - 1), waiting, 0)) & ~moves),
        ]

        # What waits is held back, all else passes; what is joined leaves by its last input's output.
        whole, moved = Signal(), Signal()
        joined, last = self._join(m, group, moved)
        m.d.comb += [
            whole.eq(group.any() & (valid | ~group).all()),
            moved.eq(whole & (Cat(o.ready for o in self.o) & last).any()),
        ]
        with m.If(moved):
            m.d.sync += joining.eq(Mux(joined.last, 0, group))
        for k, (i, o) in enumerate(zip(self.i, self.o, strict=True)):
            passes = ~group[k] & ~waiting[k]
            m.d.comb += [
                o.valid.eq(Mux(last[k], whole, i.valid & passes)),
                o.payload.eq(i.payload),
                i.ready.eq(Mux(group[k], moved, o.ready & passes)),
            ]
            with m.If(alone[k] & i.payload.first):
                m.d.comb += data.View(TreeHeader, o.payload.data).combine.eq(0)
            with m.If(last[k]):
                m.d.comb += o.payload.eq(joined)
        return m

    def _join(self, m: Module, group: Signal, moved: Signal) -> tuple[Signal, Signal]:
        """The flits at the inputs of a group as one, and which of these inputs is the last."""
        last = Signal(INPUTS)
        m.d.comb += last.eq(Cat(group[k] & ~group[k + 1:].any() for k in range(INPUTS)))
        first, position, following = Signal(), Signal(range(_HEADERS + 1)), Signal(range(_HEADERS + 1))
        m.d.comb += [
            first.eq((Cat(i.payload.first for i in self.i) & last).any()),
            position.eq(Mux(first, 0, following)),
        ]
        with m.If(moved):
            m.d.sync += following.eq(Mux(position == _HEADERS, position, position + 1))

        m.submodules.words = words = WordJoin()
        m.d.comb += [words.present.eq(group),
                     *(word.eq(i.payload.data) for word, i in zip(words.i, self.i, strict=True))]
        joined = Signal(Flit)
        m.d.comb += Value.cast(joined).eq(gather(last, [i.payload for i in self.i]))
        with m.If(position == _HEADERS):
            m.d.comb += joined.data.eq(words.o)
        return joined, last


class WordJoin(wiring.Component):
    """What several nodes answer to one control word, as one. Combinational.

    Members
    -------
    i : In(ControlWord), array of 3
    present : In(3)
        Those of them that count.
    o : Out(ControlWord)
    """

    i: In(data.ArrayLayout(ControlWord, INPUTS))
    present: In(INPUTS)
    o: Out(ControlWord)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        words = [data.View(ControlWord, Value.cast(word) & here.replicate(ControlWord.size))
                 for word, here in zip(self.i, self.present, strict=True)]
        m.d.comb += [
            self.o.op.eq(reduce(or_, (word.op for word in words))),
            self.o.address.eq(reduce(or_, (word.address for word in words))),
        ]
        with m.Switch(self.o.op & ~ControlOp.FAILED):
            with m.Case(ControlOp.ALL):
                m.d.comb += self.o.data.eq(reduce(and_, (
                    word.data | ~here.replicate(len(word.data))
                    for word, here in zip(words, self.present, strict=True))))
            with m.Case(ControlOp.SUM):
                m.d.comb += self.o.data.eq(sum(word.data for word in words))
            with m.Default():
                m.d.comb += self.o.data.eq(reduce(or_, (word.data for word in words)))
        return m


def _alike(header: data.View, other: data.View) -> Value:
    """Whether these are answers to one question."""
    return Cat(header[name] == other[name] for name in ("tree_class", "epoch", "words")).all()


def _after(number: Value, other: Value) -> Value:
    """Whether a number is later than another one, modulo 256; of two that are half a round apart, each is."""
    ahead = (number - other)[:_TAG_BITS]
    return (ahead != 0) & (ahead <= 1 << _TAG_BITS - 1)
