"""Equal shares for all nodes below a router: whose packet goes next on the tenants' way up."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.round_robin import RoundRobin

__all__ = ["PATIENCE", "Rounds"]

PATIENCE = 128
"""Cycles for which a round waits for a packet that was promised: the way from one router to the next, behind three of
the owner's longest packets, who goes first."""


class Rounds(wiring.Component):
    """Serves inputs in rounds: in each, every node below that has a packet sends one.

    Turns of inputs would give a subtree as much as a single node, and a node at depth d a share of 3^-d. So every
    packet that goes up carries a bit, `more`: its sender promises another packet of the same round. In a round an input
    has its turns until one of its packets promises nothing; the own node, whose bit does not count, so has one. The
    packet that leaves promises more if it came with a promise, or if another input that is not done waits or has
    promised. The one that promises nothing ends the round, here and in the eyes of the parent, whose round has then
    seen all of ours. By induction from the leaves on, a round of the root has one packet of each node that had one
    waiting when the routers on its way came to it: of N nodes that always have one, each gets exactly 1/N of what the
    root takes.

    Shares are of packets, not of flits: who sends short ones gets less of the cables. Who sends seldom is not behind
    those who flood: it waits for the rest of a round at most, at each router on its way, behind what is buffered there.

    A promise is kept within a few cycles, because the promised packet stands at an input of its sender already, or was
    promised to that one. One that is not kept, because a cable or a node has failed, must not stop the others: when
    packets wait and none has a turn for `patience` cycles, a new round begins. So shares are not equal while packets of
    the owner keep the tenants' of one child, and not of others, waiting for longer. And a child is believed: one whose
    every packet promises more, as no router does, has the cable for itself.

    Combinational from `requests` to `pick`.

    Parameters
    ----------
    inputs : int
        Number of inputs.
    patience : int
        Cycles, a power of two.

    Members
    -------
    requests : In(inputs)
        A header is at the input, and none of its packets is moving. Stays until it is taken.
    promises : In(inputs)
        With `take`: what the header at the input promises.
    pick : Out(inputs)
        One-hot: the request that is next; 0 for none, and always with `take`.
    advance : In(1)
        The pick is chosen: it is taken before another one is chosen.
    take : In(inputs)
        One-hot: the header of the packet that was chosen leaves; 0 for none. No request any more.
    more : Out(1)
        With `take`: what the packet promises on its way on. Judged no earlier than this, when the input whose packet
        moved before shows what is behind that.
    """

    def __init__(self, inputs: int, patience: int = PATIENCE) -> None:
        self.inputs = inputs
        self.patience = patience
        super().__init__({
            "requests": In(inputs),
            "promises": In(inputs),
            "pick": Out(inputs),
            "advance": In(1),
            "take": In(inputs),
            "more": Out(1),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        done = Signal(self.inputs)
        promised = Signal(self.inputs)
        eligible = Signal(self.inputs)
        others = Signal(self.inputs)
        m.submodules.turns = turns = RoundRobin(self.inputs)
        m.d.comb += [
            eligible.eq(self.requests & ~done),
            turns.requests.eq(eligible),
            turns.advance.eq(self.advance),
            self.pick.eq(turns.grants & ~self.take.any().replicate(self.inputs)),
            others.eq(eligible | (promised & ~self.take)),
            self.more.eq((self.take & self.promises).any() | others.any()),
        ]

        # Packets that have no turn wait for one that is promised: else the round would have ended.
        waits = Signal()
        waited = Signal(range(self.patience))
        ends = Signal()
        m.d.comb += [
            waits.eq(self.requests.any() & ~eligible.any()),
            ends.eq(Mux(self.take.any(), ~self.more, waits & (waited == self.patience - 1))),
        ]
        m.d.sync += waited.eq(Mux(waits, waited + 1, 0))
        with m.If(ends):
            m.d.sync += [done.eq(0), promised.eq(0)]
        with m.Elif(self.take.any()):
            m.d.sync += [
                done.eq(done | (self.take & ~self.promises)),
                promised.eq((promised & ~self.take) | (self.take & self.promises)),
            ]
        return m
