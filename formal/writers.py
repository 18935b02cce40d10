"""The writer of a window: what a put changes, it changes because its counter's WRITER named it."""

from dataclasses import replace

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.hdl._ast import AnySeq  # has no public name in Amaranth 0.5
from amaranth.lib import data
from amaranth.lib.wiring import In

from formal.harness import Harness
from formal.opened import Opened
from formal.reception_lanes import SCALED, keeps_grants
from rtl.formats import FLIT_BITS, Flit, Header, PutHeader, Writer
from rtl.ni.ni import NI
from rtl.ni.reception import packet_layout

__all__ = ["WriterHarness"]

PARAMETERS = replace(SCALED, lanes=2)
"""Two lanes, which look counters up at the same time."""

FREE = ("port", "status", "sent", "injection_0", "sender", "receiver", "arbiter")
"""All of a network interface but reception lanes, reception counters and rings: software and memory do as they like."""


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
                m.d.comb += port.eq(AnySeq(len(port.as_value() if isinstance(port, data.View) else port)))
        m.submodules.dut = dut = Opened(ni, FREE)
        for file in ("received", "rings"):
            keeps_grants(m, self, dut, file, "arbiter")
        for number in range(PARAMETERS.lanes):
            self._lane(m, dut, f"reception_{number}", ni.eject[number])
        return m

    def _lane(self, m: Module, dut: Opened, lane: str, i) -> None:
        """What the put says is kept from the flits alone; what it may do, from the memory of the counters."""
        flit, taken = data.View(Flit, i.payload), Signal(name=f"{lane}_taken")
        head, second = data.View(Header, flit.data), data.View(PutHeader, flit.data)
        begun, known, dma, put, admitted, may_count = (Signal(name=f"{lane}_{name}") for name in (
            "begun", "known", "dma", "put", "admitted", "may_count"))
        source, counter, key, counted = (Signal(width, name=f"{lane}_{name}") for name, width in (
            ("source", 16), ("counter", 8), ("key", 6), ("counted", 8)))
        names = begun & ~known
        m.d.comb += taken.eq(i.valid & i.ready)
        with m.If(taken & ~begun):
            m.d.sync += [source.eq(head.source), dma.eq(head.dma), put.eq(0), known.eq(0), admitted.eq(0)]
        with m.If(taken & names):
            m.d.sync += [put.eq(dma & ~second.remote_get), counter.eq(second.counter), key.eq(second.key), known.eq(1)]
        with m.If(taken):
            m.d.sync += begun.eq(~flit.last)

        asked, carried = Signal(8, name=f"{lane}_asked"), Signal(6, name=f"{lane}_carried")
        port = dut.memory("received.reception_writer").read_port()
        writer = data.View(Writer, port.data)
        m.d.comb += [
            asked.eq(Mux(known, counter, second.counter)),
            carried.eq(Mux(known, key, second.key)),
            port.addr.eq(asked),
        ]
        with m.If(dut.signal(f"{lane}.lookup__valid") & dut.signal(f"received.clients__{2 * int(lane[-1])}__ready")):
            m.d.sync += admitted.eq((asked < PARAMETERS.counters) & writer.armed & (writer.key == carried)
                                    & (writer.any | (writer.node == source)))

        gather = f"{lane}.gather"
        mask = dut.signal(f"{gather}.mask", width=32)
        self.claim(m, "reception-writer", ~(dut.signal(f"{gather}.write__request__valid") & mask.any())
                   | (known & (~put | admitted)))
        with m.If(dut.signal(f"{lane}.finish")):
            m.d.sync += [may_count.eq(put & admitted), counted.eq(counter)]
        index = dut.signal(f"{lane}.count__index", width=8)
        self.claim(m, "reception-writer", ~dut.signal(f"{lane}.count__valid") | (may_count & (index == counted)))

        # The lane has kept the same.
        states = {name: dut.state(lane, name) for name in ("HEADER", "SOFTWARE", "DECIDE", "CHECK", "STORE")}
        idle, storing = states["HEADER"], states["HEADER"] | states["STORE"]
        packet = data.View(packet_layout(PARAMETERS), dut.signal(f"{lane}.packet", width=None))
        content = dut.signal(f"{gather}.content", width=256)
        header, named = (data.View(layout, content[FLIT_BITS * place:FLIT_BITS * (place + 1)])
                         for layout, place in ((Header, 3), (PutHeader, 2)))
        holds = states["DECIDE"] | states["CHECK"]
        self.help(m, Cat(*states.values()).any())
        self.help(m, begun == ~idle)
        self.help(m, ~put | dma)
        self.help(m, idle | (known == ~states["SOFTWARE"]))
        self.help(m, idle | (packet.source == source))
        self.help(m, storing | (header.dma == dma))
        self.help(m, ~holds | ((named.counter == counter) & (named.key == key)))
        self.help(m, ~(holds | states["STORE"]) | (packet.is_get == (dma & ~put)))
        self.help(m, ~states["CHECK"] | (put & (~dut.signal(f"{lane}.admitted") | admitted)))
        self.help(m, storing | ~dut.signal(f"{gather}.full"))
        self.help(m, ~states["STORE"] | (packet.remaining == 0) | ~put | admitted)
        self.help(m, ~storing | ~mask.any() | (known & (~put | admitted)))
        self.help(m, storing | ~packet.counts)
        self.help(m, ~packet.counts | (put & admitted & (packet.counter == counter)))
        self.help(m, ~dut.signal(f"{lane}.counting") | (may_count & (index == counted)))
