"""Between network interface and memory: ends what a tenant reset cuts, and clears the memory for the next tenant."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.parameters import Parameters
from rtl.signatures import memory_signature

__all__ = ["MemoryGate"]

_PENDING_BITS = 8


class MemoryGate(wiring.Component):
    """Passes the memory port through, combinationally and unchanged; in `hold` takes it over.

    The network interface forgets in `hold` what it asked the memory. Its answers are taken here, so that none meets the
    next tenant's first question. At most 255 accesses a direction are under way.

    Parameters
    ----------
    parameters : Parameters
        Of the node.

    Members
    -------
    hold : In(1)
        The network interface is in reset.
    clear : In(1)
        Set every word to 0, from the next cycle on, one a cycle; `hold` is 1 from then on.
    ni : memory port
        Of the network interface.
    memory : memory port, client side
        Of the memory, see :func:`~rtl.signatures.memory_signature`.
    unfinished : Out(1)
        The memory owes an answer, or is being cleared.
    """

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        port = memory_signature(parameters)
        super().__init__({
            "hold": In(1),
            "clear": In(1),
            "ni": Out(port),
            "memory": In(port),
            "unfinished": Out(1),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        ni, memory = self.ni, self.memory
        # Reads pass unless held; requests that are under way are counted, so that a tenant gets only its own answers.
        reads = Signal(_PENDING_BITS)
        writes = Signal(_PENDING_BITS)
        asks = Signal()
        answers = Signal()
        m.d.comb += [
            asks.eq(~self.hold & ~reads.all()),
            memory.read.valid.eq(ni.read.valid & asks),
            memory.read.payload.eq(ni.read.payload),
            ni.read.ready.eq(memory.read.ready & asks),
            ni.data.valid.eq(memory.data.valid & ~self.hold),
            ni.data.payload.eq(memory.data.payload),
            memory.data.ready.eq(ni.data.ready | self.hold),
            answers.eq(memory.data.valid & memory.data.ready),
            ni.written.eq(memory.written & ~self.hold),
        ]
        m.d.sync += [
            reads.eq(reads + (memory.read.valid & memory.read.ready) - answers),
            writes.eq(writes + (memory.write.valid & memory.write.ready) - memory.written),
        ]

        # Writes pass unless held; then the gate writes zeros, from the first word to the last.
        clearing = Signal()
        address = Signal(range(self._parameters.memory_words))
        puts = Signal()
        m.d.comb += [
            puts.eq(~self.hold & ~writes.all()),
            memory.write.valid.eq(ni.write.valid & puts),
            memory.write.payload.eq(ni.write.payload),
            ni.write.ready.eq(memory.write.ready & puts),
            self.unfinished.eq((reads != 0) | (writes != 0) | clearing),
        ]
        with m.If(self.hold):
            m.d.comb += [
                memory.write.valid.eq(clearing & ~writes.all()),
                memory.write.payload.address.eq(address),
                memory.write.payload.data.eq(0),
                memory.write.payload.mask.eq(~0),
            ]
        with m.If(self.clear):
            m.d.sync += [clearing.eq(1), address.eq(0)]
        with m.Elif(clearing & memory.write.valid & memory.write.ready):
            m.d.sync += address.eq(address + 1)
            with m.If(address == self._parameters.memory_words - 1):
                m.d.sync += clearing.eq(0)
        return m
