"""The writer of a window: what a put changes, it changes because its counter's WRITER named it."""

from dataclasses import replace

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.hdl._ast import AnySeq  # has no public name in Amaranth 0.5
from amaranth.lib import data
from amaranth.lib.wiring import In

from formal.harness import Harness
from formal.opened import Opened
from formal.reception_lanes import SCALED, keeps_grants
from rtl.formats import FLIT_BITS, WORD_BITS, Flit, Header, PutHeader, Writer
from rtl.ni.ni import NI
from rtl.ni.reception import packet_layout

__all__ = ["WriterHarness"]

PARAMETERS = replace(SCALED, lanes=2)
"""Two lanes, which look counters up at the same time."""

FREE = ("port", "status", "sent", "injection_0", "sender", "receiver", "arbiter")
"""All of a network interface but reception lanes, reception counters and rings: software and memory do as they like."""


class Watched:
    """The packet a lane is at: what it says, from its flits alone, and what it may do, from the memory of the counters.

    Attributes
    ----------
    begun, known : Signal
        Its header has been taken; its second flit, too. `known` stays until the next header.
    dma, put, source, counter, key : Signal
        What they say; of the flits that were not taken yet, nothing.
    admitted : Signal
        Its counter took puts of its source with its key in the cycle in which the lane looked the counter up.
    may_count, counted : Signal
        It was so of the last packet that is stored; the counter of that one.
    """

    def __init__(self, m: Module, dut: Opened, number: int, i) -> None:
        lane = f"reception_{number}"
        for name, width in (("begun", 1), ("known", 1), ("dma", 1), ("put", 1), ("source", 16), ("counter", 8),
                            ("key", 6), ("admitted", 1), ("may_count", 1), ("counted", 8)):
            setattr(self, name, Signal(width, name=f"{lane}_{name}"))
        flit, taken = data.View(Flit, i.payload), Signal(name=f"{lane}_taken")
        head, second = data.View(Header, flit.data), data.View(PutHeader, flit.data)
        m.d.comb += taken.eq(i.valid & i.ready)
        with m.If(taken & ~self.begun):
            m.d.sync += [self.source.eq(head.source), self.dma.eq(head.dma), self.put.eq(0), self.known.eq(0),
                         self.admitted.eq(0)]
        with m.If(taken & self.begun & ~self.known):
            m.d.sync += [self.put.eq(self.dma & ~second.remote_get), self.counter.eq(second.counter),
                         self.key.eq(second.key), self.known.eq(1)]
        with m.If(taken):
            m.d.sync += self.begun.eq(~flit.last)

        # A lane may look up while it takes the second flit.
        counter, key = Signal(8, name=f"{lane}_asked"), Signal(6, name=f"{lane}_carried")
        port = dut.memory("received.reception_writer").read_port()
        writer = data.View(Writer, port.data)
        m.d.comb += [
            counter.eq(Mux(self.known, self.counter, second.counter)),
            key.eq(Mux(self.known, self.key, second.key)),
            port.addr.eq(counter),
        ]
        with m.If(dut.signal(f"{lane}.lookup__valid") & dut.signal(f"received.clients__{2 * number}__ready")):
            m.d.sync += self.admitted.eq((counter < PARAMETERS.counters) & writer.armed & (writer.key == key)
                                         & (writer.any | (writer.node == self.source)))
        with m.If(dut.signal(f"{lane}.finish")):
            m.d.sync += [self.may_count.eq(self.put & self.admitted), self.counted.eq(self.counter)]


class WriterHarness(Harness):
    """Lanes and counters of reception with any flits, any software, any memory, and a reset in any cycle."""

    properties = {
        "reception-writer": "a lane writes a byte to memory, or counts, for a put only if RECEPTION_WRITER of the "
                            "counter that the put names was armed, for its source or for anybody, and with its key, in "
                            "the cycle in which the lane looked it up",
    }

    def elaborate(self, platform):
        m = Module()
        ni = NI(PARAMETERS)
        for _, member, port in ni.signature.flatten(ni):
            if member.flow is In:
                m.d.comb += Value.cast(port).eq(AnySeq(len(Value.cast(port))))
        m.submodules.dut = dut = Opened(ni, FREE)
        for file in ("received", "rings"):
            keeps_grants(m, self, dut, file, "arbiter")
        for number in range(PARAMETERS.lanes):
            self._lane(m, dut, f"reception_{number}", Watched(m, dut, number, ni.eject[number]))
        return m

    def _lane(self, m: Module, dut: Opened, lane: str, seen: Watched) -> None:
        """A byte is written with its mask; what is written when no put is under way is of a packet for a ring."""
        mask = dut.signal(f"{lane}.gather.mask", width=32)
        index = dut.signal(f"{lane}.count__index", width=8)
        written = dut.signal(f"{lane}.gather.write__request__valid") & mask.any()
        may_write = seen.known & (~seen.put | seen.admitted)
        may_count = seen.may_count & (index == seen.counted)
        self.claim(m, "reception-writer", ~written | may_write)
        self.claim(m, "reception-writer", ~dut.signal(f"{lane}.count__valid") | may_count)
        self.help(m, ~dut.signal(f"{lane}.counting") | may_count)

        states = {name: dut.state(lane, name) for name in ("HEADER", "SOFTWARE", "DECIDE", "CHECK", "STORE")}
        idle, storing = states["HEADER"], states["HEADER"] | states["STORE"]
        self.help(m, Cat(*states.values()).any())
        self.help(m, seen.begun == ~idle)
        self.help(m, idle | (seen.known == ~states["SOFTWARE"]))
        self.help(m, ~seen.put | seen.dma)
        self.help(m, ~storing | ~mask.any() | may_write)
        self.help(m, storing | ~dut.signal(f"{lane}.gather.full"))
        self.help(m, ~states["CHECK"] | (seen.put & (~dut.signal(f"{lane}.admitted") | seen.admitted)))
        self._keeps(m, dut, lane, seen, states)

    def _keeps(self, m: Module, dut: Opened, lane: str, seen: Watched, states: dict[str, Value]) -> None:
        """The lane remembers of a packet what its flits said."""
        packet = data.View(packet_layout(PARAMETERS), dut.signal(f"{lane}.packet", width=None))
        content = dut.signal(f"{lane}.gather.content", width=WORD_BITS)
        header, put = (data.View(layout, content[FLIT_BITS * chunk:FLIT_BITS * (chunk + 1)])
                       for layout, chunk in ((Header, 3), (PutHeader, 2)))
        idle, storing = states["HEADER"], states["HEADER"] | states["STORE"]
        decides = states["DECIDE"] | states["CHECK"]
        self.help(m, idle | (packet.source == seen.source))
        self.help(m, storing | (header.dma == seen.dma))
        self.help(m, ~decides | ((put.counter == seen.counter) & (put.key == seen.key)))
        self.help(m, ~(decides | states["STORE"]) | (packet.is_get == (seen.dma & ~seen.put)))
        self.help(m, ~states["STORE"] | (packet.remaining == 0) | ~seen.put | seen.admitted)
        self.help(m, storing | ~packet.counts)
        self.help(m, ~packet.counts | (seen.put & seen.admitted & (packet.counter == seen.counter)))
