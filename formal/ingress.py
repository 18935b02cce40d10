"""Properties of the ingress guard of a lane."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.hdl._ast import AnySeq  # has no public name in Amaranth 0.5
from amaranth.lib import data
from amaranth.lib.wiring import In, Out, connect, flipped

from formal.harness import PARAMETERS, Harness, Mirror, packed_id, policy_port, ring_bits
from rtl.formats import Flit, Header, PutHeader, Reason, VirtualChannel, asked_at
from rtl.guard.ingress import IngressGuard
from rtl.meter import Received
from rtl.signatures import FlitStream

__all__ = ["IngressHarness"]

_MOST_FLITS = (1 << Received["flits"].width) - 1
"""That a length told to the meter has room for."""

_TURNED = ("x", "y", "z", "hint", "deposit", "vc", "epoch", "crc")
"""What the guard changes in the descriptors of a remote get."""


class IngressHarness(Harness):
    """An ingress guard with any straps, any policy and any writes to its table, fed anything."""

    ports = {"policy": policy_port(), "i": In(FlitStream), "o": Out(FlitStream)}
    properties = {
        "ingress-column": "no flit reaches the network interface of a packet whose column bit was 0 when its header "
                          "entered, nor any flit while hold is 1",
        "ingress-metered": "the meter is told of a packet when it ends, of all its flits since its header and of its "
                           "source's bit of SHARED, of the bank that was active when the header entered; lengths "
                           "together are never more than cycles",
        "ingress-all": "while hold is 0 and packets begin where the one before ended, every packet that the column "
                       "permits arrives unchanged but for descriptor headers, once and in order, one cycle late "
                       "and with no lost cycle",
        "ingress-answer": "every descriptor of a remote get that arrives names the stamped source of the get as its "
                          "destination, without hints and deposit, and the priority channel only if the get "
                          "came on it; and bears the number of commits of the cycle in which the get was looked up",
    }

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = IngressGuard(PARAMETERS)
        straps, policy, i = self.any_straps(m), self.policy, self.i
        me = packed_id(m, straps, {axis: straps[axis] for axis in "xyz"}, "me")
        m.d.comb += [dut.straps.eq(straps), dut.node_id.eq(me)]
        connect(m, flipped(i), dut.i)
        connect(m, dut.o, flipped(self.o))
        connect(m, flipped(policy), dut.policy)
        m.d.comb += dut.commits.eq(AnySeq(8))
        mirror = Mirror(m, self, dut.table.ram, policy, policy.column_write)

        header, gate = data.View(Header, i.payload.data), dut.gate
        column = Signal()
        permitted = Signal()
        begins = Signal()
        m.d.comb += [column.eq(mirror.bit(header.source)), begins.eq(i.payload.first & ~gate.inside)]
        with m.If(i.valid & i.ready & begins):
            m.d.sync += permitted.eq(column)
        self.claim(m, "ingress-column", ~dut.o.valid | (permitted & ~policy.hold))
        self.help(m, (gate.verdict != Reason.NONE) | ~dut.table.allowed | permitted | ~gate.full | ~gate.flit.first)
        self.help(m, ~gate.passing | permitted)
        self.help(m, ~gate.full | (gate.inside == ~gate.flit.last))
        self.help(m, ~gate.passing | gate.inside | gate.full)
        self.help(m, ~gate.passing | ~(gate.full & gate.flit.first))
        if "ingress-metered" in self.prove:
            self._metered(m, dut, header, begins)
        if self.prove & {"ingress-all", "ingress-answer"}:
            descriptor, requester, fast, asked = self._descriptors(m, dut, straps, header, begins)
            self._everything(m, dut, column, permitted, descriptor, requester, fast, asked)
        return m

    def _metered(self, m, dut, header, begins):
        """Count the flits that enter, and the cycles since the meter was told of a packet last."""
        i, gate, told = self.i, dut.gate, dut.metered
        mirror = Mirror(m, self, dut.leases.ram, self.policy, self.policy.shared_write)
        shared, flits = Signal(), Signal(6)
        with m.If(i.valid & i.ready):
            m.d.sync += flits.eq(Mux(begins, 1, flits + 1))
            with m.If(begins):
                m.d.sync += shared.eq(mirror.bit(header.source))
        kinds = Cat(told.delivered, told.copied, told.refused, told.dropped)
        cycles = Signal(7)
        left = Mux(kinds.any(), cycles - told.flits, cycles)
        m.d.sync += cycles.eq(Mux(left >= _MOST_FLITS, _MOST_FLITS, left + 1))
        name = "ingress-metered"
        self.claim(m, name, (kinds & (kinds - 1)[:4]) == 0)
        self.claim(m, name, kinds.any() == (gate.ended & ~(dut.copy & ~gate.delivered)))
        self.claim(m, name, ~kinds.any() | ((told.flits == flits) & (told.shared == shared)))
        self.claim(m, name, ~kinds.any() | (told.flits <= cycles))
        self.help(m, ~gate.full | ((told.shared == shared) & (dut.metered.flits == flits)))
        self.help(m, ~gate.inside | ((told.shared == shared) & (dut.metered.flits == flits)))
        self.help(m, ~(gate.full | gate.inside) | (flits <= cycles) | (cycles == _MOST_FLITS))

    def _descriptors(self, m, dut, straps, header, begins):
        """Count flits of a packet; say whether the one that enters is a descriptor's header, and whose get it is."""
        i, gate = self.i, dut.gate
        index = Signal(6)
        dma = Signal()
        get = Signal()
        source = Signal(16)
        asked = Signal(8)
        fast = Signal()
        with m.If(i.valid & i.ready):
            with m.If(begins):
                m.d.sync += [index.eq(1), dma.eq(header.dma), get.eq(0), source.eq(header.source)]
                m.d.sync += [fast.eq(header.vc == VirtualChannel.PRIORITY), asked.eq(dut.commits)]
            with m.Else():
                # Longer than any packet: keep the place within a chunk.
                m.d.sync += index.eq(Mux(index == 63, 32, index + 1))
                with m.If(index == 1):
                    m.d.sync += get.eq(dma & data.View(PutHeader, i.payload.data).remote_get)
        bits = {axis: ring_bits(straps[f"size_{axis}"]) for axis in "xyz"}
        below, requester = 0, {}
        for axis in "xyz":
            requester[axis] = Signal(6, name=f"requester_{axis}")
            m.d.comb += requester[axis].eq((source >> below) & ((1 << bits[axis]) - 1))
            below = below + bits[axis]
            self.help(m, ~gate.inside | (dut.requester[axis] == requester[axis]))
        self.help(m, ~gate.inside | ((index != 0) & (dut.position == index[:2]) & (dut.beyond == (index >= 4))))
        self.help(m, ~gate.inside | (index < 2) | (dut.get == get))
        self.help(m, ~gate.inside | (index > 1) | ~dut.get)
        self.help(m, ~gate.inside | (index != 1) | (dut.dma == dma))
        self.help(m, ~gate.inside | ((dut.priority == fast) & (dut.asked == asked)))
        descriptor = Signal()
        m.d.comb += descriptor.eq(gate.inside & get & (index >= 4) & (index[:2] == 0))
        return descriptor, requester, fast, asked

    def _everything(self, m, dut, column, permitted, descriptor, requester, fast, asked):
        """A second guard, without a pipeline, that says what must come out."""
        gate, i = dut.gate, self.i
        accept, first = i.valid & i.ready, i.payload.first
        # Packets are whole as long as nothing is wrong.
        opened = Signal()
        wrong = Signal()
        seen_wrong = Signal()
        calm = Signal()
        m.d.comb += [
            wrong.eq(self.policy.hold | (accept & (first == opened))),
            calm.eq(~wrong & ~seen_wrong),
        ]
        m.d.sync += seen_wrong.eq(seen_wrong | wrong)

        # What must come out a cycle after it went in.
        pending = Signal()
        expected = Signal(Flit)
        turned = Signal()
        to_fast = Signal()
        at = Signal(8)
        to = {axis: Signal(8, name=f"to_{axis}") for axis in "xyz"}
        with m.If(accept):
            m.d.sync += [
                opened.eq(~i.payload.last),
                pending.eq(Mux(first, column, permitted)),
                expected.eq(i.payload),
                turned.eq(descriptor),
                to_fast.eq(fast),
                at.eq(asked),
            ]
            m.d.sync += [to[axis].eq(requester[axis]) for axis in "xyz"]
        with m.Elif(dut.o.ready):
            m.d.sync += pending.eq(0)

        # It does: as it was, or turned into an answer to the requester.
        held, came = data.View(Header, dut.o.payload.data), data.View(Header, expected.data)
        same = dut.o.payload.as_value() == expected.as_value()
        kept = [held[name] == came[name] for name, _ in Header if name not in _TURNED]
        demoted = (came.vc == VirtualChannel.PRIORITY) & ~to_fast
        kept.append(held.vc == Mux(demoted, VirtualChannel.ESCAPE, came.vc))
        kept = _all(kept) & (dut.o.payload.as_value()[64:] == expected.as_value()[64:])
        answers = _all([held[axis] == to[axis] for axis in "xyz"]) & (held.hint == 0) & (held.deposit == 0)
        answers = answers & (asked_at(held) == at)
        answers = answers & ((held.vc != VirtualChannel.PRIORITY) | to_fast)
        self.claim(m, "ingress-all", ~calm | (dut.o.valid == pending))
        self.claim(m, "ingress-all", ~calm | ~pending | Mux(turned, kept, same))
        self.claim(m, "ingress-all", ~calm | (i.ready == (~pending | dut.o.ready)))
        self.claim(m, "ingress-answer", ~dut.o.valid | ~turned | answers)

        head = gate.full & gate.flit.first
        self.help(m, ~gate.full | ~turned | answers)
        if "ingress-all" in self.prove:
            self.help(m, ~calm | (gate.inside == opened))
            self.help(m, ~calm | ~head | (permitted == ((gate.verdict == Reason.NONE) & dut.table.allowed)))
            self.help(m, ~calm | head | ~gate.inside | (permitted == gate.passing))
            self.help(m, ~calm | ~pending | gate.full)


def _all(conditions):
    """The conjunction of conditions."""
    result = conditions[0]
    for condition in conditions[1:]:
        result = result & condition
    return result
