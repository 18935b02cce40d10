"""The owner's register operations: control packets in, answers out."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.formats import EXTERNAL, FLIT_BITS, ControlOp, ControlWord, LinkHeader, TreeHeader
from rtl.signatures import FlitStream, RegisterBus
from rtl.tree.console import link_flit

__all__ = ["ControlExecutor"]

_BUS_ADDRESS_BITS = 16


class ControlExecutor(wiring.Component):
    """Executes the words of control packets in order and answers each packet with one of the same length.

    The answer goes to the outside: `source` is the node id, `src_key` the rank and `dst_key` the
    `src_key` of the request; its class, connection and packet numbers, and what says whether answers are combined
    (:class:`~rtl.tree.combiner.Combiner`), are copied. A word is repeated with the value in `data` if it was
    read, and with :attr:`~rtl.formats.ControlOp.FAILED` set in `op` if the register
    refused it, the operation is unknown, or the address is unaligned or outside the register map.
    Combinational: a flit leaves in the cycle in which it is taken, a word when its access is done.

    Members
    -------
    node_id, rank : In(16)
    i : In(FlitStream)
        Control packets.
    o : Out(FlitStream)
        Answers. Once ready for a packet's first flit, it must be ready for all of them.
    owner : Out(RegisterBus)
    """

    node_id: In(16)
    rank: In(16)
    i: In(FlitStream)
    o: Out(FlitStream)
    owner: Out(RegisterBus)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        index = Signal(2)
        answer = Signal(FLIT_BITS)
        header = Signal(TreeHeader)
        keys = Signal(LinkHeader)
        request = data.View(TreeHeader, self.i.payload.data)
        m.d.comb += [
            header.tree_class.eq(request.tree_class),
            header.p2p.eq(1),
            header.vector.eq(EXTERNAL),
            header.words.eq(request.words),
            header.source.eq(self.node_id),
            header.combine.eq(request.combine & ~request.p2p),
            header.epoch.eq(request.epoch),
            keys.dst_key.eq(link_flit(self.i.payload, 0).src_key),
            keys.src_key.eq(self.rank),
            answer.eq(self.i.payload.data),
            self.o.payload.eq(self.i.payload),
            self.o.payload.data.eq(answer),
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready),
        ]
        with m.Switch(index):
            with m.Case(0):
                m.d.comb += answer.eq(header)
            with m.Case(1):
                m.d.comb += answer.eq(keys.as_value()[FLIT_BITS:])
            with m.Case(3):
                m.d.comb += answer.eq(self._execute(m))
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += index.eq(Mux(self.i.payload.last, 0, Mux(index == 3, 3, index + 1)))
        return m

    def _execute(self, m: Module) -> Signal:
        """Put the word on the bus if it is an access, and hold the stream until it is done."""
        word = data.View(ControlWord, self.i.payload.data)
        result = Signal(ControlWord)
        read = Signal()
        access = Signal()
        failed = Signal()
        reachable = ~Cat(word.address[:2], word.address[_BUS_ADDRESS_BITS:]).any()
        m.d.comb += [
            read.eq(word.op.matches(ControlOp.READ, ControlOp.ALL, ControlOp.SUM)),
            access.eq((read | (word.op == ControlOp.WRITE)) & reachable),
            self.owner.valid.eq(self.i.valid & self.o.ready & access),
            self.owner.write.eq(~read),
            self.owner.address.eq(word.address),
            self.owner.data.eq(word.data),
            failed.eq(Mux(access, self.owner.error, word.op != ControlOp.NOP)),
            result.eq(word),
            result.op.eq(word.op | Mux(failed, ControlOp.FAILED, 0)),
        ]
        with m.If(access):
            m.d.comb += [
                self.o.valid.eq(self.owner.valid & self.owner.done),
                self.i.ready.eq(self.o.ready & self.owner.done),
            ]
        with m.If(access & read & ~failed):
            m.d.comb += result.data.eq(self.owner.value)
        return result
