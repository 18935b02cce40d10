"""Reading a message from memory as a stream of flits."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from rtl.formats import FLIT_BITS, FLIT_BYTES, WORD_BITS, WORD_FLITS
from rtl.ni.arbiter import read_client
from rtl.parameters import Parameters

__all__ = ["MessageReader"]


class MessageReader(wiring.Component):
    """Streams a message of any length from any multiple of 8. One flit a cycle while the memory keeps up.

    Words are read ahead, `depth` at most. The first flit follows `start` by two cycles and the latency of
    the memory.

    Parameters
    ----------
    parameters : Parameters
        Of the node.
    depth : int
        Words read ahead.

    Members
    -------
    start : In(1)
        Begin; only while not `busy`.
    address : In
        Byte address of the message divided by 8.
    length : In
        Bytes, at least one.
    o : Out(stream of 64 bits)
        First byte in the most significant bits; bytes of the last flit that are not of the message are 0.
    read : Out(read client)
    busy : Out(1)
    """

    def __init__(self, parameters: Parameters, *, depth: int = 4) -> None:
        self._parameters = parameters
        self._depth = depth
        super().__init__({
            "start": In(1),
            "address": In(range(parameters.memory_bytes // FLIT_BYTES)),
            "length": In(range(parameters.memory_bytes + 1)),
            "o": Out(stream.Signature(FLIT_BITS)),
            "read": Out(read_client(parameters)),
            "busy": Out(1),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.words = words = SyncFIFO(width=WORD_BITS, depth=self._depth)
        flits = Signal(range(self._parameters.memory_bytes // FLIT_BYTES + 1))
        slot = Signal(range(WORD_FLITS))
        partial = Signal(range(FLIT_BYTES))
        to_request = Signal(range(self._parameters.memory_words + 2))
        word = Signal(range(self._parameters.memory_words))
        room = Signal(range(self._depth + 1), init=self._depth)

        # Ask for words while there is room for them, and take flits out of those that came.
        last = Signal()
        take = Signal()
        pop = Signal()
        request = Signal()
        m.d.comb += [
            words.w_data.eq(self.read.word),
            words.w_en.eq(self.read.valid),
            self.read.request.payload.eq(word),
            self.read.request.valid.eq((to_request != 0) & (room != 0)),
            request.eq(self.read.request.valid & self.read.request.ready),
            last.eq(flits == 1),
            self.o.valid.eq(words.r_rdy & (flits != 0)),
            take.eq(self.o.valid & self.o.ready),
            pop.eq(take & (last | (slot == WORD_FLITS - 1))),
            words.r_en.eq(pop),
            self.busy.eq(flits != 0),
        ]
        m.d.sync += room.eq(room - request + pop)
        with m.If(request):
            m.d.sync += [word.eq(word + 1), to_request.eq(to_request - 1)]
        with m.If(take):
            m.d.sync += [slot.eq(slot + 1), flits.eq(flits - 1)]

        # The last flit of a message keeps only its bytes.
        flit = Signal(FLIT_BITS)
        kept = Signal(FLIT_BYTES)
        m.d.comb += [
            flit.eq(words.r_data.word_select(~slot, FLIT_BITS)),
            kept.eq(Mux(last & (partial != 0), ~((1 << FLIT_BYTES) - 1 >> partial), (1 << FLIT_BYTES) - 1)),
            self.o.payload.eq(flit & Cat(bit.replicate(8) for bit in kept)),
        ]

        # A new message.
        count = Signal.like(flits)
        m.d.comb += count.eq((self.length + FLIT_BYTES - 1) >> 3)
        with m.If(self.start):
            m.d.sync += [
                flits.eq(count),
                slot.eq(self.address[:2]),
                partial.eq(self.length[:3]),
                word.eq(self.address >> 2),
                to_request.eq((self.address[:2] + count + WORD_FLITS - 1) >> 2),
            ]
        return m
