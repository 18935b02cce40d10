"""Properties of what a guard keeps of its tenants: a clear leaves nothing of it to the next one."""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.hdl._ast import AnySeq  # has no public name in Amaranth 0.5
from amaranth.lib.wiring import In, connect, flipped

from formal.harness import PARAMETERS, Harness
from rtl.guard.guard import Guard
from rtl.meter import Meter
from rtl.register_bits import register_view
from rtl.registers import REGISTERS
from rtl.signatures import guard_signature

__all__ = ["ClearHarness"]

_SOURCES = 2 * PARAMETERS.lanes + 1
_PEEKED = {
    "refused": ("counters.refused", 32 * 16), "count": ("log.count", 3), "lost": ("log.lost", 32),
    "waiting": ("log.waiting", _SOURCES), "refuses": ("log.refused", _SOURCES), "known": ("log.known", 1),
    "priority": ("control.policy__priority", 1), "vacated": ("control.vacated", 1),
    "answering": ("control.answering", 1), "owners": ("control.owners_turn", 1), "lasting": ("control.lasting", 1),
}


class _AnyMeter(Meter):
    """A meter that answers anything at any time, and keeps a hold from ending as long as it likes."""

    def elaborate(self, platform):
        m = Module()
        m.submodules.ram = self.ram
        outputs = [self.unfinished, self.quiescent]
        outputs += [getattr(self.port, name) for name in ("done", "value", "last_tag", "taken", "time")]
        m.d.comb += [output.eq(AnySeq(len(output))) for output in outputs]
        return m


class _Guard(Guard):
    """A guard with such a meter: the real one needs hundreds of cycles to end a hold."""

    def meter(self):
        return _AnyMeter(self.parameters)


class ClearHarness(Harness):
    """A whole guard, with any meter; whatever it is told, by whomever, in any cycle."""

    ports = {**guard_signature(PARAMETERS).members,
             **{f"peek_{name}": In(width) for name, (_, width) in _PEEKED.items()}}
    peeks = {f"peek_{name}": f"dut.{wire}" for name, (wire, _) in _PEEKED.items()}
    properties = {
        "clear-state": "from a clear of the owner's to the end of the hold REFUSED, LOG_COUNT and LOG_LOST are 0 and "
                       "no refusal waits to be logged; in the cycle after it the grant and the console keys are as "
                       "after a reset",
        "clear-answers": "from a clear of the owner's to the first refusal after that hold, whatever the host reads of "
                         "REFUSED and the log is 0",
    }

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = _Guard(PARAMETERS)
        for name, member in guard_signature(PARAMETERS).members.items():
            outer, inner = getattr(self, name), getattr(dut, name)
            if member.is_port:
                target, value = (inner, outer) if member.flow is In else (outer, inner)
                m.d.comb += Value.cast(target).eq(value)
            else:
                for ours, its in zip(outer, inner, strict=True) if member.dimensions else [(outer, inner)]:
                    connect(m, flipped(ours), its)
        owner, host, hold = dut.owner, dut.host, dut.hold

        # Since when the node is clear: `just` is the first cycle, `unread` lasts until something new is refused.
        clears = Signal()
        cleared = Signal()
        just = Signal()
        unread = Signal()
        m.d.comb += clears.eq(owner.valid & owner.write & owner.done & ~owner.error
                              & (owner.address == REGISTERS["HOLD"].address) & register_view("HOLD", owner.data).clear)
        m.d.sync += [just.eq(clears), cleared.eq(clears | (cleared & hold))]
        with m.If(clears):
            m.d.sync += unread.eq(1)
        with m.Elif(self.peek_refuses.any() & ~(cleared & hold)):
            m.d.sync += unread.eq(0)

        counted = Cat(self.peek_refused, self.peek_count, self.peek_lost, self.peek_waiting)
        granted = Cat(self.peek_priority, dut.send_id, dut.receive_valid, Value.cast(dut.receive_ids))
        self.claim(m, "clear-state", ~(cleared & hold) | ~counted.any())
        self.claim(m, "clear-state", ~just | ~granted.any())

        told = Signal()
        m.d.comb += told.eq((host.address >= REGISTERS["REFUSED"].address) & (
            host.address < REGISTERS["LINK_SENT"].address) & host.valid & host.done & ~host.write)
        self.claim(m, "clear-answers", ~(unread & told) | ~host.value.any())

        # A hold that cleared lasts from the next cycle on; the host is answered in no cycle of it.
        self.help(m, (self.peek_vacated & hold) == (cleared & hold))
        self.help(m, ~just | (hold & ~self.peek_answering))
        self.help(m, ~self.peek_answering | self.peek_owners | ~self.peek_lasting)
        self.help(m, ~unread | ~counted.any())
        self.help(m, ~unread | just | ~self.peek_known)
        return m
