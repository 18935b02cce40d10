"""Gathering flits into memory words."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.formats import FLIT_BITS, FLIT_BYTES, WORD_BITS, WORD_BYTES, WORD_FLITS
from rtl.ni.arbiter import write_client
from rtl.parameters import Parameters

__all__ = ["WordGather"]


class WordGather(wiring.Component):
    """Puts flits in their places in a word and writes the word with the mask of the bytes it was given.

    A word is requested in the cycle after it is closed; the next flit may come in the cycle it is taken.
    After a packet's last word, `settled` says when all of the packet's writes are acknowledged; words of the
    next packet may be written meanwhile, but its last one waits.

    Parameters
    ----------
    parameters : Parameters
        Of the node; sets the outstanding writes.
    outstanding : int
        Most writes the memory arbiter accepts.

    Members
    -------
    room : Out(1)
        A flit can be taken.
    put : In(1)
        Take `flit` at `slot`, as far as `bytes` says (bit 7 is its first byte). Only with `room`.
    slot : In(2)
        0 is the most significant flit of the word.
    flit : In(64)
    bytes : In(8)
    close : In(1)
        The word is complete; with or without a flit. Only with `room`.
    final : In(1)
        With `close`: and so is the packet.
    discard : In(1)
        Forget all bytes of this word, those of this cycle too.
    address : In
        Word address; must stand while a word waits.
    content : Out(256)
        The word so far.
    taken : Out(1)
        A word is taken by the memory.
    finish : Out(1)
        The last one of a packet is.
    settle : In(1)
        The packet that `settled` announces is done with.
    settled : Out(1)
    write : Out(write client)
    busy : Out(1)
        A write is waiting or outstanding.
    """

    def __init__(self, parameters: Parameters, *, outstanding: int = 16) -> None:
        self._outstanding = outstanding
        super().__init__({
            "room": Out(1),
            "put": In(1),
            "slot": In(range(WORD_FLITS)),
            "flit": In(FLIT_BITS),
            "bytes": In(FLIT_BYTES),
            "close": In(1),
            "final": In(1),
            "discard": In(1),
            "address": In(range(parameters.memory_words)),
            "content": Out(WORD_BITS),
            "taken": Out(1),
            "finish": Out(1),
            "settle": In(1),
            "settled": Out(1),
            "write": Out(write_client(parameters)),
            "busy": Out(1),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        request = self.write.request
        mask = Signal(WORD_BYTES)
        full = Signal()
        final = Signal()
        outstanding = Signal(range(self._outstanding + 1))
        settling = Signal()
        remaining = Signal(range(self._outstanding + 1))

        # The write port: one word, as soon as it is full.
        m.d.comb += [
            request.valid.eq(full & ~(final & settling)),
            request.payload.address.eq(self.address),
            request.payload.data.eq(self.content),
            request.payload.mask.eq(mask),
            self.taken.eq(request.valid & request.ready),
            self.finish.eq(self.taken & final),
            self.room.eq(~full | self.taken),
            self.settled.eq(settling & (remaining == 0)),
            self.busy.eq(full | (outstanding != 0) | settling),
        ]

        # Flits come into their slots of the word.
        kept = Signal(WORD_BYTES)
        m.d.comb += kept.eq(Mux(self.taken, 0, mask))
        with m.If(self.taken | self.put | self.discard):
            m.d.sync += mask.eq(kept)
        with m.If(self.taken):
            m.d.sync += full.eq(0)
        for slot in range(WORD_FLITS):
            index = WORD_FLITS - 1 - slot
            with m.If(self.put & (self.slot == slot)):
                m.d.sync += [
                    self.content.word_select(index, FLIT_BITS).eq(self.flit),
                    mask.word_select(index, FLIT_BYTES).eq(self.bytes),
                ]
        with m.If(self.discard):
            m.d.sync += mask.eq(0)
        with m.If(self.close):
            m.d.sync += [full.eq(1), final.eq(self.final)]

        # Settle: after the last word wait until all writes are acknowledged.
        m.d.sync += outstanding.eq(outstanding + self.taken - self.write.written)
        with m.If(self.finish):
            m.d.sync += [settling.eq(1), remaining.eq(outstanding + 1 - self.write.written)]
        with m.Else():
            with m.If(self.write.written & (remaining != 0)):
                m.d.sync += remaining.eq(remaining - 1)
            with m.If(self.settle):
                m.d.sync += settling.eq(0)
        return m
