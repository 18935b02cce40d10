"""The meter: every event of every line, snapshots of one cycle, and what a tenant reads."""

import json
import os
import random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from rtl.codec import Codec
from rtl.formats import PACKET_FLITS
from rtl.meter import MOST_HOPS, Received, Sent, TreePacket, round_cycles
from rtl.meter_lines import LINES, TENANT_LINES, MeterLine
from rtl.parameters import Parameters
from rtl.registers import joined

DUT = "rtl.meter:Meter"
PARAMETERS = [{"lanes": 1}, {"lanes": 6}]

LANES = Parameters(**json.loads(os.environ.get("KHHW_PARAMETERS", "{}"))).lanes
PEERS = "OWN", "SHARED"
KINDS = "delivered", "copied", "refused", "dropped"
_SENT, _RECEIVED, _TREE = Codec.of(Sent), Codec.of(Received), Codec.of(TreePacket)


class Bench:
    """A meter, what it must have counted, and a generator of events as fast as a guard can make them."""

    def __init__(self, dut: Any) -> None:
        self.dut, self.random = dut, random.Random(random.getrandbits(64))
        self.counts = [0] * LINES
        self.time = self.random.getrandbits(63)
        self._come = [0] * (LANES + 2)

    async def start(self) -> None:
        """Reset, and wait until the memory is prepared."""
        dut = self.dut
        cocotb.start_soon(Clock(dut.clk, 2, "ns").start())
        for name in ("sent", "received", "tree_sent", "tree_received", "busy", "vacant", "now", "port__snapshot",
                     "port__tag", "port__read", "port__tenant", "port__word"):
            getattr(dut, name).value = 0
        dut.rst.value = 1
        await self.step()
        dut.rst.value = 0
        await self.step()
        for _ in range(3 * round_cycles()):
            await self.step()
        assert int(dut.quiescent.value) and not any(self.counts)

    async def step(self) -> None:
        """A cycle."""
        self.dut.now.value = self.time
        await RisingEdge(self.dut.clk)
        self.time += 1

    def _length(self, way: int) -> int:
        """A packet may end now: of so many flits, at most those that have come."""
        flits = self.random.randint(1, max(1, min(PACKET_FLITS, self._come[way])))
        self._come[way] -= flits
        return flits

    def draw(self, share: float) -> dict[str, int]:
        """The events of a cycle, which are counted here."""
        draw, counts = self.random, self.counts
        values = dict.fromkeys(("sent", "received"), 0)
        for lane in range(LANES):
            sent = {"packet": draw.random() < 0.2, "flit": draw.random() < share, "shared": draw.getrandbits(1),
                    "hops": draw.choice((0, MOST_HOPS, draw.randint(0, MOST_HOPS)))}
            peer = PEERS[sent["shared"]]
            counts[MeterLine[f"{peer}_SENT_PACKETS"]] += sent["packet"]
            counts[MeterLine[f"{peer}_SENT_FLITS"]] += sent["flit"]
            counts[MeterLine[f"{peer}_FLIT_HOPS"]] += sent["flit"] * sent["hops"]
            values["sent"] |= _SENT.pack(**{name: int(value) for name, value in sent.items()}) << Sent.size * lane
            # What a lane says of a packet while none ends means nothing.
            received = {"shared": draw.getrandbits(1), "flits": draw.getrandbits(6)}
            self._come[lane] = min(63, self._come[lane] + 1)
            if draw.random() < share / 2:
                kind, received["flits"] = draw.choice(KINDS), self._length(lane)
                received[kind] = 1
                name = f"{PEERS[received['shared']]}_RECEIVED" if kind == "delivered" else kind.upper()
                counts[MeterLine[f"{name}_PACKETS"]] += 1
                counts[MeterLine[f"{name}_FLITS"]] += received["flits"]
            values["received"] |= _RECEIVED.pack(**received) << Received.size * lane
        for way, name in enumerate(("sent", "received"), LANES):
            self._come[way] = min(63, self._come[way] + 1)
            packet, flits = int(draw.random() < share / 2), draw.getrandbits(6)
            if packet:
                flits = self._length(way)
                counts[MeterLine[f"EXTERNAL_{name.upper()}_PACKETS"]] += 1
                counts[MeterLine[f"EXTERNAL_{name.upper()}_FLITS"]] += flits
            values[f"tree_{name}"] = _TREE.pack(packet=packet, flits=flits)
        values["busy"] = int(draw.random() < share)
        counts[MeterLine.BUSY_CYCLES] += values["busy"]
        return values

    async def traffic(self, cycles: int, share: float = 0.95) -> None:
        """Events for so many cycles; then none."""
        for _ in range(cycles):
            for name, value in self.draw(share).items():
                getattr(self.dut, name).value = value
            await self.step()
        self.quiet()

    def quiet(self) -> None:
        for name in ("sent", "received", "tree_sent", "tree_received", "busy"):
            getattr(self.dut, name).value = 0

    async def snapshot(self, tag: int) -> None:
        """Write METER_SNAPSHOT."""
        self.dut.port__snapshot.value, self.dut.port__tag.value = 1, tag
        await self.step()
        self.dut.port__snapshot.value = 0

    async def read(self, word: int, *, tenant: bool) -> int:
        """A word of METER_USED or METER_READING."""
        dut = self.dut
        dut.port__read.value, dut.port__tenant.value, dut.port__word.value = 1, int(tenant), word
        for _ in range(3 * round_cycles()):
            await self.step()
            if int(dut.port__done.value):
                break
        else:
            raise AssertionError(f"word {word} was not answered")
        value = int(dut.port__value.value)
        dut.port__read.value = 0
        await self.step()
        return value

    async def all(self, *, tenant: bool) -> list[int]:
        """All lines that a tenant, or the owner, may read."""
        words = [await self.read(word, tenant=tenant) for word in range(2 * (TENANT_LINES if tenant else LINES))]
        return [joined(*halves) for halves in zip(words[::2], words[1::2], strict=True)]

    async def taken(self) -> None:
        """Wait until the snapshot is complete; it is not in the cycle after it was asked for."""
        await self.step()
        assert not int(self.dut.port__taken.value)
        for _ in range(3 * round_cycles()):
            await self.step()
            if int(self.dut.port__taken.value):
                return
        raise AssertionError("no snapshot")


