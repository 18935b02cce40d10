"""Parts of the two nodes: what stands in for what is left out, and what looks at what is there."""

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.hdl._ast import AnyConst, AnySeq  # have no public names in Amaranth 0.5
from amaranth.lib import data, wiring
from amaranth.lib.wiring import Out

import rtl.node
from rtl.formats import Header, TreeHeader
from rtl.node import Node
from rtl.parameters import Parameters
from rtl.signatures import ni_signature, router_signature
from rtl.tree.router import TreeRouter

__all__ = ["HOSTILE", "SCALED", "VICTIM", "AnySoftware", "AnyTorus", "AnyTree", "NoTorus", "NoTree", "PartialNode",
           "TableBits", "Tenant", "any_flit", "anything", "seen"]

SCALED = Parameters(lanes=1, slots=3, table_nodes=8, memory_bytes=256, counters=2, injection_rings=1,
                    reception_rings=1, log_entries=4, receive_ids=1)
"""The smallest node there is. Flits, headers, packets and buffers are the real ones."""

VICTIM, HOSTILE = 0, 1
"""Ranks, and node ids."""

_RINGS = range(SCALED.injection_rings + SCALED.reception_rings + 1)
_POINTERS = ("base", "size", "head", "tail", "fill", "fetch", "remote")
_COUNTERS = {
    "sent": [f"injection_{field}" for field in ("value", "window", "limit", "reader")],
    "received": [f"reception_{field}" for field in ("value", "window", "limit", "writer")],
}


def anything(m, component, but=()):
    """Drive every output of a component with anything in every cycle; those of the members `but` stay 0."""
    for path, member, port in component.signature.flatten(component):
        if member.flow is Out and path[0] not in but:
            m.d.comb += Value.cast(port).eq(AnySeq(len(Value.cast(port))))


def any_flit(m, flit, layout, **fields):
    """Drive a flit with anything in every cycle, but `fields` of the header of every packet."""
    free = Signal.like(flit)
    m.d.comb += [Value.cast(free).eq(AnySeq(len(Value.cast(free)))), flit.eq(free)]
    with m.If(free.first):
        m.d.comb += [data.View(layout, flit.data)[name].eq(value) for name, value in fields.items()]


class AnySoftware(wiring.Component):
    """In the place of a network interface: every output is anything in every cycle.

    So whatever a network interface does with any software on it, this does too. It keeps neither the rules of its
    streams nor the framing of packets. Its memory and its interrupt, which lead nowhere else, are left out.
    """

    def __init__(self, parameters: Parameters):
        super().__init__(ni_signature(parameters))

    def elaborate(self, platform):
        m = Module()
        anything(m, self, but=("memory", "irq"))
        return m


class AnyTorus(wiring.Component):
    """In the place of a router: ejects anything, but every header bears the hostile node's id."""

    def __init__(self, parameters: Parameters):
        super().__init__(router_signature(parameters))

    def elaborate(self, platform):
        m = Module()
        anything(m, self, but=("tx", "rx", "eject"))
        eject = self.eject[0]
        m.d.comb += eject.valid.eq(AnySeq(1))
        any_flit(m, eject.payload, Header, source=HOSTILE)
        return m


class NoTorus(wiring.Component):
    """In the place of a router: nothing comes, nothing goes."""

    def __init__(self, parameters: Parameters):
        super().__init__(router_signature(parameters))

    def elaborate(self, platform):
        return Module()


class NoTree(TreeRouter):
    """In the place of a tree router: nothing comes, nothing goes."""

    def elaborate(self, platform):
        return Module()


class AnyTree(TreeRouter):
    """In the place of a tree router: hands down anything, but every header bears what the other node stamps."""

    def elaborate(self, platform):
        m = Module()
        anything(m, self, but=("parent_tx", "parent_rx", "child_tx", "child_rx", "local_out"))
        out = self.local_out
        m.d.comb += [out.valid.eq(AnySeq(1)), Value.cast(out.channel).eq(AnySeq(1))]
        any_flit(m, out.flit, TreeHeader, source=HOSTILE, owner=0, external=0)
        return m


class PartialNode(Node):
    """A node with another tree router."""

    def __init__(self, parameters, parts, tree):
        self._tree = tree
        super().__init__(parameters)
        self.parts.update(parts)

    def elaborate(self, platform):
        original, rtl.node.TreeRouter = rtl.node.TreeRouter, self._tree
        try:
            return super().elaborate(platform)
        finally:
            rtl.node.TreeRouter = original


