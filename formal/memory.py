"""The memory of a node: it keeps what was written, and is cleared to its last word before a hold ends."""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.hdl._ast import AnyConst  # has no public name in Amaranth 0.5
from amaranth.lib import data
from amaranth.lib.wiring import In, Out, connect, flipped

from formal.harness import Harness
from formal.opened import Opened
from formal.reception_lanes import SCALED
from rtl.formats import WORD_BITS
from rtl.memory import NodeMemory
from rtl.node import Node
from rtl.signatures import memory_signature

__all__ = ["MemoryClear", "MemoryKeeps"]

FREE = ("router", "tree", "endpoint", "ni", "gate", "memory", "guard.egress_0", "guard.ingress_0", "guard.counters",
        "guard.log", "guard.meter", "guard.drain_0", "guard.drain_tree", "guard.tree_table")
"""Everything but the guard's registers and the memory gate: so any owner, any network interface, and any memory that
answers what it was asked."""


class MemoryClear(Harness):
    """Guard registers and memory gate of a node, under any owner, any network interface and any memory."""

    ports = {"now": In(64)}
    constructed = ("scaled-node", )
    properties = {
        "memory-cleared": "when a hold ends in which the owner has ordered a clear, every word of the memory has been "
                          "set to 0 since, nothing else has been written, and the memory has acknowledged all writes",
        "memory-held": "in hold the memory is asked for nothing but the zeros of a clear, nothing it answers then "
                       "reaches the network interface, and what it answers later was asked after hold",
    }

    def elaborate(self, platform):
        m = Module()
        node = Node(SCALED)
        m.d.comb += node.now.eq(self.now)
        m.submodules.dut = dut = Opened(node, FREE)
        hold = dut.signal("guard.hold")
        clearing, address = dut.signal("memory_gate.clearing"), dut.signal("memory_gate.address", width=None)
        asks = {name: dut.signal(f"memory_gate.memory__{name}__valid") for name in ("read", "write")}
        taken = {name: asks[name] & dut.signal(f"memory.{name}__ready") for name in asks}
        request = memory_signature(SCALED).create().write.payload.shape()
        payload = data.View(request, dut.signal("memory_gate.memory__write__payload", width=request.size))
        zeros = (payload.data == 0) & payload.mask.all()
        unanswered = self._answers(m, dut, hold, taken)

        # One word, any: is what it holds the zero of a clear.
        word, ordered, zero = Signal(range(SCALED.memory_words)), Signal(), Signal()
        m.d.comb += word.eq(AnyConst(len(word)))
        with m.If(taken["write"] & (payload.address == word) & payload.mask.any()):
            m.d.sync += zero.eq(zeros)
        with m.If(~hold):
            m.d.sync += ordered.eq(0)
        with m.If(dut.signal("guard.clear")):
            m.d.sync += [ordered.eq(1), zero.eq(0)]
        self.claim(m, "memory-cleared", hold | ~ordered | (zero & (unanswered["write"] == 0)))
        self.help(m, ordered | ~clearing)
        self.help(m, ~ordered | zero | (clearing & (address <= word)))
        self.help(m, ~clearing | hold)
        self.claim(m, "memory-held", ~hold | ~asks["read"])
        self.claim(m, "memory-held", ~hold | ~asks["write"] | (clearing & zeros & (payload.address == address)))
        return m

    def _answers(self, m: Module, dut: Opened, hold: Value, taken: dict[str, Value]) -> dict[str, Signal]:
        """Answers to the network interface: to what it has asked since the last hold. Returns: how many are owed."""
        answers = {"read": dut.signal("memory.data__valid"), "write": dut.signal("memory.written")}
        given = {"read": answers["read"] & dut.signal("memory_gate.memory__data__ready"), "write": answers["write"]}
        passes = {"read": dut.signal("memory_gate.ni__data__valid"), "write": dut.signal("memory_gate.ni__written")}
        counts = {"read": "reads", "write": "writes"}
        unanswered = {}
        for name in answers:
            unanswered[name] = owed = Signal(8, name=f"owed_{name}s")
            before = Signal(8, name=f"owed_{name}s_before")
            m.d.sync += owed.eq(owed + taken[name] - given[name])
            with m.If(hold):
                # In the order they were asked: all that is owed now comes before what is asked after hold.
                m.d.sync += before.eq(owed + taken[name] - given[name])
            with m.Elif(given[name] & (before != 0)):
                m.d.sync += before.eq(before - 1)
            self.assume(m, "memory-answers", ~answers[name] | (owed != 0))
            self.claim(m, "memory-held", ~passes[name] | (~hold & (before == 0)))
            self.help(m, dut.signal(f"memory_gate.{counts[name]}", width=8) == owed)
            self.help(m, hold | (before == 0))
        return unanswered


class MemoryKeeps(Harness):
    """The node memory under any requests; one word of it, any, is watched."""

    ports = {"port": Out(memory_signature(SCALED))}
    properties = {
        "memory-keeps": "every read is answered once and in order with what was written before, byte by byte, every "
                        "write is acknowledged once, and nothing is answered that was not asked",
    }

    def elaborate(self, platform):
        m = Module()
        memory, port = NodeMemory(SCALED), self.port
        connect(m, flipped(port), memory)
        m.submodules.dut = dut = Opened(memory)
        word, kept = Signal(range(SCALED.memory_words)), Signal(WORD_BITS, reset_less=True)
        ram = dut.memory("ram").read_port()
        m.d.comb += [word.eq(AnyConst(len(word))), ram.addr.eq(word)]
        wrote, read = port.write.valid & port.write.ready, port.read.valid & port.read.ready
        request, written = port.write.payload, Signal()
        bytes_ = Cat(bit.replicate(8) for bit in request.mask)
        with m.If(wrote & (request.address == word)):
            m.d.sync += kept.eq(request.data & bytes_ | kept & ~bytes_)
        self.help(m, ram.data == kept)
        m.d.sync += written.eq(wrote)
        self.claim(m, "memory-keeps", port.written == written)

        asked, watched, expected = Signal(), Signal(), Signal(WORD_BITS)
        with m.If(read):
            m.d.sync += [asked.eq(1), watched.eq(port.read.payload == word), expected.eq(kept)]
        with m.Elif(port.data.ready):
            m.d.sync += asked.eq(0)
        self.claim(m, "memory-keeps", port.data.valid == asked)
        self.claim(m, "memory-keeps", ~asked | ~watched | (port.data.payload == expected))
        self.claim(m, "memory-keeps", ~read | ~asked | port.data.ready)
        return m
