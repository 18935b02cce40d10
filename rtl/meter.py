"""The meter of a node: what is billed, counted on the trusted side of the guard."""

import enum

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from rtl.formats import PACKET_FLITS
from rtl.meter_lines import LINES, MeterLine
from rtl.parameters import Parameters

__all__ = ["MOST_HOPS", "Meter", "MeterPort", "Received", "Region", "Sent", "TreePacket", "round_cycles", "widths"]

_WORD_BITS = 32
_WORD_ADDRESS_BITS = 6
"""Of a region: a line and the half of it."""
MOST_HOPS = 96
"""A shortest way has at most 32 hops in each of three rings."""
_HOPS_BITS = 7
_FLITS_BITS = 6

Sent = data.StructLayout({"packet": 1, "flit": 1, "shared": 1, "hops": _HOPS_BITS})
"""What an injection lane does in a cycle: `packet`, one is let in; `flit`, one of its flits enters the router. Whether
the destination is of another lease, and its distance."""

Received = data.StructLayout({
    "delivered": 1, "copied": 1, "refused": 1, "dropped": 1, "shared": 1, "flits": _FLITS_BITS})
"""How a packet ended in this cycle at an ejection lane, by at most one of the first four bits. Whether its source is of
another lease, and its length."""

TreePacket = data.StructLayout({"packet": 1, "flits": _FLITS_BITS})
"""A packet of the tree was taken in this cycle; its length."""

MeterPort = wiring.Signature({
    "snapshot": Out(1), "tag": Out(_WORD_BITS), "read": Out(1), "tenant": Out(1), "word": Out(_WORD_ADDRESS_BITS),
    "done": In(1), "value": In(_WORD_BITS), "last_tag": In(_WORD_BITS), "taken": In(1), "time": In(64),
})
"""The meter, seen from the registers. `snapshot`: METER_SNAPSHOT is written with `tag` in this cycle. `read` stays
until `done`, or is given up: a `word` of METER_USED if `tenant`, else of METER_READING. `last_tag`, `taken`, `time`: of
the last snapshot, that it is complete, and the first cycle that it does not count."""


class Region(enum.IntEnum):
    """What the memory of a meter holds of every line."""

    TOTAL = 0
    """Counted since the fabric reset."""
    USED = 1
    """TOTAL less BASE: what the tenant reads."""
    READING = 2
    """TOTAL at the last snapshot."""
    BASE = 3
    """TOTAL when the last hold with `clear` ended."""


class _Phase(enum.IntEnum):
    """What a round does with a line, a cycle each: read one cycle, use it in the next."""

    FETCH = 0
    TOTAL_LOW = 1
    USED_LOW = 2
    TOTAL_HIGH = 3
    USED_HIGH = 4
    COPY_LOW = 5
    COPY_HIGH = 6


def round_cycles(lines: int = LINES) -> int:
    """Cycles of a round of a meter of so many lines."""
    return lines * len(_Phase)


def widths(parameters: Parameters, lines: int = LINES) -> list[int]:
    """Bits of the accumulator of each of the first lines.

    A round begins when the highest bit of one is 1, or as soon as the round before has ended: until then the lower ones
    must hold what one round can bring, and packets that end at once.
    """
    lanes = parameters.lanes
    rates = {MeterLine.OWN_FLIT_HOPS: MOST_HOPS * lanes, MeterLine.SHARED_FLIT_HOPS: MOST_HOPS * lanes,
             MeterLine.BUSY_CYCLES: 1}
    cycles = round_cycles(lines) + 2 * PACKET_FLITS
    return [(rates.get(line, lanes) * cycles).bit_length() + 1 for line in list(MeterLine)[:lines]]


