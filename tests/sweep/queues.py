"""Networks of one queue a node, whose knee is known: what a sweep measures where time is what is tested.

A packet needs a fixed time on its way, and waits for those before it at its node's server (M/D/1). The mean wait in the
steady state is that of Pollaczek and Khinchine. Queues start empty and have no end, so above a load of 1 they grow.
"""

from itertools import pairwise

import numpy as np

from khhw.traffic.capacity import capacity
from khhw.traffic.measurement import Batch, Measurement
from khhw.traffic.point import Point

FLITS = 32
WAY = 30
"""Cycles of a packet besides waiting and service."""


def service(point: Point) -> float:
    """Cycles of a packet at the server; at load 1 a node creates one packet in this time."""
    return FLITS / capacity(point.shape, point.build.node.lanes)


def latency(point: Point, load: float) -> float:
    """Mean latency in the steady state."""
    return WAY + service(point) * (1 + load / (2 * (1 - load)))


def knee(point: Point, limit: float, zero: float) -> float:
    """The load with `limit` times the latency at the load `zero`."""
    wait = (limit * latency(point, zero) - WAY) / service(point) - 1
    return 2 * wait / (1 + 2 * wait)


def measure(point: Point) -> Measurement:
    """As :func:`khhw.traffic.measure.measure` does: packets count in the batch in which they arrive, latencies of those
    created in the measurement only."""
    random = np.random.default_rng([point.seed, round(1e6 * point.load), point.cycles])
    each, end = service(point), point.cycles + 20_000
    created, arrived = [], []
    for _ in range(point.nodes):
        times = np.sort(random.uniform(-point.warmup, end, random.poisson(point.load / each * (point.warmup + end))))
        order = np.arange(len(times))
        # A server that is never idle from packet j on has served packet k at time_j + (k - j + 1) services.
        created.append(times)
        arrived.append(each * (order + 1) + np.maximum.accumulate(times - each * order) + WAY)
    made, there = np.concatenate(created), np.concatenate(arrived)
    marked, unit = (made >= 0) & (made < point.cycles), FLITS / point.nodes
    batches = []
    for low, high in pairwise(np.linspace(0, point.cycles, point.batches + 1)):
        inside = (there >= low) & (there < high)
        own = there[inside & marked] - made[inside & marked]
        batches.append(Batch(
            offered=np.count_nonzero((made >= low) & (made < high)) * unit / (high - low),
            accepted=np.count_nonzero(inside) * unit / (high - low), packets=len(own),
            latency_mean=float(own.mean()) if len(own) else None))
    all_of_them = (there - made)[marked]
    return Measurement(
        offered=float(np.mean([batch.offered for batch in batches])), packets=len(all_of_them),
        accepted=float(np.mean([batch.accepted for batch in batches])),
        latency_mean=float(all_of_them.mean()) if len(all_of_them) else None, latency_p50=1.0, latency_p99=None,
        latency_max=1, errors=0, drained=bool(np.all(there[marked] < end)), batches=tuple(batches), cycles=1,
        wall_seconds=0.0)
