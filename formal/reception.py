"""The reception side of a whole node: what comes from the fabric changes nothing unless its column bit is 1."""

from amaranth.hdl import Module, ResetSignal, Signal, Value
from amaranth.hdl._ast import AnyConst  # has no public name in Amaranth 0.5
from amaranth.lib import data
from amaranth.lib.wiring import In, connect, flipped

from formal.harness import Harness, any_of
from formal.opened import Opened
from formal.reception_lanes import SCALED, ConsoleLane, TorusLane, keeps_grants, same
from rtl.ni.injection import Report
from rtl.node import Node
from rtl.registers import Irq
from rtl.signatures import AxiLite, memory_signature

__all__ = ["FREE", "ReceptionHarness"]

FREE = ("router", "tree", "memory", "guard.control")
"""Blocks of the node that are taken out, and do what they like: both routers, so any link input and more; the memory,
with any latency and any answers; the guard's registers, so any owner."""

INJECTION, RECEPTION, CONSOLE = range(3)
"""The rings of a node scaled like this."""

ARBITERS = (("ni.arbiter", "write_arbiter"), ("ni.rings", "arbiter"), ("ni.received", "arbiter"),
            ("ni.sent", "arbiter"))
"""Where grants are held in the network interface."""

RESTLESS = ("ni.port.live", "ni.sent.clear", "ni.sent.clearing", "ni.received.clear", "ni.received.clearing",
            "ni.receiver.remaining")
"""Registers that move of themselves: the clearing of the counters, and what the console receiver's idle state keeps of
a flit that is not offered."""


