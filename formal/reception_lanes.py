"""Whose packet it is: colours that follow packets from the links into the network interface of a node."""

from collections.abc import Callable
from types import SimpleNamespace

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.hdl._ast import AnyConst  # has no public name in Amaranth 0.5
from amaranth.lib import data

from formal.harness import Harness, Mirror
from formal.opened import Opened
from rtl.formats import Flit, Header, Reason, TreeHeader
from rtl.parameters import Parameters

__all__ = ["SCALED", "ConsoleLane", "TorusLane", "keeps_grants", "receiver_gathers", "same"]

SCALED = Parameters(lanes=1, table_nodes=16, memory_bytes=256, injection_rings=1, reception_rings=1, counters=2,
                    log_entries=4, receive_ids=1)
"""The smallest node: the same source, other numbers."""


def same(one: Value, other: Value) -> Value:
    """Equality of the bits of two values of any shape."""
    return Value.cast(one) == Value.cast(other)


def keeps_grants(m: Module, harness: Harness, dut: Opened, parent: str, arbiter: str) -> None:
    """A round robin holds a grant only to one, and only to one that asks."""
    held = dut.signal(f"{parent}.{arbiter}.held", width=None)
    requests = dut.signal(f"{parent}.requests", width=len(held))
    harness.help(m, ~(held & ~requests).any() & ~(held & (held - 1)).any())


def receiver_gathers(m: Module, help: Callable[[Module, Value], None], dut: Opened, receiver: str) -> None:
    """What words the console's receiver has waiting in each state."""
    full, final, settling = (dut.signal(f"{receiver}.gather.{name}") for name in ("full", "final", "settling"))
    settle = dut.state(receiver, "SETTLE")
    early = dut.state(receiver, "HEADER") | dut.state(receiver, "RESERVE") | dut.state(receiver, "SINK")
    help(m, ~early | ~(full | settling))
    help(m, settle | ~settling)
    help(m, settle | ~full | ~final)
    help(m, ~settle | (full & final & ~settling) | (~full & settling))


def column_mirror(m: Module, harness: Harness, dut: Opened, table: str) -> Mirror:
    """The column table of a block, kept from the owner's writes."""
    control = SimpleNamespace(**{name: dut.signal(f"guard.control.policy__{name}", width=None) for name in (
        "valid", "epoch", "write_index", "write_data")})
    write = dut.signal("guard.control.policy__column_write")
    return Mirror(m, harness, dut.memory(f"{table}.ram"), control, write, SCALED)


