"""Result tables of the kernels, read from the memories of the nodes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from khhw.kernels import latency, probe
from khhw.node.layout import Layout
from khhw.node.shape import Shape

__all__ = ["LatencySample", "Observed", "ResultError", "Peek", "latency_samples", "observed_matrix"]

Peek = Callable[[int, int], bytes]
"""Reads (address, length) of one node's memory."""


class ResultError(RuntimeError):
    """A memory does not hold the table a kernel should have left there."""


@dataclass(frozen=True)
class Observed:
    """What the probes of a machine found in the destinations' memories.

    Parameters
    ----------
    puts : numpy array of bool, shape (nodes, nodes)
        ``puts[source, destination]``: the token of the put is in the destination's memory.
    messages : numpy array of int, shape (nodes, nodes)
        Memory-FIFO packets, by *stamped* source and destination.
    """

    puts: npt.NDArray[np.bool_]
    messages: npt.NDArray[np.int64]

    @property
    def matrix(self) -> npt.NDArray[np.bool_]:
        """Pairs between which anything at all arrived."""
        return self.puts | (self.messages > 0)

    @property
    def consistent(self) -> bool:
        """Whether puts and messages agree, and no message came twice."""
        return bool(np.array_equal(self.puts, self.messages == 1) and self.messages.max(initial=0) <= 1)


def observed_matrix(memories: Sequence[Peek], layout: Layout, shape: Shape, seed: int) -> Observed:
    """What the probe kernels left.

    Parameters
    ----------
    memories : sequence of callable
        Of every node, by rank.
    layout : Layout
    shape : Shape
    seed : int
        The tokens'; tokens of another run do not count.

    Raises
    ------
    ResultError
        If a probe has not ended.
    """
    nodes = shape.nodes
    table = probe.Table(layout.heap.base, nodes)
    puts = np.zeros((nodes, nodes), dtype=bool)
    messages = np.zeros((nodes, nodes), dtype=np.int64)
    for destination, peek in enumerate(memories):
        magic, count, found_seed, rank, _, ended = probe.HEADER.unpack(peek(table.base, probe.HEADER.size))
        if (magic, count, found_seed, rank, ended) != (probe.MAGIC, nodes, seed, destination, 1):
            raise ResultError(f"Node {destination} holds no finished probe of seed {seed}")
        slots = peek(table.slots, nodes * probe.SLOT.size)
        fifo = peek(table.fifo, nodes * probe.FIFO.size)
        for source in range(nodes):
            token = probe.SLOT.unpack_from(slots, source * probe.SLOT.size)
            puts[source, destination] = token == (probe.PUT, seed, source, destination)
            received, *last = probe.FIFO.unpack_from(fifo, source * probe.FIFO.size)
            if received and last != [probe.MESSAGE, seed, source, destination]:
                raise ResultError(f"Node {destination} got {last} with the stamp of node {source}")
            messages[source, destination] = received
    return Observed(puts, messages)


@dataclass(frozen=True)
class LatencySample:
    """One timed put.

    Parameters
    ----------
    destination, hops, length : int
        Rank, distance, bytes.
    cycles : int
        From the doorbell to the interrupt at the destination.
    """

    destination: int
    hops: int
    length: int
    cycles: int


def latency_samples(memory: Peek, layout: Layout) -> list[LatencySample]:
    """What the latency kernel left in a memory: samples at its source, nothing at all other nodes.

    Raises
    ------
    ResultError
        If it has not ended, or a destination was silent.
    """
    base = layout.heap.base
    magic, count, silent, ended = latency.HEADER.unpack(memory(base, latency.HEADER.size))
    if magic != latency.MAGIC:
        return []
    if not ended:
        raise ResultError("The source holds no finished latency table")
    if silent:
        raise ResultError(f"{silent} destinations of the latency kernel did not answer")
    data = memory(base + latency.HEADER.size, count * latency.SAMPLE.size)
    samples = latency.SAMPLE.iter_unpack(data)
    return [LatencySample(destination, hops, size, end - start) for destination, hops, size, start, end in samples]
