"""Where reception may write: puts in the window of their counter, other packets in the room of their ring."""

from dataclasses import replace

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.hdl._ast import AnySeq  # has no public name in Amaranth 0.5
from amaranth.lib import data
from amaranth.lib.wiring import In

from formal.harness import Harness
from formal.opened import Opened
from formal.reception_lanes import SCALED, keeps_grants, receiver_gathers
from rtl.formats import CHUNK_FLITS, FLIT_BITS, WORD_BITS, WORD_BYTES, Flit, Header, PutHeader
from rtl.ni.ni import NI
from rtl.ni.reception import packet_layout

__all__ = ["PlacesHarness"]

PARAMETERS = replace(SCALED, injection_rings=2, reception_rings=2)
"""Two rings of each kind, so that which of them a packet goes to counts."""

FREE = ("port", "status", "sent", "injection_0", "sender")
"""What has no part in reception, and the host port: any software, which takes no time. So is the memory."""

WIDE = 40
"""Bits in which addresses do not wrap."""

LANE = "reception_0"


class PlacesHarness(Harness):
    """Lane, counters and rings of reception with any flits, any software, any memory, and a reset in any cycle."""

    constructed = ("scaled-node", )
    properties = {
        "reception-window": "a put writes only the bytes its header names from its put_offset on, which are in the "
                            "window of the counter that it names, as the counter stood when it was looked up, and in "
                            "the memory",
        "reception-room": "a memory-FIFO packet writes only in the ring its pid names, a remote get only in the "
                          "injection ring its header names, which is for remote gets; and only in the room that was "
                          "free behind what the ring held when the room was reserved",
        "get-stamped": "every descriptor that a remote get has written bears the stamped source of the get",
    }

    def elaborate(self, platform):
        m = Module()
        ni = NI(PARAMETERS)
        for _, member, port in ni.signature.flatten(ni):
            if member.flow is In:
                m.d.comb += Value.cast(port).eq(AnySeq(len(Value.cast(port))))
        m.submodules.dut = dut = Opened(ni, FREE)
        for parent, arbiter in (("received", "arbiter"), ("rings", "arbiter"), ("arbiter", "write_arbiter")):
            keeps_grants(m, self, dut, parent, arbiter)
        selected = dut.signal("port.registers__select", width=None)
        asks, waits = dut.signal("port.write__request__valid"), Signal()
        m.d.sync += waits.eq(asks & ~dut.signal("arbiter.writers__2__request__ready"))
        self.assume(m, "one-register", ~(selected & (selected - 1)).any() & (~waits | asks))
        self._states = {name: dut.state(LANE, name) for name in ("HEADER", "SOFTWARE", "DECIDE", "CHECK", "STORE")}
        self._packet = data.View(packet_layout(PARAMETERS), dut.signal(f"{LANE}.packet", width=None))
        self._full, self._final = (dut.signal(f"{LANE}.gather.{name}") for name in ("full", "final"))
        self._mask = dut.signal(f"{LANE}.gather.mask", width=WORD_BYTES)
        self._content = dut.signal(f"{LANE}.gather.content", width=WORD_BITS)
        self._taken_word = dut.signal(f"{LANE}.gather.taken")
        # What a word is written with that waits, or is being filled; and what must be true of it then.
        self._storing = self._states["STORE"] | (self._states["HEADER"] & self._full)
        self._written = dut.signal(f"{LANE}.gather.write__request__valid")
        self._flits(m, ni)
        self._window(m, dut)
        self._room(m, dut)
        self._stamp(m)
        return m

    def _flits(self, m: Module, ni: NI) -> None:
        """What the first two flits of the packet the lane is at say."""
        i, states = ni.eject[0], self._states
        flit = data.View(Flit, i.payload)
        self._head, self._second = Signal(Header), Signal(PutHeader)
        self._known = Signal()
        taken = i.valid & i.ready
        begun = Signal()
        with m.If(taken):
            m.d.sync += begun.eq(~flit.last)
        with m.If(taken & ~begun):
            m.d.sync += [self._head.eq(flit.data), self._known.eq(0)]
        with m.If(taken & begun & ~self._known):
            m.d.sync += [self._second.eq(flit.data), self._known.eq(1)]
        self._next = data.View(PutHeader, Mux(self._known, self._second.as_value(), flit.data))
        self._put = self._head.dma & ~self._second.remote_get
        self._get = self._head.dma & self._second.remote_get

        decides = states["DECIDE"] | states["CHECK"]
        self.help(m, Cat(*states.values()).any())
        self.help(m, begun == ~states["HEADER"])
        self.help(m, states["HEADER"] | (self._known == ~states["SOFTWARE"]))
        self.help(m, ~(states["SOFTWARE"] | decides) | (
            ~self._full & (self._content[FLIT_BITS * 3:] == self._head.as_value())))
        self.help(m, ~decides | (self._content[FLIT_BITS * 2:FLIT_BITS * 3] == self._second.as_value()))
        self.help(m, ~(decides | states["STORE"]) | (self._packet.is_get == self._get))
        self.help(m, states["HEADER"] | (self._packet.source == self._head.source))
        self.help(m, ~self._full | ~self._mask.any() | self._known)
        self.help(m, ~self._full | (self._final == states["HEADER"]) | ~self._mask.any())
        self.help(m, ~states["STORE"] | ~self._full | ((self._packet.slot == 0) & ~self._final))

    def _window(self, m: Module, dut: Opened) -> None:
        """A put's bytes, and its window when it was looked up."""
        packet, second, states = self._packet, self._second, self._states
        window, limit, there = Signal(32), Signal(32), Signal()
        ports = {name: dut.memory(f"received.reception_{name}").read_port() for name in ("window", "limit")}
        m.d.comb += [port.addr.eq(self._next.counter) for port in ports.values()]
        with m.If(dut.signal(f"{LANE}.lookup__valid") & dut.signal("received.clients__0__ready")):
            m.d.sync += [window.eq(ports["window"].data), limit.eq(ports["limit"].data),
                         there.eq(self._next.counter < PARAMETERS.counters)]
        for counter in range(PARAMETERS.counters):
            port = dut.memory("received.reception_window").read_port()
            m.d.comb += port.addr.eq(counter)
            self.help(m, ~port.data[:3].any())
        self.help(m, ~window[:3].any())

        low, high, word = (Signal(WIDE, name=name) for name in ("put_low", "put_high", "put_word"))
        inside = Signal()
        m.d.comb += [
            low.eq(window + second.put_offset),
            high.eq(low + second.valid_bytes),
            word.eq(packet.address << 5),
            inside.eq(there & (second.put_offset + second.valid_bytes <= limit)
                      & (high <= PARAMETERS.memory_bytes) & ~second.put_offset[:3].any()),
        ]
        bytes_ = Cat(inside & (word + byte >= low) & (word + byte < high) for byte in range(WORD_BYTES))
        # Byte 0 is the most significant.
        within = ~(self._mask & ~Cat(*reversed(list(bytes_)))).any()
        self.claim(m, "reception-window", ~self._written | ~self._put | within)
        self.help(m, ~self._storing | ~self._put | within)

        self.help(m, ~states["CHECK"] | (
            self._put & (dut.signal(f"{LANE}.start", width=34) == low)
            & (dut.signal(f"{LANE}.limit", width=32) == limit)
            & (dut.signal(f"{LANE}.end", width=33) == second.put_offset + second.valid_bytes)
            & (~dut.signal(f"{LANE}.admitted") | there)))
        # Where the next flit goes, and that what is left of them ends where the put does.
        address, rest, odd = Signal(WIDE), Signal(WIDE), Signal(3)
        m.d.comb += [
            address.eq(word + (packet.slot << 3) + (self._full << 5)),
            rest.eq(packet.remaining << 3),
            odd.eq(second.valid_bytes),
        ]
        ends = (address + rest >= high) & (address + rest < high + 8)
        self.help(m, ~states["STORE"] | ~self._put | (packet.remaining == 0) | (inside & (address >= low) & ends))
        self.help(m, ~states["STORE"] | ~self._put | packet.linear)
        self.help(m, ~states["STORE"] | ~self._put | (
            packet.last_bytes == Mux(odd == 0, 0xFF, ~(Value.cast(0xFF) >> odd))[:8]))

    def _room(self, m: Module, dut: Opened) -> None:
        """The room of the packet's ring, taken from the ring the packet names."""
        packet, head, states = self._packet, self._head, self._states
        injection, reception = PARAMETERS.injection_rings, PARAMETERS.reception_rings
        # The ring that the packet names, as it is.
        named = {name: Signal(10, name=f"named_{name}") for name in ("base", "size", "head", "fill", "remote")}
        exists = Signal()
        pid = Cat(head.pid1, head.pid0)
        for ring in range(injection + reception):
            mine = self._get & (self._second.ring == ring) if ring < injection else (
                ~head.dma & (pid == ring - injection))
            with m.If(mine):
                m.d.comb += exists.eq(1)
                m.d.comb += [value.eq(dut.signal(f"rings.ring_{ring}.{name}", width=None))
                             for name, value in named.items()]
        chunks = Signal(10)
        used = Mux(named["fill"] < named["head"], named["fill"] + named["size"], named["fill"]) - named["head"]
        m.d.comb += chunks.eq(head.size + ~head.dma)

        # What was reserved of it, and how many words are written.
        reserves = dut.signal(f"{LANE}.ring__valid") & dut.signal("rings.clients__0__ready") & dut.signal(
            "rings.clients__0__accepted")
        self.claim(m, "reception-room", ~reserves | (
            exists & (~self._get | named["remote"][0]) & (used + chunks < named["size"])))
        room = {name: Signal(10, name=f"room_{name}") for name in ("base", "size", "fill", "chunks")}
        words, granted = Signal(10), Signal()
        with m.If(states["DECIDE"]):
            m.d.sync += [*(room[name].eq(named[name]) for name in ("base", "size", "fill")), room["chunks"].eq(chunks),
                         words.eq(0), granted.eq(reserves)]
        with m.Elif(self._taken_word):
            m.d.sync += words.eq(words + 1)

        offset = Signal(10)
        ahead = room["fill"] + words
        m.d.comb += offset.eq(Mux(ahead >= room["size"], ahead - room["size"], ahead))
        where = packet.address == (room["base"] + offset)[:len(packet.address)]
        within = granted & (words < room["chunks"]) & where
        self.claim(m, "reception-room", ~self._written | self._put | ~self._mask.any() | within)
        self.help(m, ~self._storing | self._put | ~self._mask.any() | within)
        self.help(m, ~states["STORE"] | self._put | (packet.remaining == 0) | (granted & where & (
            4 * words + packet.slot + (self._full << 2) + packet.remaining == CHUNK_FLITS * room["chunks"])))
        last = (room["base"] + room["size"] - 1)[:len(packet.last)]
        self.help(m, ~states["STORE"] | self._put | ~granted | (
            ~packet.linear & (packet.base == room["base"]) & (packet.last == last)
            & (room["chunks"] < room["size"]) & (room["fill"] < room["size"])))
        self.help(m, room["size"] <= PARAMETERS.memory_words)
        self._rings(m, dut)

    def _rings(self, m: Module, dut: Opened) -> None:
        """Pointers stay in their rings."""
        packet, held = self._packet, self._packet.held
        self.help(m, self._states["HEADER"] | self._states["STORE"] | (held == 0))
        for ring in range(len(held)):
            size, head, fill = (
                dut.signal(f"rings.ring_{ring}.{name}", width=None) for name in ("size", "head", "fill"))
            self.help(m, size <= PARAMETERS.memory_words)
            self.help(m, (size == 0) | ((head < size) & (fill < size)))
            self.help(m, ~held[ring] | packet.stale | (packet.following < size))
        receiver, console = "receiver", len(held) - 1
        waits = ~dut.state(receiver, "HEADER") & ~dut.state(receiver, "RESERVE") & ~dut.state(receiver, "SINK")
        self.help(m, ~waits | dut.signal(f"{receiver}.stale") | (
            dut.signal(f"{receiver}.following", width=None) < dut.signal(f"rings.ring_{console}.size", width=None)))
        receiver_gathers(m, self.help, dut, receiver)

    def _stamp(self, m: Module) -> None:
        """The source in the header of a descriptor: its third flit."""
        third = FLIT_BITS // 8
        covered = self._mask[third:2 * third].any()
        stamped = data.View(Header, self._content[FLIT_BITS:2 * FLIT_BITS]).source == self._head.source
        self.claim(m, "get-stamped", ~self._written | ~self._get | ~covered | stamped)
        self.help(m, ~self._storing | ~self._get | ~covered | stamped)
