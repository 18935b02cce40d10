"""Faults that an attack campaign must find: `breaks` is the check that sees it first. ``khhw attack`` tries them."""

from functools import partial

from khhw.mutants.mutant import Finder, Mutant

__all__ = ["CAMPAIGN"]

_mutant = partial(Mutant, finder=Finder.CAMPAIGN)

CAMPAIGN = (
    _mutant("window", "the ingress guard looks up the destination in its column, not the source",
            "rtl.guard.ingress", "table.id.eq(header.source)", "table.id.eq(packer.id)", name="destination looked up"),
    _mutant("writer", "the egress guard keeps the source software wrote, if it wrote any",
            "rtl.guard.egress", "stamped.source.eq(self.node_id)",
            "stamped.source.eq(Mux(header.source == 0, self.node_id, header.source))", name="kept source"),
    _mutant("writer", "only every other descriptor of a remote get is turned to its requester",
            "rtl.guard.ingress", "with m.If(self.position == 3):\n                m.d.sync += self.beyond.eq(1)",
            "with m.If(self.position == 3):\n                m.d.sync += self.beyond.eq(~self.beyond)",
            name="every other descriptor"),
    _mutant("console", "console packets are accepted whatever the column says",
            "rtl.guard.guard", "self.tree_allowed.eq(tree.allowed)", "self.tree_allowed.eq(1)",
            name="console not looked up"),
    _mutant("secret", "a remote get may read any window, whoever its reader is",
            "rtl.ni.descriptor", "(remote & ~readable, Fault.WINDOW)", "(remote & ~remote, Fault.WINDOW)",
            name="reader not asked"),
    _mutant("writer", "a window takes puts of any permitted node, whoever its writer is",
            "rtl.ni.counters", "(writer.any | (writer.node == source)) & ", "", name="any writer"),
    _mutant("writer", "a window takes puts with any key",
            "rtl.ni.counters", " & (writer.key == key)", "", name="any key"),
)
"""Faults in different places, of different kinds."""
