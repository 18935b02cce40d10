"""A machine of two very small nodes with the ports of a fabric: what the back end is tried on without one.

Node registers, by byte address: 0 is a scratch register; a write of ``d`` to 4 makes the node copy memory word 0 to
word 1 after ``d`` cycles and raise its interrupt; a write to 8 takes the interrupt back; 12 reads the time; anything
else is an error. Node 1 takes addresses and data in different cycles, and neither at once. The owner port echoes,
with pauses.
"""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.memory import Memory, MemoryData
from amaranth.lib.wiring import In, Out

from rtl.signatures import AxiLite, TreeStream

__all__ = ["NODES", "WORDS", "StandIn"]

NODES = 2
WORDS = 64


class StandInMemory(wiring.Component):
    """64 words; a pulse of `copy` copies word 0 to word 1 in two cycles, `busy` meanwhile."""

    copy: In(1)
    busy: Out(1)

    def elaborate(self, platform):
        m = Module()
        m.submodules.ram = ram = Memory(MemoryData(shape=256, depth=WORDS, init=[]))
        read, write = ram.read_port(), ram.write_port()
        m.d.sync += self.busy.eq(self.copy)
        m.d.comb += [read.addr.eq(0), read.en.eq(self.copy), write.addr.eq(1), write.en.eq(self.busy),
                     write.data.eq(read.data)]
        return m


class StandInNode(wiring.Component):
    """A node; `slow` separates the two halves of a write."""

    def __init__(self, slow):
        self.slow = slow
        super().__init__({"host": In(AxiLite), "now": In(64), "irq": Out(1), "quiescent": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = StandInMemory()
        host = self.host
        scratch, delay, address = Signal(32), Signal(32), Signal(8)
        has_address, fire = Signal(), Signal()

        # One write at a time. Ready depends on valid, as AXI allows.
        free = Signal()
        m.d.comb += free.eq(~host.bvalid | host.bready)
        if self.slow:
            m.d.comb += [host.awready.eq(host.awvalid & self.now[0] & ~has_address & ~host.bvalid),
                         host.wready.eq(host.wvalid & self.now[1] & has_address & free)]
            with m.If(host.awready):
                m.d.sync += [has_address.eq(1), address.eq(host.awaddr)]
            with m.If(host.wready):
                m.d.sync += has_address.eq(0)
        else:
            m.d.comb += [host.awready.eq(host.awvalid & host.wvalid & free), host.wready.eq(host.awready),
                         address.eq(host.awaddr)]
        with m.If(host.bready):
            m.d.sync += host.bvalid.eq(0)
        with m.If(host.wready):
            m.d.sync += [host.bvalid.eq(1), host.bresp.eq(0)]
            with m.Switch(address):
                with m.Case(0):
                    m.d.sync += scratch.eq(host.wdata)
                with m.Case(4):
                    m.d.sync += delay.eq(host.wdata)
                with m.Case(8):
                    m.d.sync += self.irq.eq(0)
                with m.Default():
                    m.d.sync += host.bresp.eq(2)

        ready_to_read = self.now[1] if self.slow else 1
        m.d.comb += host.arready.eq(host.arvalid & ready_to_read & (~host.rvalid | host.rready))
        with m.If(host.rready):
            m.d.sync += host.rvalid.eq(0)
        with m.If(host.arready):
            m.d.sync += [host.rvalid.eq(1), host.rresp.eq(0)]
            with m.Switch(host.araddr):
                with m.Case(0):
                    m.d.sync += host.rdata.eq(scratch)
                with m.Case(12):
                    m.d.sync += host.rdata.eq(self.now)
                with m.Default():
                    m.d.sync += host.rresp.eq(2)

        m.d.comb += fire.eq(delay == 1)
        with m.If(delay != 0):
            m.d.sync += delay.eq(delay - 1)
        m.d.comb += memory.copy.eq(fire)
        with m.If(memory.busy):
            m.d.sync += self.irq.eq(1)
        m.d.comb += self.quiescent.eq(
            (delay == 0) & ~memory.busy & ~has_address
            & ~(host.awvalid | host.wvalid | host.arvalid | host.bvalid | host.rvalid))
        return m


class StandIn(wiring.Component):
    """Two nodes, an echo at the root and a time, behind the ports of a fabric."""

    module_name = "standin"

    def __init__(self):
        self.public_signals = [(f"standin.node_{rank}.memory", "ram") for rank in range(NODES)]
        host = {f"host_{name}": (In if member.flow is Out else Out)(NODES * member.shape)
                for name, member in AxiLite.members.items()}
        super().__init__({
            "now": Out(64), "time_load": In(1), "time_value": In(64), **host,
            "irq": Out(NODES), "held": Out(NODES), "quiescent": Out(NODES), "idle": Out(1),
            "owner_in": In(TreeStream), "owner_out": Out(TreeStream),
        })

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.now.eq(self.now + 1)
        with m.If(self.time_load):
            m.d.sync += self.now.eq(self.time_value)
        nodes = [StandInNode(slow=bool(rank)) for rank in range(NODES)]
        for rank, node in enumerate(nodes):
            m.submodules[f"node_{rank}"] = node
            m.d.comb += node.now.eq(self.now)
            for name, member in AxiLite.members.items():
                part, signal = getattr(self, f"host_{name}").word_select(rank, member.shape), getattr(node.host, name)
                m.d.comb += signal.eq(part) if member.flow is Out else part.eq(signal)
        m.submodules.echo = echo = SyncFIFOBuffered(width=len(self.owner_in.payload.as_value()), depth=64)
        m.d.comb += [
            echo.w_data.eq(self.owner_in.payload), echo.w_en.eq(self.owner_in.valid & self.owner_in.ready),
            self.owner_in.ready.eq(echo.w_rdy & ~self.now[2]),
            self.owner_out.payload.eq(echo.r_data), self.owner_out.valid.eq(echo.r_rdy),
            echo.r_en.eq(self.owner_out.ready),
            self.irq.eq(Cat(node.irq for node in nodes)), self.quiescent.eq(Cat(node.quiescent for node in nodes)),
            self.idle.eq(self.quiescent.all() & (echo.level == 0)),
        ]
        return m
