"""Properties of the meter: every line is the number of its events, whoever reads it, and each tenant reads his own."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In

from formal.harness import PARAMETERS, Harness
from rtl.meter import MOST_HOPS, Meter, Received, Region, Sent, TreePacket, round_cycles
from rtl.meter_lines import LINES, TENANT_LINES, MeterLine

__all__ = ["MeterHarness"]

_PHASES = round_cycles(1)
_MOST_FLITS = (1 << Received["flits"].width) - 1
"""That a length has room for."""
_TREE = {"SENT": "tree_sent", "RECEIVED": "tree_received"}


class MeterHarness(Harness):
    """A meter that is told and asked anything in any cycle; one part a line.

    Faults are looked for in a meter of as few lines as there can be, whose rounds are short.
    """

    ports = {
        "sent": In(Sent), "received": In(Received), "tree_sent": In(TreePacket), "tree_received": In(TreePacket),
        "busy": In(1), "vacates": In(1), "moves_in": In(1), "now": In(64),
        "snapshot": In(1), "tag": In(32), "read": In(1), "tenant": In(1), "word": In(6),
        "peek_low": In(32), "peek_high": In(32), "peek_carry": In(1), "peek_no_borrow": In(1),
        "peek_pending": In(1), "peek_based": In(1), "peek_was_vacant": In(1),
    }
    peeks = {
        f"peek_{name}": f"dut.{name}" for name in (
            "low", "high", "carry", "no_borrow", "pending", "based", "was_vacant")}
    properties = {
        "meter-exact": "what the owner reads of a line when a snapshot has been taken is the number of its events "
                       "before the cycle that METER_TIME names, modulo 2^64, whatever is read meanwhile",
        "meter-used": "what a tenant reads of a line is the number of its events since the last vacancy ended, up to "
                      "the beginning of the last round that has passed the line, modulo 2^64; 0 before",
    }
    parts = LINES

    def elaborate(self, platform):
        m = Module()
        line = MeterLine(self.part)
        self.lines = LINES if self.helpers else line + 1
        m.submodules.dut = dut = self.dut = Meter(PARAMETERS, lines=self.lines)
        port = dut.port
        m.d.comb += [
            dut.sent[0].eq(self.sent), dut.received[0].eq(self.received), dut.tree_sent.eq(self.tree_sent),
            dut.tree_received.eq(self.tree_received), dut.busy.eq(self.busy), dut.now.eq(self.now),
            dut.vacant.eq(self.vacates | (self.peek_was_vacant & (dut.unfinished | ~self.moves_in))),
            port.snapshot.eq(self.snapshot), port.tag.eq(self.tag),
            port.read.eq(self.read), port.tenant.eq(self.tenant), port.word.eq(self.word),
        ]
        events = Signal(7)
        m.d.comb += events.eq(self._events(line))
        self._rates(m, line)

        # The events, counted a second time, and what that count was when the last round began.
        count = dut.counts[line]
        number, captured, chained = Signal(64), Signal(64), Signal(len(count))
        m.d.sync += number.eq(number + events)
        with m.If(dut.start):
            m.d.sync += [captured.eq(number), chained.eq(count)]
        self.help(m, number == (captured + count)[:64])
        held = {region: self._held(m, region, line) for region in Region}
        self._total(m, line, held[Region.TOTAL], count, captured, chained)
        used = self._used(m, line, held[Region.BASE], held[Region.USED], number, captured)
        reading = self._reading(m, line, held[Region.READING], number, captured)
        self._told(m, line, reading, used)
        return m

    def _events(self, line: MeterLine) -> Value:
        """What a line counts in this cycle, by its name."""
        if line is MeterLine.BUSY_CYCLES:
            return self.busy
        *kind, unit = line.name.split("_")
        if unit == "HOPS":
            return Mux(self.sent.flit & (self.sent.shared == (kind[0] == "SHARED")), self.sent.hops, 0)
        match kind:
            case ["EXTERNAL", way]:
                tree = getattr(self, _TREE[way])
                happens, flits = tree.packet, tree.flits
            case [peer, "SENT"]:
                whose = self.sent.shared == (peer == "SHARED")
                return whose & (self.sent.packet if unit == "PACKETS" else self.sent.flit)
            case [peer, "RECEIVED"]:
                happens = self.received.delivered & (self.received.shared == (peer == "SHARED"))
                flits = self.received.flits
            case [name]:
                happens, flits = self.received[name.lower()], self.received.flits
        return happens if unit == "PACKETS" else Mux(happens, flits, 0)

    def _rates(self, m: Module, line: MeterLine) -> None:
        """How fast events come: a length only after so many flits, and what that means for the accumulator."""
        received = self.received
        ended = Cat(received.delivered, received.copied, received.refused, received.dropped)
        self.assume(m, "meter-rates", (self.sent.hops <= MOST_HOPS) & ((ended & (ended - 1)[:4]) == 0))
        waiting = {}
        for name, happens, flits in (
            ("received", ended.any(), received.flits), ("tree_sent", self.tree_sent.packet, self.tree_sent.flits),
            ("tree_received", self.tree_received.packet, self.tree_received.flits),
        ):
            # Flits that have come and are not told of.
            come = waiting[name] = Signal(range(_MOST_FLITS + 1), name=f"come_{name}")
            self.assume(m, "meter-rates", ~happens | (flits <= come))
            left = Mux(happens, come - flits, come)
            m.d.sync += come.eq(Mux(left == _MOST_FLITS, left, left + 1))

        dut, count = self.dut, self.dut.counts[line]
        passed = Signal(range(round_cycles() + 1))
        m.d.comb += passed.eq(dut.line * _PHASES + dut.phase)
        if line.name.endswith("HOPS"):
            bound = count <= MOST_HOPS * (passed + 1)
        elif line.name.startswith("EXTERNAL") and line.name.endswith("FLITS"):
            bound = count + waiting[_TREE[line.name.split("_")[1]]] <= _MOST_FLITS + 1 + passed
        elif line.name.endswith("FLITS") and "SENT" not in line.name:
            bound = count + waiting["received"] <= _MOST_FLITS + 1 + passed
        else:
            bound = count <= passed + 1
        self.help(m, ~dut.running | bound)

    def _held(self, m: Module, region: Region, line: MeterLine) -> Value:
        """What the memory holds of a line in a region."""
        halves = []
        for half in range(2):
            port = self.dut.ram.read_port(domain="comb")
            m.d.comb += port.addr.eq(Cat(Const(half, 1), Const(line, 5), Const(region, 2)))
            halves.append(port.data)
        return Cat(halves)

    def _total(
        self, m: Module, line: MeterLine, total: Value, count: Value, captured: Value, chained: Value,
    ) -> None:
        """TOTAL and the chain together are what was counted, wherever the round is."""
        dut = self.dut
        fresh = dut.prepared == 0
        held = Mux(fresh, 0, total)
        here = dut.running & (dut.line == line)
        waits = (dut.running & (dut.line < line)) | (here & (dut.phase <= 1))
        self.help(m, dut.running | (held == captured))
        self.help(m, dut.running | ((dut.line == 0) & (dut.phase == 0)))
        self.help(m, (dut.line < self.lines) & (dut.phase < _PHASES) & (dut.prepared <= 2))
        self.help(m, ~fresh | ((captured == 0) & (dut.running | (count == 0))))
        self.help(m, ~waits | ((held + chained)[:64] == captured))
        for position in range(line + 1):
            self.help(m, ~(dut.running & (dut.line == position)) | (dut.chain[line - position] == chained))
        half = here & ((dut.phase == 2) | (dut.phase == 3))
        self.help(m, ~half | ((total[:32] == captured[:32]) & ((held[32:] + self.peek_carry)[:32] == captured[32:])))
        self.help(m, ~here | (dut.phase < 2) | (self.peek_low == captured[:32]))
        self.help(m, ~here | (dut.phase < 4) | (self.peek_high == captured[32:]))
        self.help(m, ~((here & (dut.phase >= 4)) | (dut.running & (dut.line > line))) | (total == captured))
        self.help(m, ~here | (dut.phase != 1) | (dut.port.value == total[:32]))
        self.help(m, ~here | (dut.phase != 3) | (dut.port.value == total[32:]))

    def _used(self, m: Module, line: MeterLine, base: Value, used: Value, number: Value, captured: Value) -> Value:
        """BASE is what was counted when the last vacancy ended. Returns: what USED must be, counted a second time."""
        dut = self.dut
        here, ready = dut.running & (dut.line == line), dut.prepared == 2
        kept, since, wanted = Signal(64), Signal(64), Signal(64)
        vacant, last = self.peek_was_vacant, here & dut.to_base & (dut.phase == 6)
        with m.If(last):
            m.d.sync += kept.eq(Mux(ready, captured, 0))
        with m.If(vacant & ~dut.vacant):
            m.d.sync += since.eq(number)
        with m.If(here & (dut.phase == 4)):
            m.d.sync += wanted.eq(Mux(dut.unused, 0, (captured - since)[:64]))
        passed = (here & (dut.phase > 4)) | (dut.running & (dut.line > line))
        known = ready | ((dut.prepared == 1) & dut.running & (dut.line > line))
        self.help(m, ~known | last | (base == kept))
        self.help(m, ~last | (base[:32] == Mux(ready, captured[:32], 0)))
        # Of the base round that ends a vacancy, and of all others.
        self.help(m, ~(ready & ~vacant) | Mux(dut.running & dut.to_base, captured == since, kept == since))
        self.help(m, ready | (since == 0))
        self.help(m, ~(dut.running & dut.to_base & (dut.line > line)) | (kept == Mux(ready, captured, 0)))
        self.help(m, ~dut.running | ready | (dut.unused & (dut.to_base == (dut.prepared == 1))))
        self.help(m, ~(dut.running & ready & dut.to_base) | dut.unused)
        self.help(m, ~(dut.running & ~dut.unused) | (ready & (kept == since)))
        # While nobody is there nothing is used, from the first base round on.
        self.help(m, ~(dut.running & dut.unused & passed) | (wanted == 0))
        self.help(m, ~(vacant & self.peek_based) | (wanted == 0))
        self.help(m, ~(vacant & self.peek_based & dut.running) | dut.unused)
        self.help(m, ~(dut.running & dut.to_base & ready & ~vacant) | (wanted == 0))
        self.help(m, ~self.peek_based | ready)
        # The difference, a half at a time.
        self.help(m, ~here | (dut.phase != 2) | ~ready | (dut.port.value == base[:32]))
        self.help(m, ~here | (dut.phase != 4) | ~ready | (dut.port.value == base[32:]))
        difference = Mux(dut.unused, 0, (captured - base)[:64])
        half = here & ((dut.phase == 3) | (dut.phase == 4))
        self.help(m, ~half | ~ready | (self.peek_no_borrow == (captured[:32] >= base[:32])))
        self.help(m, ~half | (used[:32] == difference[:32]))
        self.help(m, half | ((dut.prepared == 0) & ~passed) | (used == wanted))
        return wanted

    def _reading(self, m: Module, line: MeterLine, reading: Value, number: Value, captured: Value) -> Value:
        """READING is what was counted when the last snapshot was taken, once it is complete. Returns: that."""
        dut = self.dut
        here, ready = dut.running & (dut.line == line), dut.prepared == 2
        snapshot, time = Signal(64), Signal(64)
        with m.If(dut.start & ready & self.peek_pending):
            m.d.sync += [snapshot.eq(number), time.eq(self.now)]
        self.claim(m, "meter-exact", dut.port.time == time)
        writes = dut.running & dut.to_reading
        self.help(m, ~writes | (~dut.to_base & (captured == snapshot)))
        self.help(m, ~(writes & here & (dut.phase == 6)) | (reading[:32] == captured[:32]))
        self.help(m, ~writes | (dut.line <= line) | (reading == captured))
        self.help(m, ready | (snapshot == 0))
        self.help(m, ~(dut.running & ~ready) | (dut.to_reading == (dut.prepared == 0)))
        self.help(m, writes | (dut.prepared == 0) | (reading == snapshot))
        return snapshot

    def _told(self, m: Module, line: MeterLine, reading: Value, used: Value) -> None:
        """What is answered."""
        dut, port = self.dut, self.dut.port
        for half in range(2):
            bits = slice(32 * half, 32 * half + 32)
            tells = Signal(name=f"tells_{half}")
            m.d.comb += tells.eq(port.done & (self.word == 2 * line + half))
            self.claim(m, "meter-exact", ~(tells & ~self.tenant & port.taken) | (port.value == reading[bits]))
            if line < TENANT_LINES:
                here = ~dut.vacant & ~self.peek_was_vacant & (dut.prepared == 2)
                self.claim(m, "meter-used", ~(tells & self.tenant & here) | (port.value == used[bits]))
