"""Node memory as synthesizable RAM."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory, MemoryData

from rtl.formats import WORD_BITS
from rtl.parameters import Parameters
from rtl.signatures import memory_signature

__all__ = ["NodeMemory"]


class NodeMemory(wiring.Component):
    """Node memory in dual-port block RAM: 256-bit words, byte enables, a read and a write every cycle.

    An answer follows its request by one cycle, or waits as long as it is not taken; a write can be read, and
    is acknowledged, one cycle after it was taken. A read and a write of one word in the same cycle: the read
    gets the old data. The array is `ram`. Its content survives a reset.

    Parameters
    ----------
    parameters : Parameters
        Of the node; `memory_bytes` is the size.

    Members
    -------
    read, data, write, written
        See :func:`~rtl.signatures.memory_signature`.
    """

    def __init__(self, parameters: Parameters) -> None:
        self._words = parameters.memory_words
        super().__init__(memory_signature(parameters))

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.ram = ram = Memory(MemoryData(shape=WORD_BITS, depth=self._words, init=[]))
        read = ram.read_port()
        write = ram.write_port(granularity=8)

        free = Signal()
        m.d.comb += [
            free.eq(~self.data.valid | self.data.ready),
            self.read.ready.eq(free),
            read.en.eq(free & self.read.valid),
            read.addr.eq(self.read.payload),
            self.data.payload.eq(read.data),
        ]
        with m.If(free):
            m.d.sync += self.data.valid.eq(self.read.valid)

        m.d.comb += [
            self.write.ready.eq(1),
            write.addr.eq(self.write.payload.address),
            write.data.eq(self.write.payload.data),
            write.en.eq(self.write.payload.mask & self.write.valid.replicate(len(write.en))),
        ]
        m.d.sync += self.written.eq(self.write.valid)
        return m
