"""What is told of a change of domains while it is made, what it took, and how it can fail."""

import enum
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from khhw.control.domains import Domains
from khhw.control.owner import OwnerError, named

__all__ = ["AdoptError", "Change", "EpochError", "Keep", "Moment", "Watch"]


class EpochError(OwnerError):
    """A phase of a change did not end, or a machine is not as it was given."""


class AdoptError(EpochError):
    """Nodes that do not hold what their owner believes.

    Parameters
    ----------
    nodes : dict of int to str
        What is wrong, by rank.
    """

    def __init__(self, nodes: Mapping[int, str]) -> None:
        self.nodes = dict(nodes)
        alike: dict[str, list[int]] = {}
        for rank, what in nodes.items():
            alike.setdefault(what, []).append(rank)
        super().__init__("; ".join(f"{named(ranks)}: {what}" for what, ranks in alike.items()))


class Moment(enum.Enum):
    """When, in a phase of a change, more is known of the packets in the machine."""

    ACKNOWLEDGED = "all nodes have committed: nothing that the phase refuses is delivered from here on"
    BALANCED = "no packet of the epoch before is left"


Keep = Callable[[Domains, int, list[int]], Awaitable[None]]
"""Awaited before every commit, with the domains, the revision and the sums by which they can be adopted afterwards."""
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
        2, or 1 if nothing had been committed before; 4 of a node that is handed over.
    """

    started: int
    loaded: int
    refused: int
    finished: int
    phases: int
