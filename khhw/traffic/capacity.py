"""The unit of load: what an ideal torus carries of uniform traffic."""

import math
from collections.abc import Sequence

__all__ = ["FLITS", "capacity", "mean_hops", "packets_a_cycle"]

FLITS = 4
"""Of a chunk of 32 bytes."""


def mean_hops(size: int, nodes: int) -> float:
    """Mean hops in one dimension of a minimal path to a destination that is any other node, all as likely.

    Parameters
    ----------
    size : int
        Nodes along the dimension.
    nodes : int
        Of the torus.
    """
    if size < 2:
        return 0.0
    around = sum(min(distance, size - distance) for distance in range(size)) / size
    # A node does not send to itself, which would be no hops at all.
    return around * nodes / (nodes - 1)


def capacity(shape: tuple[int, int, int], lanes: int) -> float:
    """Flits a node and cycle that an ideal torus accepts of uniform traffic: load 1.0.

    Parameters
    ----------
    shape : tuple of int
        Nodes in x, y and z.
    lanes : int
        Injection lanes of a node, and as many ejection lanes; each moves a flit a cycle.

    Returns
    -------
    float
        The least of `lanes` and, for each dimension, links over mean hops: with balanced minimal routing every link of
        a dimension carries the same, and none more than a flit a cycle. A node has two outgoing links in a dimension,
        one where the size is 2. For an even size k and large tori that is the bisection bound 8 / k.

    Notes
    -----
    W. J. Dally, B. Towles, *Principles and Practices of Interconnection Networks* (2004), sections 3.3.1 and 5.2:
    ideal throughput is channel bandwidth over the largest channel load; for uniform traffic on a k-ary n-cube the load
    of a channel is k / 8 of what a node sends. Here destinations exclude the source, hence the factor N / (N - 1) in
    :func:`mean_hops`.
    """
    nodes = math.prod(shape)
    bounds = [(1 if size == 2 else 2) / mean_hops(size, nodes) for size in shape if size > 1]
    return min([float(lanes), *bounds])


def packets_a_cycle(load: float, shape: tuple[int, int, int], lanes: int, lengths: Sequence[int]) -> float:
    """Packets that a node creates a cycle; a generator creates one at most.

    Parameters
    ----------
    load : float
        In capacities.
    shape : tuple of int
        Nodes in x, y and z.
    lanes : int
        Of a node.
    lengths : sequence of int
        Of packets in chunks of 32 bytes, all as likely.
    """
    return load * capacity(shape, lanes) / (FLITS * sum(lengths) / len(lengths))
