"""Moving whole packets from several inputs to one place."""

from collections.abc import Collection

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.formats import Flit, TreeChannel, TreeHeader
from rtl.one_hot import gather
from rtl.round_robin import RoundRobin
from rtl.signatures import FlitStream
from rtl.tree.link import CHANNELS
from rtl.tree.rounds import Rounds
from rtl.tree.routing import Target

__all__ = ["Mover", "Path"]


class Mover(wiring.Component):
    """Multiplexer that changes its input only between packets. Adds no cycle.

    Parameters
    ----------
    inputs : int
        Number of inputs.

    Members
    -------
    i : In(FlitStream), array of `inputs`
    start : In(inputs)
        One-hot: the input whose next packet is moved, from the next cycle on. Only while `free`.
    free : Out(1)
        No packet is moving, or its last flit goes in this cycle.
    select : Out(inputs)
        One-hot: the input whose packet is moving.
    o : Out(FlitStream)
    """

    def __init__(self, inputs: int) -> None:
        self.inputs = inputs
        super().__init__({
            "i": In(FlitStream).array(inputs),
            "start": In(inputs),
            "free": Out(1),
            "select": Out(inputs),
            "o": Out(FlitStream),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.d.comb += [
            self.o.valid.eq((self.select & Cat(i.valid for i in self.i)).any()),
            Value.cast(self.o.payload).eq(gather(self.select, [i.payload for i in self.i])),
            self.free.eq(~self.select.any() | (self.o.valid & self.o.ready & self.o.payload.last)),
        ]
        m.d.comb += [i.ready.eq(select & self.o.ready) for i, select in zip(self.i, self.select, strict=True)]
        with m.If(self.free):
            m.d.sync += self.select.eq(self.start)
        return m


class Path(wiring.Component):
    """One direction of a tree router: chooses a packet for each channel, asks where it goes, moves it.

    Inputs of a channel take turns, or are served in rounds (:class:`~rtl.tree.rounds.Rounds`); a chosen packet stays
    chosen until it goes, so that one with many targets does not starve. Two cycles from a packet's first flit at an
    input to the same at the output; the choice of the next packet overlaps with the move of the one before.

    Parameters
    ----------
    inputs : int
        Inputs of each channel.
    rounds : collection of int
        Inputs behind which are rounds of the tenants' channel, so that their `more` counts. If there are any, that
        channel is served in rounds, and every packet of it leaves with a `more` of its own.

    Members
    -------
    above : In(1)
        Only with `rounds`: packets go to where rounds are served too; else they leave without a promise.
    i : In(FlitStream), array of 2 `inputs`
        Input ``k`` of channel ``c`` is ``c * inputs + k``.
    header : Out(TreeHeader)
        Of the packet being chosen; 0 while none is.
    targets : In(4)
        Its targets. Combinational from `header`; none is legal, the packet is then forgotten.
    pending : Out(2)
        A packet is chosen, by channel.
    want : Out(4), array of 2
        Its targets.
    grant : In(2)
        One-hot: the chosen packet of a channel goes to all its targets at once. Only while `free`.
    free : Out(1)
        A grant can be given.
    idle : Out(1)
        Nothing is chosen or moving.
    valid, flit, channel : Out
        What moves in this cycle; there is no ready.
    going : Out(4)
        Targets of the packet that is moving; 0 if none is.
    """

    def __init__(self, inputs: int, rounds: Collection[int] = ()) -> None:
        self.inputs = inputs
        self.rounds = rounds
        super().__init__({
            **({"above": In(1)} if rounds else {}),
            "i": In(FlitStream).array(CHANNELS * inputs),
            "header": Out(TreeHeader),
            "targets": In(len(Target)),
            "pending": Out(CHANNELS),
            "want": Out(len(Target)).array(CHANNELS),
            "grant": In(CHANNELS),
            "free": Out(1),
            "idle": Out(1),
            "valid": Out(1),
            "flit": Out(Flit),
            "channel": Out(TreeChannel),
            "going": Out(len(Target)),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.mover = mover = Mover(CHANNELS * self.inputs)
        for outer, inner in zip(self.i, mover.i, strict=True):
            wiring.connect(m, wiring.flipped(outer), inner)
        chosen = [Signal(self.inputs, name=f"{channel.name.lower()}_chosen") for channel in TreeChannel]
        m.d.comb += self.flit.eq(mover.o.payload)
        self._choose(m, mover, chosen)

        granted = [c & grant.replicate(self.inputs) for c, grant in zip(chosen, self.grant, strict=True)]
        m.d.comb += [
            mover.start.eq(Cat(granted)),
            mover.o.ready.eq(1),
            self.free.eq(mover.free),
            self.idle.eq(~mover.select.any() & ~self.pending.any()),
            self.valid.eq(mover.o.valid),
            self.pending.eq(Cat(c.any() for c in chosen)),
        ]
        with m.If(mover.free):
            m.d.sync += [
                self.channel.eq(self.grant[TreeChannel.TENANT]),
                self.going.eq(gather(self.grant, list(self.want))),
            ]
        return m

    def _choose(self, m: Module, mover: Mover, chosen: list[Signal]) -> None:
        """Choose the next packet of each channel, one channel a cycle, the owner's first."""
        picks = []
        busy = self.pending
        for channel in TreeChannel:
            inputs = slice(channel * self.inputs, (channel + 1) * self.inputs)
            requests = Signal(self.inputs)
            chooses = Signal()
            m.d.comb += requests.eq(Cat(i.valid for i in self.i)[inputs] & ~mover.select[inputs])
            if self.rounds and channel is TreeChannel.TENANT:
                next_one = self._round(m, mover, requests, chooses)
            else:
                m.submodules[f"{channel.name.lower()}_turns"] = turns = RoundRobin(self.inputs)
                m.d.comb += [turns.requests.eq(requests), turns.advance.eq(chooses)]
                next_one = turns.grants
            pick = Signal(self.inputs)
            m.d.comb += [
                pick.eq(next_one & ~busy[channel].replicate(self.inputs)),
                chooses.eq(pick.any()),
            ]
            with m.If(chooses):
                m.d.sync += [chosen[channel].eq(pick), self.want[channel].eq(self.targets)]
            with m.Elif(self.grant[channel]):
                m.d.sync += chosen[channel].eq(0)
            picks.append(pick)
            busy = self.pending | chooses.replicate(CHANNELS)
        headers = [i.payload.data for i in self.i]
        m.d.comb += Value.cast(self.header).eq(gather(Cat(picks), headers))

    def _round(self, m: Module, mover: Mover, requests: Signal, chooses: Signal) -> Value:
        """The request of a tenant that is next in its round; writes into what leaves whether the round goes on."""
        tenants = self.i[TreeChannel.TENANT * self.inputs:][:self.inputs]
        m.submodules.rounds = rounds = Rounds(self.inputs)
        leaves = Signal(self.inputs)
        m.d.comb += [
            leaves.eq(Mux(mover.o.valid & mover.o.payload.first, mover.select[TreeChannel.TENANT * self.inputs:], 0)),
            rounds.requests.eq(requests),
            rounds.promises.eq(Cat(data.View(TreeHeader, tenant.payload.data).more if number in self.rounds else C(0, 1)
                                   for number, tenant in enumerate(tenants))),
            rounds.advance.eq(chooses),
            rounds.take.eq(leaves),
        ]
        with m.If(leaves.any()):
            m.d.comb += data.View(TreeHeader, self.flit.data).more.eq(rounds.more & self.above)
        return rounds.pick
