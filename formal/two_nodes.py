"""Two nodes, of which one has hostile software: what of it reaches the other, the victim.

The victim is node 0 and the root of the tree, the hostile node is node 1 of a torus of two. A harness holds one node
as it is, or both, with free inputs in the place of the rest; see docs/proofs.md for how they fit together.
"""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out, connect

from formal.harness import Harness
from formal.reachability import Claim
from formal.two_nodes_parts import (
    HOSTILE,
    SCALED,
    VICTIM,
    AnySoftware,
    AnyTorus,
    AnyTree,
    NoTorus,
    NoTree,
    PartialNode,
    TableBits,
    Tenant,
    seen,
)
from rtl.fabric import cables, straps_of
from rtl.formats import Straps
from rtl.guard.guard import Guard
from rtl.memory import NodeMemory
from rtl.ni.ni import NI
from rtl.tree.router import TreeRouter

__all__ = ["BothVictim", "ConsoleVictim", "HostileNode", "TwoNodes", "TwoNodesTree", "Victim"]

SHAPE = (2, 1, 1)


class NodeHarness(Harness):
    """What the harnesses below share: a state to look for instead of assertions, and registers with any content.

    Attributes
    ----------
    claim_of_goal : Claim
        What is said of the cycles in which the output `found` is 1.
    free : tuple of str
        Registers and memories, by their names in the flattened design, with any content in the first cycle.
    zero : tuple of str
        Registers that are 0 in the first cycle, against what a reset does to them.
    """

    ports = {"found": Out(1)}
    claim_of_goal = Claim.NEVER
    constructed = ("two-nodes", )
    free: tuple[str, ...] = ()
    zero: tuple[str, ...] = ()

    def put_node(self, m, node, rank):
        """Tell a node where it is."""
        m.d.comb += node.straps.eq(Straps.const(straps_of(rank, SHAPE)))

    def find(self, m, event, while_=1):
        """Look for `event`, in a cycle to which `while_` has held from the first one on."""
        past, good = Signal(init=1), Signal()
        m.d.comb += [good.eq(past & while_), self.found.eq(good & event)]
        m.d.sync += past.eq(good)


def guard_state(node):
    """Registers and tables of a node's guard the owner sets."""
    registers = ("valid", "epoch", "priority", "commits", "reach_0", "reach_1", "send_id", "receive_ids",
                 "receive_valid")
    return (*(f"{node}.guard.control.{name}" for name in registers),
            *(f"{node}.guard.{table}.ram" for table in ("egress_0.table", "ingress_0.table", "tree_table")))


class HostileNode(NodeHarness):
    """The hostile node: real but for its network interface, and nothing comes from the other one."""

    properties = {
        "two-nodes-row": "while the row of the hostile node does not permit the victim, no flit leaves by any cable of "
                         "the torus, whatever its software does",
    }
    constructed = ("two-nodes", "nothing-back")
    free = (*guard_state("hostile"), "hostile.guard.control.hold")

    def elaborate(self, platform):
        m = Module()
        bits = TableBits("hostile", VICTIM)
        parts = {"guard": seen(Guard, bits.look), "ni": AnySoftware}
        m.submodules.hostile = node = PartialNode(SCALED, parts, tree=NoTree)
        self.put_node(m, node, HOSTILE)
        self.find(m, Cat(cable.valid for cable in node.tx).any(), ~bits.row)
        return m


class Victim(NodeHarness):
    """The victim: real but for its routers, which hand it any packets that bear the other node's id.

    Its software is silent; its rings and counters are set up in any way that has nothing to send.
    """

    router, tree = AnyTorus, NoTree
    constructed = ("two-nodes", "hostile-torus")

    @staticmethod
    def permits(bits):
        """The bit that counts."""
        return bits.column

    properties = {
        "two-nodes-column": "while the column of the victim does not permit the hostile node, no torus packet that "
                            "bears its id changes memory, counters, rings or interrupt, or makes the victim send",
    }
    free = (*guard_state("victim"), *Tenant.state("victim"))
    zero = ("victim.guard.control.hold", *Tenant.clearing("victim"))

    def elaborate(self, platform):
        m = Module()
        bits, tenant = TableBits("victim", HOSTILE), Tenant()
        parts = {"router": seen(self.router, tenant.look_router), "guard": seen(Guard, bits.look),
                 "memory": seen(NodeMemory, tenant.look_memory), "ni": seen(NI, tenant.look_ni)}
        m.submodules.victim = node = PartialNode(SCALED, parts, tree=seen(self.tree, tenant.look_tree))
        self.put_node(m, node, VICTIM)
        m.submodules.verdict = Verdict(lambda inner: self.find(
            inner, tenant.changed(inner, "memory", "counters", "rings", "interrupt", "sends"), ~self.permits(bits)))
        return m


