"""One permission table: a bit per node id, active and shadow bank in one memory."""

import enum

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from rtl.guard.policy import policy_signature
from rtl.parameters import Parameters

__all__ = ["PermissionTable", "Plane"]


class Plane(enum.StrEnum):
    """What is kept of every node id; each has a register of its name, and its writes in the policy."""

    ROW = "row"
    """This node may send to it."""
    COLUMN = "column"
    """It may send to this node."""
    SHARED = "shared"
    """It is of another lease."""


class PermissionTable(wiring.Component):
    """Says whether a node id is permitted, or of another lease: one cycle after the question, one question a cycle.

    The memory has 32-bit words, one synchronous read and one write port, so it becomes block RAM. Block RAM
    has no reset: nothing is permitted while the policy is not valid. All tables of a kind are
    written in parallel, one instance a lane.

    Parameters
    ----------
    parameters : Parameters
        `table_nodes` is the number of ids covered; ids at and above it are not permitted.
    plane : Plane
        Which of the policy's writes it takes.

    Members
    -------
    policy : In(policy_signature)
    lookup : In(1)
        Ask about `id` in the active bank.
    id : In(16)
    allowed : Out(1)
        The id's bit: the answer from the cycle after `lookup` until the cycle of the next `lookup`, whatever is
        written or committed meanwhile.
    """

    def __init__(self, parameters: Parameters, plane: Plane):
        self.parameters = parameters
        self.plane = plane
        super().__init__({
            "policy": In(policy_signature(parameters)),
            "lookup": In(1),
            "id": In(16),
            "allowed": Out(1),
        })
        self.ram = memory.Memory(shape=32, depth=2 * parameters.table_words, init=[])
        self.bit = Signal(5)
        self.covered = Signal()

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.ram = self.ram
        read = self.ram.read_port()
        write = self.ram.write_port()
        bank_bits = len(read.addr) - 1

        m.d.comb += [
            read.addr.eq(Cat(self.id[5:5 + bank_bits], self.policy.epoch)),
            read.en.eq(self.lookup),
            write.addr.eq(Cat(self.policy.write_index[:bank_bits], ~self.policy.epoch)),
            write.data.eq(self.policy.write_data),
            write.en.eq(getattr(self.policy, f"{self.plane}_write")),
            self.allowed.eq(self.covered & read.data.bit_select(self.bit, 1)),
        ]
        with m.If(self.lookup):
            m.d.sync += [
                self.bit.eq(self.id[:5]),
                self.covered.eq(self.policy.valid & (self.id < self.parameters.table_nodes)),
            ]
        return m
