"""The host's port by the rules of AXI: every access is answered once, and an answer that is offered stays."""

from amaranth.hdl import Cat, Const, Module, ResetSignal, Signal, Value
from amaranth.lib.wiring import In, connect, flipped

from formal.harness import Harness
from formal.opened import Opened
from formal.reception_lanes import SCALED
from rtl.node import Node
from rtl.signatures import AxiLite

__all__ = ["HostPortHarness"]

FREE = ("router", "tree", "endpoint", "memory", "memory_gate", "guard", "ni.arbiter", "ni.rings", "ni.sent",
        "ni.received", "ni.status", "ni.injection_0", "ni.reception_0", "ni.receiver", "ni.sender")
"""Everything but the host gate and the network interface's host port: so any hold, any registers, any memory."""

DIRECTIONS = (("write", ("aw", "w"), "b", ("bresp", )), ("read", ("ar", ), "r", ("rresp", "rdata")))
"""Name, request channels, response channel and its payload."""

SLVERR = 2


class HostPortHarness(Harness):
    """Host gate and host port of a node under any host, any hold and any answers of what is behind them."""

    ports = {"host": In(AxiLite)}
    constructed = ("scaled-node", )
    properties = {
        "host-stable": "a response offered to the host stays, with the same payload, until it is taken, through hold "
                       "as well; if hold ends before, it stays but becomes SLVERR without data",
        "host-answers": "every access the host port takes is answered once and none is answered that was not taken: "
                        "until its response is offered, the network interface is at it, and at no other",
        "host-refused": "in hold the network interface is asked for nothing, and what is first offered then is SLVERR "
                        "without data",
        "host-selects": "no access selects more than one register of the network interface, and a write to the memory "
                        "is asked for until it is taken",
        "host-forgets": "after hold every response to an access that was begun before or in it is SLVERR without data",
    }

    def elaborate(self, platform):
        m = Module()
        node = Node(SCALED)
        connect(m, flipped(self.host), node.host)
        m.submodules.dut = dut = Opened(node, FREE)
        hold = dut.signal("guard.hold")
        self._held = Signal(reset_less=True)
        m.d.sync += self._held.eq(hold & ~ResetSignal())
        selected = dut.signal("ni.port.registers__select", width=None)
        asks, waits = dut.signal("ni.port.write__request__valid"), Signal()
        m.d.sync += waits.eq(asks & ~hold & ~dut.signal("ni.arbiter.writers__2__request__ready"))
        self.claim(m, "host-selects", ~(selected & (selected - 1)).any() & (~waits | asks))
        for direction in DIRECTIONS:
            self._direction(m, dut, hold, *direction)
        return m

    def _direction(self, m: Module, dut: Opened, hold: Value, name: str, requests: tuple[str, ...], response: str,
                   payload: tuple[str, ...]) -> None:
        valid, ready = getattr(self.host, f"{response}valid"), getattr(self.host, f"{response}ready")
        said = Cat(getattr(self.host, field) for field in payload)
        refusal = Const(SLVERR, len(said))

        # An answer that is not taken stays, but for a hold.
        waited, before = Signal(name=f"{name}_waited"), Signal(len(said), name=f"{name}_before")
        m.d.sync += [waited.eq(valid & ~ready), before.eq(said)]
        ended = self._held & ~hold
        self.claim(m, "host-stable", ~waited | (valid & (ended | (said == before)) & (~ended | (said == refusal))))

        # What the host has handed over of an access, and what of it since the last hold.
        taken, lately = (Signal(len(requests), name=f"{name}_{what}") for what in ("taken", "lately"))
        takes = Cat(getattr(self.host, f"{channel}valid") & getattr(self.host, f"{channel}ready")
                    for channel in requests)
        with m.If(valid & ready):
            m.d.sync += [taken.eq(0), lately.eq(0)]
        with m.Else():
            m.d.sync += [taken.eq(taken | takes), lately.eq((lately | takes) & ~hold.replicate(len(requests)))]
        self.claim(m, "host-answers", ~valid | taken.all())
        self.claim(m, "host-answers", ~(takes & taken).any())
        idle, writes = dut.state("ni.port", "IDLE"), dut.signal("ni.port.write")
        mine = ~idle & (writes == (name == "write"))
        self.claim(m, "host-answers", ~taken.all() | valid | mine)
        self.claim(m, "host-answers", ~mine | self._held | hold | lately.all())
        for channel in requests:
            asks, takes_it = dut.signal(f"gate.ni__{channel}valid"), dut.signal(f"ni.port.host__{channel}ready")
            passes = getattr(self.host, f"{channel}valid") & getattr(self.host, f"{channel}ready")
            self.claim(m, "host-answers", ~(asks & takes_it) | passes)
            self.claim(m, "host-refused", ~hold | ~asks)
        self.claim(m, "host-refused", ~hold | ~valid | waited | (said == refusal))
        self.claim(m, "host-forgets", hold | ~valid | lately.all() | (said == refusal))

        for bit, channel in enumerate(requests):
            self.help(m, dut.signal(f"gate.{channel}_accepted") == taken[bit])
        cut = dut.signal(f"gate.{response}_cut")
        self.help(m, ~self._held | ~(mine | lately.any()))
        self.help(m, cut | (taken == lately))
        self.help(m, cut | taken.all() | ~taken.any())
        self.help(m, ~cut | ((taken & ~lately).any() & ~mine))
