"""Faults in the RTL that a testbench must see: ``python -m tests.rtl.mutation [WORD...]``.

Each is a :class:`~formal.mutation.Mutant`, one replacement in one module, that `breaks` a case of a testbench:
``block.case``. The case runs on Verilator with the fault in the design under test and must fail. With words only the
mutants whose text has one of them are tried.
"""

import importlib
import sys
from dataclasses import replace
from typing import Any

from formal.mutation import Mutant

__all__ = ["MUTANTS", "fails", "main"]

MUTANTS = (
    Mutant("guard_account.commits_are_counted", "commits are counted modulo 4",
           "rtl.guard.control", "self.commits.eq(self.commits + 1)", "self.commits[:2].eq(self.commits + 1)"),
    Mutant("guard_account.drained_knows_what_is_finished", "no way forgets in hold what is unfinished",
           "rtl.guard.guard", "drain.forget.eq(self.hold)", "drain.forget.eq(0)"),
    Mutant("guard_account.drained_knows_what_is_finished", "hold does not forget what a commit waits for",
           "rtl.guard.drain", "[outstanding.eq(0), old.eq(0)]", "outstanding.eq(0)"),
    Mutant("guard_account.drained_knows_what_is_finished", "hold does not forget what is unfinished",
           "rtl.guard.drain", "[outstanding.eq(0), old.eq(0)]", "old.eq(0)"),
    Mutant("guard_account.drained_knows_what_is_finished", "unfinished packets are counted modulo 16",
           "rtl.guard.drain", "outstanding = Signal(8)", "outstanding = Signal(4)"),
    Mutant("guard_account.every_packet_is_counted_once", "INJECTED is counted by the epoch's parity, not the packet's",
           "rtl.guard.egress", "self.sent_epoch.eq(held.epoch)", "self.sent_epoch.eq(self.policy.epoch)"),
    Mutant("guard_account.every_packet_is_counted_once", "INJECTED is counted by the other parity",
           "rtl.guard.counters", "(events[lane].epoch == epoch)",
           "(events[lane].epoch == epoch ^ (name == \"injected\"))"),
    Mutant("guard_account.every_packet_is_counted_once", "a packet that was cut is DELIVERED",
           "rtl.guard.gate", "self.delivered.eq(self.o.valid)", "self.delivered.eq(full & ~head_refused)"),
    Mutant("guard_counters.every_event_of_a_cycle", "counters have 31 bits",
           "rtl.guard.counters", "counter.eq(counter + sum(seen) + more)",
           "counter[:31].eq(counter + sum(seen) + more)"),
    Mutant("guard.a_remote_get_answers_its_requester", "after a get on the priority channel all are answered there",
           "rtl.guard.ingress", "self.priority.eq(header.vc == VirtualChannel.PRIORITY)",
           "self.priority.eq(self.priority | (header.vc == VirtualChannel.PRIORITY))"),
    Mutant("guard.random_traffic", "ids are compared by their low 12 bits with what the table covers",
           "rtl.guard.table", "(self.id < self.parameters.table_nodes)",
           "(self.id[:12] < self.parameters.table_nodes)"),
    Mutant("guard.random_traffic", "the log keeps 12 bits of a destination",
           "rtl.guard.egress", "self.destination = Signal(16)", "self.destination = Signal(12)"),
    Mutant("guard_registers.rights", "registers are told apart by 15 bits of an address",
           "rtl.guard.control", "place = address[shift:]", "place = address[shift:15]"),
    Mutant("guard_registers.console_keys", "a key has 31 bits",
           "rtl.guard.control", "self.receive_ids[indices[\"CONSOLE_RECEIVE_ID\"]].eq(value)",
           "self.receive_ids[indices[\"CONSOLE_RECEIVE_ID\"]].eq(value[:31])"),
    Mutant("ni_remote.a_get_reads_what_is_open_to_its_requester", "READER is compared by 8 of its 16 bits",
           "rtl.ni.descriptor", "(rights.node == descriptor.header.source)",
           "(rights.node[:8] == descriptor.header.source[:8])"),
    Mutant("deposit_scheduler.one_at_a_time_and_others_between", "a link owes nobody a turn after a deposit packet",
           "rtl.torus.deposit", "owed_link.eq(forced_link | (owed_link & (self.link_busy | self.withhold_link)))",
           "owed_link.eq(0)"),
    Mutant("deposit_scheduler.one_at_a_time_and_others_between", "a lane owes nobody a turn after a deposit packet",
           "rtl.torus.deposit", "owed_lane.eq(forced_lane | (owed_lane & (self.lane_busy | self.withhold_lane)))",
           "owed_lane.eq(0)"),
    Mutant("deposit_scheduler.one_at_a_time_and_others_between", "a chosen packet that loses its room waits for more",
           "rtl.torus.deposit", "with m.Elif(self.force.any() | ~(chosen & self.room).any()):",
           "with m.Elif(self.force.any()):"),
    Mutant("memory_gate.nothing_of_the_tenant_before_is_answered", "reads under way are counted modulo 64",
           "rtl.memory_gate", "reads = Signal(_PENDING_BITS)", "reads = Signal(6)"),
    Mutant("memory_gate.nothing_of_the_tenant_before_is_answered", "a write from before hold is acknowledged in it",
           "rtl.memory_gate", "ni.written.eq(memory.written & ~self.hold)", "ni.written.eq(memory.written)"),
    Mutant("tree_identity.a_text_is_taken_by_whom_it_is_for", "keys are compared by 31 of 32 bits",
           "rtl.tree.console", "(key == self.receive_ids[i])", "(key[:31] == self.receive_ids[i][:31])"),
    Mutant("tree_identity.a_text_is_taken_by_whom_it_is_for", "the column is asked about 12 bits of a source",
           "rtl.tree.console", "self.tree_source.eq(header.source)", "self.tree_source.eq(header.source[:12])"),
    Mutant("tree_identity.a_text_is_taken_by_whom_it_is_for", "a source with this node's low bits is this node",
           "rtl.tree.console", "(header.source != self.node_id)",
           "(header.source[:12] != self.node_id[:12])"),
    Mutant("tree_identity.a_text_is_taken_by_whom_it_is_for", "the age of a text is counted modulo 128",
           "rtl.tree.console", "age = Signal(8)", "age = Signal(7)"),
    Mutant("tree_identity.a_text_says_whose_it_is", "a send id has 24 bits",
           "rtl.tree.console", "Cat(self.rank, C(0, 16), self.send_id)", "Cat(self.rank, C(0, 16), self.send_id[:24])"),
    Mutant("tree_identity.a_text_says_whose_it_is", "a rank has 8 bits",
           "rtl.tree.console", "Cat(self.rank, C(0, 16), self.send_id)", "Cat(self.rank[:8], C(0, 24), self.send_id)"),
    Mutant("tree_identity.an_access_is_made_as_it_is_written", "only 20 bits of an address are looked at",
           "rtl.tree.control", "word.address[_BUS_ADDRESS_BITS:]", "word.address[_BUS_ADDRESS_BITS:20]"),
    Mutant("tree_identity.answers_wait_for_the_tree", "answers the tree does not take are overwritten",
           "rtl.tree.store", "self.i.ready.eq(level <= self.depth - TREE_PACKET_FLITS)", "self.i.ready.eq(1)"),
    Mutant("ni_bounds.messages_come_from_their_window", "window and offset are added without a carry out",
           "rtl.ni.descriptor", "start = Signal(33)", "start = Signal(32)"),
    Mutant("ni_bounds.messages_come_from_their_window", "a count reaches the counter with the same low bits",
           "rtl.ni.counters", "address.eq(Mux(clear, clearing, request.index))",
           "address.eq(Mux(clear, clearing, request.index[:6]))"),
    Mutant("ni_bounds.puts_go_into_their_window", "window and offset of a put are added without a carry out",
           "rtl.ni.reception", "start = Signal(34)", "start = Signal(32)"),
    Mutant("ni_bounds.rings_take_only_what_is_sane", "a base is compared by its low 24 bits with the memory's end",
           "rtl.ni.ring", "(host.data >= memory_bytes)", "(host.data[:24] >= memory_bytes)"),
    Mutant("ni_host.console_packets_are_recorded", "the console retires in every cycle",
           "rtl.ni.ni", "self.console_retired.eq(receiver.retired)", "self.console_retired.eq(1)"),
    Mutant("traffic_counts.halves_belong_together", "the high half of a total has 16 bits",
           "rtl.traffic.registers", "Cat(value, high).eq(count)", "Cat(value, high[:16]).eq(count)"),
    Mutant("traffic_counts.halves_belong_together", "totals do not carry into their high half",
           "rtl.traffic.totals", "count.eq(count + packets)", "count[:32].eq(count + packets)"),
)
"""Faults the testbenches did not see before they had the case each `breaks`."""


