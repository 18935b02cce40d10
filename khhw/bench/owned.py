"""A machine and its owner, on any back end or on the engine in this process: what benchmarks of isolation run on."""

import math
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

from khhw.control.changes import Change
from khhw.control.domains import Domains
from khhw.control.epochs import EpochControl
from khhw.control.outside import Outside
from khhw.control.owner import Owner
from khhw.errors import BuildError
from khhw.host.ports import Host
from khhw.host.scheduler import ROOT
from khhw.host.sync import gather
from khhw.node import Shape
from khhw.sim.engine import Engine
from khhw.sim.engine.bridge import drive
from khhw.sim.options import Options, State
from rtl.formats import FLIT_BITS, VirtualChannel
from rtl.parameters import Parameters
from rtl.registers import REGISTERS, Pattern, joined

__all__ = ["OwnedMachine", "OwnedNodes"]

T = TypeVar("T")

_SEED_CYCLES = 64
_FULL = (1 << 32) - 1
_UNSENT = ("queued", "lanes", "checking")
"""Fields of TRAFFIC_STATUS of packets that are not finished with."""


class OwnedNodes:
    """Registers of every node from its host port, and the owner above the tree's root.

    Parameters
    ----------
    host : Host
        Of a back end that has not started yet.
    shape : Shape
        Of the torus.
    """

    def __init__(self, host: Host, shape: Shape) -> None:
        self.host = host
        self.shape = shape
        self.outside = Outside(host.root)
        self.owner = Owner(self.outside, shape)
        self.epochs = EpochControl(self.owner)

    def begin(self, main: Callable[[], Coroutine[Any, Any, T]]) -> list[T]:
        """Run `main` as the owner's task, when the machine has started and every node is released.

        Returns
        -------
        list
            Empty; what `main` returns is in it when it has ended.
        """
        found: list[T] = []

        async def owner() -> None:
            await self.outside.start()
            await self.owner.release()
            found.append(await main())

        self.host.scheduler.spawn(owner(), rank=ROOT, name="owner")
        return found

    async def change(self, domains: Domains) -> Change:
        """Change the domains of the running machine."""
        return await self.epochs.change(domains)

    async def write(self, rank: int, register: str, value: int, index: int = 0) -> None:
        """Write a register of a node from its host port."""
        await self.host.nodes[rank].write(REGISTERS[register].at(index), value)

    async def read(self, rank: int, register: str, index: int = 0) -> int:
        """Read a register of a node from its host port."""
        return await self.host.nodes[rank].read(REGISTERS[register].at(index))

    async def write_fields(self, rank: int, register: str, **fields: int) -> None:
        """Write fields of a register of a node from its host port; 0 to all others."""
        await self.write(rank, register, REGISTERS[register].pack(**fields))

    async def read_fields(self, rank: int, register: str) -> dict[str, int]:
        """Read a register of a node from its host port; its fields by name."""
        return REGISTERS[register].unpack(await self.read(rank, register))

    async def read_wide(self, rank: int, register: str) -> int:
        """Read a counter of 64 bits, low half first."""
        return joined(await self.read(rank, register), await self.read(rank, register, 1))

    async def read_all(self, ranks: Iterable[int], register: str, index: int = 0) -> list[int]:
        """Read a register of many nodes from their host ports, at the same time."""
        return await self.everywhere(ranks, lambda rank: self.read(rank, register, index))

    async def total(self, ranks: Iterable[int], register: str) -> int:
        """Sum of a counter of 64 bits over nodes."""
        return sum(await self.everywhere(ranks, lambda rank: self.read_wide(rank, register)))

    async def everywhere(self, ranks: Iterable[int], act: Callable[[int], Coroutine[Any, Any, T]]) -> list[T]:
        """Do something at many nodes at the same time."""
        return await gather(*(act(rank) for rank in ranks))

    async def send_traffic(
        self, targets: Sequence[int | None], packets_a_cycle: float, lengths: Sequence[int], count: int = 0, *,
        channels: Sequence[VirtualChannel] | None = None,
    ) -> None:
        """Let nodes generate packets for one other node each, all of them recorded.

        Parameters
        ----------
        targets : sequence of (int or None)
            Whom each rank sends to; None: nobody.
        packets_a_cycle : float
            Of each sender, 1 at most.
        lengths : sequence of int
            Chunks of 32 bytes, 1 to 8, all as likely.
        count : int
            Packets of each sender; 0: without end.
        channels : sequence of VirtualChannel, optional
            Of each rank's packets; all the first adaptive one by default.
        """
        async def start(rank: int) -> None:
            x, y, z = self.shape.coordinate(targets[rank] or 0)
            await self.write(rank, "TRAFFIC_SEED", 1)
            await self.write(rank, "TRAFFIC_PROBABILITY", min(_FULL, round(packets_a_cycle * _FULL)))
            await self.write(rank, "TRAFFIC_COUNT", count)
            await self.write_fields(rank, "TRAFFIC_TARGET", x=x, y=y, z=z)
            for index in range(7):
                shorter = sum(length <= index + 1 for length in lengths) / len(lengths)
                await self.write(rank, "TRAFFIC_LENGTHS", round(shorter * (1 << 16)), index)
            channel = channels[rank] if channels else VirtualChannel.ADAPTIVE0
            await self._control(rank, sends=targets[rank] is not None, records=True, channel=channel)

        await self.everywhere(range(self.shape.nodes), start)
        await self.outside.sleep(_SEED_CYCLES)

    async def arrived(self, ranks: Iterable[int], packets: int) -> None:
        """Wait until these nodes have received so many recorded packets in all."""
        chosen = list(ranks)
        while await self.total(chosen, "TRAFFIC_RECEIVED") < packets:
            await self.outside.sleep(FLIT_BITS)

    async def _control(self, rank: int, *, sends: bool, records: bool, channel: int = 0) -> None:
        await self.write_fields(rank, "TRAFFIC_CONTROL", enable=int(sends), record=int(records),
                                pattern=Pattern.TARGET, channel=channel)

    async def stop_traffic(self) -> None:
        """Generate no more, and wait until what was generated has arrived."""
        async def stop(rank: int) -> None:
            await self._control(rank, sends=False, records=True)
            while await self._unsent(rank):
                await self.outside.sleep(FLIT_BITS)

        await self.everywhere(range(self.shape.nodes), stop)
        while await self.under_way():
            await self.outside.sleep(FLIT_BITS)

    async def _unsent(self, rank: int) -> bool:
        status = await self.read_fields(rank, "TRAFFIC_STATUS")
        return any(status[name] for name in _UNSENT)

    async def under_way(self) -> int:
        """Packets that have entered the torus and not ended, by the guards' counters."""
        left = 0
        for name, sign in (("INJECTED", 1), ("DELIVERED", -1), ("REFUSED_IN", -1), ("DROPPED", -1)):
            for parity in (0, 1):
                left += sign * sum(await self.owner.read_all(name, parity))
        return left & _FULL


class OwnedMachine(OwnedNodes):
    """A machine on the native engine, in this process.

    Parameters
    ----------
    shape : tuple of int
        Nodes in x, y and z.
    parameters : Parameters
        Of every node; with `traffic`.
    """

    def __init__(self, shape: tuple[int, int, int], parameters: Parameters) -> None:
        self._parameters = parameters
        super().__init__(Host(math.prod(shape), parameters.memory_bytes), Shape(*shape))

    def run(self, main: Callable[[], Coroutine[Any, Any, T]], *, max_cycles: int) -> T:
        """Run `main` as the owner's task until it ends; what it returns.

        Raises
        ------
        BuildError
            If the engine cannot be built, or the machine did not come to an end; says how it ended.
        """
        with Engine.open(self.shape.sizes, self._parameters) as engine:
            found = self.begin(main)
            outcome = drive(engine, self.host, Options(max_cycles=max_cycles))
        if outcome.state is not State.FINISHED:
            raise BuildError(f"the machine ended as {outcome.state}: {outcome.message}")
        return found[0]
