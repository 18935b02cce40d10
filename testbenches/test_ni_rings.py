"""The ring file and the hardware that fills rings: whose a ring is, and who of those that want it is next."""

import json
import os
import random
from dataclasses import dataclass

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from rtl.formats import CHUNK_BYTES

DUT = "rtl.ni.ring:RingFile"
PARAMETERS = [{"injection_rings": 1, "reception_rings": 2, "clients": 3},
              {"injection_rings": 2, "reception_rings": 4, "clients": 7}]

GROUPS = ("INJECTION", "RECEPTION", "CONSOLE")
SELECTS = [f"{group}_{name}" for group in GROUPS for name in ("BASE", "SIZE", "HEAD", "TAIL")]
"""Registers in the order of their bits."""
RING_CHUNKS = 16


@dataclass
class Client:
    """What a client is at."""

    asks: int | None = None
    """The ring it asks for."""
    since: int = 0
    """The cycle it began to ask in."""
    chunks: int = 0
    owns: int | None = None


class Bench:
    """A ring file with rings of `RING_CHUNKS`, and clients that ask as `draw` has it.

    Parameters
    ----------
    dut : handle
    draw : random.Random
    """

    def __init__(self, dut, draw):
        self.dut, self.draw, self.cycle = dut, draw, 0
        parameters = json.loads(os.environ["KHHW_PARAMETERS"])
        self.clients = [Client() for _ in range(parameters["clients"])]
        self.rings = [(group, index) for group, count in zip(
            GROUPS, (parameters["injection_rings"], parameters["reception_rings"], 1), strict=True)
            for index in range(count)]

    def port(self, client, name):
        return getattr(self.dut, f"clients__{client}__{name}")

    async def start(self):
        """Reset, and open all rings; those of injection for remote gets."""
        dut = self.dut
        Clock(dut.clk, 2, "step").start()
        dut.rst.value = 1
        for name in ("host__select", "host__write", "host__index", "host__data", "take", "retire"):
            getattr(dut, name).value = 0
        for client in range(len(self.clients)):
            for name in ("valid", "which", "chunks", "unlock", "reserve", "reserve_to", "publish", "publish_to"):
                self.port(client, name).value = 0
        for _ in range(3):
            await RisingEdge(dut.clk)
        dut.rst.value, dut.host__write.value = 0, 1
        for number, (group, index) in enumerate(self.rings):
            size = CHUNK_BYTES * RING_CHUNKS
            for name, value in (("BASE", number * size), ("SIZE", size | (group == "INJECTION"))):
                dut.host__select.value = 1 << SELECTS.index(f"{group}_{name}")
                dut.host__index.value, dut.host__data.value = index, value
                await RisingEdge(dut.clk)
                assert int(dut.host__done.value) and not int(dut.host__error.value)
        dut.host__select.value = dut.host__write.value = 0

    def owner(self, ring):
        """Whose the ring is."""
        return next((number for number, client in enumerate(self.clients) if client.owns == ring), None)

    def ask(self, number, ring):
        """A client begins to ask."""
        client = self.clients[number]
        client.asks, client.since, client.chunks = ring, self.cycle, self.draw.randrange(1, 2 * RING_CHUNKS)
        self.port(number, "valid").value = 1
        self.port(number, "which").value = 1 << ring
        self.port(number, "chunks").value = client.chunks

    def unlock(self, number):
        """A client gives its ring back; what it wrote is not kept, so that there is always room."""
        self.port(number, "unlock").value = 1 << self.clients[number].owns
        self.clients[number].owns = None

    async def step(self):
        """A cycle: who is served must be next for a ring that is nobody's."""
        await RisingEdge(self.dut.clk)
        self.cycle += 1
        served = [number for number in range(len(self.clients)) if int(self.port(number, "ready").value)]
        assert len(served) <= 1, f"clients {served} are served in one cycle"
        for number in range(len(self.clients)):
            self.port(number, "unlock").value = 0
        for number in served:
            self._served(number)

    def _served(self, number):
        client, ring = self.clients[number], self.clients[number].asks
        assert ring is not None, f"client {number} had not asked"
        assert self.owner(ring) is None, f"client {number} gets ring {ring}, which client {self.owner(ring)} owns"
        earlier = [other for other, rival in enumerate(self.clients)
                   if rival.asks == ring and rival.since < client.since]
        assert not earlier, f"client {number} gets ring {ring} before {earlier}, who asked for it earlier"
        accepted = bool(int(self.port(number, "accepted").value))
        assert accepted == (client.chunks < RING_CHUNKS)
        client.owns, client.asks = ring if accepted else None, None
        self.port(number, "valid").value = 0


@cocotb.test()
@cocotb.parametrize(rings=[1, 2, None], asks=[0.1, 0.6])
async def those_that_wait_come_in_the_order_of_asking(dut, rings, asks):
    """One ring, two or all, wanted now and then or always: nobody is overtaken, and nobody waits for ever."""
    bench = Bench(dut, random.Random(f"{rings} {asks} {random.random()}"))
    await bench.start()
    draw, wanted, longest = bench.draw, bench.draw.sample(range(len(bench.rings)), rings or len(bench.rings)), 0
    for _ in range(1500):
        owners = [number for number, client in enumerate(bench.clients) if client.owns is not None]
        # At most one client in a cycle gives a ring back.
        if owners and draw.random() < 0.5:
            bench.unlock(draw.choice(owners))
        for number, client in enumerate(bench.clients):
            if client.asks is None and client.owns is None and draw.random() < asks:
                bench.ask(number, draw.choice(wanted))
        await bench.step()
        longest = max([longest, *(bench.cycle - client.since for client in bench.clients if client.asks is not None)])
    assert 1 < longest < 100 * len(bench.clients)
