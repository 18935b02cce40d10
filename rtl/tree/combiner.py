"""One answer for a question to all nodes: where ways meet in the tree, answers become one."""

from functools import reduce
from operator import and_, or_

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.formats import ControlOp, ControlWord, Flit, TreeHeader
from rtl.signatures import FlitStream

__all__ = ["INPUTS", "PATIENCE", "Combiner", "WordJoin"]

INPUTS = 3
"""Where answers come from: left child, right child, this node."""
PATIENCE = 1 << 16
"""Cycles for which answers wait for one that does not come."""
_OWN = INPUTS - 1
_HEADERS = 3
"""Flits before the control words."""
_TAG_BITS = 8


class Combiner(wiring.Component):
    """Joins the answers of a node and of those below it, between the buffers of the owner's channel and the way up.

    An answer whose header has `combine` waits at the head of its input until every input that is present has one with
    the same number (`epoch`) and length. They leave as one packet, flit by flit, by the output of this node: its
    headers, and of each control word the bitwise AND of `data` for :attr:`~rtl.formats.ControlOp.ALL`, the sum modulo
    2^32 for :attr:`~rtl.formats.ControlOp.SUM`, else the bitwise OR; `op` and `address` are ORed, so that one node that
    refuses sets :attr:`~rtl.formats.ControlOp.FAILED` for all. All other packets pass. Combinational.

    Nodes answer in the order in which they were asked, so what waits is answers to one question, as long as all nodes
    answer. One that does not must not keep the owner from hearing the others: when there was nothing but what waits for
    `patience` cycles, or a later number is seen beside it, it leaves by its own output, and is no `combine` any more.

    Parameters
    ----------
    patience : int
        Cycles, a power of two.

    Members
    -------
    children : In(2)
        Children present, left and right.
    i : In(FlitStream), array of 3
        Packets without pauses once begun.
    o : Out(FlitStream), array of 3
        The same. Each must take a whole packet once it has taken its first flit.
    """

    def __init__(self, patience: int = PATIENCE) -> None:
        self.patience = patience
        super().__init__({
            "children": In(INPUTS - 1),
            "i": In(FlitStream).array(INPUTS),
            "o": Out(FlitStream).array(INPUTS),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        present, waiting, late, alone = (
            Signal(INPUTS, name=name) for name in ("present", "waiting", "late", "alone"))
        together, joining, joins = Signal(), Signal(), Signal()
        headers = [data.View(TreeHeader, i.payload.data) for i in self.i]

        # Who waits for others, whether all are there, and who waits for nobody any more.
        m.d.comb += [
            present.eq(Cat(self.children, 1)),
            waiting.eq(Cat(i.valid & i.payload.first & header.combine
                           for i, header in zip(self.i, headers, strict=True)) & present & ~alone),
            late.eq(Cat(waiting[k] & Cat(waiting[j] & _after(headers[j].epoch, headers[k].epoch)
                                         for j in range(INPUTS) if j != k).any() for k in range(INPUTS))),
            together.eq((waiting == present) & ~late.any() & _equal([header.words for header in headers], present)),
            joins.eq(joining | together),
        ]
        valid, moves = Cat(i.valid for i in self.i), Cat(i.valid & i.ready for i in self.i)
        patience = Signal(range(self.patience))
        m.d.sync += [
            # A packet that passes, or would if the way up were free, is a sign of life.
            patience.eq(Mux(waiting.any() & (waiting == valid) & ~together, patience + 1, 0)),
            alone.eq((alone | late | Mux(~together & (patience == self.patience - 1), waiting, 0)) & ~moves),
        ]

        # What waits is held back, all else passes; what is joined leaves by this node's output.
        for k, (i, o) in enumerate(zip(self.i, self.o, strict=True)):
            passes = ~joins & ~waiting[k]
            m.d.comb += [o.valid.eq(i.valid & passes), o.payload.eq(i.payload), i.ready.eq(o.ready & passes)]
            with m.If(alone[k] & i.payload.first):
                m.d.comb += data.View(TreeHeader, o.payload.data).combine.eq(0)
        own = self.o[_OWN]
        with m.If(joins):
            m.d.comb += [
                own.valid.eq((valid | ~present).all()),
                own.payload.eq(self._join(m, present)),
                *(i.ready.eq(here & own.valid & own.ready) for i, here in zip(self.i, present, strict=True)),
            ]
            with m.If(own.valid & own.ready):
                m.d.sync += joining.eq(~own.payload.last)
        return m

    def _join(self, m: Module, present: Signal) -> Signal:
        """The flits at the inputs that are present, as one."""
        own = self.o[_OWN]
        position, following = Signal(range(_HEADERS + 1)), Signal(range(_HEADERS + 1))
        m.d.comb += position.eq(Mux(self.i[_OWN].payload.first, 0, following))
        with m.If(own.valid & own.ready):
            m.d.sync += following.eq(Mux(position == _HEADERS, position, position + 1))

        m.submodules.words = words = WordJoin()
        m.d.comb += [words.present.eq(present),
                     *(word.eq(i.payload.data) for word, i in zip(words.i, self.i, strict=True))]
        joined = Signal(Flit)
        m.d.comb += joined.eq(self.i[_OWN].payload)
        with m.If(position == _HEADERS):
            m.d.comb += joined.data.eq(words.o)
        return joined


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


def _equal(values: list[Value], present: Value) -> Value:
    """Whether the values that count are those of this node, which always counts."""
    return Cat((value == values[_OWN]) | ~here for value, here in zip(values, present, strict=True)).all()


def _after(number: Value, other: Value) -> Value:
    """Whether a number is later than another one, modulo 256; of two that are half a round apart, each is."""
    ahead = (number - other)[:_TAG_BITS]
    return (ahead != 0) & (ahead <= 1 << _TAG_BITS - 1)
