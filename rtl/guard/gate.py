"""The gate of a lane: a register stage that lets a packet through or sinks all of it."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.formats import Flit, Reason
from rtl.signatures import FlitStream

__all__ = ["Gate"]


class Gate(wiring.Component):
    """Holds one flit and decides about a packet when its header is in the stage.

    Adds one cycle, passes one flit a cycle. A refused packet is sunk at one flit a cycle and never holds up
    what is behind it. The decision is fixed in the cycle the header enters: what the table says there,
    and `reason`. Flits that no header began are sunk; a `first` inside a packet is taken for payload.

    Parameters
    ----------
    denial : Reason
        The reason of a packet the table does not permit.

    Members
    -------
    i, o : FlitStream
    lookup : Out(1)
        A header enters in this cycle: the moment to ask the table.
    reason : In(4)
        With `lookup`: why the packet is refused whatever the table says, or ``Reason.NONE``.
    allowed : In(1)
        The table's answer from the cycle after `lookup` until the next.
    drop : In(1)
        Nothing leaves, and the packet in the stage is sunk to its tail even when `drop` ends before.
    inside : Out(1)
        A flit that enters in this cycle belongs to a packet that has begun.
    passed : Out(1)
        One cycle a packet: its header is in the stage, is permitted, and counts on leaving.
    refused : Out(1)
        One cycle a packet: its header is in the stage and is refused.
    why : Out(4)
        With `refused`: the reason.
    ended : Out(1)
        One cycle a packet: its tail leaves the stage.
    delivered, denied : Out(1)
        With `ended`: the tail went to `o`; the packet was refused. Neither: it was dropped.
    busy : Out(1)
        A flit is in the stage.
    """

    def __init__(self, denial: Reason):
        self.denial = denial
        super().__init__({
            "i": In(FlitStream),
            "o": Out(FlitStream),
            "lookup": Out(1),
            "reason": In(4),
            "allowed": In(1),
            "drop": In(1),
            "inside": Out(1),
            "passed": Out(1),
            "refused": Out(1),
            "why": Out(4),
            "ended": Out(1),
            "delivered": Out(1),
            "denied": Out(1),
            "busy": Out(1),
        })
        self.flit = Signal(Flit)
        self.full = Signal()
        self.fresh = Signal()
        self.verdict = Signal(4)
        self.passing = Signal()
        self.refusing = Signal()

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        flit = self.flit
        full = self.full
        moves = Signal()
        head_refused = Signal()

        # In: `moves` says that the stage is free at the end of this cycle.
        m.d.comb += [
            self.i.ready.eq(moves),
            self.lookup.eq(self.i.valid & moves & self.i.payload.first & ~self.inside),
            self.busy.eq(full),
        ]
        m.d.sync += self.fresh.eq(self.lookup)
        with m.If(moves):
            m.d.sync += full.eq(self.lookup | (self.i.valid & self.inside))
        with m.If(moves & self.i.valid):
            m.d.sync += [
                flit.eq(self.i.payload),
                flit.first.eq(self.lookup),
                self.inside.eq((self.inside | self.lookup) & ~self.i.payload.last),
            ]
        with m.If(self.lookup):
            m.d.sync += self.verdict.eq(self.reason)

        # Out: the header is judged, the rest of the packet follows it.
        m.d.comb += [
            head_refused.eq((self.verdict != Reason.NONE) | ~self.allowed),
            self.o.payload.eq(flit),
            self.o.valid.eq(full & ~self.drop & Mux(flit.first, ~head_refused, self.passing)),
            moves.eq(~self.o.valid | self.o.ready),
            self.passed.eq(full & flit.first & self.fresh & ~head_refused & ~self.drop),
            self.refused.eq(full & flit.first & self.fresh & head_refused),
            self.why.eq(Mux(self.verdict != Reason.NONE, self.verdict, self.denial)),
            self.ended.eq(full & flit.last & moves),
            self.delivered.eq(self.o.valid),
            self.denied.eq(Mux(flit.first, head_refused, self.refusing)),
        ]
        with m.If(self.drop):
            m.d.sync += self.passing.eq(0)
        with m.Elif(full & moves):
            m.d.sync += self.passing.eq(self.o.valid & ~flit.last)
        with m.If(full & flit.first):
            m.d.sync += self.refusing.eq(head_refused)
        return m
