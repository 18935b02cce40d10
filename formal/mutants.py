"""Deliberate faults: each makes a property false, and shows that the property says something.

A mutant is one replacement in the source of one module of the design, made while it is imported for a proof and
nowhere else.
"""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType

__all__ = ["MUTANTS", "Mutant", "imported"]


@dataclass(frozen=True)
class Mutant:
    """A fault and the property it breaks.

    Parameters
    ----------
    breaks : str
        The property.
    what : str
        What goes wrong.
    module, old, new : str
        In the source of `module`, `old` (it must be there exactly once) becomes `new`.
    depth : int
        Cycles within which the property must be seen to fail.
    """

    breaks: str
    what: str
    module: str
    old: str
    new: str
    depth: int = 4

    def load(self) -> ModuleType:
        """Import the module with the fault in it, in the place of the module.

        Raises
        ------
        LookupError
            If the source has changed so that the replacement no longer fits.
        """
        spec = importlib.util.find_spec(self.module)
        if spec is None or spec.origin is None:
            raise LookupError(f"mutant {self.what!r}: there is no module {self.module}")
        with open(spec.origin, encoding="utf-8") as file:
            source = file.read()
        if source.count(self.old) != 1:
            raise LookupError(f"mutant {self.what!r}: {self.old!r} is {source.count(self.old)} times in {self.module}, "
                              "not once; adapt formal/mutants.py to the design")
        module = importlib.util.module_from_spec(spec)
        sys.modules[self.module] = module
        exec(compile(source.replace(self.old, self.new), spec.origin, "exec"), module.__dict__)
        return module


@contextmanager
def imported(name: str, mutant: Mutant | None) -> Iterator[ModuleType]:
    """A harness module, with everything it imports of the design imported anew, and a fault in it if asked for.

    Parameters
    ----------
    name : str
        Of the harness module.
    mutant : Mutant, optional
    """
    def ours() -> list[str]:
        return [m for m in sys.modules if m.split(".")[0] == "rtl" or (m.startswith("formal.") and m != __name__)]

    saved = {m: sys.modules.pop(m) for m in ours()}
    try:
        if mutant is not None:
            mutant.load()
        yield importlib.import_module(name)
    finally:
        for module in ours():
            del sys.modules[module]
        sys.modules.update(saved)