class TorusLane:
    """The ejection lane: the packet in its gate, and the packets the reception lane is at.

    Parameters
    ----------
    m : Module
    harness : Harness
        Gets the helper invariants.
    dut : Opened
        The node.

    Attributes
    ----------
    entering : data.View of Flit
        What the router offers.
    begins : Signal
        It is the header of a packet.
    column : Signal
        Column bit of the packet it is of; 0 for a flit of none.
    permitted : Signal
        Column bit of the last header that entered the gate, in the cycle it entered.
    current : Signal
        The reception lane is at a packet of which every flit came through the gate while `permitted`.
    settling : Signal
        So was the packet whose last write the memory has not acknowledged.
    write, finish, counts, publish : Value
        What the lane does: a write request, the end of a packet, counting, moving TAIL of rings.
    """

    def __init__(self, m: Module, harness: Harness, dut: Opened) -> None:
        self._help = harness.help
        guard, lane = "guard.ingress_0", "ni.reception_0"
        self.write = SimpleNamespace(valid=dut.signal(f"{lane}.gather.write__request__valid"),
                                     payload=dut.signal(f"{lane}.write__request__payload", width=None))
        self.finish = dut.signal(f"{lane}.finish")
        self.counts = dut.signal(f"{lane}.count__valid")
        self.counter = dut.signal(f"{lane}.count__index", width=8)
        self.publish = dut.signal(f"{lane}.ring__publish", width=None)

        # Whether a packet that enters is permitted: the column once more.
        entering = data.View(Flit, dut.signal("router.eject__0__payload", width=Flit.size))
        gate = SimpleNamespace(**{name: dut.signal(f"{guard}.gate.{name}") for name in (
            "lookup", "full", "inside", "passing")})
        flit = data.View(Flit, dut.signal(f"{guard}.gate.flit", width=Flit.size))
        mirror = column_mirror(m, harness, dut, f"{guard}.table")
        self.permitted, self.current, self.settling = (
            Signal(name=f"torus_{name}") for name in ("permitted", "current", "settling"))
        self.entering, self.begins, self.column = entering, Signal(name="torus_begins"), Signal(name="torus_column")
        m.d.comb += [
            self.begins.eq(entering.first & ~gate.inside),
            self.column.eq(Mux(self.begins, mirror.bit(data.View(Header, entering.data).source),
                               gate.inside & self.permitted)),
        ]
        with m.If(gate.lookup):
            m.d.sync += self.permitted.eq(self.column)

        # The packet that is being stored.
        taken = self.taken = Signal(name="torus_taken")
        m.d.comb += taken.eq(dut.signal(f"{guard}.o__valid") & dut.signal(f"{lane}.i__ready"))
        with m.If(self.finish):
            m.d.sync += [self.current.eq(0), self.settling.eq(self.current)]
        with m.Elif(dut.signal(f"{lane}.retired")):
            m.d.sync += self.settling.eq(0)
        with m.If(taken):
            m.d.sync += self.current.eq(self.permitted & (flit.first | self.current))
        with m.If(dut.signal("guard.hold")):
            m.d.sync += [self.current.eq(0), self.settling.eq(0)]

        verdict, allowed = dut.signal(f"{guard}.gate.verdict", width=4), dut.signal(f"{guard}.table.allowed")
        head = gate.full & flit.first
        self._help(m, (verdict != Reason.NONE) | ~allowed | self.permitted | ~head)
        self._help(m, ~gate.passing | self.permitted)
        self._help(m, ~gate.full | (gate.inside == ~flit.last))
        self._help(m, ~gate.passing | gate.inside | gate.full)
        self._help(m, ~gate.passing | ~head)
        self._lane(m, dut, lane, gate)

    def _lane(self, m: Module, dut: Opened, lane: str, gate: SimpleNamespace) -> None:
        """The reception lane holds nothing but `current`, and what settles is `settling`."""
        idle = dut.state(lane, "HEADER")
        full, settling = (dut.signal(f"{lane}.gather.{name}") for name in ("full", "settling"))
        final = dut.signal(f"{lane}.gather.final")
        self._help(m, gate.passing == ~idle)
        self._help(m, idle | self.current)
        self._help(m, ~full | self.current)
        self._help(m, ~full | ~final | idle)
        self._help(m, ~full | final | dut.state(lane, "STORE"))
        self._help(m, settling == self.settling)


