"""Two copies of a node's tree endpoint that differ in what refused packets contain: its stores give out the same."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.hdl._ast import AnyConst, AnySeq  # have no public names in Amaranth 0.5
from amaranth.lib import data
from amaranth.lib.wiring import In

from formal.harness import Harness
from formal.opened import Opened
from formal.reception_lanes import SCALED
from rtl.formats import Flit, Straps, TreeHeader
from rtl.tree.endpoint import TreeEndpoint

__all__ = ["TreePair"]

FREE = ("drain", "executor", "answers", "texts", "stamp")
"""What is behind the stores, and the way out: anything, and the same in both."""

SHARED = {"straps": In(Straps), "node_id": In(16), "receive_ids": In(32 * SCALED.receive_ids),
          "receive_valid": In(SCALED.receive_ids), "hold": In(1), "tree_allowed": In(1), "tree_epoch": In(8)}
"""Inputs that are the same in both."""


class TreePair(Harness):
    """Two endpoints with the same owner, column and network interface, whose links bring packets in equal framing."""

    ports = {**SHARED, "valid": In(1), "channel": In(1), "flit": In(Flit)}
    constructed = ("scaled-node", )
    properties = {
        "refused-tree": "if the tree brings two endpoints the same flits in the same cycles, but for what is in "
                        "packets whose column bit is 0, what their stores give out, for the network interface and for "
                        "the owner's accesses, and when, is the same in both",
    }

    def elaborate(self, platform):
        m = Module()
        ends = [TreeEndpoint(SCALED) for _ in range(2)]
        changed = self._refused_differ(m)
        for end, flit in zip(ends, (self.flit, changed), strict=True):
            m.d.comb += [Value.cast(getattr(end, name)).eq(getattr(self, name)) for name in SHARED]
            m.d.comb += [end.local_in.valid.eq(self.valid), end.local_in.channel.eq(self.channel),
                         end.local_in.flit.eq(flit)]
        m.submodules.one = one = Opened(ends[0], FREE)
        m.submodules.other = other = Opened(ends[1], FREE, like=one)
        for name in ("filter.console", "filter.control", "tree_passed", "unfinished"):
            self.claim(m, "refused-tree", one.equal(other, name))
        for name in ("index", "external", "other", "tree_source", "began", "long"):
            self.help(m, one.equal(other, f"filter.{name}"))
        self.help(m, one.signal("filter.external") == self._external)
        index = one.signal("filter.index", width=2)
        for name, known in (("owner", 1), ("epoch", 1), ("matched", 2), ("found", 3)):
            self.help(m, self._refused | (index < known) | one.equal(other, f"filter.{name}"))
        for store, taker in (("console", "drain"), ("control", "executor")):
            self._store(m, one, other, store, one.signal(f"{taker}.i__ready"))
        return m

    def _refused_differ(self, m: Module) -> Value:
        """The other endpoint's flit: free in packets that the column refuses, but for what frames and judges them.

        Which those are is guessed with the first flit and must turn out right with the last.
        """
        header, word, free = data.View(TreeHeader, self.flit.data), Signal(TreeHeader), Signal(TreeHeader)
        guess, refused, external = Signal(), Signal(), Signal()
        self._differs = Signal()
        begins, ends = self.valid & self.flit.first, self.valid & self.flit.last & ~self.flit.first
        m.d.comb += [
            guess.eq(AnySeq(1)),
            free.eq(AnySeq(len(free.as_value()))),
            self._differs.eq(Mux(begins, guess, refused)),
            word.eq(Mux(self._differs, free.as_value(), self.flit.data)),
        ]
        with m.If(self.flit.first):
            m.d.comb += [word[name].eq(header[name]) for name in ("words", "external", "source")]
        with m.If(begins):
            m.d.sync += [refused.eq(guess), external.eq(header.external)]
        self.assume(m, "guess-comes-true", ~(ends & self._differs) | (~external & ~self.tree_allowed))
        self._refused, self._external = refused, external
        changed = Signal(Flit)
        m.d.comb += [changed.eq(self.flit), changed.data.eq(word)]
        return changed

    def _store(self, m: Module, one: Opened, other: Opened, store: str, ready: Value) -> None:
        """One slot of a store, any: what is in it, and what came from it to the output."""
        committed, fetched, count, words, collecting, offered = (one.signal(f"{store}.{name}", width=None) for name in (
            "committed", "fetched", "count", "words", "collecting", "o__valid"))
        for name in ("committed", "fetched", "count", "words", "collecting", "o__valid", "kept"):
            self.claim(m, "refused-tree", one.equal(other, f"{store}.{name}"))
        rams = [end.memory(f"{store}.ram") for end in (one, other)]
        bits = rams[0].depth.bit_length() - 1
        slot, level, distance, ahead, watched = (Signal(width, name=f"{store}_{name}") for name, width in (
            ("slot", bits), ("level", bits + 1), ("distance", bits + 1), ("ahead", bits + 1), ("watched", 1)))
        ports = [ram.read_port() for ram in rams]
        m.d.comb += [
            slot.eq(AnyConst(bits)),
            level.eq(committed - fetched),
            distance.eq((slot - fetched)[:bits]),
            ahead.eq((slot - committed)[:bits]),
            *(port.addr.eq(slot) for port in ports),
        ]
        with m.If(~offered | ready):
            m.d.sync += watched.eq((level != 0) & (fetched[:bits] == slot))
        equal = ports[0].data == ports[1].data
        given = [end.signal(f"{store}.ram.read__data", width=Flit.size) for end in (one, other)]
        self.claim(m, "refused-tree", ~watched | (given[0] == given[1]))
        self.help(m, (distance >= level) | equal)
        self.help(m, ~collecting | self._refused | (ahead >= count) | equal)
        self.help(m, level <= rams[0].depth)
        self.help(m, ~collecting | ((count >= 1) & (count <= words) & (words <= 32)
                                    & one.signal(f"{store}.i__ready")))