MUTANTS = (
    Mutant("egress-row", "the table answers from the shadow bank",
           "rtl.guard.table", "Cat(self.id[5:5 + bank_bits], self.policy.epoch)",
           "Cat(self.id[5:5 + bank_bits], ~self.policy.epoch)"),
    Mutant("egress-row", "packets with a legal hint are not looked up",
           "rtl.guard.egress", "gate.allowed.eq(table.allowed)",
           "gate.allowed.eq(table.allowed | data.View(Header, gate.flit.data).hint.any())"),
    Mutant("egress-all", "a waiting flit is overwritten",
           "rtl.guard.gate", "moves.eq(~self.o.valid | self.o.ready)", "moves.eq(1)"),
    Mutant("egress-all", "the payload kind bit is cleared with the deposit bit",
           "rtl.guard.egress", "stamped.deposit.eq(deposit),", "stamped.deposit.eq(deposit), stamped.dma.eq(0),"),
    Mutant("egress-hints", "a tie always goes minus",
           "rtl.torus.hints", "((minus == plus) & odd)", "(minus == plus)", 1),
    Mutant("egress-source", "the source is what software wrote if it wrote any",
           "rtl.guard.egress", "stamped.source.eq(self.node_id)",
           "stamped.source.eq(Mux(header.source == 0, self.node_id, header.source))"),
    Mutant("ingress-column", "the destination is looked up, not the source",
           "rtl.guard.ingress", "table.id.eq(header.source)", "table.id.eq(packer.id)"),
    Mutant("ingress-column", "hold does not stop what is on the way",
           "rtl.guard.ingress", "gate.drop.eq(self.policy.hold)", "gate.drop.eq(0)"),
    Mutant("ingress-all", "a commit changes the decision about a packet that waits",
           "rtl.guard.table", "read.en.eq(self.lookup)", "read.en.eq(1)"),
    Mutant("ingress-all", "a packet is a remote get if any chunk looks like one",
           "rtl.guard.ingress", "(self.place == 1) & ~self.beyond", "(self.place == 1)", 12),
    Mutant("ingress-all", "flits are taken from the router while the stage is not free",
           "rtl.guard.ingress", "i.ready.eq(gate.i.ready)", "i.ready.eq(1)"),
    Mutant("ingress-answer", "only the first descriptor of a get is rewritten",
           "rtl.guard.ingress", "m.d.sync += self.beyond.eq(1)", "m.d.sync += self.beyond.eq(~self.beyond)", 12),
    Mutant("ingress-answer", "the deposit bit of a descriptor is kept",
           "rtl.guard.ingress", "answer.deposit.eq(0)]", "answer.pid0.eq(0)]", 8),
    Mutant("ingress-answer", "any answer may use the priority channel",
           "rtl.guard.ingress", "(header.vc == VirtualChannel.PRIORITY) & ~self.priority",
           "(header.vc == VirtualChannel.PRIORITY) & 0", 12),
    Mutant("owner-writes", "the host has the owner's rights",
           "rtl.guard.control", "return Mux(owners, Const(owner, 1), Const(host, 1))", "return Const(owner, 1)"),
    Mutant("owner-writes", "a write that is answered with an error is made",
           "rtl.guard.control", "writes.eq(answering & request.valid & request.write & ~error)",
           "writes.eq(answering & request.valid & request.write)"),
    Mutant("owner-commit", "a commit does not wait for the drain",
           "rtl.guard.control", "~permitted | (hits[\"COMMIT\"] & ~self.drained)", "~permitted"),
    Mutant("owner-stamp", "one of the two stamps is enough",
           "rtl.tree.console", "& external & owner)", "& (external | owner))", 6),
    Mutant("tree-stamp", "software chooses whose text it is",
           "rtl.tree.console", "header.source.eq(self.node_id),", "", 4),
    Mutant("tree-stamp", "the stamp of the outside is software's",
           "rtl.tree.console", "header.external.eq(0),", "", 4),
    Mutant("tree-stamp", "a header in the middle of a packet is not stamped",
           "rtl.tree.console", "Mux(self.i.payload.first, 0, position)", "position", 4),
    Mutant("text-source", "the stamp of the owner is software's",
           "rtl.tree.console", "header.owner.eq(0),", "", 14),
    Mutant("store-accepted", "every whole packet is kept",
           "rtl.tree.store", "self.kept.eq(whole & self.accept)", "self.kept.eq(whole)", 8),
    Mutant("console-column", "console packets are not looked up",
           "rtl.tree.console", "mine & (external | (self.tree_allowed & fresh))", "mine", 6),
    Mutant("reception-memory", "the reception lane takes flits that are not offered",
           "rtl.ni.reception", "arrives.eq(self.i.valid & self.i.ready)", "arrives.eq(self.i.ready)", 8),
    Mutant("reception-memory", "the tail of a refused packet passes the gate",
           "rtl.guard.gate", "Mux(flit.first, ~head_refused, self.passing)",
           "Mux(flit.first, ~head_refused, self.passing | flit.last)", 8),
    Mutant("reception-counters", "a header in the gate, refused or not, counts as a console drop",
           "rtl.ni.ni", "status.console_drop.eq(receiver.drop)",
           "status.console_drop.eq(receiver.drop | self.eject[0].payload.first)", 6),
    Mutant("reception-rings", "the ingress guard does not ask its table",
           "rtl.guard.ingress", "gate.allowed.eq(table.allowed)", "gate.allowed.eq(1)", 14),
    Mutant("reception-interrupts", "the interrupt follows what is in the gate, refused or not",
           "rtl.ni.ni", "status.causes[Irq.CONSOLE].eq(rings.filled[-1])",
           "status.causes[Irq.CONSOLE].eq(rings.filled[-1] | self.eject[0].payload.first)", 6),
    Mutant("reception-silence", "the console receiver begins without a flit",
           "rtl.ni.console", "with m.Elif(self.i.valid):", "with m.Else():", 6),
    Mutant("reception-console", "console packets are not looked up, in a whole node",
           "rtl.tree.console", "mine & (external | (self.tree_allowed & fresh))", "mine", 8),
    Mutant("reception-console", "refused packets are kept as well",
           "rtl.tree.store", "self.kept.eq(whole & self.accept)", "self.kept.eq(whole)", 8),
    Mutant("ejection-flow", "a lane is granted while a packet waits in it",
           "rtl.torus.output", "self.withhold | buffer.r_rdy", "self.withhold", 8),
    Mutant("ejection-flow", "a copy is given a lane in which a packet waits",
           "rtl.torus.output", "self.busy.eq(allocator.busy | buffer.r_rdy)", "self.busy.eq(allocator.busy)", 8),
    Mutant("ejection-flow", "a flit overtakes those that wait",
           "rtl.torus.output", "here & (buffer.r_rdy | ~self.o.ready)", "here & ~self.o.ready", 8),
    Mutant("reception-locks", "a ring without room is kept for the packet that is dropped",
           "rtl.ni.ring", "Mux(accepted, which, 0)", "which", 8),
    Mutant("reception-locks", "a packet that turns out bad keeps its ring",
           "rtl.ni.reception", "self.ring.unlock.eq(packet.held)",
           "self.ring.unlock.eq(Mux(good, packet.held, 0))", 12),
    Mutant("reception-locks", "who asks later may come first, again and again",
           "rtl.ni.ring", "late.append((before & rivals).any())", "late.append(Value.cast(0))", 8),
    Mutant("refused-torus", "no ingress guard asks its table",
           "rtl.guard.ingress", "gate.allowed.eq(table.allowed)", "gate.allowed.eq(1)", 6),
    Mutant("refused-torus", "a header marked bad stays a cycle longer in the gate",
           "rtl.guard.gate", "moves.eq(~self.o.valid | self.o.ready)",
           "moves.eq((~self.o.valid | self.o.ready) & ~(flit.bad & self.fresh))"),
    Mutant("refused-torus", "the reception lane takes what is in the gate, offered or not",
           "rtl.ni.reception", "arrives.eq(self.i.valid & self.i.ready)", "arrives.eq(self.i.ready)"),
    Mutant("refused-tree", "console packets of any source are accepted",
           "rtl.tree.console", "mine & (external | (self.tree_allowed & fresh))", "mine", 8),
    Mutant("refused-tree", "a packet is stored whoever's it is",
           "rtl.tree.store", "self.kept.eq(whole & self.accept)", "self.kept.eq(whole)", 9),
    Mutant("refused-tree", "a refused packet with an odd last flit moves the end of the store",
           "rtl.tree.store", "with m.If(self.kept):", "with m.If(whole & (self.accept | flit.data[0])):", 9),
    Mutant("two-nodes-row", "the egress guard of the hostile node does not ask its table",
           "rtl.guard.egress", "gate.allowed.eq(table.allowed)", "gate.allowed.eq(1)", 20),
    Mutant("two-nodes-row", "the router sends every packet straight on as well",
           "rtl.torus.routing", "wanted[2 * dimension] = plus & ~earlier", "wanted[2 * dimension] = ~earlier", 20),
    Mutant("two-nodes-column", "the ingress guard of the victim does not ask its table",
           "rtl.guard.ingress", "gate.allowed.eq(table.allowed)", "gate.allowed.eq(1)", 20),
    Mutant("two-nodes-console", "console packets are not looked up at the victim",
           "rtl.tree.console", "mine & (external | (self.tree_allowed & fresh))", "mine", 30),
    Mutant("torus-receiver", "a receiver stores what is on the cable while nothing is sent",
           "rtl.torus.buffers", "buffer.w_en.eq(self.rx.valid & (self.rx.vc == channel))",
           "buffer.w_en.eq(self.rx.vc == channel)", 6),
    Mutant("torus-receiver", "the hint is cleared in the wrong place of the header",
           "rtl.torus.routing", "new.hint.eq(hint),", "new.hint.eq(hint), new.source[0].eq(hint[0]),", 6),
    Mutant("torus-source", "the switch mixes flits of a lane into every output",
           "rtl.torus.switch", "Mux(selected, self.flits[source].as_value(), 0)",
           "Mux(selected | (source == 0), self.flits[source].as_value(), 0)", 6),
    Mutant("torus-source", "two channels are granted one output",
           "rtl.torus.output", "left.eq(free & ~arbiter.choice.any())", "left.eq(free)", 6),
    Mutant("tree-receiver", "the tree marks every packet of a tenant as from outside",
           "rtl.tree.link", "buffer.w_data.eq(self.rx.flit)",
           "buffer.w_data.eq(self.rx.flit.as_value() | (self.rx.channel << 30))", 6),
    Mutant("tree-source", "the root does not stamp what comes from outside",
           "rtl.tree.router", "with m.If(root & arriving.first):", "with m.If(~root & arriving.first):", 4),
    Mutant("tree-source", "what turns at the root does not wait for what comes down",
           "rtl.tree.router", "up_open.eq(down_open & ~down.grant.any())", "up_open.eq(1)", 12),
    Mutant("two-nodes-both", "console packets are not looked up at the victim, with the torus beside them",
           "rtl.tree.console", "mine & (external | (self.tree_allowed & fresh))", "mine", 30),
    Mutant("two-nodes-cover", "the ingress guard refuses everything",
           "rtl.guard.ingress", "gate.allowed.eq(table.allowed)", "gate.allowed.eq(0)", 13),
    Mutant("two-nodes-tree-cover", "no store keeps a packet",
           "rtl.tree.store", "self.kept.eq(whole & self.accept)", "self.kept.eq(0)", 23),
)
"""At least one for each property."""
