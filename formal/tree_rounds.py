"""Who is served in a round of a tree router, and how long a round waits."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.hdl._ast import AnyConst  # has no public name in Amaranth 0.5
from amaranth.lib import data
from amaranth.lib.wiring import In

from formal.harness import Harness
from formal.opened import Opened
from formal.tree_classes import TreeClasses
from rtl.formats import TreeHeader
from rtl.tree.combiner import INPUTS
from rtl.tree.rounds import PATIENCE, Rounds

__all__ = ["RoundWaits", "TreeRounds"]


class TreeRounds(TreeClasses):
    """A tree router, anywhere in any tree, of whose inputs any two are watched."""

    properties = {
        "tree-round": "while an input of a tree router has a packet of a tenant waiting, or its last one promised "
                      "another, no other input ends more than two turns, each with a packet that promises nothing, "
                      "before this one ends one, unless the patience for what was promised is over (while the "
                      "routes of classes do not change)",
    }

    def elaborate(self, platform):
        m = super().elaborate(platform)
        dut = self.dut
        select = dut.signal("up.mover.select", width=None)[-INPUTS:]
        chosen, done, promised = (
            dut.signal(f"up.{name}", width=INPUTS) for name in ("tenant_chosen", "rounds.done", "rounds.promised"))
        promises = [data.View(TreeHeader, stream.payload.data).more for stream in self.tenants[:-1]] + [Const(0, 1)]
        requests, leaves, ends = Signal(INPUTS), Signal(INPUTS), Signal(INPUTS)
        m.d.comb += [
            requests.eq(Cat(stream.valid for stream in self.tenants) & ~select),
            leaves.eq(select & Cat(stream.valid & stream.payload.first for stream in self.tenants)),
            ends.eq(leaves & ~Cat(promises)),
        ]
        one, other = Signal(range(INPUTS)), Signal(range(INPUTS))
        m.d.comb += [one.eq(AnyConst(len(one))), other.eq(AnyConst(len(other)))]

        def of(which, values):
            return values.bit_select(which, 1)

        # Turns that the other ends meanwhile; `owes` is that the last packet of the one promised another.
        passed, owes, over = Signal(range(4)), Signal(), Signal()
        m.d.comb += over.eq(dut.signal("up.rounds.ends") & ~leaves.any())
        with m.If(of(one, leaves)):
            m.d.sync += owes.eq(~of(one, ends))
        waits = of(one, requests | leaves) | owes
        with m.If(~waits | of(one, ends) | over):
            m.d.sync += passed.eq(0)
        with m.Elif(of(other, ends)):
            m.d.sync += passed.eq(passed + 1)
        with m.If(over):
            m.d.sync += owes.eq(0)
        apart = (one != other) & (one < INPUTS) & (other < INPUTS)
        self.claim(m, "tree-round", ~apart | (passed <= 2))

        # In the round in which the one has had its turn the other may end one, in the next one another.
        self.help(m, ~apart | (passed <= 2))
        self.help(m, ~apart | ~of(one, done) | (passed == 0) | ((passed == 1) & of(other, done)))
        self.help(m, ~apart | (passed != 2) | of(other, done))
        self.help(m, ~(one < INPUTS) | (owes == of(one, promised)))
        self.help(m, ~(done & promised).any())
        self.help(m, ~(chosen & done).any() & ~(leaves & done).any())
        self.help(m, ~leaves.any() | ~chosen.any())
        return m


class RoundWaits(Harness):
    """What chooses among inputs in rounds, whatever it is given."""

    ports = {"requests": In(INPUTS), "promises": In(INPUTS), "advance": In(1), "take": In(INPUTS)}
    properties = {
        "tree-round-wait": "while packets wait at inputs of a tree router and none leaves, none of them is next for at "
                           "most as many cycles, one after the other, as its patience has",
    }

    def elaborate(self, platform):
        m = Module()
        rounds = Rounds(INPUTS)
        m.submodules.dut = dut = Opened(rounds)
        m.d.comb += [getattr(rounds, name).eq(getattr(self, name)) for name in self.ports]
        idle = Signal(range(PATIENCE + 2))
        with m.If(self.requests.any() & ~self.take.any() & ~rounds.pick.any()):
            m.d.sync += idle.eq(idle + 1)
        with m.Else():
            m.d.sync += idle.eq(0)
        self.claim(m, "tree-round-wait", idle <= PATIENCE)
        # After the last of those cycles all inputs have their turns again.
        waited, done = (dut.signal(name, width=None) for name in ("waited", "done"))
        self.help(m, (idle <= waited) | ((idle <= PATIENCE) & ~done.any()))
        return m
