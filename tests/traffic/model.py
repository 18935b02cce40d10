"""An engine whose traffic generators do arithmetic: what a measurement makes of their registers."""

import numpy as np

from khhw.traffic.histogram import BINS
from rtl.registers import LARGEST, REGISTERS

ACCESS_CYCLES = 7


class Model:
    """Nodes that create packets as programmed, of which the network takes so many.

    Parameters
    ----------
    nodes : int
        Number of nodes.
    most : float
        Packets a node and cycle that the network takes.
    queue : float
        Packets that wait at a node at most; more are overruns.
    latency : int
        Of every packet, in cycles.
    chunks : float
        Of the mean packet.
    silent : iterable of int
        Ranks whose counters stay at 0.
    base : int
        Where counters of flits and the sum of latencies begin.
    clear_at : int
        Cycle until which checkers are clearing.
    """

    def __init__(self, nodes=4, *, most=1.0, queue=100.0, latency=20, chunks=8.0, silent=(), base=0, clear_at=0):
        self.nodes, self.now = nodes, 0
        self.most, self.queue, self.latency, self.chunks, self.silent = most, queue, latency, chunks, silent
        self.written: list[tuple[str, int, list[int]]] = []
        self.errors = np.zeros(8, np.int64)
        self.counts = dict.fromkeys(("WINDOW", "GENERATED", "RECEIVED", "ACCEPTED", "OVERRUNS", "SELF"), 0.0)
        self.base, self.clear_at = base, clear_at
        self.waiting = 0.0
        self.control = self.probability = 0

    def run(self, cycles):
        self.now += cycles
        created = self.probability / 2**32 * cycles if self.control & 1 else 0.0
        taken = min(self.waiting + created, self.most * cycles)
        left = self.waiting + created - taken
        overruns = max(0.0, left - self.queue)
        self.waiting = left - overruns
        self.counts["OVERRUNS"] += overruns
        if self.control & 2:
            self.counts["WINDOW"] += cycles
            self.counts["GENERATED"] += created - overruns
            self.counts["ACCEPTED"] += taken
        # Nobody is overtaken for long: what arrives counts as marked as soon as there is any.
        self.counts["RECEIVED"] = min(self.counts["GENERATED"], self.counts["RECEIVED"] + taken)

    def write(self, ranks, address, values):
        assert list(ranks) == list(range(self.nodes))
        self.run(ACCESS_CYCLES)
        register = next(r for r in REGISTERS.values() if r.address <= address < r.at(r.elements(LARGEST)))
        given = np.broadcast_to(values, (self.nodes,)).astype(np.int64)
        assert 0 <= given.min() <= given.max() < 2**32
        self.written.append((register.name, (address - register.address) // register.stride, given.tolist()))
        if register.name == "TRAFFIC_CONTROL":
            assert self.now >= self.clear_at
            self.control = int(given[0])
        if register.name == "TRAFFIC_PROBABILITY":
            self.probability = int(given[0])

    def read(self, ranks, address):
        self.run(ACCESS_CYCLES)
        register = next(r for r in REGISTERS.values() if r.address <= address < r.at(r.elements(LARGEST)))
        index = (address - register.address) // register.stride
        value = self._value(register.name.removeprefix("TRAFFIC_"), index)
        if register.count == 2:
            value = value >> 32 if index else value
        values = np.full(self.nodes, value & 0xFFFFFFFF, np.int64)
        values[list(self.silent)] = 0
        return values.astype(np.uint32)[list(ranks)]

    def _value(self, name, index):
        flits = 4 * self.chunks
        if name == "STATUS":
            return 4 if self.now < self.clear_at else 0
        if name == "ERRORS":
            return int(self.errors[index])
        if name == "LATENCY_MAX":
            return self.latency
        if name == "HISTOGRAM":
            assert index < BINS
            # Latencies from 16 to 31 have two to a bin.
            return int(self.counts["RECEIVED"]) if index == 16 + (self.latency - 16) // 2 else 0
        if name == "LATENCY_SUM":
            return int(self.counts["RECEIVED"]) * self.latency + self.base
        if name.endswith("_FLITS"):
            return int(self.counts[name.removesuffix("_FLITS")] * flits) + self.base
        return int(self.counts[name])