@cocotb.test()
async def a_snapshot_is_of_one_cycle(dut):
    """What is read after a snapshot in full traffic is what was counted before the cycle that it names."""
    bench = Bench(dut)
    await bench.start()
    history: dict[int, list[int]] = {}

    async def watched(cycles: int) -> None:
        for _ in range(cycles):
            history[bench.time] = list(bench.counts)
            await bench.traffic(1)

    for tag in range(1, 6):
        await watched(bench.random.randrange(600))
        dut.port__snapshot.value, dut.port__tag.value = 1, tag
        await watched(1)
        dut.port__snapshot.value = 0
        await watched(3 * round_cycles())
        assert int(dut.port__taken.value) and int(dut.port__last_tag.value) == tag
        assert await bench.all(tenant=False) == history[int(dut.port__time.value)]


@cocotb.test()
async def a_tag_is_taken_once(dut):
    """The tag that was used last does nothing, another one does; nothing is read of one that is not complete."""
    bench = Bench(dut)
    await bench.start()
    await bench.traffic(100)
    await bench.snapshot(7)
    await bench.taken()
    first = await bench.all(tenant=False)
    assert first == bench.counts
    await bench.traffic(100)
    await bench.snapshot(7)
    for _ in range(2 * round_cycles()):
        await bench.step()
    assert await bench.all(tenant=False) == first != bench.counts
    await bench.snapshot(8)
    await bench.taken()
    assert await bench.all(tenant=False) == bench.counts


@cocotb.test()
async def a_tenant_reads_its_own(dut):
    """From the end of a vacancy on, and up to date with the first word: whatever came before, and in which cycle."""
    bench = Bench(dut)
    await bench.start()
    base = [0] * LINES
    for _ in range(6):
        for _ in range(2):
            await bench.traffic(bench.random.randrange(500))
            used = [count - before for count, before in zip(bench.counts, base, strict=True)]
            assert await bench.all(tenant=True) == used[:TENANT_LINES]
        dut.vacant.value = 1
        await bench.traffic(bench.random.randrange(400), 0.3)
        if bench.random.random() < 0.5:
            await bench.snapshot(bench.random.getrandbits(32))
        for _ in range(5 * round_cycles()):
            base = list(bench.counts)
            for name, value in bench.draw(0.3).items():
                getattr(dut, name).value = value
            # What falls with this edge may: the cycle that begins with it is the tenant's.
            leaves = not int(dut.unfinished.value) and bench.random.random() < 0.05
            if leaves:
                dut.vacant.value = 0
            await bench.step()
            if leaves:
                break
        assert leaves, "the vacancy does not end"
        bench.quiet()
        assert await bench.read(2, tenant=True) == 0, "what is not up to date yet is nothing"


@cocotb.test()
async def nothing_moves_without_events(dut):
    """A meter is quiescent with whatever it has counted, also while nobody is there."""
    bench = Bench(dut)
    await bench.start()
    await bench.traffic(50)
    for vacant in (0, 1, 0):
        dut.vacant.value = vacant
        for _ in range(3 * round_cycles()):
            await bench.step()
        for _ in range(20):
            assert int(dut.quiescent.value)
            await bench.step()