class ConsoleVictim(Victim):
    """The same with packets of the tree."""

    router, tree = NoTorus, AnyTree
    constructed = ("two-nodes", "hostile-tree")

    @staticmethod
    def permits(bits):
        """The bit that counts."""
        return bits.tree

    properties = {
        "two-nodes-console": "while the tree's column of the victim does not permit the hostile node, no console "
                             "packet that bears its id changes memory, counters, rings (the console's "
                             "too) or interrupt, or makes the victim send",
    }


class BothVictim(Victim):
    """The same with packets of both networks at a time."""

    router, tree = AnyTorus, AnyTree
    constructed = ("two-nodes", "hostile-torus", "hostile-tree")

    @staticmethod
    def permits(bits):
        """The bits that count."""
        return bits.column | bits.tree

    properties = {
        "two-nodes-both": "while neither column of the victim permits the hostile node, packets of torus and tree that "
                          "bear its id change nothing of these, and do not make the victim send",
    }


class TwoNodes(NodeHarness):
    """Both nodes, wired by the cables on which the hostile node sends; the victim permits it."""

    claim_of_goal = Claim.REACHED
    properties = {
        "two-nodes-cover": "a packet of the hostile node changes the victim's memory, as it should if both tables "
                           "permit it",
    }
    free = (*guard_state("victim"), *guard_state("hostile"), *Tenant.state("victim"), "hostile.guard.control.hold")
    zero = Victim.zero

    def elaborate(self, platform):
        m = Module()
        tenant = Tenant()
        m.submodules.victim = victim = PartialNode(
            SCALED, {"memory": seen(NodeMemory, tenant.look_memory), "ni": seen(NI, tenant.look_ni)}, tree=NoTree)
        m.submodules.hostile = hostile = PartialNode(SCALED, {"ni": AnySoftware}, tree=NoTree)
        self.put_node(m, victim, VICTIM)
        self.put_node(m, hostile, HOSTILE)
        for rank, direction, _ in cables(SHAPE):
            if rank == HOSTILE:
                connect(m, hostile.tx[direction], victim.rx[direction ^ 1])

        m.submodules.verdict = Verdict(lambda inner: self.find(inner, tenant.changed(inner, "content")))
        return m


class TwoNodesTree(TwoNodes):
    """Both nodes, wired by the cable of the tree on which the hostile node sends."""

    properties = {
        "two-nodes-tree-cover": "a console packet of the hostile node changes the victim's memory, as it should if its "
                                "tree's column permits it",
    }

    def elaborate(self, platform):
        m = Module()
        tenant = Tenant()
        m.submodules.victim = victim = PartialNode(
            SCALED, {"router": NoTorus, "memory": seen(NodeMemory, tenant.look_memory), "ni": seen(NI, tenant.look_ni)},
            tree=TreeRouter)
        m.submodules.hostile = hostile = PartialNode(SCALED, {"router": NoTorus, "ni": AnySoftware}, tree=TreeRouter)
        self.put_node(m, victim, VICTIM)
        self.put_node(m, hostile, HOSTILE)
        connect(m, hostile.parent_tx, victim.child_rx[0])
        m.submodules.verdict = Verdict(lambda inner: self.find(inner, tenant.changed(inner, "content")))
        return m


class Verdict(wiring.Component):
    """Elaborated after the nodes: by then their parts have been looked at."""

    def __init__(self, judge):
        self._judge = judge
        super().__init__({})

    def elaborate(self, platform):
        m = Module()
        self._judge(m)
        return m
