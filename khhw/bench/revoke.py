"""How long it takes to revoke a right on a machine that works, and whether anything slips through or is lost.

The nodes with an even y + z send inside their half of the torus, the others into the other half. Then the owner takes
away every right between the halves. From the cycle in which all nodes have acknowledged the first phase nothing may
arrive from the other half; of what both matrices allow everything must.
"""

from dataclasses import asdict
from typing import Any

import numpy as np

from khhw.bench.owned import OwnedMachine
from khhw.control.changes import Change, Moment
from khhw.control.domains import Domains
from khhw.host.scheduler import Task
from khhw.host.sync import spawn
from khhw.node import Shape
from khhw.node.console import EVERYBODY
from rtl.parameters import Parameters
from rtl.registers import TrafficError

__all__ = ["LOADS", "revoke", "targets_of"]

LOADS = {"idle": 0.0, "saturated": 1.0, "flooded": 1.0}
"""Packets every node offers in a cycle, 1 to 8 chunks long. Flooded: the nodes of one half also send broadcasts on the
console as fast as the tree takes them."""
_LENGTHS = range(1, 9)
_WARM_UP = 2000
"""Cycles of traffic before the change."""
_AFTERWARDS = 2000
"""Cycles of traffic after the first phase."""
_MAX_CYCLES = 4_000_000
_ACCEPTED = "TRAFFIC_ACCEPTED"
_TEXT_BYTES = 240


def targets_of(shape: Shape) -> tuple[list[int], list[int]]:
    """Whom each rank sends to, and the half it is in: x below half of the size, or not. The size is even.

    Targets of nodes with an even y + z are in their own half, those of the others in the other.
    """
    half = [int(shape.coordinate(rank)[0] >= shape.x // 2) for rank in range(shape.nodes)]
    kept = [sum(shape.coordinate(rank)[1:]) % 2 == 0 for rank in range(shape.nodes)]
    targets = [0] * shape.nodes
    for side in (0, 1):
        inside = [rank for rank in range(shape.nodes) if kept[rank] and half[rank] == side]
        across = [[rank for rank in range(shape.nodes) if not kept[rank] and half[rank] == s] for s in (side, 1 - side)]
        for rank, target in zip(inside, inside[1:] + inside[:1], strict=True):
            targets[rank] = target
        for rank, target in zip(*across, strict=True):
            targets[rank] = target
    return targets, half


def revoke(shape: tuple[int, int, int], parameters: Parameters, load: str) -> dict[str, Any]:
    """Measure one machine under one load.

    Parameters
    ----------
    shape : tuple of int
        Nodes in x, y and z; x is even.
    parameters : Parameters
        Of every node, with `traffic`.
    load : str
        One of :data:`LOADS`.

    Returns
    -------
    dict
        ``change``: the cycles of :class:`~khhw.control.changes.Change`. ``revoke_cycles``: from the first control
        packet to the acknowledgement of all nodes; ``commit_cycles`` of it: after the tables were loaded;
        ``change_cycles``: to the end of the second phase. ``revoked_before``, ``revoked_late``: packets that arrived
        from the other half until then, and after it. ``kept_sent``, ``kept_received``: packets inside the halves.
        ``errors``: packets that arrived wrong. What has arrived until then is read over host ports, which takes some
        tens of cycles after the acknowledgement.
    """
    campaign = _Campaign(OwnedMachine(shape, parameters), LOADS[load], flooded=load == "flooded")
    found = campaign.machine.run(campaign.run, max_cycles=_MAX_CYCLES)
    return {"shape": list(shape), "nodes": campaign.machine.shape.nodes, "load": load, **found}


class _Campaign:
    """One change on one machine."""

    def __init__(self, machine: OwnedMachine, packets_a_cycle: float, *, flooded: bool) -> None:
        self.machine = machine
        self._packets_a_cycle = packets_a_cycle
        self._flooded = flooded
        self._targets, half = targets_of(machine.shape)
        self._half = np.array(half)

    async def run(self) -> dict[str, Any]:
        machine, everybody = self.machine, range(self.machine.shape.nodes)
        same = self._half[:, None] == self._half[None, :]
        await machine.owner.set_console(None, 1, [1])
        await machine.change(Domains(np.ones_like(same)))
        if self._packets_a_cycle:
            await machine.send_traffic(self._targets, self._packets_a_cycle, _LENGTHS)
        stop = await self._flood() if self._flooded else None
        await machine.outside.sleep(_WARM_UP)
        reading: list[Task[list[int]]] = []

        async def watch(moment: Moment, _domains: Domains) -> None:
            # Beside the change, which does not wait for it.
            if moment is Moment.ACKNOWLEDGED and not reading:
                reading.append(await spawn(self._received(), name="what has arrived"))

        change = await machine.epochs.change(Domains(same), watch=watch)
        await machine.outside.sleep(_AFTERWARDS)
        if stop is not None:
            stop.append(True)
        await machine.stop_traffic()
        before, received = reading[0].result(), await self._received()
        sent = await machine.everywhere(everybody, lambda rank: machine.read_wide(rank, "TRAFFIC_INJECTED"))
        errors = 0
        for kind in TrafficError:
            errors += sum(await machine.read_all(everybody, "TRAFFIC_ERRORS", kind))
        kept = [rank for rank in everybody if self._half[rank] == self._half[self._targets[rank]]]
        others = [rank for rank in everybody if rank not in set(kept)]
        return {
            **_taken(change),
            "revoked_before": sum(before[self._targets[rank]] for rank in others),
            "revoked_late": sum(received[self._targets[rank]] - before[self._targets[rank]] for rank in others),
            "kept_sent": sum(sent[rank] for rank in kept),
            "kept_received": sum(received[self._targets[rank]] for rank in kept),
            "errors": errors,
        }

    async def _flood(self) -> list[bool]:
        """Broadcasts of the upper half's nodes, as fast as the tree takes them, until something is put in the list."""
        machine, stopped = self.machine, list[bool]()

        async def shout(rank: int) -> None:
            await machine.write(rank, "CONSOLE_TX_ADDRESS", 0)
            await machine.write(rank, "CONSOLE_TX_DEST", EVERYBODY)
            while not stopped:
                await machine.write(rank, "CONSOLE_TX_LENGTH", _TEXT_BYTES)
                while await machine.read(rank, "CONSOLE_TX_LENGTH"):
                    await machine.outside.sleep(_TEXT_BYTES)

        for rank in np.flatnonzero(self._half):
            await spawn(shout(int(rank)), name=f"flood {rank}")
        return stopped

    async def _received(self) -> list[int]:
        machine = self.machine
        return await machine.everywhere(
            range(machine.shape.nodes), lambda rank: machine.read_wide(rank, _ACCEPTED))


def _taken(change: Change) -> dict[str, Any]:
    return {"change": asdict(change), "revoke_cycles": change.refused - change.started,
            "commit_cycles": change.refused - change.loaded, "change_cycles": change.finished - change.started}