def seen(kind, look):
    """A part that calls `look(part, module)` when it is elaborated."""
    class Seen(kind):
        def elaborate(self, platform):
            m = super().elaborate(platform)
            look(self, m)
            return m
    return Seen


def _then(component, look):
    """Call `look(module)` when the component is elaborated."""
    original = component.elaborate

    def elaborate(platform):
        m = original(platform)
        look(m)
        return m
    component.elaborate = elaborate


class TableBits:
    """The active bits of a node's tables about the other node: of its row, its column, and the tree's column."""

    def __init__(self, name, other):
        self.other = other
        self.row, self.column, self.tree = (Signal(name=f"{name}_{kind}") for kind in ("row", "column", "tree"))

    def look(self, guard, m):
        """Read the tables of a guard."""
        policy = guard.control.policy
        for bit, table in ((self.row, guard.egress[0].table), (self.column, guard.ingress[0].table),
                           (self.tree, m.submodules.tree_table)):
            port = table.ram.read_port(domain="comb")
            m.d.comb += [port.addr.eq(policy.epoch), bit.eq(policy.valid & port.data[self.other])]


class Tenant:
    """What the tenant of a node can find changed, by kind.

    Memory and counters are RAM: they do not change while nothing is written. Rings, hits and interrupt are compared
    with what they were a cycle before, and so is any one word of the memory (`content`).
    """

    def __init__(self):
        self.strobes = {"memory": [], "counters": [], "sends": []}
        self.values = {"counters": [], "rings": [], "interrupt": [], "content": []}
        self.pending = Signal()

    @staticmethod
    def state(node):
        """Names of the registers and memories that hold it: any, but the injection ring is empty."""
        pointers = [f"ring_{ring}.{pointer}" for ring in _RINGS for pointer in _POINTERS
                    if ring >= SCALED.injection_rings or pointer in ("base", "size", "remote")]
        return (f"{node}.memory.ram", f"{node}.ni.status.irq_enable",
                *(f"{node}.ni.rings.{pointer}" for pointer in pointers),
                *(f"{node}.ni.{file}.{name}" for file, names in _COUNTERS.items() for name in ["hits", *names]))

    @staticmethod
    def clearing(node):
        """Names of the registers that say that counters are still being cleared after a reset."""
        return tuple(f"{node}.ni.{file}.clear" for file in _COUNTERS)

    def look_router(self, router, m):
        """Watch what the node sends."""
        self.strobes["sends"].append(router.inject[0].valid)

    def look_tree(self, router, m):
        """Watch what the node sends into the tree."""
        self.strobes["sends"] += [router.local_in.owner.valid, router.local_in.tenant.valid]

    def look_memory(self, memory, m):
        """Watch a memory."""
        ram = m.submodules.ram
        self.strobes["memory"] += [port.en for port in ram.write_ports]
        port = ram.read_port(domain="comb")
        word, address = Signal(len(port.data), name="kept_word"), Signal(len(port.addr), name="kept_address")
        m.d.comb += [address.eq(AnyConst(len(address))), port.addr.eq(address), word.eq(port.data)]
        self.values["content"].append(word)

    def look_ni(self, ni, m):
        """Watch counters, rings and interrupt of a network interface."""
        for file, names in _COUNTERS.items():
            _then(m.submodules[file], lambda inner, names=names: self.strobes["counters"].extend(
                port.en for name in names for port in inner.submodules[name].write_ports))
            self.values["counters"].append(m.submodules[file].hit)
        _then(m.submodules.rings, lambda inner: self.values["rings"].extend(
            getattr(inner.submodules[f"ring_{ring}"], pointer) for ring in _RINGS for pointer in _POINTERS))
        self.values["interrupt"].append(ni.irq)

    def changed(self, m, *kinds):
        """Something of these kinds is written, or is not what it was a cycle before."""
        old, older = Signal(name="old"), Signal(name="older")
        m.d.sync += [old.eq(1), older.eq(old)]
        changes = [strobe.any() for kind in kinds for strobe in self.strobes.get(kind, [])]
        # In an order of their own: a design that is written differently is proved again.
        for kind in [kind for kind in dict.fromkeys(kinds) if kind in self.values]:
            now = Cat(*(Value.cast(value) for value in self.values[kind]))
            before = Signal(len(now), name=f"before_{kind}")
            m.d.sync += before.eq(now)
            # The interrupt is a cycle behind its causes.
            changes.append((older if kind == "interrupt" else old) & (now != before))
        return reduce(or_, changes)
