"""What the strongest neighbour leaves of what two domains share: a cable of the torus, the tree.

A *victim* of one domain is measured twice on the same nodes: alone, and beside a neighbour of another domain who does
what costs it most. Nothing here crosses between the domains; it is what they share that becomes less.
"""

from typing import Any

import numpy as np

from khhw.bench.owned import OwnedMachine
from khhw.control.domains import Domains
from khhw.host.sync import Event, spawn
from khhw.node.console import EVERYBODY
from rtl.formats import PAYLOAD_BYTES, VirtualChannel
from rtl.parameters import Parameters

__all__ = ["CASES", "SHAPES", "share"]

CASES = ("saturating stream", "granted priority", "console flood")
"""What the neighbour does: it streams through the router at which the victim injects; it does so on the priority
channel, which the owner granted; half of the machine shouts on its console, and the victim is a leaf of the tree."""
SHAPES: dict[str, tuple[int, int, int]] = {
    "saturating stream": (8, 1, 1), "granted priority": (8, 1, 1), "console flood": (4, 4, 4)}
"""Where each is measured."""

_FROM, _TO = 0, 3
"""The stream; the victim stands on its way, one node behind its source, and sends one node far."""
_VICTIM, _PEER = 1, 2
_CHUNKS = (8,)
_WARM_UP = 2000
_CYCLES = 50_000
_TEXT = 8
"""Bytes of a text of the victim: what a person types. The others' are as long as texts can be."""
_POLL = 50
_MAX_CYCLES = 4_000_000


def share(parameters: Parameters, case: str, *, cycles: int = _CYCLES, shape: tuple[int, int, int] | None = None,
          ) -> dict[str, Any]:
    """Measure a victim alone and beside a neighbour.

    Parameters
    ----------
    parameters : Parameters
        Of every node, with `traffic` and tables that are large enough.
    case : str
        One of :data:`CASES`.
    cycles : int
        Of each measurement, behind 2,000 cycles of warm-up.
    shape : tuple of int, optional
        Another machine than :data:`SHAPES` has; along x at least 8 for the cases of the torus.

    Returns
    -------
    dict
        ``unit``: what is counted; ``alone`` and ``beside``: how much the victim brought through, ``neighbour``: how
        much the neighbour did meanwhile, in ``cycles``.
    """
    if case not in CASES:
        raise ValueError(f"case must be one of {', '.join(CASES)}, not {case!r}")
    chosen = shape or SHAPES[case]

    def measured(*, beside: bool) -> tuple[int, int]:
        machine = OwnedMachine(chosen, parameters)
        measure = _texts if case == "console flood" else _stream
        return machine.run(lambda: measure(machine, case, cycles, beside), max_cycles=_MAX_CYCLES)

    alone, _ = measured(beside=False)
    victim, neighbour = measured(beside=True)
    return {"shape": list(chosen), "case": case, "cycles": cycles,
            "unit": "texts" if case == "console flood" else "flits",
            "alone": alone, "beside": victim, "neighbour": neighbour}


async def _stream(machine: OwnedMachine, case: str, cycles: int, beside: bool) -> tuple[int, int]:
    """Flits the victim's partner received, and the neighbour's, while both send all they can."""
    domain = np.zeros((machine.shape.nodes, machine.shape.nodes), np.bool_)
    domain[_FROM, _TO] = domain[_VICTIM, _PEER] = True
    await machine.change(Domains(domain))
    channels = [VirtualChannel.ESCAPE] * machine.shape.nodes
    if case == "granted priority":
        await machine.owner.grant_priority(_FROM)
        channels[_FROM] = VirtualChannel.PRIORITY
    targets: list[int | None] = [None] * machine.shape.nodes
    targets[_VICTIM] = _PEER
    if beside:
        targets[_FROM] = _TO
    await machine.send_traffic(targets, 1.0, _CHUNKS, channels=channels)
    await machine.outside.sleep(_WARM_UP)

    async def received() -> list[int]:
        return [await machine.read_wide(rank, "TRAFFIC_ACCEPTED_FLITS") for rank in (_PEER, _TO)]

    # To read takes cycles too: from the beginning of the one reading to that of the other it is `cycles`.
    end = machine.outside.now + cycles
    before = await received()
    await machine.outside.sleep(end - machine.outside.now)
    victim, neighbour = (after - first for after, first in zip(await received(), before, strict=True))
    return victim, neighbour


async def _texts(machine: OwnedMachine, _case: str, cycles: int, beside: bool) -> tuple[int, int]:
    """Texts the victim, the last leaf of the tree, has sent, one after the other, and the flood's of the other half."""
    nodes = machine.shape.nodes
    half = np.arange(nodes) >= nodes // 2
    await machine.owner.set_console(None, 1, [1])
    await machine.change(Domains(half[:, None] == half[None, :]))
    over = Event("the end of the measurement")
    sent = dict.fromkeys(range(nodes), 0)

    async def shout(rank: int, length: int) -> None:
        await machine.write(rank, "CONSOLE_TX_ADDRESS", 0)
        await machine.write(rank, "CONSOLE_TX_DEST", EVERYBODY)
        while not over.is_set():
            await machine.write(rank, "CONSOLE_TX_LENGTH", length)
            while await machine.read(rank, "CONSOLE_TX_LENGTH"):
                await machine.outside.sleep(_POLL)
            sent[rank] += 1

    neighbours = [int(rank) for rank in np.flatnonzero(~half)] if beside else []
    for rank in neighbours:
        await spawn(shout(rank, PAYLOAD_BYTES), name=f"flood {rank}", daemon=True)
    await spawn(shout(nodes - 1, _TEXT), name="victim", daemon=True)
    await machine.outside.sleep(_WARM_UP)
    before = dict(sent)
    await machine.outside.sleep(cycles)
    over.set()
    counted = {rank: sent[rank] - before[rank] for rank in sent}
    return counted[nodes - 1], sum(counted[rank] for rank in neighbours)
