"""Which register a write of the owner changes, and to what: the next state of all of them, from address and data."""

from collections.abc import Iterator

from amaranth.hdl import Cat, Const, Module, Mux, ResetSignal, Signal, Value
from amaranth.lib.wiring import In, connect, flipped

from formal.harness import Harness, any_of
from rtl.formats import TreeClass
from rtl.guard.control import GuardControl
from rtl.parameters import Parameters
from rtl.register_bits import register_view
from rtl.registers import GUARD_END, GUARD_PAGE, REGISTERS, Access, registers_of
from rtl.signatures import RegisterBus
from rtl.tree.routing import CLASSES, FIXED_ROUTES

__all__ = ["OwnerRegisters"]

SCALED = Parameters(table_nodes=64, log_entries=4, receive_ids=2)
"""Two words a table and two receive ids: so that which one of them is changed counts."""

_SUM = {"valid": 1, "start": 1, "data": 48, "crc": 32}
"""Ports of the generator of a bank's checksum, and their widths."""

FARTHEST = 63
"""Hops a reach can say; what is more is as much."""


class OwnerRegisters(Harness):
    """The guard's registers under any accesses of owner and host, beside what the register map says."""

    ports = {"owner": In(RegisterBus), "host": In(RegisterBus), "drained": In(1), "unfinished": In(1),
             "meter_done": In(1), "peek_lasting": In(1),
             **{f"peek_sum_{bank}_{name}": In(width) for bank in range(2) for name, width in _SUM.items()}}
    peeks = {"peek_lasting": "dut.lasting",
             **{f"peek_sum_{bank}_{name}": f"dut.checksum.bank_{bank}.{name}" for bank in range(2) for name in _SUM}}
    properties = {
        "owner-registers": "a write of the owner changes the register that its address names, to what its data says, "
                           "and no other, but that a clear takes grants, console keys and class; reaches, revision and "
                           "tables in the shadow bank; what the register map does not allow is an error and changes "
                           "nothing",
        "owner-sum": "REVISION is read as the active one, TABLE_CRC as what the CRC generator of the active bank has; "
                     "that of the shadow is given every write of the tables and nothing else, and begins anew with a "
                     "write of TABLE_CRC and with nothing else; that of the active bank is given nothing",
        "owner-count": "the count of commits is their number since the reset, modulo 256; each flips the epoch, and "
                       "the active reaches are those of its bank",
    }

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut = GuardControl(SCALED)
        connect(m, flipped(self.owner), dut.owner)
        connect(m, flipped(self.host), dut.host)
        m.d.comb += [dut.drained.eq(self.drained), dut.unfinished.eq(self.unfinished),
                     dut.meter.done.eq(self.meter_done)]
        self._was_reset = Signal(reset_less=True, init=1)
        m.d.sync += self._was_reset.eq(ResetSignal())
        self._errors(m)
        self._tables(m)
        for name, state, following, init in self._registers():
            self._keeps(m, "owner-registers", name, state, following, init)
        self._count(m)
        self._sum(m)
        self._hold(m)
        return m

    def _wrote(self, name: str, index: int | None = None) -> Value:
        """The owner writes a register, or any element of it, and gets no error."""
        register, owner = REGISTERS[name], self.owner
        elements = range(register.elements(SCALED)) if index is None else [index]
        named = [owner.address == register.at(element) for element in elements]
        return owner.valid & owner.write & owner.done & ~owner.error & any_of(named)

    def _errors(self, m: Module) -> None:
        """Which writes are answered with an error."""
        owner = self.owner
        legal = any_of(owner.address == address for register, _, address in registers_of(SCALED)
                     if GUARD_PAGE <= address < GUARD_END and register.owner in (Access.RW, Access.WO, Access.W1C))
        early = (owner.address == REGISTERS["COMMIT"].address) & ~self.drained
        asked = register_view("HOLD", owner.data)
        bare = (owner.address == REGISTERS["HOLD"].address) & (Cat(asked.hold, asked.clear) == 0b10)
        fixed = any_of(owner.address == REGISTERS["CLASS_ROUTE"].at(number) for number in FIXED_ROUTES)
        self.claim(m, "owner-registers", ~(owner.valid & owner.write & owner.done) | (
            owner.error == (~legal | early | bare | fixed)))

    def _tables(self, m: Module) -> None:
        """What is done in the cycle of the write: one word of a table, a commit, a clear."""
        policy, owner = self.dut.policy, self.owner
        for name, strobe in (
                ("ROW", policy.row_write), ("COLUMN", policy.column_write), ("SHARED", policy.shared_write)):
            self.claim(m, "owner-registers", strobe == self._wrote(name))
            for index in range(SCALED.table_words):
                self.claim(m, "owner-registers", ~self._wrote(name, index) | (
                    (policy.write_index == index) & (policy.write_data == owner.data)))
        for name, strobe, wanted in (("COMMIT", self.dut.commit, 1), ("LOG_CLEAR", self.dut.log_clear, 1),
                                     ("METER_SNAPSHOT", self.dut.meter.snapshot, 1),
                                     ("HOLD", self.dut.clear, register_view("HOLD", owner.data).clear)):
            self.claim(m, "owner-registers", strobe == (self._wrote(name) & wanted))

    def _registers(self) -> Iterator[tuple[str, Value, Value, int]]:
        """Name, state, its next state and what a reset makes of it."""
        dut, value = self.dut, self.owner.data
        asked = register_view("HOLD", value)
        yield "HOLD", dut.hold, Mux(self._wrote("HOLD"), asked.hold, dut.hold), 1
        clears = self._wrote("HOLD") & asked.clear
        granted = [("GRANTS", 0, dut.policy.priority), ("CONSOLE_SEND_ID", 0, dut.send_id),
                   ("CONSOLE_LISTEN", 0, dut.receive_valid)]
        granted += [("CONSOLE_RECEIVE_ID", index, dut.receive_ids[index]) for index in range(SCALED.receive_ids)]
        for name, index, state in granted:
            written = Mux(self._wrote(name, index), value[:len(state)], state)
            yield f"{name}_{index}", state, Mux(clears, 0, written), 0
        chosen = Mux(self._wrote("CONSOLE_CLASS"), value[:len(dut.console_class)], dut.console_class)
        yield "CONSOLE_CLASS", dut.console_class, Mux(clears, TreeClass.BROADCAST, chosen), TreeClass.BROADCAST
        for number in range(CLASSES):
            ways = dut.class_routes[number]
            written = Mux(self._wrote("CLASS_ROUTE", number), value[:len(ways)], ways)
            yield f"CLASS_ROUTE_{number}", ways, written, FIXED_ROUTES.get(number, 0)
        far = Mux(value > FARTHEST, FARTHEST, value)
        for bank, reaches in enumerate(dut.reaches):
            for index in range(REGISTERS["REACH"].elements(SCALED)):
                writes = self._wrote("REACH", index) & (dut.policy.epoch != bank)
                yield f"reach_{bank}_{index}", reaches[index], Mux(writes, far, reaches[index]), 0
            writes = self._wrote("REVISION") & (dut.policy.epoch != bank)
            yield f"revision_{bank}", dut.revisions[bank], Mux(writes, value, dut.revisions[bank]), 0
        yield "valid", dut.policy.valid, dut.policy.valid | self._wrote("COMMIT"), 0

    def _keeps(self, m: Module, name: str, register: str, state: Value, following: Value, init: int) -> None:
        """Claim what a register is a cycle later."""
        wanted = Signal(len(state), name=f"wanted_{register.lower()}", reset_less=True)
        m.d.sync += wanted.eq(following)
        self.claim(m, name, Value.cast(state) == Mux(self._was_reset, Const(init, len(state)), wanted))

    def _count(self, m: Module) -> None:
        """Commits, counted a second time."""
        dut, commits = self.dut, Signal(8)
        with m.If(self._wrote("COMMIT")):
            m.d.sync += commits.eq(commits + 1)
        self.claim(m, "owner-count", dut.commits == commits)
        self.claim(m, "owner-count", dut.policy.epoch == commits[0])
        for bank, reaches in enumerate(dut.reaches):
            self.claim(m, "owner-count", (dut.policy.epoch != bank) | (
                dut.policy.reach.as_value() == reaches.as_value()))

    def _sum(self, m: Module) -> None:
        """What the checksums are taken of, when they begin anew, and what the owner reads."""
        owner, epoch, loads = self.owner, self.dut.policy.epoch, Signal()
        m.d.comb += loads.eq(any_of(self._wrote(name) for name in ("ROW", "COLUMN", "SHARED", "REACH", "REVISION")))
        sums = [{name: getattr(self, f"peek_sum_{bank}_{name}") for name in _SUM} for bank in range(2)]
        for bank, generator in enumerate(sums):
            shadow = epoch != bank
            self.claim(m, "owner-sum", generator["valid"] == (loads & shadow))
            self.claim(m, "owner-sum", generator["start"] == (self._wrote("TABLE_CRC") & shadow))
            self.claim(m, "owner-sum", ~generator["valid"] | (generator["data"] == Cat(owner.address, owner.data)))
        reads = owner.valid & ~owner.write & owner.done & ~owner.error
        for name, (even, odd) in (("TABLE_CRC", [generator["crc"] for generator in sums]),
                                  ("REVISION", self.dut.revisions)):
            asked = reads & (owner.address == REGISTERS[name].address)
            self.claim(m, "owner-sum", ~asked | (owner.value == Mux(epoch, odd, even)))

    def _hold(self, m: Module) -> None:
        """Hold lasts as long as it is asked for, and then until what it cut is over."""
        held = Signal()
        m.d.sync += held.eq(self.dut.policy.hold)
        self.claim(m, "owner-registers", self.dut.policy.hold == (self.dut.hold | (held & self.unfinished)))
        self.help(m, self.peek_lasting == held)
