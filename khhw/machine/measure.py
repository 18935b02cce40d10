"""What is read from a machine when the kernels of a phase have ended: from memories, and from guards."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from khhw.control.owner import Owner
from khhw.kernels.results import Peek, latency_samples, observed_matrix
from khhw.machine.results import LatencySample, Matrix, RunRecord
from khhw.node import Layout, Shape
from khhw.sim.host import Host

__all__ = ["MEASURES", "Observer"]

Allowed = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Observer:
    """What a measurement may look at.

    Parameters
    ----------
    host : Host
        Its back door reaches all memories; kernels have no such thing.
    shape : Shape
    layout : Layout
        Of a node's memory.
    owner : Owner
    seed : int
        Of the kernels' tokens.
    phase : str
        Name.
    """

    host: Host
    shape: Shape
    layout: Layout
    owner: Owner
    seed: int
    phase: str

    @property
    def memories(self) -> list[Peek]:
        """Of every node, by rank."""
        return [partial(self.host.memory.peek, rank) for rank in range(self.shape.nodes)]


async def matrix(observer: Observer, allowed: Allowed, record: RunRecord) -> None:
    """isAllowed as the destinations' memories show it."""
    seen = observed_matrix(observer.memories, observer.layout, observer.shape, observer.seed)
    record.matrix[observer.phase] = Matrix(
        configured=allowed.astype(int).tolist(), observed=seen.matrix.astype(int).tolist())


async def latency(observer: Observer, _allowed: Allowed, record: RunRecord) -> None:
    """Samples that the source kept."""
    for rank, memory in enumerate(observer.memories):
        for sample in latency_samples(memory, observer.layout):
            record.latency.append(LatencySample(
                source=rank, destination=sample.destination, hops=sample.hops, size_bytes=sample.length,
                cycles=sample.cycles))


MEASURES: dict[str, Callable[[Observer, Allowed, RunRecord], Awaitable[None]]] = {
    "matrix": matrix, "latency": latency,
}
"""By the name a machine file gives them."""