class ReceptionHarness(Harness):
    """A node under any link input, any host, any owner and any memory."""

    ports = {"now": In(64), "host": In(AxiLite)}
    constructed = ("scaled-node", )
    properties = {
        "reception-memory": "every write request to the node memory is the host's own access, or made for a torus "
                            "packet whose column bit was 1, or for a console packet that was accepted, and is what "
                            "that one asked for",
        "reception-counters": "reception counters, their windows, their hits and the counts of drops change only by an "
                              "access of the host, or for such a packet",
        "reception-rings": "pointers of rings change only by an access of the host, for such a packet, or as the "
                           "injection lane takes or retires a descriptor that waits",
        "reception-interrupts": "a cause of an interrupt rises only by an access of the host, for such a packet, or by "
                                "the injection side; the interrupt only after an enabled cause",
        "reception-silence": "from a reset or a hold until the host accesses it, or it is handed a packet whose column "
                             "bit is 1, every register of the network interface that does not move of itself is as "
                             "the reset left it, and it asks the memory for nothing and raises no interrupt",
        "reception-console": "a console packet is accepted only from outside, or if the column bit of its source was "
                             "1; and no flit of another one is handed to the network interface",
    }

    def elaborate(self, platform):
        m = Module()
        node = Node(SCALED)
        m.d.comb += [node.straps.eq(self.any_straps(m)), node.now.eq(self.now)]
        connect(m, flipped(self.host), node.host)
        m.submodules.dut = dut = Opened(node, FREE)
        self._request = memory_signature(SCALED).create().write.payload.shape()

        # Changes are seen a cycle late; those of a reset, or of a hold, are the owner's.
        self._held = Signal(reset_less=True, init=1)
        m.d.sync += self._held.eq(ResetSignal() | dut.signal("guard.hold"))
        self._access = dut.signal("ni.port.registers__select", width=None).any()
        self._torus = TorusLane(m, self, dut)
        self._console = ConsoleLane(m, self, dut)
        for parent, arbiter in ARBITERS:
            keeps_grants(m, self, dut, parent, arbiter)
        self._memory(m, dut)
        self._counters(m, dut)
        self._drops(m, dut)
        self._rings(m, dut)
        self._interrupts(m, dut)
        self._silence(m, dut)
        console = self._console
        self.claim(m, "reception-console", ~console.accepted | console.proper)
        self.claim(m, "reception-console", ~console.taken | console.good)
        return m

    def _only(self, m: Module, name: str, state: Value, *causes: Value, rises: bool = False) -> None:
        """Claim that state changes, or a bit of it rises, only in a cycle in which there is a cause."""
        before, caused = Signal(len(Value.cast(state)), reset_less=True), Signal(reset_less=True)
        m.d.sync += [before.eq(state), caused.eq(any_of(causes))]
        kept = ~Value.cast(state).any() | before.any() if rises else same(state, before)
        self.claim(m, name, self._held | caused | kept)

    def _memory(self, m: Module, dut: Opened) -> None:
        """Who asks the memory to be written."""
        held = dut.signal("guard.hold")
        valid = dut.signal("memory_gate.memory__write__valid")
        payload = dut.signal("memory_gate.memory__write__payload", width=None)
        asks = dut.signal("ni.port.write__request__valid")
        host = dut.signal("ni.port.write__request__payload", width=None)
        writing = Signal()
        with m.If(dut.signal("ni.port.host__awready")):
            m.d.sync += writing.eq(1)
        with m.Elif(dut.signal("ni.port.host__bvalid") & dut.signal("gate.ni__bready")):
            m.d.sync += writing.eq(0)
        with m.If(held):
            m.d.sync += writing.eq(0)
        ordered = Signal()
        with m.If(dut.signal("guard.clear")):
            m.d.sync += ordered.eq(1)
        zeros = data.View(self._request, payload).data == 0
        self.claim(m, "reception-memory", ~valid | ~held | (ordered & zeros))
        self.help(m, ordered | ~dut.signal("memory_gate.clearing"))
        self.claim(m, "reception-memory", ~valid | held | (asks & writing & same(payload, host)) | any_of([
            lane.write.valid & lane.current & same(payload, lane.write.payload)
            for lane in (self._torus, self._console)]))
        self.help(m, dut.state("ni.port", "IDLE") | (writing == dut.signal("ni.port.write")))
        self.help(m, ~dut.state("ni.port", "IDLE") | ~writing)

    def _counters(self, m: Module, dut: Opened) -> None:
        """Any one reception counter, and all hits."""
        torus, clear = self._torus, dut.signal("ni.received.clear")
        hits = dut.signal("ni.received.hits", width=SCALED.counters)
        index = Signal(range(SCALED.counters))
        m.d.comb += index.eq(AnyConst(len(index)))
        counts = torus.counts & torus.settling
        for name in ("value", "window", "limit", "writer"):
            port = dut.memory(f"ni.received.reception_{name}").read_port()
            m.d.comb += port.addr.eq(index)
            causes = [counts & (torus.counter == index)] if name == "value" else []
            self._only(m, "reception-counters", port.data, self._access, clear, *causes)
        for bit in range(SCALED.counters):
            self._only(m, "reception-counters", hits[bit], self._access, counts & (torus.counter == bit))

    def _drops(self, m: Module, dut: Opened) -> None:
        """Counts of packets that were dropped behind the guard."""
        torus, console = self._torus, self._console
        for name in ("ring", "counter", "get", "bad"):
            self._only(m, "reception-counters", dut.signal(f"ni.status.{name}_drops", width=32),
                       torus.finish & torus.current)
        self._only(m, "reception-counters", dut.signal("ni.status.console_drops", width=32),
                   console.drop & console.comes)

    def _rings(self, m: Module, dut: Opened) -> None:
        """Pointers of the three rings."""
        stored = self._torus.finish & self._torus.current | self._console.finish & self._console.current
        for ring in (INJECTION, RECEPTION, CONSOLE):
            pointers = {name: dut.signal(f"ni.rings.ring_{ring}.{name}", width=None) for name in (
                "base", "size", "remote", "head", "fetch", "tail", "fill")}
            causes: dict[str, list[Value]] = {name: [self._access] for name in pointers}
            causes["tail"] += [self._published(ring)]
            causes["fill"] += [stored]
            if ring == INJECTION:
                waits = pointers["tail"] != pointers["fetch"]
                causes["fetch"] += [dut.signal("ni.injection_0.descriptor.take") & waits]
                causes["head"] += [dut.signal("ni.injection_0.retire")]
            for name, pointer in pointers.items():
                self._only(m, "reception-rings", pointer, *causes[name])

    def _published(self, ring: int) -> Value:
        """A packet whose bit was 1 has been stored, and is shown in a ring."""
        return any_of(lane.publish[ring] & colour for lane, colour in (
            (self._torus, self._torus.settling), (self._console, self._console.current)))

    def _interrupts(self, m: Module, dut: Opened) -> None:
        """Causes, and the wire."""
        causes = dut.signal("ni.status.causes", width=16)
        enable = dut.signal("ni.status.irq_enable", width=16)
        for bit, cause in (
            (Irq.RECEPTION, self._published(RECEPTION)),
            (Irq.CONSOLE, self._published(CONSOLE)),
            (Irq.RECEPTION_HIT, self._torus.counts & self._torus.settling),
            (Irq.CONSOLE_SENT, dut.signal("ni.sender.o__valid")),
            (Irq.INJECTION_HIT, dut.signal("ni.injection_0.count__valid")),
            (Irq.FAULT, data.View(Report, dut.signal("ni.injection_0.report", width=Report.size)).valid),
        ):
            self._only(m, "reception-interrupts", causes[bit], self._access, cause, rises=True)
        self._only(m, "reception-interrupts", dut.signal("ni.status.irq"), (causes & enable).any(), rises=True)

    def _silence(self, m: Module, dut: Opened) -> None:
        """Nothing has come, so nothing has happened."""
        torus, console, stirred = self._torus, self._console, Signal()
        handed = (torus.taken & torus.permitted) | (console.taken & console.good)
        with m.If(dut.signal("guard.hold")):
            m.d.sync += stirred.eq(0)
        with m.Elif(handed | dut.signal("ni.port.host__awready") | dut.signal("ni.port.host__arready")):
            m.d.sync += stirred.eq(1)
        for path, register in dut.registers("ni"):
            if path not in RESTLESS:
                self.claim(m, "reception-silence", stirred | (register == register.init))
        for wire in ("memory__write__valid", "memory__read__valid", "irq"):
            self.claim(m, "reception-silence", stirred | ~dut.signal(f"ni.{wire}"))
