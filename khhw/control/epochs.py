"""Changing communication domains on a running machine, in two phases."""

import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from khhw.control.domains import DomainError, Domains
from khhw.control.links import CableState, CableWatch
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
_STILL = 10_000
"""Cycles between looks at the cables: many times what a packet needs for a hop that nobody else wants."""
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
        self.faulty: list[CableState] = []
        """Torus cables that have lost packets of an epoch that ended, as last found; see :mod:`khhw.control.links`."""

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
            If a phase does not end: `limit` cycles and a few questions after its commit at the latest, and 20,000
            cycles and a few questions after the last packet that it waits for has moved if a torus cable has stalled.
            Names the nodes or the sums, and every torus cable that has lost something (:mod:`khhw.control.links`).
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

    def _watch_cables(self) -> CableWatch:
        return CableWatch(self._owner, min(_STILL, self._limit // 4))

    async def _drained(self) -> None:
        start = self._owner.outside.now
        cables = self._watch_cables()
        while waiting := [r for r, s in enumerate(await self._owner.read_all("GUARD_STATUS")) if not s >> 2 & 1]:
            # What a guard has let in, and is not finished, lacks its end.
            endless = await cables.look() and any(state.endless for state in cables.states)
            took = self._owner.outside.now - start
            if endless or took > self._limit:
                raise EpochError(f"Nodes {waiting} have not drained after {took} cycles; {cables.words}")
            await self._owner.outside.sleep(_POLL)

    async def _balanced(self, parity: int) -> None:
        """Wait until no packet of the epoch with this parity is left in the machine.

        What cables have lost is not left in it. Where something is left, and stands still because a cable has stalled,
        that is an error; where it waits for other traffic, not before the limit.
        """
        start = self._owner.outside.now
        cables = self._watch_cables()
        while left := await self._left(parity):
            stalled = False
            if await cables.look() and cables.still(parity):
                if left == cables.lost(parity) % _MODULUS:
                    self.faulty = cables.faulty
                    return
                stalled = any(state.stalled for state in cables.states)
            took = self._owner.outside.now - start
            if stalled or took > self._limit:
                left = (left - cables.lost(parity)) % _MODULUS
                raise EpochError(
                    f"{left} packets of epoch parity {parity} are still under way after {took} cycles; {cables.words}")
            await self._owner.outside.sleep(_POLL)

    async def _left(self, parity: int) -> int:
        """Packets of an epoch parity that have been sent, and ended nowhere."""
        words = [Control(ControlOp.READ, REGISTERS[name].at(parity)) for name in _COUNTERS]
        answers = await self._owner.execute(None, words)
        injected, *ended = [sum(answer[i].data for answer in answers.values()) for i in range(len(words))]
        return (injected - sum(ended)) % _MODULUS
