"""``khhw bench isolation``: how fast a right is revoked, nodes are rented, and what misbehaviour costs others."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

from khhw.bench.neighbours import CASES, neighbours
from khhw.bench.random_matrix import random_matrix
from khhw.bench.rent import CASES as RENTED
from khhw.bench.rent import rent
from khhw.bench.revoke import LOADS, revoke
from khhw.bench.shares import CASES as SHARED
from khhw.bench.shares import share
from rtl.fabric import Shape
from rtl.parameters import Parameters
from rtl.torus.coordinates import id_bits

__all__ = ["NEIGHBOURS_SHAPE", "SHAPES", "measure", "node_parameters"]

SHAPES: tuple[Shape, ...] = ((2, 2, 2), (4, 4, 4), (8, 8, 8))
NEIGHBOURS_SHAPE: Shape = (4, 4, 4)
_RENTED_PART = 8
"""Nodes are rented of machines of so many times as many: scattered ones are then apart."""
_FLOODED_NODES = 64
"""Nodes up to which a console flood is measured by default: its software is simulated text by text."""


def node_parameters(shape: Shape) -> Parameters:
    """Of the nodes of a machine: the default ones, with traffic, and tables that are large enough."""
    ids = 1 << id_bits(shape)
    return Parameters(traffic=True, table_nodes=64 if ids <= 64 else max(ids, 4096))


def measure(
    shapes: Sequence[Shape], *, packets: int, flood_all: bool, tell: Callable[[str], None],
    rented: Sequence[int] = (8, ), only_rent: bool = False,
) -> dict[str, Any]:
    """Measure revocation and renting on these machines, and neighbours, the strongest too, on :data:`NEIGHBOURS_SHAPE`.

    Parameters
    ----------
    shapes : sequence of Shape
        Nodes in x, y and z; x is even.
    packets : int
        Every node of the measured domain sends while its neighbours misbehave; 0 leaves neighbours out.
    flood_all : bool
        Flood the consoles of large machines, too; takes long.
    tell : callable
        Called with what is being done.
    rented : sequence of int
        How many nodes are rented.
    only_rent : bool
        Measure nothing else.

    Returns
    -------
    dict
        ``results``: one object a machine and load, see :func:`~khhw.bench.revoke.revoke`, and one a case, see
        :func:`~khhw.bench.random_matrix.random_matrix`, :func:`~khhw.bench.rent.rent`,
        :func:`~khhw.bench.neighbours.neighbours` or :func:`~khhw.bench.shares.share`; ``kind`` says which.
    """
    results: list[dict[str, Any]] = []
    for shape in shapes:
        for load in () if only_rent else LOADS:
            if load == "flooded" and math.prod(shape) > _FLOODED_NODES and not flood_all:
                continue
            tell(f"{'x'.join(map(str, shape))}: revoking, {load}")
            results.append({"kind": "revoke", "samples": 1, **revoke(shape, node_parameters(shape), load)})
        if not only_rent:
            tell(f"{'x'.join(map(str, shape))}: random matrices")
            results.append({"kind": "random", "samples": 1, **random_matrix(shape, node_parameters(shape))})
        for nodes, case in itertools.product(rented, RENTED):
            if math.prod(shape) >= _RENTED_PART * nodes:
                tell(f"{'x'.join(map(str, shape))}: renting {nodes}, {case}")
                results.append({"kind": "rent", "samples": 1, **rent(shape, node_parameters(shape), case, nodes)})
    if only_rent:
        return {"results": results}
    for case in CASES if packets else ():
        tell(f"{'x'.join(map(str, NEIGHBOURS_SHAPE))}: neighbours, {case}")
        parameters = node_parameters(NEIGHBOURS_SHAPE)
        found = neighbours(NEIGHBOURS_SHAPE, parameters, case, packets)
        results.append({"kind": "neighbours", "samples": found["packets"], **found})
    for case in SHARED if packets else ():
        tell(f"what is left beside the strongest neighbour: {case}")
        found = share(node_parameters(NEIGHBOURS_SHAPE), case)
        results.append({"kind": "share", "samples": found["beside"], **found})
    return {"results": results}
