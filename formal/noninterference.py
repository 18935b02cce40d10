"""Two copies of a node that differ in what refused packets contain: behind the guard they are the same."""

from amaranth.hdl import Module, Signal
from amaranth.hdl._ast import AnySeq  # has no public name in Amaranth 0.5
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from formal.harness import Harness
from formal.opened import Opened
from formal.reception import FREE
from formal.reception_lanes import SCALED, TorusLane, same
from rtl.formats import Flit, Header
from rtl.node import Node
from rtl.signatures import AxiLite

__all__ = ["TorusPair"]

BEHIND = ("ni", "gate", "memory_gate", "guard.egress_0", "guard.drain_0", "guard.ingress_0.gate",
          "guard.ingress_0.table")
"""Blocks all of whose state must be equal: the network interface, the host's and the memory's gate, injection, and
of ejection what decides, but not the flit in its stage."""

WIRES = (
    "memory_gate.memory__write__valid", "memory_gate.memory__write__payload", "memory_gate.memory__read__valid",
    "memory_gate.memory__read__payload", "ni.irq", "guard.egress_0.o__valid", "guard.egress_0.o__payload",
    "ni.console_out__valid", "ni.console_out__payload", "gate.host__rvalid", "gate.host__rdata",
)
"""What leaves those blocks."""


class TorusPair(Harness):
    """Two nodes with the same host, owner, memory, tree and time, whose links bring packets in equal framing."""

    ports = {"now": In(64), "host": In(AxiLite)}
    constructed = ("scaled-node", )
    properties = {
        "refused-torus": "if links bring two nodes the same flits in the same cycles, but for what is in packets whose "
                         "column bit is 0, every register and memory word behind the guards, what is asked of the "
                         "memory, injected and answered to the host, and the interrupt are the same in both",
    }

    def elaborate(self, platform):
        m = Module()
        straps, free = self.any_straps(m), (*FREE, "endpoint")
        nodes = [Node(SCALED) for _ in range(2)]
        for node in nodes:
            m.d.comb += [node.straps.eq(straps), node.now.eq(self.now)]
            m.d.comb += [getattr(node.host, name).eq(getattr(self.host, name))
                         for name, member in AxiLite.members.items() if member.flow is Out]
        m.submodules.one = one = Opened(nodes[0], free)
        m.submodules.other = other = Opened(nodes[1], free, like=one, apart=("router.eject__0__payload", ))
        lane = TorusLane(m, self, one)
        self._refused_differ(m, lane, other.apart["router.eject__0__payload"])
        self._guards(m, lane, one, other)

        self._starts_alike(m, one, other)
        for equal in other.follow(one, BEHIND, own=("guard.ingress_0.gate.flit", )):
            self.claim(m, "refused-torus", equal)
        for wire in WIRES:
            self.claim(m, "refused-torus", one.equal(other, wire))
        return m

    def _starts_alike(self, m: Module, one: Opened, other: Opened) -> None:
        """What the output registers of tables hold at power-up is not determined, but the same in both."""
        started = Signal(reset_less=True)
        m.d.sync += started.eq(1)
        for table in ("guard.ingress_0.table.ram", "guard.egress_0.table.ram"):
            for mine, theirs in zip(one.registers(table), other.registers(table), strict=True):
                self.assume(m, "alike-at-power-up", started | (mine[1] == theirs[1]))

    def _refused_differ(self, m: Module, lane: TorusLane, theirs: Signal) -> None:
        """The other node's links: as the first one's, but for what is in refused packets."""
        mine, free = lane.entering, data.View(Flit, AnySeq(Flit.size))
        word = Signal(Header)
        m.d.comb += word.eq(free.data)
        with m.If(lane.begins):
            m.d.comb += word.source.eq(data.View(Header, mine.data).source)
        with m.If(lane.column):
            m.d.comb += theirs.eq(mine)
        with m.Else():
            m.d.comb += data.View(Flit, theirs).eq(mine)
            m.d.comb += [data.View(Flit, theirs).data.eq(word), data.View(Flit, theirs).bad.eq(free.bad)]

    def _guards(self, m: Module, lane: TorusLane, one: Opened, other: Opened) -> None:
        """What makes that inductive: the guards differ in the data of refused packets alone."""
        guard = "guard.ingress_0"
        mine, theirs = (data.View(Flit, node.signal(f"{guard}.gate.flit", width=Flit.size)) for node in (one, other))
        self.help(m, (mine.first == theirs.first) & (mine.last == theirs.last))
        passing, full, inside = (one.signal(f"{guard}.gate.{name}") for name in ("passing", "full", "inside"))
        self.help(m, ~passing & ~(full & lane.permitted) | same(mine, theirs))
        for name in ("position", "beyond", "asked"):
            self.help(m, one.equal(other, f"{guard}.{name}"))
        for name in ("get", "dma", "priority", "requester"):
            self.help(m, ~inside | ~lane.permitted | one.equal(other, f"{guard}.{name}"))
