"""How long a change of domains takes that changes nearly every word of every table."""

from dataclasses import asdict
from typing import Any

import numpy as np

from khhw.bench.owned import OwnedMachine
from khhw.control.changes import Change
from khhw.control.domains import Domains
from rtl.parameters import Parameters

__all__ = ["random_matrix"]

_MAX_CYCLES = 4_000_000
_SHARE = 0.5
"""Of pairs of nodes that may talk."""


def random_matrix(shape: tuple[int, int, int], parameters: Parameters, seed: int = 1) -> dict[str, Any]:
    """Measure one machine, idle, that goes from one random matrix to another.

    Parameters
    ----------
    shape : tuple of int
        Nodes in x, y and z.
    parameters : Parameters
        Of every node, with `traffic`.
    seed : int
        Of both matrices, in which a node may send to each other one with probability one half.

    Returns
    -------
    dict
        ``change``: the cycles of :class:`~khhw.control.changes.Change`. ``revoke_cycles``: from the first control
        packet until nothing is delivered that the new matrix refuses; ``change_cycles``: until the change has ended.
    """
    machine = OwnedMachine(shape, parameters)
    nodes, rng = machine.shape.nodes, np.random.default_rng(seed)
    before, after = (Domains(rng.random((nodes, nodes)) < _SHARE) for _ in range(2))

    async def run() -> Change:
        await machine.epochs.change(before)
        return await machine.epochs.change(after)

    change = machine.run(run, max_cycles=_MAX_CYCLES)
    return {"shape": list(shape), "nodes": nodes, "seed": seed, "change": asdict(change),
            "revoke_cycles": change.refused - change.started, "change_cycles": change.finished - change.started}
