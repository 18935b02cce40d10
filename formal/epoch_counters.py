"""What the guard counts by epoch parity, counted a second time from the flits that enter and leave it."""

from types import SimpleNamespace

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data
from amaranth.lib.wiring import In, Out, connect, flipped

from formal.harness import Harness, Mirror
from formal.opened import Opened
from rtl.formats import Flit, Header, Reason
from rtl.guard.counters import EPOCH_COUNTERS
from rtl.guard.guard import Guard
from rtl.parameters import Parameters
from rtl.signatures import FlitStream

__all__ = ["EpochCounters"]

SCALED = Parameters(lanes=2, table_nodes=8, log_entries=4, receive_ids=1)
"""Two lanes, so that both count in one cycle."""

FREE = ("control", "log", "tree_table", "drain_0", "drain_1", "drain_tree")
"""Any policy, which changes in any cycle."""


class EpochCounters(Harness):
    """The guard of a node with any policy, fed anything on all lanes."""

    ports = {
        **{f"{name}_{lane}": In(FlitStream) for name in ("injects", "ejects") for lane in range(SCALED.lanes)},
        **{f"{name}_{lane}": Out(FlitStream) for name in ("leaves", "arrives") for lane in range(SCALED.lanes)},
        "discards": In(data.ArrayLayout(5, 2)),
    }
    properties = {
        "count-injected": "INJECTED counts every packet whose header goes to the router once, by the parity the header "
                          "bears, when it goes or is offered",
        "count-ejected": "every packet from the router that is no copy counts once when its tail has left the guard, "
                         "by the parity its header bears: DELIVERED if the tail went to the network interface, else "
                         "REFUSED_IN if the column refused it, else DROPPED, where the router's discards count too",
    }

    def elaborate(self, platform):
        m = Module()
        guard = Guard(SCALED)
        self._straps = self.any_straps(m)
        m.d.comb += [guard.straps.eq(self._straps), guard.discards.eq(self.discards)]
        for lane in range(SCALED.lanes):
            for name, port in (("injects", guard.from_ni), ("ejects", guard.from_router)):
                connect(m, flipped(getattr(self, f"{name}_{lane}")), port[lane])
            for name, port in (("leaves", guard.to_router), ("arrives", guard.to_ni)):
                connect(m, port[lane], flipped(getattr(self, f"{name}_{lane}")))
        m.submodules.dut = dut = Opened(guard, FREE)
        shape = data.ArrayLayout(data.ArrayLayout(32, 2), len(EPOCH_COUNTERS))
        counters = data.View(shape, dut.signal("counters.epochs", width=shape.size))

        expected = {name: [Signal(32, name=f"expected_{name}_{parity}") for parity in range(2)]
                    for name in EPOCH_COUNTERS}
        events = {name: [[], []] for name in EPOCH_COUNTERS}
        waiting = [[], []]
        for lane in range(SCALED.lanes):
            self._injection(m, dut, lane, events["injected"], waiting)
            self._ejection(m, dut, lane, events)
        for number, name in enumerate(EPOCH_COUNTERS):
            for parity, count in enumerate(expected[name]):
                more = self.discards[parity] if name == "dropped" else 0
                m.d.sync += count.eq(count + sum(events[name][parity]) + more)
                if name == "injected":
                    self.claim(m, "count-injected", counters[number][parity] == (count + sum(waiting[parity]))[:32])
                else:
                    self.claim(m, "count-ejected", counters[number][parity] == count)
        return m

    def _injection(self, m: Module, dut: Opened, lane: int, events: list, waiting: list) -> None:
        """Headers that go to the router, and one that has been offered in the cycle before and still is."""
        leaves = getattr(self, f"leaves_{lane}")
        header, head = data.View(Header, leaves.payload.data), leaves.valid & leaves.payload.first
        waits = Signal(name=f"waits_{lane}")
        m.d.sync += waits.eq(head & ~leaves.ready)
        for parity in range(2):
            events[parity].append(head & leaves.ready & (header.epoch == parity))
            waiting[parity].append(waits & (header.epoch == parity))
        gate = f"egress_{lane}.gate"
        full, fresh, inside, passing = (dut.signal(f"{gate}.{name}") for name in ("full", "fresh", "inside", "passing"))
        self.help(m, waits == (full & dut.signal(f"{gate}.o__valid") & leaves.payload.first & ~fresh))
        self.help(m, ~fresh | (full & leaves.payload.first))
        self.help(m, ~passing | ((inside | full) & ~(full & leaves.payload.first)))
        self.help(m, ~full | (inside == ~data.View(Flit, dut.signal(f"{gate}.flit", width=Flit.size)).last))

    def _ejection(self, m: Module, dut: Opened, lane: int, events: dict) -> None:
        """Packets from the router: one is coming in, the tail of one may be in the guard."""
        ejects, arrives = getattr(self, f"ejects_{lane}"), getattr(self, f"arrives_{lane}")
        header = data.View(Header, ejects.payload.data)
        policy = SimpleNamespace(**{name: dut.signal(f"control.policy__{name}", width=None) for name in (
            "valid", "epoch", "write_index", "write_data")})
        mirror = Mirror(m, self, dut.memory(f"ingress_{lane}.table.ram"), policy,
                        dut.signal("control.policy__column_write"), SCALED)
        fields = data.StructLayout({"permitted": 1, "copy": 1, "epoch": 1})
        coming, ending, entering = (Signal(fields, name=f"{name}_{lane}") for name in ("coming", "ending", "entering"))
        inside, tail = (Signal(name=f"{name}_{lane}") for name in ("inside", "tail"))
        accept = ejects.valid & ejects.ready
        begins = ejects.payload.first & ~inside
        m.d.comb += entering.eq(coming)
        with m.If(begins):
            m.d.comb += [
                entering.permitted.eq(mirror.bit(header.source)),
                entering.copy.eq(header.deposit & Cat(header[axis] != self._straps[axis] for axis in "xyz").any()),
                entering.epoch.eq(header.epoch),
            ]
        with m.If(accept):
            m.d.sync += [inside.eq((inside | begins) & ~ejects.payload.last), coming.eq(entering)]

        ends = tail & (~arrives.valid | arrives.ready)
        with m.If(accept & (inside | begins) & ejects.payload.last):
            m.d.sync += [tail.eq(1), ending.eq(entering)]
        with m.Elif(ends):
            m.d.sync += tail.eq(0)
        kind = {"delivered": arrives.valid, "refused_in": ~arrives.valid & ~ending.permitted,
                "dropped": ~arrives.valid & ending.permitted}
        for name, is_kind in kind.items():
            for parity in range(2):
                events[name][parity].append(ends & ~ending.copy & is_kind & (ending.epoch == parity))
        self._gate(m, dut, f"ingress_{lane}", inside, tail, coming, ending)

    def _gate(self, m: Module, dut: Opened, ingress: str, inside, tail, coming, ending) -> None:
        """What the guard's own registers have to do with that."""
        gate = SimpleNamespace(**{name: dut.signal(f"{ingress}.gate.{name}") for name in (
            "full", "inside", "passing", "refusing")})
        verdict, allowed = dut.signal(f"{ingress}.gate.verdict", width=4), dut.signal(f"{ingress}.table.allowed")
        flit = data.View(Flit, dut.signal(f"{ingress}.gate.flit", width=Flit.size))
        there, head = inside | tail, gate.full & flit.first
        packet = data.View(coming.shape(), Mux(tail, ending, coming))
        self.help(m, gate.inside == inside)
        self.help(m, tail == (gate.full & flit.last))
        self.help(m, ~(inside & tail) & (~gate.full | there))
        self.help(m, ~head | (packet.permitted == ((verdict == Reason.NONE) & allowed)))
        self.help(m, ~there | head | (gate.refusing == ~packet.permitted))
        self.help(m, ~gate.passing | (there & ~head & packet.permitted))
        self.help(m, ~there | (dut.signal(f"{ingress}.copy") == packet.copy))
        self.help(m, ~there | (dut.signal(f"{ingress}.epoch") == packet.epoch))
