"""Each packet is retired once: what the drain of a way into the network interface counts on."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data
from amaranth.lib.wiring import In, Out, connect, flipped

from formal.harness import Harness
from formal.opened import Opened
from formal.reception import FREE
from formal.reception_lanes import SCALED, TorusLane
from rtl.formats import Flit, Reason
from rtl.ni.arbiter import write_client
from rtl.ni.console import ConsoleReceiver
from rtl.ni.ring import ring_client, ring_count
from rtl.node import Node
from rtl.signatures import FlitStream

__all__ = ["LaneRetires", "ReceiverRetires"]


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


class LaneRetires(Harness):
    """Ingress guard, reception lane and drain of a node, under any link input, any owner and any memory.

    A packet is in one of four stages: its header is in the guard, the lane is at it, its last word waits for the
    memory, or the memory has not acknowledged it all. In each one bit says whether it was judged before the commit.
    """

    ports = {"now": In(64)}
    constructed = ("scaled-node", )
    properties = {
        "torus-retired": "a packet that the ingress guard permits is counted as unfinished from the cycle after its "
                         "header was judged until the lane has retired it, once; there are four such at most",
        "drain-torus": "while DRAINED is 1 nothing of a packet that was judged by the tables before the last commit is "
                       "in the guard, in the lane, or on its way to the memory",
    }

    def elaborate(self, platform):
        m = Module()
        node = Node(SCALED)
        m.d.comb += [node.straps.eq(self.any_straps(m)), node.now.eq(self.now)]
        m.submodules.dut = dut = Opened(node, (*FREE, "endpoint", "gate", "memory_gate"))
        lane = TorusLane(m, self, dut)
        hold, commit = dut.signal("guard.hold"), dut.signal("guard.control.commit")
        gate = {name: dut.signal(f"guard.ingress_0.gate.{name}") for name in ("full", "fresh", "passing", "lookup")}
        flit = data.View(Flit, dut.signal("guard.ingress_0.gate.flit", width=Flit.size))
        verdict, allowed = dut.signal("guard.ingress_0.gate.verdict", width=4), dut.signal(
            "guard.ingress_0.table.allowed")
        final, full, settling = (dut.signal(f"ni.reception_0.gather.{name}") for name in ("final", "full", "settling"))
        head = gate["full"] & flit.first & lane.permitted
        stages = {"entering": head & ~gate["fresh"], "coming": gate["passing"], "ending": full & final,
                  "settling": settling}

        # Packets between the event that counts them and the one that does not count them any more.
        unfinished = Signal(3)
        m.d.sync += unfinished.eq(unfinished + (head & gate["fresh"]) - dut.signal("ni.reception_0.retired"))
        with m.If(hold):
            m.d.sync += unfinished.eq(0)
        self.claim(m, "torus-retired", hold | (unfinished == sum(stages.values())))
        self.claim(m, "torus-retired", hold | (dut.signal("guard.drain_0.outstanding", width=8) == unfinished))
        self.help(m, ~gate["fresh"] | (gate["full"] & flit.first))
        self.help(m, ~head | ((verdict == Reason.NONE) & allowed))
        held = Signal()
        m.d.sync += held.eq(hold)
        self.help(m, ~held | ((unfinished == 0) & ~stages["coming"] & ~stages["ending"] & ~settling
                                    & ~stages["entering"]))

        # Those of the time before the commit, wherever they are.
        before = {name: Signal(name=f"{name}_before") for name in ("front", "ending", "settling")}
        ends = lane.taken & flit.last
        m.d.sync += [old.eq(old | commit) for old in before.values()]
        with m.If(gate["lookup"]):
            m.d.sync += before["front"].eq(commit)
        with m.If(ends):
            m.d.sync += before["ending"].eq(before["front"] | commit)
        with m.If(lane.finish):
            m.d.sync += before["settling"].eq(before["ending"] | commit)
        old = {"entering": before["front"], "coming": before["front"], "ending": before["ending"],
               "settling": before["settling"]}
        remains = {name: stages[name] & old[name] for name in stages}
        drained, capture = dut.signal("guard.drain_0.drained"), dut.signal("guard.drain_0.capture")
        for is_old in (*remains.values(), head & gate["fresh"] & before["front"]):
            self.claim(m, "drain-torus", hold | ~drained | ~is_old)
        self.help(m, hold | capture | (dut.signal("guard.drain_0.old", width=8) == sum(remains.values())))
        self.help(m, ~gate["fresh"] | (before["front"] == capture))
        # Who came later is not of the time before if who came earlier is not.
        front = (head | gate["passing"]) & before["front"]
        self.help(m, hold | ~(front & stages["ending"]) | old["ending"])
        self.help(m, hold | ~((front | remains["ending"]) & settling) | old["settling"])
        for name, is_there in stages.items():
            self.help(m, hold | ~capture | ~is_there | old[name])
        return m
