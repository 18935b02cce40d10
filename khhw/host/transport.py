"""What host code is written against, wherever the RTL runs."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from khhw.host.cpu import Work

__all__ = ["BusError", "NodeTransport", "RootTransport"]


class BusError(Exception):
    """A register access that the hardware answered with an error. Nothing was changed.

    Parameters
    ----------
    address : int
        Byte address of the access.
    operation : str
        ``"read"`` or ``"write"``.
    """

    def __init__(self, address: int, operation: str) -> None:
        super().__init__(f"{operation} of {address:#08x} was refused by the node")
        self.address = address
        self.operation = operation


class NodeTransport(Protocol):
    """A node as its own processor sees it: this node and no other."""

    @property
    def rank(self) -> int:
        """Dense rank of the node."""

    @property
    def now(self) -> int:
        """The current cycle."""

    async def read(self, address: int) -> int:
        """Read a register over the host port.

        Parameters
        ----------
        address : int
            Byte address, 24 bits.

        Returns
        -------
        int
            32 bits.

        Raises
        ------
        BusError
            If the node answers with an error.
        """

    async def write(self, address: int, value: int) -> None:
        """Write a register over the host port; returns when the node has answered.

        Parameters
        ----------
        address : int
            Byte address, 24 bits.
        value : int
            32 bits.

        Raises
        ------
        BusError
            If the node answers with an error.
        """

    def peek(self, address: int, length: int) -> bytes:
        """Load `length` bytes of the node's own memory, as it is at the beginning of this cycle."""

    def poke(self, address: int, data: bytes) -> None:
        """Store `data` in the node's own memory, before this cycle's clock edge."""

    async def interrupt(self) -> None:
        """Wait until the interrupt level of the node is 1."""

    async def sleep(self, cycles: int) -> None:
        """Wait for `cycles` cycles of hardware time."""

    async def compute(self, ns: float) -> None:
        """Charge `ns` nanoseconds of software time to the node's processor, and wait for them to pass."""

    async def work(self, kind: Work, units: int = 1) -> None:
        """Charge `units` of a kind of work at the CPU model's cost; else as :meth:`compute`."""

    async def work_all(self, work: Mapping[Work, int]) -> None:
        """Charge several kinds of work, units by kind, and wait for them together."""

    @property
    def busy_ns(self) -> float:
        """Nanoseconds of software charged to the node's processor so far, after the model's scale."""


class RootTransport(Protocol):
    """The port above the root of the tree: the owner's, and the way to the outside."""

    @property
    def now(self) -> int:
        """The current cycle."""

    async def send(self, flits: Sequence[int], channel: int) -> None:
        """Send one tree packet; returns when its last flit was taken.

        Parameters
        ----------
        flits : sequence of int
            64 bits each; the tree header first.
        channel : int
            A ``rtl.formats.TreeChannel``.
        """

    async def receive(self) -> tuple[list[int], int]:
        """Take the oldest packet that came out of the tree: its flits and its channel."""

    async def sleep(self, cycles: int) -> None:
        """Wait for `cycles` cycles of hardware time."""