def fails(mutant: Mutant) -> bool:
    """Whether the case the mutant breaks fails with it, on the first variant of its testbench."""
    from khhw.build.testbench import Options, find_testbenches, run_testbench

    block, case = mutant.breaks.split(".")
    (bench,) = find_testbenches(block)
    faulty = replace(bench, dut=f"{__spec__.name}:mutant_{MUTANTS.index(mutant)}")
    result = run_testbench(faulty, bench.parameters[0], Options(case=case))
    if not result.cases:
        raise LookupError(f"{block} has no case {case} for the mutant {mutant.what!r}: {result.error}")
    return not result.passed


def __getattr__(name: str) -> Any:
    """The design under test with a fault in it: made in the process that converts it, where nothing else is loaded."""
    kind, _, number = name.partition("_")
    if kind != "mutant":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from khhw.build.testbench import find_testbenches

    mutant = MUTANTS[int(number)]
    (bench,) = find_testbenches(mutant.breaks.split(".")[0])
    mutant.load()
    module, _, component = bench.dut.partition(":")
    return getattr(importlib.import_module(module), component)


def main(words: list[str]) -> int:
    """Try the mutants that have one of the words; 0 if all are seen."""
    chosen = [mutant for mutant in MUTANTS
              if not words or any(word in f"{mutant.breaks} {mutant.module} {mutant.what}" for word in words)]
    survivors = 0
    for mutant in chosen:
        seen = fails(mutant)
        survivors += not seen
        print(f"{'seen    ' if seen else 'SURVIVES'}  {mutant.breaks:<60} {mutant.what}", flush=True)
    print(f"{len(chosen) - survivors} of {len(chosen)} mutants seen")
    return 1 if survivors or not chosen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
