"""Changing communication domains on a running machine, in two phases."""

import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from khhw.control.domains import DomainError, Domains
from khhw.control.owner import Owner, OwnerError, Write
from khhw.node import Shape
from khhw.node.tree_packets import Control
from rtl.formats import ControlOp
from rtl.registers import REGISTERS

__all__ = ["Change", "EpochControl", "EpochError", "Moment", "Watch", "table_writes"]

_WORD_BITS = 32
_POLL = 200
"""Cycles between looks at the machine while a phase ends."""
_LIMIT = 500_000
_MODULUS = 1 << 32
_COUNTERS = ("INJECTED", "DELIVERED", "REFUSED_IN", "DROPPED")


class EpochError(OwnerError):
    """A phase of a change did not end."""


class Moment(enum.Enum):
    """When, in a phase of a change, more is known of the packets in the machine."""

    ACKNOWLEDGED = "all nodes have committed: nothing that the phase refuses is delivered from here on"
    BALANCED = "no packet of the epoch before is left"


Watch = Callable[[Moment, Domains], Awaitable[None]]
"""Awaited at every moment of every phase, with the domains of that phase."""


@dataclass(frozen=True)
class Change:
    """What a change of domains took.

    Parameters
    ----------
    started, loaded, refused, finished : int
        Cycles: the first control packet; the tables of the first phase stand in all shadows; all nodes have
        acknowledged that phase (nothing that the new domains refuse is delivered from here on); the end. A first
        change has no such phase: `loaded` and `refused` are `started`.
    phases : int
        2, or 1 if nothing had been committed before.
    """

    started: int
    loaded: int
    refused: int
    finished: int
    phases: int


def table_writes(domains: Domains, shape: Shape, rank: int) -> list[Write]:
    """Row, column and reach values of one node, for its shadow."""
    words = shape.node_id(shape.nodes - 1) // _WORD_BITS + 1

    def table(register: str, ranks: list[int]) -> list[Write]:
        bits = sum(1 << shape.node_id(r) for r in ranks)
        return [Write(register, bits >> _WORD_BITS * word & _MODULUS - 1, word) for word in range(words)]

    reach = [Write("REACH", hops, direction) for direction, hops in enumerate(domains.reach(shape, rank))]
    return table("ROW", domains.row(rank)) + table("COLUMN", domains.column(rank)) + reach


class EpochControl:
    """Keeps the domains of a machine, and changes them without mixing old and new.

    Parameters
    ----------
    owner : Owner
    limit : int
        Cycles a phase may take.
    """

    def __init__(self, owner: Owner, *, limit: int = _LIMIT) -> None:
        self._owner = owner
        self._limit = limit
        self.current: Domains | None = None
        """What all nodes have committed; None before the first change."""

    async def change(self, new: Domains, *, watch: Watch | None = None) -> Change:
        """Make `new` the domains of the machine.

        First all nodes commit what old and new both allow; when they have acknowledged, and no packet of the
        epoch before is left, all commit `new`. So what the new domains refuse is never delivered after the
        first phase, and what both allow is never lost.

        Parameters
        ----------
        new : Domains
        watch : Watch, optional

        Raises
        ------
        EpochError
            If a phase does not end; names the nodes or the sums.
        DomainError
            If `new` is of another number of nodes.
        """
        outside, nodes = self._owner.outside, self._owner.shape.nodes
        if new.nodes != nodes:
            raise DomainError((), f"Domains of {new.nodes} nodes for a machine of {nodes}")
        started = loaded = refused = outside.now
        phases = 1 if self.current is None else 2
        if self.current is not None:
            loaded, refused = await self._phase(self.current & new, watch)
        await self._phase(new, watch)
        return Change(started, loaded, refused, outside.now, phases)

    async def hand_over(self, rank: int, new: Domains) -> None:
        """Take a node from its tenant, and give it to the next one with `new` as the domains of the machine.

        The node is held, the hardware clears its memory, and nobody may talk to it for a whole change of domains. So
        what the tenant before has sent is refused where it still waits in the torus, and is stale in the tree (see
        :data:`rtl.formats.STALE_COMMITS`), when `new` is committed and the node is released.

        Raises
        ------
        EpochError, DomainError
            As :meth:`change`.
        """
        owner = self._owner
        await owner.hold(rank, clear=True)
        apart = new.matrix.copy()
        apart[rank, :] = apart[:, rank] = False
        await self.change(Domains(apart))
        await self.change(new)
        await owner.release(rank)
        while (await owner.read(rank, "HOLD"))[0]:
            await owner.outside.sleep(_POLL)

    async def _phase(self, domains: Domains, watch: Watch | None) -> tuple[int, int]:
        """All of one phase; the cycles in which its tables were loaded and in which all had acknowledged it."""
        loaded, parity = await self._commit(domains)
        acknowledged = self._owner.outside.now
        if watch is not None:
            await watch(Moment.ACKNOWLEDGED, domains)
        await self._balanced(parity)
        if watch is not None:
            await watch(Moment.BALANCED, domains)
        return loaded, acknowledged

    async def _commit(self, domains: Domains) -> tuple[int, int]:
        """Commit, until all have drained; the cycle in which the tables were loaded, the parity that ends."""
        owner = self._owner
        await owner.write_each({rank: table_writes(domains, owner.shape, rank) for rank in range(owner.shape.nodes)})
        parity = (await owner.read_all("GUARD_STATUS"))[0] >> 1 & 1
        loaded = owner.outside.now
        await owner.write(None, Write("COMMIT", 1))
        self.current = domains
        await self._drained()
        return loaded, parity

    async def _drained(self) -> None:
        end = self._owner.outside.now + self._limit
        while waiting := [r for r, s in enumerate(await self._owner.read_all("GUARD_STATUS")) if not s >> 2 & 1]:
            if self._owner.outside.now > end:
                raise EpochError(f"Nodes {waiting} have not drained within {self._limit} cycles")
            await self._owner.outside.sleep(_POLL)

    async def _balanced(self, parity: int) -> None:
        """Wait until no packet of the epoch with this parity is left in the machine."""
        end = self._owner.outside.now + self._limit
        words = [Control(ControlOp.READ, REGISTERS[name].at(parity)) for name in _COUNTERS]
        while True:
            answers = await self._owner.execute(None, words)
            injected, *ended = [sum(answer[i].data for answer in answers.values()) for i in range(len(words))]
            left = (injected - sum(ended)) % _MODULUS
            if not left:
                return
            if self._owner.outside.now > end:
                raise EpochError(
                    f"{left} packets of epoch parity {parity} are still under way after {self._limit} cycles")
            await self._owner.outside.sleep(_POLL)
