"""The log of refusals: who wanted to send to whom, why not, and when."""

from functools import reduce
from operator import or_

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from rtl.signatures import Refusal

__all__ = ["LogEntry", "RefusalLog"]

_AGE_BITS = 8

LogEntry = data.StructLayout({"refusal": Refusal, "time": 64})
"""What is kept of a refusal."""


class RefusalLog(wiring.Component):
    """Keeps refusals until it is full, then counts what it loses.

    Refusals of one cycle wait in one slot a source and are written one a cycle, each source at least once
    in as many cycles as there are sources. One that finds its slot taken, or the log full, is lost.

    Parameters
    ----------
    sources : int
        How many may refuse in one cycle.
    entries : int
        Size of the log, a power of two.

    Members
    -------
    now : In(64)
    refused : In(sources)
        One bit a source that refuses in this cycle.
    refusals : In, array of `sources` refusals
    clear : In(1)
        Empty the log and set `lost` to 0. What waits in a slot is logged afterwards.
    forget : In(1)
        Empty the log, the slots and `lost`; what is refused meanwhile leaves no trace.
    count : Out(count)
        Entries in the log.
    lost : Out(32)
        Refusals that were lost since the last `clear`.
    index : In(entry index)
        Entry to read.
    entry : Out(LogEntry)
        The entry of the `index` of the cycle before; 0 for one that is not in the log.
    busy : Out(1)
        A refusal waits in a slot.
    """

    def __init__(self, sources: int, entries: int):
        self.sources = sources
        self.entries = entries
        super().__init__({
            "now": In(64),
            "refused": In(sources),
            "refusals": In(data.ArrayLayout(Refusal, sources)),
            "clear": In(1),
            "forget": In(1),
            "count": Out(range(entries + 1)),
            "lost": Out(32),
            "index": In(range(entries)),
            "entry": Out(LogEntry),
            "busy": Out(1),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.ram = ram = memory.Memory(shape=LogEntry, depth=self.entries, init=[])
        read = ram.read_port()
        write = ram.write_port()

        # One slot a source. A full log needs no turns: everything that waits is lost at once.
        waiting = Signal(self.sources)
        turn = Signal(self.sources)
        pick = Signal(self.sources)
        full = Signal()
        candidates = Signal(self.sources)
        m.d.comb += [
            full.eq(self.count == self.entries),
            candidates.eq(Mux((waiting & turn).any(), waiting & turn, waiting)),
            pick.eq(Mux(full, waiting, candidates & (~candidates + 1)) & ~self.clear.replicate(self.sources)),
            self.busy.eq(waiting.any()),
        ]
        m.d.sync += [
            turn.eq(candidates & ~pick),
            waiting.eq(waiting & ~pick | self.refused),
        ]
        slots = [Signal(Refusal, name=f"slot_{s}") for s in range(self.sources)]
        born = [Signal(_AGE_BITS, name=f"born_{s}") for s in range(self.sources)]
        for source in range(self.sources):
            with m.If(self.refused[source] & (~waiting[source] | pick[source])):
                m.d.sync += [slots[source].eq(self.refusals[source]), born[source].eq(self.now)]

        # Write the chosen refusal with the time it was born; count what had no room.
        age = Signal(_AGE_BITS)
        m.d.comb += [
            age.eq(self.now[:_AGE_BITS] - _chosen(pick, born)),
            write.addr.eq(self.count),
            write.data.refusal.eq(_chosen(pick, [slot.as_value() for slot in slots])),
            write.data.time.eq(self.now - age),
            write.en.eq(pick.any() & ~full),
        ]
        overrun = Signal(self.sources)
        m.d.comb += overrun.eq(self.refused & waiting & ~pick | Mux(full, pick, 0))
        m.d.sync += [
            self.count.eq(Mux(self.clear, 0, self.count + write.en)),
            self.lost.eq(Mux(self.clear, 0, self.lost) + sum(overrun[s] for s in range(self.sources))),
        ]

        with m.If(self.forget):
            m.d.sync += [waiting.eq(0), self.count.eq(0), self.lost.eq(0)]

        # An entry that is not in the log could still hold what an earlier tenant was refused.
        known = Signal()
        m.d.comb += [read.addr.eq(self.index), self.entry.eq(Mux(known, read.data.as_value(), 0))]
        m.d.sync += known.eq(self.index < self.count)
        return m


def _chosen(pick, values):
    """The value of the one source picked."""
    return reduce(or_, [Mux(pick[i], value, 0) for i, value in enumerate(values)])