class Meter(wiring.Component):
    """Counts what a node sends and receives, in 64 bits a line (:class:`~rtl.meter_lines.MeterLine`), exactly.

    A small accumulator a line takes what happens in each cycle. In a *round* all accumulators are emptied in one cycle
    into a chain of registers, which are then added, a line after the other, to a memory: so whatever a round copies on
    its way, for a snapshot or as the base of the next tenant, is the state of one cycle of all lines. Rounds are begun
    by an accumulator that is half full, by a snapshot, by a tenant who reads its first word, and by a hold that ends. A
    node in which nothing happens does not move.

    Nothing is ever set back. While the node is `vacant`, BASE follows TOTAL and USED is 0, and the hold ends in the
    cycle in which the last such round begins: what is counted from that cycle on is the next tenant's, all before not.

    Parameters
    ----------
    parameters : Parameters
        `lanes` is used.
    lines : int
        Lines there are, the first ones; all but in proofs.

    Members
    -------
    sent, received : In, arrays of `lanes` Sent and Received
        The torus.
    tree_sent, tree_received : In(TreePacket)
        The tree.
    busy : In(1)
        A cycle for BUSY_CYCLES.
    vacant : In(1)
        Hold, from `clear` on: no tenant is there.
    unfinished : Out(1)
        The hold that `vacant` is about must not end in this cycle.
    now : In(64)
    port : In(MeterPort)
    quiescent : Out(1)
        Without an event nothing changes.
    """

    def __init__(self, parameters: Parameters, *, lines: int = LINES) -> None:
        self.parameters = parameters
        self.lines = list(MeterLine)[:lines]
        lanes = parameters.lanes
        super().__init__({
            "sent": In(data.ArrayLayout(Sent, lanes)),
            "received": In(data.ArrayLayout(Received, lanes)),
            "tree_sent": In(TreePacket),
            "tree_received": In(TreePacket),
            "busy": In(1),
            "vacant": In(1),
            "unfinished": Out(1),
            "now": In(64),
            "port": In(MeterPort),
            "quiescent": Out(1),
        })
        # The accumulators, and the chain. That moves towards its first register: each is as wide as the widest behind.
        sizes = widths(parameters, lines)
        self.counts = [Signal(size, name=f"count_{line.name.lower()}")
                       for line, size in zip(self.lines, sizes, strict=True)]
        self.chain = [Signal(max(sizes[line:]), name=f"chain_{line.name.lower()}") for line in self.lines]
        self.ram = memory.Memory(shape=_WORD_BITS, depth=len(Region) << _WORD_ADDRESS_BITS, init=[])
        # What the rounds do: whether one is under way, where it is, what it copies, and that nobody is there who uses.
        self.start = Signal()
        self.running = Signal()
        self.line = Signal(range(lines))
        self.phase = Signal(_Phase)
        self.to_reading = Signal()
        self.to_base = Signal()
        self.unused = Signal()
        # Rounds that have made the memory's regions 0 after the reset, one with READING and one with BASE.
        self.prepared = Signal(range(3))

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        head, full = self._accumulate(m)
        asked, settled = self._serve(m)
        self._rounds(m, full, asked)
        m.d.comb += self.quiescent.eq(settled & ~self.running & ~self.start)
        self._memory(m, *self._add(m, head))
        return m

    def _events(self) -> dict[MeterLine, list[Value]]:
        """What each line counts in this cycle: numbers to add."""
        events: dict[MeterLine, list[Value]] = {line: [] for line in MeterLine}
        for sent, received in zip(self.sent, self.received, strict=True):
            for shared, peer in enumerate(("OWN", "SHARED")):
                leaves, comes = sent.shared == shared, received.delivered & (received.shared == shared)
                events[MeterLine[f"{peer}_SENT_PACKETS"]].append(sent.packet & leaves)
                events[MeterLine[f"{peer}_SENT_FLITS"]].append(sent.flit & leaves)
                events[MeterLine[f"{peer}_FLIT_HOPS"]].append(Mux(sent.flit & leaves, sent.hops, 0))
                events[MeterLine[f"{peer}_RECEIVED_PACKETS"]].append(comes)
                events[MeterLine[f"{peer}_RECEIVED_FLITS"]].append(Mux(comes, received.flits, 0))
            for name in ("copied", "refused", "dropped"):
                events[MeterLine[f"{name.upper()}_PACKETS"]].append(received[name])
                events[MeterLine[f"{name.upper()}_FLITS"]].append(Mux(received[name], received.flits, 0))
        for name, tree in (("SENT", self.tree_sent), ("RECEIVED", self.tree_received)):
            events[MeterLine[f"EXTERNAL_{name}_PACKETS"]].append(tree.packet)
            events[MeterLine[f"EXTERNAL_{name}_FLITS"]].append(Mux(tree.packet, tree.flits, 0))
        events[MeterLine.BUSY_CYCLES].append(self.busy)
        return events

    def _accumulate(self, m: Module) -> tuple[Value, Value]:
        """Accumulators, emptied into the chain when a round starts. Returns: its first register; one is half full."""
        events = self._events()
        behind = [*self.chain[1:], Const(0)]
        for line, count, chained, following in zip(self.lines, self.counts, self.chain, behind, strict=True):
            m.d.sync += count.eq(Mux(self.start, 0, count) + sum(events[line], Const(0)))
            with m.If(self.start):
                m.d.sync += chained.eq(count)
            with m.Elif(self.phase == _Phase.COPY_HIGH):
                m.d.sync += chained.eq(following)
        return self.chain[0], Cat(count[-1] for count in self.counts).any()

    def _serve(self, m: Module) -> tuple[Value, Value]:
        """Answer reads, in a cycle in which a round does not read or end. Returns: a round is asked for; nothing is.

        The first word of a tenant's reading waits for a round that began after it was asked for.
        """
        port = self.port
        first, asked, wanted, begun, fresh, answer = (
            Signal(name=name) for name in ("first", "asked", "wanted", "begun", "fresh", "answer"))
        served = Signal(_WORD_ADDRESS_BITS + 1)
        m.d.comb += [
            first.eq(port.read & port.tenant & (port.word == 0)),
            asked.eq(wanted | (first & ~begun & ~fresh)),
            # Also of a bus whose request does not stay, no word is taken for another one.
            port.done.eq(answer & port.read & (served == Cat(port.word, port.tenant))),
        ]
        m.d.sync += [
            served.eq(Cat(port.word, port.tenant)),
            answer.eq(port.read & ~answer & (~first | fresh) & (~self.running | (self.phase == _Phase.COPY_LOW))),
            wanted.eq(asked & ~self.start),
        ]
        with m.If(self.start):
            m.d.sync += begun.eq(asked)
        with m.Elif(self._ends() & begun):
            m.d.sync += [begun.eq(0), fresh.eq(1)]
        with m.If(first & port.done):
            m.d.sync += fresh.eq(0)
        with m.If(self.vacant):
            # Who comes next must not see what the tenant before has asked for.
            m.d.sync += [wanted.eq(0), begun.eq(0), fresh.eq(0)]
        return asked, ~(wanted | port.read | answer)

    def _ends(self) -> Value:
        """The round that is under way ends in this cycle."""
        return self.running & (self.line == self.lines[-1]) & (self.phase == _Phase.COPY_HIGH)

    def _rounds(self, m: Module, full: Value, asked: Value) -> None:
        """When rounds begin and what they copy."""
        port = self.port
        pending, based, was_vacant, ready = (Signal(name=name) for name in ("pending", "based", "was_vacant", "ready"))
        m.d.comb += [
            ready.eq(self.prepared == 2),
            # With the last cycle of a vacancy a round begins: there is none under way, and BASE is what it copies to.
            self.unfinished.eq(was_vacant & (self.running | pending | ~based)),
            self.start.eq(~self.running & (
                full | pending | asked | ~ready | (was_vacant & (~based | ~self.vacant)))),
            port.taken.eq(~pending & ~(self.running & self.to_reading)),
        ]
        m.d.sync += was_vacant.eq(self.vacant)
        with m.If(self.start):
            m.d.sync += [
                self.running.eq(1),
                self.to_reading.eq(Mux(ready, pending, self.prepared == 0)),
                self.to_base.eq(Mux(ready, was_vacant & ~pending, self.prepared == 1)),
                self.unused.eq(was_vacant | ~ready),
            ]
            with m.If(ready & pending):
                m.d.sync += [pending.eq(0), port.time.eq(self.now)]
        with m.Elif(self._ends()):
            m.d.sync += self.running.eq(0)
            with m.If(~ready):
                m.d.sync += self.prepared.eq(self.prepared + 1)
        with m.If(port.snapshot & (port.tag != port.last_tag)):
            m.d.sync += [pending.eq(1), port.last_tag.eq(port.tag)]
        with m.If(~was_vacant):
            m.d.sync += based.eq(0)
        with m.Elif(self._ends() & self.to_base & ready):
            m.d.sync += based.eq(1)

    def _add(self, m: Module, head: Value) -> tuple[Value, Value, Value]:
        """Walk through the lines, and add the head of the chain to each.

        Returns: what the adder says in this cycle, and the halves of the new TOTAL, each from the cycle after on.
        """
        with m.If(self.running):
            m.d.sync += self.phase.eq(Mux(self.phase == _Phase.COPY_HIGH, 0, self.phase + 1))
            with m.If(self.phase == _Phase.COPY_HIGH):
                m.d.sync += self.line.eq(Mux(self.line == self.lines[-1], 0, self.line + 1))

        # One adder: TOTAL plus what was counted, and that less BASE; the high halves with what the low ones carry.
        low, high, total = (Signal(_WORD_BITS, name=name) for name in ("low", "high", "total"))
        carry, borrow, subtract, upper = (Signal(name=name) for name in ("carry", "no_borrow", "subtract", "upper"))
        result = Signal(_WORD_BITS + 1)
        m.d.comb += [
            total.eq(Mux(self.prepared == 0, 0, self.port.value)),
            subtract.eq((self.phase == _Phase.USED_LOW) | (self.phase == _Phase.USED_HIGH)),
            upper.eq(self.phase > _Phase.USED_LOW),
            result.eq(Mux(subtract, Mux(upper, high, low), total)
                      + Mux(subtract, (~self.port.value)[:_WORD_BITS], Mux(upper, 0, head))
                      + Mux(upper, Mux(subtract, borrow, carry), subtract)),
        ]
        with m.Switch(self.phase):
            with m.Case(_Phase.TOTAL_LOW):
                m.d.sync += [low.eq(result), carry.eq(result[-1])]
            with m.Case(_Phase.USED_LOW):
                m.d.sync += borrow.eq(result[-1])
            with m.Case(_Phase.TOTAL_HIGH):
                m.d.sync += high.eq(result)
        return result, low, high

    def _memory(self, m: Module, result: Value, low: Value, high: Value) -> None:
        """What is fetched and written in each phase; READING and BASE only by rounds that are for them."""
        m.submodules.ram = self.ram
        read, write, port = self.ram.read_port(), self.ram.write_port(), self.port
        copy, ready = Mux(self.to_base, Region.BASE, Region.READING), self.prepared == 2
        actions = {
            _Phase.FETCH: (0, Region.TOTAL, 0, 0),
            _Phase.TOTAL_LOW: (1, Region.TOTAL, 0, result),
            _Phase.USED_LOW: (1, Region.USED, 0, Mux(self.unused, 0, result)),
            _Phase.TOTAL_HIGH: (1, Region.TOTAL, 1, result),
            _Phase.USED_HIGH: (1, Region.USED, 1, Mux(self.unused, 0, result)),
            _Phase.COPY_LOW: (self.to_base | self.to_reading, copy, 0, Mux(ready, low, 0)),
            _Phase.COPY_HIGH: (self.to_base | self.to_reading, copy, 1, Mux(ready, high, 0)),
        }
        fetches = {
            _Phase.FETCH: (Region.TOTAL, 0), _Phase.TOTAL_LOW: (Region.BASE, 0),
            _Phase.USED_LOW: (Region.TOTAL, 1), _Phase.TOTAL_HIGH: (Region.BASE, 1),
        }
        # Who asks for a word has the port while no round reads.
        m.d.comb += read.addr.eq(_address(Mux(port.tenant, Region.USED, Region.READING), port.word[1:], port.word[0]))
        with m.If(self.running):
            with m.Switch(self.phase):
                for phase, (region, half) in fetches.items():
                    with m.Case(phase):
                        m.d.comb += read.addr.eq(_address(region, self.line, half))
            with m.Switch(self.phase):
                for phase, (enable, region, half, value) in actions.items():
                    with m.Case(phase):
                        m.d.comb += [write.en.eq(enable), write.addr.eq(_address(region, self.line, half)),
                                     write.data.eq(value)]
        m.d.comb += port.value.eq(read.data)


def _address(region: Value | Region, line: Value, half: Value | int) -> Value:
    """Where the memory has half of a line."""
    number = Cat(line, Const(0, _WORD_ADDRESS_BITS))[:_WORD_ADDRESS_BITS - 1]
    return Cat(Value.cast(half)[:1], number, Value.cast(region)[:2])
