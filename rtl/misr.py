"""One number for all that a node sends and asks: to tell whether two simulations of a machine are the same.

It is a register that is folded with what the node's cables carry, in every cycle in which one carries something or the
interrupt changes: two runs that differ in one bit of one flit, one credit or one cycle end with different numbers, but
for one chance in 2^64. Nothing in a node depends on it.
"""

from functools import reduce
from operator import or_, xor

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.formats import Flit
from rtl.signatures import DIRECTIONS, TorusLink, TreeLink

__all__ = ["CABLES", "NodeSignature"]

CABLES = ("tx", "rx", "parent_tx", "parent_rx", "child_tx", "child_rx")

POLYNOMIAL = 0x1B
"""x^64 + x^4 + x^3 + x + 1."""
_PORT_ROTATION = 7
_FLAGS, _CREDITS, _IRQ, _CYCLE = 58, 26, 30, 32
"""Places: of flags and credits in the word of a cable, of the interrupt and the cycle in the sum."""


class NodeSignature(wiring.Component):
    """Watches the cables of a node.

    Members
    -------
    now : In(64)
        The cycle.
    tx, rx, parent_tx, parent_rx, child_tx, child_rx : In
        The cables as :class:`rtl.node.Node` has them, all signals inputs.
    irq : In(1)
        The node's interrupt.
    value : Out(64)
        Over all cycles before this one.
    """

    def __init__(self) -> None:
        torus = {name: member.shape for name, member in TorusLink.members.items()}
        tree = {name: member.shape for name, member in TreeLink.members.items()}
        seen = [{name: In(shape) for name, shape in cable.items()} for cable in (torus, tree)]
        torus_seen, tree_seen = (wiring.Signature(members) for members in seen)
        super().__init__({
            "now": In(64), "irq": In(1), "value": Out(64),
            "tx": In(torus_seen).array(DIRECTIONS), "rx": In(torus_seen).array(DIRECTIONS),
            "parent_tx": In(tree_seen), "parent_rx": In(tree_seen),
            "child_tx": In(tree_seen).array(2), "child_rx": In(tree_seen).array(2),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        torus = [(tx.valid, tx.vc, tx.flit, rx.credit) for tx, rx in zip(self.tx, self.rx, strict=True)]
        tree = [(tx.valid, tx.channel, tx.flit, rx.credit) for tx, rx in (
            (self.parent_tx, self.parent_rx), *zip(self.child_tx, self.child_rx, strict=True))]
        before = Signal()
        event = Signal()
        word = Signal(64)
        changed = self.irq ^ before
        m.d.sync += before.eq(self.irq)
        m.d.comb += [
            event.eq(reduce(or_, [valid | credit.any() for valid, _, _, credit in torus + tree]) | changed),
            word.eq(reduce(xor, [
                *(_cable(*cable).rotate_left(_PORT_ROTATION * port) for port, cable in enumerate(torus + tree)),
                Mux(changed, Cat(Const(0, _IRQ), self.irq, Const(1, 1)), 0),
                self.now.rotate_left(_CYCLE),
            ])),
        ]
        with m.If(event):
            m.d.sync += self.value.eq((self.value << 1)[:64] ^ Mux(self.value[63], POLYNOMIAL, 0) ^ word)
        return m


def _cable(valid: Value, channel: Value, flit: Value, credit: Value) -> Value:
    """What one port sends, as 64 bits."""
    fields = Flit(flit)
    flags = Cat(fields.bad, fields.last, fields.first, valid, channel)
    sent = fields.data ^ Cat(Const(0, _FLAGS), flags)[:64]
    return (Mux(valid, sent, 0) ^ Cat(Const(0, _CREDITS), credit))[:64] | Const(0, 64)
