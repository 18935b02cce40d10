"""What injection may read: remote gets what READER opens to the requester, every message what its window holds."""

from amaranth.hdl import Module, Signal, Value
from amaranth.hdl._ast import AnySeq  # has no public name in Amaranth 0.5
from amaranth.lib import data
from amaranth.lib.wiring import In

from formal.harness import Harness
from formal.opened import Opened
from formal.reception_lanes import SCALED, keeps_grants
from rtl.formats import ANSWER_COMMITS, Descriptor, asked_at
from rtl.ni.counters import Reader
from rtl.ni.descriptor import message_layout
from rtl.ni.ni import NI

__all__ = ["ReaderHarness"]

FREE = ("port", "status", "received", "reception_0", "receiver", "rings", "arbiter", "sender")
"""All of a network interface but injection lane and injection counters: any rings with anything in them, any software,
any memory."""

WIDE = 40
"""Bits in which addresses do not wrap."""

LANE = "injection_0"


class ReaderHarness(Harness):
    """An injection lane with any descriptors."""

    constructed = ("scaled-node", )
    properties = {
        "get-young": "an injection lane begins no packet of a descriptor from a ring for remote gets that was let in "
                     "ANSWER_COMMITS commits ago or more, modulo 256",
        "get-reader": "a descriptor from a ring for remote gets is executed only if READER of the counter it names "
                      "was open to anybody, or to the source in its header, when it was looked up",
        "injection-window": "a message is read only from the window of the counter its descriptor names, as the "
                            "counter stood when it was looked up, and from the memory",
    }

    def elaborate(self, platform):
        m = Module()
        ni = NI(SCALED)
        for _, member, port in ni.signature.flatten(ni):
            if member.flow is In:
                m.d.comb += Value.cast(port).eq(AnySeq(len(Value.cast(port))))
        m.submodules.dut = dut = Opened(ni, FREE)
        keeps_grants(m, self, dut, "sent", "arbiter")
        fetch, states = f"{LANE}.descriptor", {}
        for name in ("CHOOSE", "REQUEST", "FETCH", "LOOKUP", "CHECK", "OFFER"):
            states[name] = dut.state(f"{LANE}.descriptor", name)

        # What is taken from memory, and what its counter says when it is asked.
        remote, read = Signal(), Signal(Descriptor)
        window, limit, readable, there = Signal(32), Signal(32), Signal(), Signal()
        ports = {name: dut.memory(f"sent.injection_{name}").read_port() for name in ("window", "limit", "reader")}
        m.d.comb += [port.addr.eq(read.counter) for port in ports.values()]
        reader = data.View(Reader, ports["reader"].data)
        with m.If(dut.signal(f"{fetch}.take")):
            m.d.sync += remote.eq(dut.signal("rings.remote"))
        with m.If(states["FETCH"] & dut.signal("arbiter.readers__0__valid")):
            m.d.sync += read.eq(dut.signal("arbiter.readers__0__word", width=None))
        with m.If(states["LOOKUP"] & dut.signal("sent.clients__0__ready")):
            m.d.sync += [
                window.eq(ports["window"].data), limit.eq(ports["limit"].data),
                there.eq(read.counter < SCALED.counters),
                readable.eq(reader.open & (reader.any | (reader.node == read.header.source))),
            ]
        low, high, inside = Signal(WIDE), Signal(WIDE), Signal()
        m.d.comb += [
            low.eq(window + read.base_offset),
            high.eq(low + read.length),
            inside.eq(there & (read.base_offset + read.length <= limit) & (high <= SCALED.memory_bytes)),
        ]

        # A message is begun: the lane leaves its idle state.
        idle, permitted, was_idle = dut.state(LANE, "IDLE"), Signal(), Signal()
        m.d.sync += [permitted.eq(~remote | readable), was_idle.eq(idle)]
        self.claim(m, "get-reader", idle | ~was_idle | permitted)
        message = data.View(message_layout(SCALED, 1), dut.signal(f"{fetch}.message__payload", width=None))
        sound = Value.cast(message.fault) == 0
        self.help(m, ~states["OFFER"] | ~sound | ((~remote | readable) & inside & ~read.base_offset[:3].any()))
        self._ages(m, dut, idle)
        self._reads(m, dut, low, high, inside)

        # What is known on the way: windows are aligned, and nobody changes what was read.
        for counter in range(SCALED.counters):
            port = dut.memory("sent.injection_window").read_port()
            m.d.comb += port.addr.eq(counter)
            self.help(m, ~port.data[:3].any())
        self.help(m, ~window[:3].any())
        late = states["LOOKUP"] | states["CHECK"] | states["OFFER"]
        self.help(m, ~late | (Value.cast(data.View(Descriptor, dut.signal(f"{fetch}.descriptor", width=None)))
                              == read.as_value()))
        self.help(m, states["CHOOSE"] | (dut.signal(f"{fetch}.remote") == remote))
        known = states["CHECK"] | states["OFFER"]
        self.help(m, ~known | (dut.signal(f"{fetch}.start", width=33) == low))
        self.help(m, ~states["CHECK"] | (
            (dut.signal(f"{fetch}.end", width=33) == read.base_offset + read.length)
            & (dut.signal(f"{fetch}.limit", width=32) == limit) & (dut.signal(f"{fetch}.exists") == there)))
        rights = data.View(Reader, dut.signal(f"{fetch}.rights", width=Reader.size))
        opens = rights.open & (rights.any | (rights.node == read.header.source))
        self.help(m, ~states["CHECK"] | (opens == readable))
        return m

    def _ages(self, m: Module, dut: Opened, idle: Value) -> None:
        """The lane keeps of a message what it took; a packet begins when its header goes to the output register."""
        message, remote, at = dut.signal(f"{LANE}.message", width=None), Signal(), Signal(8)
        offered = data.View(message_layout(SCALED, 1), dut.signal(f"{LANE}.descriptor.message__payload", width=None))
        with m.If(idle & dut.signal(f"{LANE}.descriptor.message__valid")):
            m.d.sync += [remote.eq(offered.remote), at.eq(asked_at(offered.header))]
        kept = data.View(message_layout(SCALED, 1), message)
        self.help(m, idle | ((kept.remote == remote) & (asked_at(kept.header) == at)))
        begins, young = Signal(), Signal()
        commits = Signal(8)
        m.d.comb += [begins.eq(dut.signal(f"{LANE}.step") & dut.state(LANE, "HEADER")),
                     commits.eq(dut.signal("commits", width=8)),
                     young.eq((commits - at)[:8] < ANSWER_COMMITS)]
        self.claim(m, "get-young", ~begins | ~remote | young)

    def _reads(self, m: Module, dut: Opened, low: Value, high: Value, inside: Value) -> None:
        """Words that are read for a message are words of the window."""
        first, end = Signal(WIDE), Signal(WIDE)
        with m.If(dut.signal(f"{LANE}.start")):
            m.d.sync += [first.eq(low >> 5), end.eq((high + 31) >> 5)]
        asks = dut.signal(f"{LANE}.reader.read__request__valid")
        word, left = (dut.signal(f"{LANE}.reader.{name}", width=None) for name in ("word", "to_request"))
        self.claim(m, "injection-window", ~dut.signal(f"{LANE}.start") | inside)
        self.claim(m, "injection-window", ~asks | ((word >= first) & (word < end)))
        self.help(m, (left == 0) | ((word >= first) & (word + left == end) & (end <= SCALED.memory_words)))
