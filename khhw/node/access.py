"""Access to one node from its own processor: registers by name, memory, time and the interrupt."""

from collections.abc import Mapping

from khhw.host.cpu import Work
from khhw.host.transport import NodeTransport
from khhw.node.interrupts import Interrupts
from khhw.node.memory import Memory
from rtl.registers import REGISTERS

__all__ = ["RegisterAccess"]


class RegisterAccess:
    """What rings, counters and console of a node are driven through.

    Parameters
    ----------
    transport : NodeTransport
        The way to the node.

    Attributes
    ----------
    rank : int
        Who this node is.
    memory : Memory
        Its memory.
    accesses : int
        Register accesses by name so far.
    """

    memory: Memory

    def __init__(self, transport: NodeTransport) -> None:
        self._transport = transport
        self._interrupts = Interrupts(transport, self.read, self.write)
        self.accesses = 0
        self.rank = 0

    @property
    def now(self) -> int:
        """Cycles since the machine started."""
        return self._transport.now

    async def read(self, register: str, index: int = 0) -> int:
        """Read a register by name.

        Parameters
        ----------
        register : str
            Name in :data:`rtl.registers.REGISTERS`.
        index : int
            Element of an array.

        Raises
        ------
        BusError
            If a tenant may not.
        """
        self.accesses += 1
        return await self._transport.read(REGISTERS[register].at(index))

    async def write(self, register: str, value: int, index: int = 0) -> None:
        """Write a register by name; see :meth:`read`."""
        self.accesses += 1
        await self._transport.write(REGISTERS[register].at(index), value)

    async def read_fields(self, register: str, index: int = 0) -> dict[str, int]:
        """Read a register by name; its fields by name."""
        return REGISTERS[register].unpack(await self.read(register, index))

    async def write_fields(self, register: str, index: int = 0, **fields: int) -> None:
        """Write a register by name: these fields, and 0 to all others.

        Raises
        ------
        ValueError
            For an unknown field or a value that does not fit.
        BusError
            If a tenant may not.
        """
        await self.write(register, REGISTERS[register].pack(**fields), index)

    async def read_address(self, address: int) -> int:
        """Read any bus address, mapped or not."""
        return await self._transport.read(address)

    async def write_address(self, address: int, value: int) -> None:
        """Write any bus address, mapped or not."""
        await self._transport.write(address, value)

    async def sleep(self, cycles: int) -> None:
        """Do nothing for `cycles` cycles."""
        await self._transport.sleep(cycles)

    async def compute(self, nanoseconds: float) -> None:
        """Charge software time to the CPU model."""
        await self._transport.compute(nanoseconds)

    async def work(self, kind: Work, units: int = 1) -> None:
        """Charge `units` of a kind of work to the CPU model."""
        await self._transport.work(kind, units)

    async def work_all(self, work: Mapping[Work, int]) -> None:
        """Charge several kinds of work, units by kind, in one wait."""
        await self._transport.work_all(work)

    @property
    def busy_ns(self) -> float:
        """Nanoseconds of software time charged to this node's processor so far."""
        return self._transport.busy_ns

    async def wait(self, *causes: int, timeout: int | None = None) -> frozenset[int]:
        """Sleep until the interrupt is up for one of `causes`. Any number of tasks may wait.

        Parameters
        ----------
        *causes : int
            Bits of :class:`rtl.registers.Irq`.
        timeout : int or None
            Cycles to wait at most.

        Returns
        -------
        frozenset of int
            The causes that are up; empty after a time-out.
        """
        return await self._interrupts.wait(causes, timeout)

    @property
    def interrupted_at(self) -> int:
        """Cycle in which the last interrupt reached software."""
        return self._interrupts.taken_at
