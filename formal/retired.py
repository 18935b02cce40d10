"""Each packet is retired once: what the drain of a way into the network interface counts on."""

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out, connect, flipped

from formal.harness import Harness
from formal.opened import Opened
from formal.reception_lanes import SCALED
from rtl.ni.arbiter import write_client
from rtl.ni.console import ConsoleReceiver
from rtl.ni.ring import ring_client, ring_count
from rtl.signatures import FlitStream

__all__ = ["ReceiverRetires"]


class ReceiverRetires(Harness):
    """The console's receiver, given any flits, any ring and any memory."""

    ports = {"i": In(FlitStream), "ring": Out(ring_client(SCALED)), "restart": In(ring_count(SCALED)),
             "write": Out(write_client(SCALED))}
    properties = {
        "console-retired": "every packet the receiver takes is retired once, with its last flit or after it and before "
                           "the next packet's first, and nothing else is",
    }

    def elaborate(self, platform):
        m = Module()
        receiver = ConsoleReceiver(SCALED)
        connect(m, flipped(self.i), receiver.i)
        connect(m, receiver.ring, flipped(self.ring))
        connect(m, receiver.write, flipped(self.write))
        m.d.comb += receiver.restart.eq(self.restart)
        m.submodules.dut = dut = Opened(receiver)
        taken, retired = self.i.valid & self.i.ready, dut.signal("retired")
        ended = Signal()
        m.d.sync += ended.eq((ended | (taken & self.i.payload.last)) & ~retired)
        self.claim(m, "console-retired", ~retired | ended | (taken & self.i.payload.last))
        self.claim(m, "console-retired", ~taken | ~ended)
        self.claim(m, "console-retired", ended | ~self.i.ready | ~dut.signal("ring__publish", width=None).any())
        self.help(m, ended == (dut.state("", "PAD") | dut.state("", "SETTLE")))
        return m
