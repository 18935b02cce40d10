"""Measurements of memcached as a whole study leaves them, made up for tests of the report only."""

import math
import random

from khhw.machine.results import Breakdown, LatencySummary, MemcachedPoint, Spread

CLOCK = 53_125_000
SIZES = [64 << k for k in range(11)]
TCP_NS, TCP_NS_A_BYTE = 60_000, 4.0
RDMA_NS, RDMA_NS_A_BYTE = 9_000, 0.8
SERVER_SHARE = 0.6
FLOOD = {"name": "flood", "kernels": [
    {"nodes": [2], "kernel": "memcached", "service": True},
    {"nodes": [0, 3], "kernel": "flood", "arguments": "to=6", "service": True},
    {"nodes": [1], "kernel": "memcached_load"}]}
QUIET = {"name": "memcached", "kernels": [{"nodes": [2], "kernel": "memcached", "service": True},
                                          {"nodes": [1], "kernel": "memcached_load"}]}


def point(**changes):
    """One measurement, consistent in itself: the median is the sum of the breakdown and a little more."""
    wanted = {"path": "tcp", "op": "get", "value_bytes": 4096, "cpu_model": "ppc450", "cpu_scale": 1.0, "clients": 1,
              "hops": 1.0, "phase": "memcached", "ops": 1200, "samples": 1200, **changes}
    wanted.setdefault("gets_per_cent", 100 if wanted["op"] == "get" else 0)
    tcp, size = wanted["path"] == "tcp", wanted["value_bytes"]
    packets = -(-size // 240)
    serialization = 33 * packets + 12
    hops = 2 * 9 * wanted["hops"]
    ni = (170 if tcp else 60) + (14 if tcp else 2) * packets
    ns = (TCP_NS + TCP_NS_A_BYTE * size if tcp else RDMA_NS + RDMA_NS_A_BYTE * size) * (1.3 if wanted["op"] == "set"
                                                                                         else 1)
    ns *= 0 if wanted["cpu_model"] == "ideal" else wanted["cpu_scale"]
    software = ns * CLOCK * 1e-9
    alone = software + ni + hops + serialization
    server_ns = SERVER_SHARE * ns if tcp else 0.0
    fastest = wanted["clients"] * CLOCK / alone
    rate = min(fastest, 0.97e9 / server_ns) if server_ns else fastest
    wait = wanted["clients"] * CLOCK / rate - alone
    typical = alone + wait
    return MemcachedPoint(**{
        "latency_cycles": summary(typical, wanted["samples"]), "quantiles": quantiles(typical),
        "ops_per_second": round(rate, 1), "server_cpu_ns_per_op": round(server_ns, 1),
        "wire_bound_cycles": serialization + hops + 34,
        "spread": spread(rate, wanted["samples"]),
        "breakdown": Breakdown(software=software, ni=ni, hops=hops, serialization=serialization, wait=wait),
        **wanted})


def spread(rate, samples):
    """As samples that do not depend on each other scatter; none where there are too few."""
    batches = min(20, samples // 10)
    return None if batches < 5 else Spread(
        batches=batches, p50_share=0.5 / samples**0.5, ops_per_second=rate / 1000,
        p99_share=0.1 / samples**0.5 if samples >= 1000 else None)


def quantiles(typical):
    """A skewed distribution around a typical latency."""
    return [round(typical * (0.96 + 0.0008 * k + 0.25 * (k / 100) ** 12)) for k in range(101)]


def summary(typical, samples):
    levels = quantiles(typical)
    return LatencySummary(p50=levels[50], p99=levels[99] if samples >= 1000 else None, max=levels[100])


def study():
    """Everything ``khhw memcached`` measures: sizes, clients and software costs, both ways, and other people's load."""
    points = []
    for path in ("tcp", "rdma"):
        for op in ("get", "set"):
            for model in ("ppc450", "ideal"):
                points += [point(path=path, op=op, value_bytes=size, cpu_model=model, phase=f"sizes_{model}")
                           for size in SIZES]
            points += [point(path=path, op=op, value_bytes=size, cpu_scale=scale, phase="software_cost")
                       for size in (64, 4096, 65536) for scale in (0.25, 0.5, 1.0, 2.0, 4.0)]
            points += [_mixed(path, op, clients) for clients in range(1, 8)]
        points += [_open(path, rate) for rate in (5_000, 10_000, 20_000, 40_000)]
    return points


def _open(path, rate):
    """Three open-loop clients with values of many sizes; a queue grows as the way fills."""
    whole = point(path=path, values="etc", value_bytes=331.5, clients=3, hops=1.33, distribution="zipf",
                  phase=f"open_{rate}", breakdown=None)
    most = min(whole.ops_per_second, 0.97e9 / whole.server_cpu_ns_per_op if whole.server_cpu_ns_per_op else 1e9)
    slower = 1 / max(0.05, 1 - rate / most)
    median = whole.latency_cycles.p50 * slower
    return whole.model_copy(update={
        "loop": "open", "offered_per_second": float(rate), "ops_per_second": min(rate, most),
        "spread": spread(min(rate, most), whole.samples),
        "quantiles": [round(value * slower) for value in whole.quantiles],
        "latency_cycles": LatencySummary(p50=median, p99=2 * median, max=round(3 * median))})


def _mixed(path, op, clients):
    share = 0.9 if op == "get" else 0.1
    whole = point(path=path, op="get", value_bytes=1024, clients=clients, hops=round(1 + clients / 9, 2))
    changes = {"op": op, "phase": f"clients_{clients}", "distribution": "zipf",
               "gets_per_cent": 90, "ops": round(10_000 * share), "samples": round(10_000 * share),
               "ops_per_second": whole.ops_per_second * share}
    return whole.model_copy(update=changes)


def demo():
    """What the demo has time for: one size, both ways, fewer than 1,000 operations; then beside a flood."""
    points = [point(path=path, op=op, clients=3, hops=1.33, phase="memcached", ops=400, samples=400)
              for path in ("tcp", "rdma") for op in ("get", "set")]
    rng = random.Random(5)
    for quiet in list(points):
        slower = 1.02 + 0.02 * rng.random()
        points.append(quiet.model_copy(update={
            "phase": "flood", "ops_per_second": quiet.ops_per_second / slower,
            "quantiles": [math.ceil(value * slower) for value in quiet.quantiles],
            "latency_cycles": LatencySummary(p50=math.ceil(quiet.latency_cycles.p50 * slower), p99=None,
                                             max=math.ceil(quiet.latency_cycles.max * slower))}))
    return points
