"""A machine that does at once what it is asked: for tests of what is above it. Real ones are in other tests."""

from collections.abc import Iterable

from khhw.cloud.machine import (
    NO_KEYS,
    Applied,
    Clock,
    ConsoleKeys,
    MachineInfo,
    NodeState,
    Reading,
    Revision,
    Sink,
)

__all__ = ["InstantMachine"]


class _Deaf:
    """Hears nothing."""

    def stop(self) -> None:
        """Nothing."""


class InstantMachine:
    """A :class:`khhw.cloud.machine.Machine` of some nodes."""

    def __init__(self, nodes: int = 8) -> None:
        self.info = MachineInfo((nodes, 1, 1), 100_000_000, 1 << 16, 0x1000, 4, f"{nodes:064x}")
        self.alive = False
        self.held = Revision(1, {}, {})
        self.said: list[tuple[int, str, bytes]] = []
        self.images: set[str] = set()
        self._cycle = 0

    def _now(self) -> Clock:
        self._cycle += 1000
        return Clock(1, self._cycle)

    def connect(self) -> Clock:
        """See the protocol, as all that follow."""
        self.alive = True
        return self._now()

    def close(self) -> None:
        self.alive = False

    def switch_off(self) -> None:
        self.alive = False

    def clock(self) -> Clock:
        return self._now()

    def apply(self, revision: Revision) -> Applied:
        self.held = revision
        started = self._now()
        return Applied(revision.number, started, self._now(), self._now(), tuple(
            Reading(revision.number, rank, started, {"sent": rank}) for rank in sorted(revision.hand_over)))

    def nodes(self) -> list[NodeState]:
        return [NodeState(rank, True, self.held.number, 0, rank not in self.held.keys, self._keys(rank))
                for rank in range(self.info.nodes)]

    def _keys(self, rank: int) -> ConsoleKeys:
        return self.held.keys.get(rank, NO_KEYS)

    def read(self, tag: int, ranks: Iterable[int] | None = None) -> list[Reading]:
        chosen = range(self.info.nodes) if ranks is None else ranks
        return [Reading(tag, rank, self._now(), {"sent": rank}) for rank in chosen]

    def approve(self, images: Iterable[str]) -> None:
        self.images = set(images)

    def listen(self, channel: int, sink: Sink) -> _Deaf:
        return _Deaf()

    def say(self, channel: int, text: str, raw: bytes = b"") -> Clock:
        self.said.append((channel, text, raw))
        return self._now()
