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
    Mutant("egress-length", "a packet is as long as software makes it",
           "rtl.guard.egress", "i.payload.last | tail", "i.payload.last", 40),
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
    Mutant("owner-registers", "a write of REACH goes into the active bank",
           "rtl.guard.control", "writes & hits[\"REACH\"] & (epoch != bank)", "writes & hits[\"REACH\"] & (epoch == bank)"),
    Mutant("owner-registers", "a reach above the largest wraps",
           "rtl.guard.control", "Mux(value[HOP_BITS:].any(), (1 << HOP_BITS) - 1, value)", "value"),
    Mutant("owner-registers", "every receive id is the first one",
           "rtl.guard.control", "self.receive_ids[indices[\"CONSOLE_RECEIVE_ID\"]].eq(value)",
           "self.receive_ids[0].eq(value)"),
    Mutant("owner-registers", "a write of the send id changes who is listened to as well",
           "rtl.guard.control", "(\"CONSOLE_LISTEN\", self.receive_valid),",
           "(\"CONSOLE_LISTEN\", self.receive_valid), (\"CONSOLE_SEND_ID\", self.receive_valid),"),
    Mutant("owner-registers", "a row is written where a column is meant",
           "rtl.guard.control", "policy.row_write.eq(writes & hits[\"ROW\"])",
           "policy.row_write.eq(writes & (hits[\"ROW\"] | hits[\"COLUMN\"]))"),
    Mutant("owner-registers", "a clear without hold is no error",
           "rtl.guard.control", "clearing = request.data[1] & ~request.data[0]",
           "clearing = Const(0, 1)"),
    Mutant("owner-registers", "a revision goes into the active bank",
           "rtl.guard.control", "writes & hits[\"REVISION\"] & (epoch != bank)",
           "writes & hits[\"REVISION\"] & (epoch == bank)"),
    Mutant("owner-registers", "a clear leaves the grant",
           "rtl.guard.control", "granted = priority, self.send_id,", "granted = self.send_id,", 6),
    Mutant("owner-sum", "writes of the column are not summed up",
           "rtl.guard.control", "(\"ROW\", \"COLUMN\", \"REACH\", \"REVISION\")).any()),",
           "(\"ROW\", \"REACH\", \"REVISION\")).any()),"),
    Mutant("owner-sum", "a refused commit begins the sum anew",
           "rtl.guard.control", "checksum.commit.eq(self.commit)", "checksum.commit.eq(hits[\"COMMIT\"])"),
    Mutant("owner-sum", "the revision of the shadow is read",
           "rtl.guard.control", "Mux(policy.epoch, self.revisions[1], self.revisions[0])",
           "Mux(policy.epoch, self.revisions[0], self.revisions[1])", 8),
    Mutant("owner-count", "commits are counted modulo 4",
           "rtl.guard.control", "self.commits.eq(self.commits + 1)", "self.commits.eq((self.commits + 1) & 3)", 14),
    Mutant("owner-count", "deposits follow the reach of the other bank",
           "rtl.guard.control", "Mux(epoch, self.reaches[1].as_value(), self.reaches[0].as_value())",
           "Mux(epoch, self.reaches[0].as_value(), self.reaches[1].as_value())", 6),
    Mutant("drain-exact", "a commit counts as drained at once",
           "rtl.guard.drain", "self.drained.eq(~capture & (old == 0))", "self.drained.eq(old == 0)"),
    Mutant("drain-exact", "what passes in the cycle after the commit is not waited for",
           "rtl.guard.drain", "m.d.sync += old.eq(now)", "m.d.sync += old.eq(outstanding)", 6),
    Mutant("drain-exact", "what a hold cut is waited for",
           "rtl.guard.drain", "m.d.sync += [outstanding.eq(0), old.eq(0)]", "pass", 8),
    Mutant("drain-exact", "packets of both sides of the commit count it down",
           "rtl.guard.drain", "with m.Elif(self.retired & (old != 0)):", "with m.Elif((self.retired | self.passed) & (old != 0)):",
           8),
    Mutant("count-injected", "INJECTED counts by the parity of the cycle",
           "rtl.guard.egress", "self.sent_epoch.eq(held.epoch)", "self.sent_epoch.eq(policy.epoch)", 6),
    Mutant("count-injected", "a packet that waits counts every cycle",
           "rtl.guard.egress", "self.sent.eq(gate.passed)", "self.sent.eq(gate.o.valid & gate.o.payload.first)", 6),
    Mutant("count-injected", "two packets in one cycle count once",
           "rtl.guard.counters", "counter.eq(counter + sum(seen) + more)", "counter.eq(counter + seen.any() + more)", 6),
    Mutant("count-ejected", "packets count by the parity of the one behind them",
           "rtl.guard.ingress", "self.ended_epoch.eq(epoch)", "self.ended_epoch.eq(header.epoch)", 6),
    Mutant("count-ejected", "copies count",
           "rtl.guard.ingress", "counts.eq(gate.ended & ~self.copy)", "counts.eq(gate.ended)", 6),
    Mutant("count-ejected", "what met a hold counts as delivered",
           "rtl.guard.gate", "self.delivered.eq(self.o.valid)", "self.delivered.eq(self.o.valid | self.drop)", 6),
    Mutant("count-ejected", "the router's discards count by the other parity",
           "rtl.guard.counters", "self.discards[epoch] if", "self.discards[1 - epoch] if", 4),
    Mutant("memory-keeps", "an answer that waits is overwritten",
           "rtl.memory", "free.eq(~self.data.valid | self.data.ready)", "free.eq(1)", 6),
    Mutant("memory-keeps", "a masked byte is written",
           "rtl.memory", "write.en.eq(self.write.payload.mask &", "write.en.eq((self.write.payload.mask | 1) &", 6),
    Mutant("memory-cleared", "the last word is left out",
           "rtl.memory_gate", "with m.If(address == self._parameters.memory_words - 1):",
           "with m.If(address == self._parameters.memory_words - 2):", 20),
    Mutant("memory-cleared", "hold ends before the memory is cleared",
           "rtl.memory_gate", "(writes != 0) | clearing)", "(writes != 0))", 12),
    Mutant("memory-cleared", "half of each word is cleared",
           "rtl.memory_gate", "memory.write.payload.mask.eq(~0)", "memory.write.payload.mask.eq(0xFFFF)", 20),
    Mutant("memory-held", "hold ends while the memory owes an answer",
           "rtl.memory_gate", "self.unfinished.eq((reads != 0) | ", "self.unfinished.eq(", 12),
    Mutant("memory-held", "the network interface's requests pass in hold",
           "rtl.memory_gate", "asks.eq(~self.hold & ~reads.all())", "asks.eq(~reads.all())"),
    Mutant("owner-writes", "the revision changes in the active bank",
           "rtl.guard.control", "writes & hits[\"REVISION\"] & (epoch != bank)", "self.busy & (epoch != bank)"),
    Mutant("clear-state", "the hold that follows a clear counts and logs",
           "rtl.guard.control", "self.clear | (vacated & policy.hold)", "self.clear", 8),
    Mutant("clear-state", "a refusal that waits in a slot is logged for the next tenant",
           "rtl.guard.log", "waiting.eq(0), self.count.eq(0)", "self.count.eq(0)", 8),
    Mutant("clear-state", "the grant is inherited",
           "rtl.guard.control", "granted = priority, self.send_id", "granted = self.send_id, self.send_id", 8),
    Mutant("clear-state", "the channels listened to are inherited",
           "rtl.guard.control", "self.receive_valid, self.receive_ids.as_value()", "self.receive_ids.as_value()", 8),
    Mutant("clear-answers", "counts of refusals are inherited",
           "rtl.guard.guard", "counters.clear.eq(control.vacant)", "counters.clear.eq(0)", 12),
    Mutant("clear-answers", "refusals that were lost are inherited",
           "rtl.guard.log", "self.count.eq(0), self.lost.eq(0)", "self.count.eq(0)", 16),
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
    Mutant("host-stable", "what was offered becomes an error as hold rises",
           "rtl.host_gate", "Mux(offered & self.hold, kept, Const(_SLVERR, len(said)))", "Const(_SLVERR, len(said))", 12),
    Mutant("host-answers", "an access that hold cut is forgotten when hold ends",
           "rtl.host_gate", "m.d.sync += cut.eq(reduce(or_, started))", "pass", 12),
    Mutant("host-answers", "a second address is taken in hold before the first access is answered",
           "rtl.host_gate", "Mux(refuse, ~already,", "Mux(refuse, 1,", 6),
    Mutant("host-refused", "accesses go on to the network interface in hold",
           "rtl.host_gate", "valid & ~refuse),\n                ready", "valid),\n                ready", 4),
    Mutant("host-selects", "every access selects the first register as well",
           "rtl.ni.host", "self.registers.select.eq(decoder.select)",
           "self.registers.select.eq(decoder.select.as_value() | 1)", 8),
    Mutant("host-forgets", "what was offered before hold is still there after it",
           "rtl.host_gate", "Mux(offered & self.hold, kept,", "Mux(offered, kept,", 12),
    Mutant("console-stale", "a packet's age does not count",
           "rtl.tree.console", "fresh.eq((age < STALE_COMMITS) | age.all())", "fresh.eq(1)", 6),
    Mutant("console-stale", "age is counted modulo 16",
           "rtl.tree.console", "fresh.eq((age < STALE_COMMITS) | age.all())",
           "fresh.eq((age[:4] < STALE_COMMITS) | age.all())", 6),
    Mutant("console-stale", "what was sent two commits ahead is accepted",
           "rtl.tree.console", "fresh.eq((age < STALE_COMMITS) | age.all())",
           "fresh.eq((age < STALE_COMMITS) | (age >= 254))", 6),
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
    Mutant("reception-writer", "a window takes puts whether it is armed or not",
           "rtl.ni.counters", "return writer.armed & (", "return (", 8),
    Mutant("reception-writer", "a window takes puts of any node",
           "rtl.ni.counters", "(writer.any | (writer.node == source)) & ", "", 8),
    Mutant("reception-writer", "half of the writer's id is compared",
           "rtl.ni.counters", "writer.node == source", "writer.node[8:] == source[8:]", 8),
    Mutant("reception-writer", "a window takes puts with any key",
           "rtl.ni.counters", " & (writer.key == key)", "", 8),
    Mutant("reception-writer", "a put that is refused is stored all the same",
           "rtl.ni.reception", "Mux(fits, (put.valid_bytes + 7) >> 3, 0)", "(put.valid_bytes + 7) >> 3", 8),
    Mutant("reception-writer", "a put that is refused counts",
           "rtl.ni.reception", "packet.counts.eq(fits)", "packet.counts.eq(1)", 10),
    Mutant("reception-writer", "a lane reads what another one has looked up",
           "rtl.ni.reception", "m.If(self.lookup.valid & self.lookup.ready)", "m.If(self.lookup.valid)", 10),
    Mutant("reception-window", "the limit of a window is not checked",
           "rtl.ni.reception", "allowed=admitted & (end <= limit)", "allowed=admitted", 12),
    Mutant("reception-window", "the end of the memory is not checked",
           "rtl.ni.reception", "& (start + put.valid_bytes <= self._parameters.memory_bytes)", "", 12),
    Mutant("reception-window", "the last flit of a put is written whole",
           "rtl.ni.reception", "Mux(odd_bytes == 0, 0xFF, ~(0xFF >> odd_bytes))", "0xFF", 12),
    Mutant("reception-window", "a put looks another counter up than it names",
           "rtl.ni.reception", "self.lookup.index.eq(named.counter)", "self.lookup.index.eq(named.ring)", 12),
    Mutant("reception-room", "gets may be put into any ring",
           "rtl.ni.ring", "permitted.eq(which[injection:].any() | (which[:injection] & self.remote).any())",
           "permitted.eq(1)", 12),
    Mutant("reception-room", "a get goes to another ring than it names",
           "rtl.ni.reception", "get_ring = Cat(put.ring == ring for", "get_ring = Cat(put.ring != ring for", 12),
    Mutant("reception-room", "the bits of the pid are swapped",
           "rtl.ni.reception", "pid = Cat(header.pid1, header.pid0)", "pid = Cat(header.pid0, header.pid1)", 12),
    Mutant("reception-room", "a ring is filled to its last chunk",
           "rtl.ni.ring", "fits.eq(used + chunks < size)", "fits.eq(used + chunks <= size)", 12),
    Mutant("reception-room", "a packet begins behind its room",
           "rtl.ni.ring", "client.first.eq(base + fill)", "client.first.eq(base + following)", 12),
    Mutant("reception-room", "a get writes two flits more than it has room for",
           "rtl.ni.reception", "Mux(packet.is_get, 0, CHUNK_FLITS - HEADER_FLITS)", "CHUNK_FLITS - HEADER_FLITS", 14),
    Mutant("get-stamped", "a descriptor keeps the source that is written in it",
           "rtl.ni.reception", "m.d.comb += Header(gather.flit).source.eq(packet.source)", "pass", 12),
    Mutant("get-stamped", "the requester is put into another flit of the descriptor",
           "rtl.ni.reception", "packet.is_get & (packet.slot == 2)", "packet.is_get & (packet.slot == 1)", 12),
    Mutant("get-reader", "READER does not count",
           "rtl.ni.descriptor", "(remote & ~readable, Fault.WINDOW),", "", 12),
    Mutant("get-reader", "half of the reader's id is compared",
           "rtl.ni.descriptor", "rights.node == descriptor.header.source",
           "rights.node[:8] == descriptor.header.source[:8]", 14),
    Mutant("get-reader", "a closed window is open to the node it names",
           "rtl.ni.descriptor", "rights.open & (rights.any |", "((rights.open & rights.any) |", 12),
    Mutant("injection-window", "the limit of a window is not checked by injection",
           "rtl.ni.descriptor", "(end > limit) | (start", "(start", 14),
    Mutant("injection-window", "a message that is not aligned is read a word too far",
           "rtl.ni.reader", "(self.address[:2] + count + WORD_FLITS - 1) >> 2", "(self.address[:2] + count + WORD_FLITS) >> 2",
           14),
    Mutant("torus-retired", "a packet retires when its last word is taken, and again when it is acknowledged",
           "rtl.ni.reception", "self.retired.eq(gather.settle)", "self.retired.eq(gather.settle | gather.finish)", 14),
    Mutant("torus-retired", "a header that waits in the guard is counted in every cycle",
           "rtl.guard.gate", "self.passed.eq(full & flit.first & self.fresh &", "self.passed.eq(full & flit.first &", 14),
    Mutant("drain-torus", "DRAINED follows the packets of after the commit",
           "rtl.guard.drain", "m.d.sync += old.eq(now)", "m.d.sync += old.eq(0)", 14),
    Mutant("drain-torus", "a packet retires when its last word is taken",
           "rtl.ni.reception", "self.retired.eq(gather.settle)", "self.retired.eq(gather.finish)", 14),
    Mutant("console-retired", "a packet without a link header is not retired",
           "rtl.ni.console", "[self.drop.eq(1), self.retired.eq(1), gather.discard.eq(1)]",
           "[self.drop.eq(1), gather.discard.eq(1)]", 8),
    Mutant("console-retired", "a bad packet is not retired",
           "rtl.ni.console", "m.d.comb += [self.drop.eq(~good), self.retired.eq(1)]",
           "m.d.comb += [self.drop.eq(~good), self.retired.eq(good)]", 12),
    Mutant("ejection-flow", "a lane is granted while a packet waits in it",
           "rtl.torus.output", "self.withhold | buffer.r_rdy", "self.withhold", 40),
    Mutant("ejection-flow", "a copy is given a lane in which a packet waits",
           "rtl.torus.output", "self.busy.eq(allocator.busy | buffer.r_rdy)", "self.busy.eq(allocator.busy)", 40),
    Mutant("ejection-flow", "a flit overtakes those that wait",
           "rtl.torus.output", "self.move & (~free | buffer.r_rdy)", "self.move & ~free", 6),
    Mutant("reception-locks", "a ring without room is kept for the packet that is dropped",
           "rtl.ni.ring", "Mux(accepted, which, 0)", "which", 8),
    Mutant("reception-locks", "a packet that turns out bad keeps its ring",
           "rtl.ni.reception", "self.ring.unlock.eq(packet.held)",
           "self.ring.unlock.eq(Mux(good, packet.held, 0))", 12),
    Mutant("reception-locks", "who asks later may come first, again and again",
           "rtl.ni.ring", "late.append((before & rivals).any())", "late.append(Value.cast(0))", 30),
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
