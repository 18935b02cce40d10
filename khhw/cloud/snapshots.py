"""Readings of a simulator's meters, by the tags of a service: who asks again is told the same."""

from collections.abc import Iterable

from khhw.cloud.counters import counters
from khhw.cloud.machine import Clock, Reading
from khhw.control.meters import TAGS, Meters
from khhw.control.owner import Owner

__all__ = ["Snapshots", "Tags"]


class Tags:
    """Tags of the hardware's snapshots, each of them new to all nodes: of one that it has a node takes no snapshot.

    What the service calls a reading cannot be its tag: a revision and a question may have the same number. So snapshots
    are numbered here, and the numbers skipped that nodes have from an owner before.

    Parameters
    ----------
    owner : Owner
        Whose hands nobody else uses.
    """

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._last = TAGS - 1
        self._found: frozenset[int] = frozenset()

    async def next(self) -> int:
        """One that no node has."""
        while True:
            if self._last == TAGS - 1:
                self._found, self._last = frozenset(await self._owner.read_all("METER_SNAPSHOT")), 0
            self._last += 1
            if self._last not in self._found:
                return self._last


class Snapshots:
    """The last reading of each node, so that a question whose answer was lost has the same one.

    Parameters
    ----------
    owner : Owner
        Whose hands nobody else uses.
    tags : Tags
        Of all snapshots of this owner.
    boot : int
        Of this life of the machine.
    """

    def __init__(self, owner: Owner, tags: Tags, boot: int) -> None:
        self._meters = Meters(owner)
        self._tags = tags
        self._boot = boot
        self._last: dict[int, Reading] = {}
        self._taken: tuple[int, list[int]] = (0, [])
        """Tag of snapshots that are taken and not read, and nodes."""

    async def take(self, tag: int, ranks: Iterable[int]) -> None:
        """Have snapshots taken of those that have no reading of this tag.

        Raises
        ------
        OwnerError
            If a node does not answer.
        """
        self._taken = 0, []
        asked = [rank for rank in ranks if rank not in self._last or self._last[rank].tag != tag]
        if asked:
            number = await self._tags.next()
            await self._meters.take(number, asked)
            self._taken = number, asked

    async def read(self, tag: int, ranks: Iterable[int]) -> list[Reading]:
        """Readings of nodes, in their order, behind :meth:`take` of the same.

        Raises
        ------
        OwnerError
            If a node does not answer, or does not take its snapshot.
        """
        number, asked = self._taken
        if asked:
            for found in await self._meters.readings(number, asked):
                self._last[found.rank] = Reading(
                    tag, found.rank, Clock(self._boot, found.time), counters(found.counts))
            self._taken = number, []
        return [self._last[rank] for rank in ranks]