class ConsoleLane:
    """The tree endpoint's way to the console, with one slot of its store watched.

    Parameters
    ----------
    m : Module
    harness : Harness
    dut : Opened

    Attributes
    ----------
    proper : Value
        The packet whose last flit comes in is from outside, or its source's column bit was 1 in the cycle before.
    good : Signal
        If the flit offered to the network interface was stored in the watched slot, its packet was accepted while
        `proper`. The slot is any, so what follows from this holds of all flits.
    current : Signal
        The console receiver is at a packet of which every flit was `good`.
    write, settled, drop, publish
        What the receiver does.
    """

    def __init__(self, m: Module, harness: Harness, dut: Opened) -> None:
        self._help = harness.help
        self.write = SimpleNamespace(valid=dut.signal("ni.receiver.gather.write__request__valid"),
                                     payload=dut.signal("ni.receiver.write__request__payload", width=None))
        self.drop = dut.signal("ni.receiver.drop")
        self.publish = dut.signal("ni.receiver.ring__publish", width=None)
        self.finish = dut.signal("ni.receiver.gather.finish")
        self.accepted = dut.signal("endpoint.filter.console")

        valid, flit = dut.signal("tree.local_out__valid"), dut.signal("tree.local_out__flit", width=Flit.size)
        flit = data.View(Flit, flit)
        self.proper = self._judge(m, harness, dut, valid, flit)
        self.good, self.current = Signal(name="console_good"), Signal(name="console_current")
        self._store(m, dut, valid, flit)

        idle = dut.state("ni.receiver", "HEADER")
        self.taken = Signal(name="console_taken")
        m.d.comb += self.taken.eq(dut.signal("endpoint.drain.o__valid") & dut.signal("ni.receiver.i__ready"))
        self.comes = Signal(name="console_comes")
        m.d.comb += self.comes.eq(self.current | (self.taken & idle & self.good))
        with m.If(self.taken):
            m.d.sync += self.current.eq(self.good & (idle | self.current))
        with m.If(self.drop | self.publish.any()):
            m.d.sync += self.current.eq(0)
        with m.If(dut.signal("guard.hold")):
            m.d.sync += self.current.eq(0)

        self._receiver(m, dut, idle)

    def _receiver(self, m: Module, dut: Opened, idle: Value) -> None:
        """The receiver holds nothing but `current`."""
        self._help(m, idle | self.current)
        receiver_gathers(m, self._help, dut, "ni.receiver")

    def _judge(self, m: Module, harness: Harness, dut: Opened, valid: Value, flit: data.View) -> Signal:
        """What the filter must have found out about the packet that comes in."""
        header = data.View(TreeHeader, flit.data)
        mirror = column_mirror(m, harness, dut, "guard.tree_table")
        source, external, looked = (Signal(width, name=f"tree_{name}") for name, width in (
            ("source", 16), ("external", 1), ("looked", 1)))
        m.d.sync += looked.eq(mirror.bit(source))
        with m.If(valid & flit.first):
            m.d.sync += [source.eq(header.source), external.eq(header.external)]
        self._help(m, dut.signal("endpoint.filter.tree_source", width=16) == source)
        self._help(m, dut.signal("endpoint.filter.external") == external)
        self._help(m, dut.signal("guard.tree_table.allowed") == looked)
        return external | looked

    def _store(self, m: Module, dut: Opened, valid: Value, flit: data.View) -> None:
        """The watched slot holds a flit of the packet that comes in, or of an accepted one."""
        store = "endpoint.console"
        committed, fetched = (dut.signal(f"{store}.{name}", width=None) for name in ("committed", "fetched"))
        count, words, collecting = (dut.signal(f"{store}.{name}", width=None) for name in (
            "count", "words", "collecting"))
        depth = dut.memory(f"{store}.ram").depth
        bits = depth.bit_length() - 1
        slot, level, offset = Signal(bits), Signal(bits + 1), Signal(bits)
        distance, ahead = Signal(bits + 1), Signal(bits + 1)
        coming, accepted, writes = (Signal(name=f"slot_{name}") for name in ("coming", "accepted", "writes"))
        ready = dut.signal(f"{store}.i__ready")
        offered, free = dut.signal(f"{store}.o__valid"), Signal()
        m.d.comb += [
            slot.eq(AnyConst(bits)),
            level.eq(committed - fetched),
            distance.eq((slot - fetched)[:bits]),
            ahead.eq((slot - committed)[:bits]),
            offset.eq(Mux(flit.first, committed, committed + count)),
            writes.eq(valid & ready & (flit.first | collecting) & (offset == slot)),
            free.eq(~offered | dut.signal("endpoint.drain.i__ready")),
        ]
        with m.If(dut.signal(f"{store}.kept")):
            m.d.sync += [coming.eq(0), accepted.eq(Mux(coming | writes, self.accepted & self.proper, accepted))]
        with m.Elif(writes):
            m.d.sync += [coming.eq(1), accepted.eq(0)]
        with m.Elif(valid & ready & flit.first):
            m.d.sync += coming.eq(0)
        with m.If(free):
            m.d.sync += self.good.eq((level == 0) | (fetched[:bits] != slot) | accepted)
        self._help(m, ~offered | self.good)
        self._help(m, (distance >= level) | accepted)
        self._help(m, level <= depth)
        self._help(m, ~collecting | ((count >= 1) & (count <= words) & (words <= 32) & ready))
        self._help(m, ~collecting | (ahead >= count) | coming)
