"""How long it takes to give some nodes of an idle machine to a tenant: clearing, and a class of the tree, included."""

from dataclasses import asdict
from typing import Any

import numpy as np

from khhw.bench.owned import OwnedMachine
from khhw.control.changes import Change
from khhw.control.domains import Domains
from khhw.control.owner import ConsoleKeys
from rtl.parameters import Parameters

__all__ = ["CASES", "rent"]

CASES = {"neighbours": 1, "scattered": 7}
"""How far apart the ranks of the nodes are. It decides how many words of their tables change."""
_FIRST = 8
"""Tenants before: the owner knows both banks of all tables then."""
_MAX_CYCLES = 4_000_000


def rent(shape: tuple[int, int, int], parameters: Parameters, case: str, nodes: int = 8) -> dict[str, Any]:
    """Measure one machine, of which nobody has anything but one tenant before. Each tenant's nodes are a lease.

    Parameters
    ----------
    shape : tuple of int
        Nodes in x, y and z, at least twice as many as are rented.
    parameters : Parameters
        Of every node, with `traffic`; its memory is what is cleared.
    case : str
        One of :data:`CASES`.
    nodes : int
        So many are rented.

    Returns
    -------
    dict
        ``change``: the cycles of :class:`~khhw.control.changes.Change`. ``revoke_cycles``: from the first control
        packet until nothing more is delivered to or from these nodes; ``change_cycles``: until the tenant has them.
        ``ranks``: which they were.
    """
    machine = OwnedMachine(shape, parameters)
    total = machine.shape.nodes
    step = min(CASES[case], (total - _FIRST) // nodes)
    ranks = list(range(_FIRST, _FIRST + nodes * step, step))

    matrix, leases, classes = np.zeros((total, total), bool), np.zeros(total, int), dict[int, int]()

    async def give(to: list[int], tenant: int) -> Change:
        matrix[np.ix_(to, to)] = True
        leases[to] = tenant
        keys = {rank: ConsoleKeys(tenant, [tenant], tenant) for rank in to}
        classes.update(dict.fromkeys(to, tenant))
        domains = Domains(matrix.copy(), leases.copy())
        return await machine.epochs.hand_over(to, domains, keys, tenant, classes=classes)

    async def run() -> Change:
        await machine.owner.hold(None, clear=True)
        await give(list(range(_FIRST)), 1)
        return await give(ranks, 2)

    change = machine.run(run, max_cycles=_MAX_CYCLES)
    return {"shape": list(shape), "nodes": total, "case": case, "ranks": ranks, "memory_bytes": parameters.memory_bytes,
            "change": asdict(change), "revoke_cycles": change.refused - change.started,
            "change_cycles": change.finished - change.started}
