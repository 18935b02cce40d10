"""What tenants who misbehave cost those of another domain: latency of one domain's packets, with and without.

Nodes with an even x + y + z are one domain, the others another one, so that the ways of both share all cables. The
first sends synthetic traffic and is measured. The second is quiet, or floods the console, or sends messages to one of
its nodes, whose software takes them, or never takes any. What the messages themselves cost the cables is seen from
the comparison of the last two with the first, what not draining costs from their comparison with each other.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from khhw.bench.owned import OwnedMachine
from khhw.control.domains import Domains
from khhw.host.sync import Event, spawn
from khhw.node import Node
from khhw.node.console import EVERYBODY
from khhw.node.descriptors import message_descriptor
from khhw.traffic.histogram import BINS, quantile
from rtl.formats import PAYLOAD_BYTES
from rtl.parameters import Parameters

__all__ = ["CASES", "neighbours"]

CASES = ("quiet", "console flood", "draining", "never draining")
"""What the other domain does."""
_PACKETS_A_CYCLE = 0.02
"""Of each measured node: a quarter of what one lane carries at the lengths below."""
_LENGTHS = range(1, 9)
_SENDERS = 4
_MESSAGE = 4 * PAYLOAD_BYTES
_PAUSE = 800
"""Cycles between two messages of a sender: together they fill about half of the cable that leads to the receiver."""
_LEAD = 3000
"""Cycles the others work before the measurement: the ring of who never drains is full by then."""
_DOMAIN_CONSOLE = 1
_MAX_CYCLES = 4_000_000


def neighbours(shape: tuple[int, int, int], parameters: Parameters, case: str, packets: int) -> dict[str, Any]:
    """Measure one machine.

    Parameters
    ----------
    shape : tuple of int
        Nodes in x, y and z, all even.
    parameters : Parameters
        Of every node, with `traffic`.
    case : str
        One of :data:`CASES`.
    packets : int
        Every node of the measured domain sends.

    Returns
    -------
    dict
        ``packets`` of the measured domain; their latency ``mean``, ``p99`` and ``max`` in cycles, and ``histogram``,
        the counts of all bins of the traffic generators. Of the others: ``texts`` and ``messages`` sent, packets
        ``received`` by software and ``dropped`` at the full ring.
    """
    if case not in CASES:
        raise ValueError(f"case must be one of {', '.join(CASES)}, not {case!r}")
    campaign = _Campaign(OwnedMachine(shape, parameters), case, packets)
    found = campaign.machine.run(campaign.run, max_cycles=_MAX_CYCLES)
    return {"shape": list(shape), "nodes": math.prod(shape), "case": case, **found}


@dataclass
class _Done:
    """What the other domain did."""

    texts: int = 0
    messages: int = 0
    received: int = 0


class _Campaign:
    def __init__(self, machine: OwnedMachine, case: str, packets: int) -> None:
        self.machine = machine
        self._case, self._packets = case, packets
        self._done = _Done()
        self._over = Event("the end of the measurement")
        shape = machine.shape
        self._odd = np.array([sum(shape.coordinate(rank)) % 2 for rank in range(shape.nodes)])
        self._measured = [int(rank) for rank in np.flatnonzero(self._odd == 0)]
        self._others = [int(rank) for rank in np.flatnonzero(self._odd)]

    async def run(self) -> dict[str, Any]:
        machine, nodes = self.machine, self.machine.shape.nodes
        await machine.owner.set_console(None, _DOMAIN_CONSOLE, [_DOMAIN_CONSOLE])
        await machine.change(Domains(self._odd[:, None] == self._odd[None, :]))
        drains = await self._misbehave()
        await machine.outside.sleep(_LEAD)
        # To the node half-way round: far, and over cables the others use.
        half, targets = len(self._measured) // 2, list[int | None]([None] * nodes)
        for index, rank in enumerate(self._measured):
            targets[rank] = self._measured[(index + half + 1) % len(self._measured)]
        await machine.send_traffic(targets, _PACKETS_A_CYCLE, _LENGTHS, self._packets)
        await machine.arrived(self._measured, self._packets * len(self._measured))
        found = await self._latency()
        self._over.set()
        dropped = await machine.read(drains, "RING_DROPS")
        return {**found, "texts": self._done.texts, "messages": self._done.messages, "received": self._done.received,
                "dropped": dropped}

    async def _misbehave(self) -> int:
        """Begin what the case says; the node that drains, or does not."""
        drains, senders = self._others[0], self._others[1:1 + _SENDERS]
        if self._case == "console flood":
            for rank in self._others:
                await spawn(self._shout(rank), name=f"flood {rank}", daemon=True)
        elif self._case != "quiet":
            await spawn(self._receive(drains), name="drain", daemon=True)
            for rank in senders:
                await spawn(self._send(rank, drains), name=f"send {rank}", daemon=True)
        return drains

    async def _shout(self, rank: int) -> None:
        machine = self.machine
        await machine.write(rank, "CONSOLE_TX_ADDRESS", 0)
        await machine.write(rank, "CONSOLE_TX_DEST", EVERYBODY)
        while not self._over.is_set():
            await machine.write(rank, "CONSOLE_TX_LENGTH", PAYLOAD_BYTES)
            self._done.texts += 1
            while await machine.read(rank, "CONSOLE_TX_LENGTH"):
                await machine.outside.sleep(PAYLOAD_BYTES)

    async def _send(self, rank: int, to: int) -> None:
        node = await Node.open(self.machine.host.nodes[rank])
        one = message_descriptor(self.machine.shape.coordinate(to), 0, _MESSAGE)
        while not self._over.is_set():
            await node.sender.drain()
            await node.sender.post(one)
            self._done.messages += 1
            await node.sleep(_PAUSE)

    async def _receive(self, rank: int) -> None:
        node = await Node.open(self.machine.host.nodes[rank])
        if self._case == "never draining":
            await self._over.wait()
        while not self._over.is_set():
            self._done.received += len(await node.reception.receive())

    async def _latency(self) -> dict[str, Any]:
        """Of all measured packets."""
        machine, ranks = self.machine, self._measured
        packets = await machine.total(ranks, "TRAFFIC_RECEIVED")
        cycles = await machine.total(ranks, "TRAFFIC_LATENCY_SUM")
        longest = max(await machine.read_all(ranks, "TRAFFIC_LATENCY_MAX"))
        counts = np.zeros(BINS, np.int64)
        for bin in range(BINS):
            counts[bin] = sum(await machine.read_all(ranks, "TRAFFIC_HISTOGRAM", bin))
        return {"packets": packets, "mean": cycles / packets, "p99": quantile(counts, 0.99, longest), "max": longest,
                "histogram": counts.tolist()}
