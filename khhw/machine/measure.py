"""What is read from a machine when the kernels of a phase have ended: from memories, and from guards."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from khhw.control.attacks import judge_attacks
from khhw.control.log import RefusalLog
from khhw.host.ports import Host
from khhw.kernels.results import Peek, ResultError, latency_samples, observed_matrix
from khhw.machine.file import Phase
from khhw.machine.memcached import LOAD, Circumstances, memcached_points
from khhw.machine.results import Attack, LatencySample, Matrix, RunRecord
from khhw.node import Layout, Shape

__all__ = ["MEASURES", "Observer"]


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
    phase : Phase
        What ran.
    seed : int
        Of the run.
    allowed : numpy array of bool, shape (nodes, nodes)
        isAllowed as it was in force, source first.
    logs : sequence of RefusalLog
        Of all guards, cleared before the phase and read after it.
    """

    host: Host
    shape: Shape
    layout: Layout
    phase: Phase
    seed: int
    allowed: npt.NDArray[np.bool_]
    logs: Sequence[RefusalLog]

    @property
    def memories(self) -> list[Peek]:
        """Of every node, by rank."""
        return [partial(self.host.memory.peek, rank) for rank in range(self.shape.nodes)]


async def matrix(observer: Observer, record: RunRecord) -> None:
    """isAllowed as the destinations' memories show it."""
    seen = observed_matrix(observer.memories, observer.layout, observer.shape, observer.seed)
    if not seen.consistent:
        raise ResultError(f"phase {observer.phase.name}: puts and messages of the probes tell different matrices, or a "
                          "message came twice")
    record.matrix[observer.phase.name] = Matrix(
        configured=observer.allowed.astype(int).tolist(), observed=seen.matrix.astype(int).tolist())


async def attacks(observer: Observer, record: RunRecord) -> None:
    """What hostile software tried, what refused it, and what reached the victims' memories."""
    entry = next(entry for entry in observer.phase.kernels if entry.kernel == "attack")
    (attacker,) = entry.ranks(observer.shape.nodes)
    for result in judge_attacks(
            observer.memories, observer.logs, observer.layout, observer.shape, attacker=attacker,
            arguments=entry.arguments):
        record.attacks.append(Attack(
            name=result.name, tried=result.tried, delivered=result.delivered, refused=result.refused,
            where=result.where, expected=_EXPECTED.get(result.name, ""),
            passed=result.delivered == 0 and result.refused >= result.tried))


async def latency(observer: Observer, record: RunRecord) -> None:
    """Samples that the sources kept."""
    for rank, memory in enumerate(observer.memories):
        for sample in latency_samples(memory, observer.layout):
            record.latency.append(LatencySample(
                source=rank, destination=sample.destination, hops=sample.hops, size_bytes=sample.length,
                cycles=sample.cycles))


async def memcached(observer: Observer, record: RunRecord) -> None:
    """What the clients of memcached measured, all that were booted together as one."""
    host = observer.host
    circumstances = Circumstances(
        observer.phase.name, observer.shape, host.cpu.name, float(host.cpu.scale) or 1.0, host.clock_hz)
    memories = observer.memories
    for entry in observer.phase.kernels:
        if entry.kernel == LOAD:
            arguments = entry.arguments.replace("{seed}", str(observer.seed))
            clients = {rank: memories[rank] for rank in entry.ranks(observer.shape.nodes)}
            record.memcached += memcached_points(circumstances, clients, observer.layout.heap.base, arguments)


_EXPECTED = {
    "forged source": "the packets arrive, with the attacker's own id as source",
    "deputy": "the answers come back to the attacker",
}
"""What is seen of an attack that is turned into something harmless instead of refused."""

MEASURES: dict[str, Callable[[Observer, RunRecord], Awaitable[None]]] = {
    "matrix": matrix, "attacks": attacks, "latency": latency, "memcached": memcached,
}
"""By the name a machine file gives them."""
