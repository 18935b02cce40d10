"""A buffer that takes tree packets whole or not at all."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from rtl.formats import TREE_PACKET_FLITS, Flit, TreeHeader
from rtl.signatures import FlitStream

__all__ = ["PacketStore"]


class PacketStore(wiring.Component):
    """Store and forward for tree packets of an untrusted or slow source.

    A packet is offered at the output when its last flit has arrived, and then without pauses: two cycles
    from the last flit in to the first flit out. A packet whose length is not what its header says, that
    has fewer than 3 or more than 33 flits, or that is not accepted, leaves no trace. Flits outside a packet
    are taken and forgotten, so nothing that comes in can block the input.

    Parameters
    ----------
    depth : int
        Flits, a power of two, at least 64. Ready while a whole packet fits, whatever its length.

    Members
    -------
    i : In(FlitStream)
        `first` starts a packet, also in the middle of another, which is then forgotten.
    accept : In(1)
        Sampled with the last flit: whether to keep the packet.
    abort : In(1)
        Forget the packet that is coming in, unless this cycle completes it.
    kept : Out(1)
        The flit of this cycle completes a packet that is kept.
    kept_flits : Out(6)
        Its length.
    o : Out(FlitStream)
        Packets in order.
    waiting : Out(1)
        A packet is stored.
    empty : Out(1)
        Nothing is stored or coming in.

    Raises
    ------
    ValueError
        If `depth` is not such a power of two.
    """

    def __init__(self, depth: int) -> None:
        if depth < 64 or depth & (depth - 1):
            raise ValueError(f"depth must be a power of two of at least 64, not {depth!r}")
        self.depth = depth
        super().__init__({
            "i": In(FlitStream),
            "accept": In(1),
            "abort": In(1),
            "kept": Out(1),
            "kept_flits": Out(6),
            "o": Out(FlitStream),
            "waiting": Out(1),
            "empty": Out(1),
        })

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.ram = ram = memory.Memory(shape=Flit, depth=self.depth, init=[])
        committed = Signal(range(2 * self.depth))
        fetched = Signal(range(2 * self.depth))
        level = Signal.like(committed)
        write = ram.write_port()
        collecting = self._collect(m, write, committed)
        m.d.comb += [
            level.eq(committed - fetched),
            self.i.ready.eq(level <= self.depth - TREE_PACKET_FLITS),
            self.waiting.eq((level != 0) | self.o.valid),
            self.empty.eq(~self.waiting & ~collecting),
        ]

        # The read port's own register is the output register.
        read = ram.read_port()
        m.d.comb += [
            read.addr.eq(fetched),
            read.en.eq(~self.o.valid | self.o.ready),
            self.o.payload.eq(read.data),
        ]
        with m.If(read.en):
            m.d.sync += [self.o.valid.eq(level != 0), fetched.eq(fetched + (level != 0))]
        return m

    def _collect(self, m: Module, write: memory.WritePort, committed: Signal) -> Signal:
        """Write what comes in behind the committed packets, and commit a packet when it is whole."""
        flit = self.i.payload
        header = data.View(TreeHeader, flit.data)
        transfer = Signal()
        collecting = Signal()
        whole = Signal()
        count = Signal(6)
        words = Signal(6)
        m.d.comb += [
            transfer.eq(self.i.valid & self.i.ready),
            whole.eq(transfer & collecting & ~flit.first & flit.last & (count == words)),
            self.kept.eq(whole & self.accept),
            self.kept_flits.eq(words + 1),
            write.addr.eq(Mux(flit.first, committed, committed + count)),
            write.data.eq(flit),
            write.en.eq(transfer & (flit.first | collecting)),
        ]
        with m.If(transfer):
            with m.If(flit.first):
                sane = (header.words >= 2) & (header.words < TREE_PACKET_FLITS)
                m.d.sync += [collecting.eq(sane & ~flit.last), count.eq(1), words.eq(header.words)]
            with m.Else():
                m.d.sync += [collecting.eq(collecting & ~flit.last & (count != words)), count.eq(count + 1)]
        with m.If(self.abort):
            m.d.sync += collecting.eq(0)
        with m.If(self.kept):
            m.d.sync += committed.eq(committed + count + 1)
        return collecting
