"""The owner reads the meters of nodes: what each has sent and received, at a snapshot."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from khhw.control.owner import Owner, OwnerError, Write, named
from khhw.node.tree_packets import Control
from rtl.formats import ControlOp
from rtl.guard.counters import EPOCH_COUNTERS
from rtl.meter_lines import LINES, MeterLine
from rtl.registers import REGISTERS, joined

__all__ = ["TAGS", "GuardCounts", "MeterError", "Meters", "Reading", "guard_counts", "read_at_rest"]

TAGS = 1 << 32
"""Tags are below this."""
_POLL = 100
"""Cycles between questions whether snapshots are taken: less than a round of the meter takes."""
_LIMIT = 20_000
"""Cycles within which a snapshot must be taken: many times the two rounds of the meter that it takes at most."""
_REST = 1000
"""Cycles between two looks whether packets move."""
_LOOKS = 100
_PARITIES = 2
_STATUS = REGISTERS["METER_STATUS"]
_MODULUS = 1 << 32


class MeterError(OwnerError):
    """Meters that cannot be read as they were asked for."""


@dataclass(frozen=True)
class Reading:
    """The meter of a node at a snapshot.

    Parameters
    ----------
    rank : int
        The node.
    tag : int
        Of the snapshot.
    time : int
        The first cycle that it does not count.
    counts : tuple of int
        By :class:`~rtl.meter_lines.MeterLine`, 64 bits each, since the fabric reset.
    """

    rank: int
    tag: int
    time: int
    counts: tuple[int, ...]

    def __sub__(self, before: "Reading") -> dict[MeterLine, int]:
        """What was counted between two snapshots of a node.

        Raises
        ------
        ValueError
            If they are of two nodes.
        """
        if self.rank != before.rank:
            raise ValueError(f"a reading of node {self.rank} less one of node {before.rank} means nothing")
        return {line: self.counts[line] - before.counts[line] for line in MeterLine}


@dataclass(frozen=True)
class GuardCounts:
    """Packets of all nodes, as guards count them to balance a change of domains: sums modulo 2^32, by epoch parity.

    Parameters
    ----------
    injected, delivered, refused, dropped : tuple of int
    """

    injected: tuple[int, ...]
    delivered: tuple[int, ...]
    refused: tuple[int, ...]
    dropped: tuple[int, ...]

    @property
    def under_way(self) -> tuple[int, ...]:
        """Packets that were let in and have ended nowhere, by epoch parity."""
        return tuple((injected - sum(ended)) % _MODULUS for injected, *ended in zip(
            self.injected, self.delivered, self.refused, self.dropped, strict=True))


class Meters:
    """Takes snapshots of meters, and reads them.

    Parameters
    ----------
    owner : Owner
    limit : int
        Cycles within which a snapshot must be taken.
    """

    def __init__(self, owner: Owner, *, limit: int = _LIMIT) -> None:
        self._owner = owner
        self._limit = limit

    async def read(self, tag: int, ranks: Iterable[int] | None = None) -> list[Reading]:
        """Snapshots of some nodes, or of all; by rank.

        Each is of one cycle at its node, but not of the same cycle at all of them: the question reaches them one after
        the other. A node whose last snapshot has this tag takes no other one, so that who asks again is told the same.

        Parameters
        ----------
        tag : int
            Of the snapshots, from 1 to 2^32 - 1.
        ranks : iterable of int, optional
            All nodes by default.

        Raises
        ------
        MeterError
            If there is no such tag or node, a snapshot is not taken in time, or another one was taken meanwhile; names
            the nodes.
        OwnerError
            If a node does not answer.
        """
        chosen = self._chosen(tag, ranks)
        await self._take(tag, chosen)
        await self._wait(tag, chosen)
        return await self._readings(tag, chosen)

    async def take(self, tag: int, ranks: Iterable[int] | None = None) -> None:
        """Have snapshots taken, for :meth:`readings`. Parameters and errors are those of :meth:`read`.

        Nodes have acknowledged it when this returns: a snapshot counts nothing that happens later than two rounds of a
        meter from here on.
        """
        await self._take(tag, self._chosen(tag, ranks))

    async def readings(self, tag: int, ranks: Iterable[int] | None = None) -> list[Reading]:
        """What snapshots say that were asked for by :meth:`take`, whenever that was: two packets a node.

        Parameters and errors are those of :meth:`read`.
        """
        return await self._readings(tag, self._chosen(tag, ranks))

    def _chosen(self, tag: int, ranks: Iterable[int] | None) -> list[int]:
        """Ranks, in order."""
        nodes = self._owner.shape.nodes
        chosen = list(range(nodes)) if ranks is None else sorted(set(ranks))
        if not 0 < tag < TAGS:
            raise MeterError(f"the tag of a snapshot is a number from 1 to {TAGS - 1}, not {tag}")
        if wrong := [rank for rank in chosen if not 0 <= rank < nodes]:
            raise MeterError(f"no node {wrong[0]} to be metered; nodes are 0 to {nodes - 1}")
        return chosen

    def _all(self, ranks: Sequence[int]) -> bool:
        """Whether these are all nodes, which are asked as one."""
        return len(ranks) == self._owner.shape.nodes

    async def _take(self, tag: int, ranks: Sequence[int]) -> None:
        ask = Write("METER_SNAPSHOT", tag)
        if self._all(ranks):
            await self._owner.write(None, ask)
        else:
            await self._owner.write_each({rank: [ask] for rank in ranks})

    async def _wait(self, tag: int, ranks: Sequence[int]) -> None:
        """Until snapshots are taken."""
        owner = self._owner
        end = owner.outside.now + self._limit
        while waiting := await self._waiting(ranks):
            if owner.outside.now > end:
                raise MeterError(
                    f"{named(waiting)}: the snapshot with tag {tag} is not taken after {self._limit} cycles")
            await owner.outside.sleep(_POLL)

    async def _waiting(self, ranks: Sequence[int]) -> list[int]:
        """Nodes whose last snapshot is not taken yet. All are asked with one answer first."""
        if self._all(ranks):
            (word,) = await self._owner.combined([Control(ControlOp.ALL, _STATUS.at())])
            if _taken(word.data):
                return []
            return [rank for rank, value in enumerate(await self._owner.read_all("METER_STATUS")) if not _taken(value)]
        answers = await self._owner.read_each({rank: _words("METER_STATUS", 1) for rank in ranks})
        return [rank for rank, (value,) in answers.items() if not _taken(value)]

    async def _readings(self, tag: int, ranks: Sequence[int]) -> list[Reading]:
        # The tag last: if it is still this one, so it was when the rest was read. That it was taken then, first.
        words = [*_words("METER_STATUS", 1), *_words("METER_TIME", 2), *_words("METER_READING", 2 * LINES),
                 *_words("METER_SNAPSHOT", 1)]
        answers = await self._answers(words, ranks)
        if late := [rank for rank in ranks if not _taken(answers[rank][0])]:
            await self._wait(tag, late)
            answers |= await self._answers(words, late)
        readings = [_reading(rank, answers[rank][1:]) for rank in ranks]
        if others := [reading.rank for reading in readings if reading.tag != tag]:
            raise MeterError(f"{named(others)}: another snapshot than that with tag {tag} was taken meanwhile; "
                             "somebody else reads meters as well")
        return readings

    async def _answers(self, words: Sequence[Control], ranks: Sequence[int]) -> dict[int, list[int]]:
        """What nodes answer to these words, by rank."""
        if self._all(ranks):
            answered = await self._owner.execute(None, words)
            return {rank: [word.data for word in answer] for rank, answer in answered.items()}
        return await self._owner.read_each(dict.fromkeys(ranks, words))


async def guard_counts(owner: Owner) -> GuardCounts:
    """Ask all guards, with one answer for all, what they have counted."""
    words = await owner.combined([Control(ControlOp.SUM, REGISTERS[name].at(parity))
                                  for name in map(str.upper, EPOCH_COUNTERS) for parity in range(_PARITIES)])
    values = [word.data for word in words]
    return GuardCounts(*(tuple(values[at:at + _PARITIES]) for at in range(0, len(values), _PARITIES)))


async def read_at_rest(owner: Owner, first_tag: int) -> tuple[list[Reading], GuardCounts]:
    """Snapshots of all nodes while no packet moves, so that they are of one moment; and what guards counted until then.

    Packets may be under way that stand still: in front of a node that does not take them.

    Parameters
    ----------
    owner : Owner
    first_tag : int
        Of the first try. Each that finds packets moving is followed by one with the next tag.

    Raises
    ------
    MeterError
        If packets still move after a hundred looks, a thousand cycles apart; or as :meth:`Meters.read`.
    """
    meters = Meters(owner)
    before = await guard_counts(owner)
    for tag in range(first_tag, first_tag + _LOOKS):
        await owner.outside.sleep(_REST)
        if (after := await guard_counts(owner)) == before:
            readings = await meters.read(tag)
            if (after := await guard_counts(owner)) == before:
                return readings, after
        before = after
    raise MeterError(
        f"packets still move after {_LOOKS} looks, {_REST} cycles apart: there is no reading of one moment")


def _taken(status: int) -> bool:
    """What METER_STATUS says."""
    return bool(_STATUS.unpack(status)["taken"])


def _words(register: str, count: int) -> list[Control]:
    """The question for the first elements of a register."""
    return [Control(ControlOp.READ, REGISTERS[register].at(index)) for index in range(count)]


def _reading(rank: int, values: Sequence[int]) -> Reading:
    """What the answers of a node to METER_TIME, METER_READING and METER_SNAPSHOT say."""
    time, *counts = (joined(low, high) for low, high in zip(values[:-1:2], values[1:-1:2], strict=True))
    return Reading(rank, values[-1], time, tuple(counts))
