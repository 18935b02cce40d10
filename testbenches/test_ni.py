"""The network interface: injection from rings, faulty descriptors, rings of all sizes."""

import cocotb
from cocotb.triggers import RisingEdge

from rtl.formats import DESCRIPTOR_BYTES, PAYLOAD_BYTES, Header, PutHeader, pack
from rtl.registers import REGISTERS, Fault, Irq
from testbenches.kit.stream import PAUSES, Packet
from testbenches.ni_bench import Bench, descriptor, fifo_packet

DUT = "rtl.ni.ni:NI"
PARAMETERS = [
    {}, {"lanes": 1, "counters": 2, "injection_rings": 1, "reception_rings": 1, "memory_bytes": 8192},
    {"lanes": 6, "counters": 256, "injection_rings": 8, "reception_rings": 4, "memory_bytes": 131072},
]


@cocotb.test()
@cocotb.parametrize(pauses=list(PAUSES), latency=[1, 7])
async def messages_are_cut(dut, pauses, latency):
    """Messages of all lengths and alignments from all rings, past the end of the rings."""
    bench = Bench(dut, pauses, latency=latency, seed=latency)
    await bench.start()
    parameters, draw = bench.parameters, bench.random
    window = bench.data
    room = min(parameters.memory_bytes - window, 3000)
    content = bench.fill(window, room)
    await bench.window("INJECTION", 1, window=window, limit=room)

    expected: list[list[Packet]] = [[] for _ in range(parameters.lanes)]
    sent = 0
    for ring in range(parameters.injection_rings):
        lane = ring % parameters.lanes
        for _ in range(3):
            batch = []
            for length in draw.sample([0, 1, 8, 15, 16, 17, 32, 239, 240, 241, 255, 480, 481, draw.randrange(900)], 12):
                offset = draw.randrange(0, room - length, 8)
                header = draw.getrandbits(64) & ~pack(Header, dma=1)
                if length and draw.random() < 0.5:
                    header |= pack(Header, dma=1)
                software = draw.getrandbits(64) & ~pack(PutHeader, remote_get=1)
                batch.append(descriptor(1, offset, length, header, software))
                expected[lane] += bench.expected_packets(header, software, content[offset:offset + length])
                sent += length
            await bench.post(ring, *batch)
            while await bench.get("INJECTION_HEAD", ring) != bench.tails[ring]:
                pass
    await bench.settle()
    for lane, packets in enumerate(expected):
        for arrived, packet in zip(bench.inject[lane].packets, packets, strict=True):
            assert arrived == packet
    assert await bench.get("INJECTION_VALUE", 1) == -sent & 0xFFFFFFFF
    assert await bench.get("FAULTS") == 0


@cocotb.test()
async def every_kind_is_sent_on_every_lane(dut):
    """Packets for rings, puts and remote gets, of each size, from each ring."""
    bench = Bench(dut)
    await bench.start()
    content = bench.fill(bench.data, 512)
    await bench.window("INJECTION", 0, window=bench.data, limit=512)
    expected: list[list[Packet]] = [[] for _ in bench.inject]
    kinds = {"fifo": (0, 0), "put": (1, 0), "get": (1, 1)}
    for ring in range(bench.parameters.injection_rings):
        for dma, remote_get in kinds.values():
            header = bench.random.getrandbits(64) & ~pack(Header, dma=1) | pack(Header, dma=dma)
            software = bench.random.getrandbits(64) & ~pack(PutHeader, remote_get=1) | pack(
                PutHeader, remote_get=remote_get)
            lengths = range(32, 225, 32) if remote_get else range(16, 241, 32)
            await bench.post(ring, *[descriptor(0, 8, length, header, software) for length in lengths])
            for length in lengths:
                expected[ring % bench.parameters.lanes] += bench.expected_packets(
                    header, software, content[8:8 + length])
            await bench.settle()
    assert await bench.get("FAULTS") == 0
    assert [list(sink.packets) for sink in bench.inject] == expected


@cocotb.test()
async def rings_can_be_as_large_as_the_memory(dut):
    """Once round a ring that is all of the memory, and across its end: every offset is one."""
    bench = Bench(dut)
    await bench.start()
    end, words = bench.parameters.memory_bytes, bench.parameters.memory_bytes // 32
    for name in ("RECEPTION", "INJECTION"):
        await bench.set(f"{name}_BASE", 0)
        await bench.set(f"{name}_SIZE", end)
    for index in range(words // 8 + 4):
        bench.eject[0].send(fifo_packet(index.to_bytes(240, "big")))
        if index % 8 == 0:
            await bench.eject[0].settle()
            await bench.settle()
            await bench.set("RECEPTION_HEAD", await bench.get("RECEPTION_TAIL"))
    await bench.settle()
    assert await bench.get("RECEPTION_TAIL") == 4 * 256
    assert await bench.get("RING_DROPS") == 0
    assert [bench.memory.dump(256 * slot + 16, 240) for slot in range(words // 8)] == [
        (slot + words // 8 * (slot < 4)).to_bytes(240, "big") for slot in range(words // 8)]

    # Zeros are descriptors of empty messages.
    bench.memory.load(0, bytes(end))
    for tail in (end - 32, 64):
        await bench.set("INJECTION_TAIL", tail)
        await bench.settle()
        assert await bench.get("INJECTION_HEAD") == tail
    assert await bench.get("FAULTS") == 0
    assert len(bench.inject[0].packets) == words + 2


@cocotb.test()
async def sending_counts_down_and_interrupts(dut):
    """The counter reaches zero with the last packet of the last message, not before."""
    bench = Bench(dut)
    await bench.start()
    bench.fill(bench.data, 600)
    await bench.window("INJECTION", 0, window=bench.data, limit=600, value=900)
    await bench.set("IRQ_ENABLE", 1 << Irq.INJECTION_HIT)
    await bench.post(0, descriptor(0, 0, 600, 0))
    await bench.settle()
    assert await bench.get("INJECTION_VALUE", 0) == 300
    assert await bench.get("INJECTION_HITS") == 0
    assert not int(dut.irq.value)
    await bench.post(0, descriptor(0, 296, 300, 0))
    await bench.settle()
    assert await bench.get("INJECTION_VALUE", 0) == 0
    assert await bench.get("INJECTION_HITS") == 1
    assert int(dut.irq.value)
    await bench.set("INJECTION_HITS", 1)
    await RisingEdge(dut.clk)
    assert await bench.get("INJECTION_HITS") == 0
    assert not int(dut.irq.value)


@cocotb.test()
@cocotb.parametrize(pauses=["never", "often"])
async def faulty_descriptors_are_skipped(dut, pauses):
    """Every fault is reported with its ring, nothing of it is sent, and what follows is."""
    bench = Bench(dut, pauses)
    await bench.start()
    put, get = pack(Header, dma=1), pack(PutHeader, remote_get=1)
    window, limit, end = bench.data, 512, bench.parameters.memory_bytes
    await bench.window("INJECTION", 0, window=window, limit=limit)
    await bench.window("INJECTION", 1, window=end - 64, limit=4096)
    good = descriptor(0, 8, 16, 0)
    faults = [
        (Fault.ALIGNMENT, descriptor(0, 4, 8, 0)),
        (Fault.RANGE, descriptor(0, 0, limit + 1, 0)),
        (Fault.RANGE, descriptor(0, limit, 8, 0)),
        (Fault.RANGE, descriptor(0, 0xFFFFFFF8, 16, 0)),
        (Fault.RANGE, descriptor(0, 8, 0xFFFFFFFF, 0)),
        (Fault.RANGE, descriptor(1, 0, 65, 0)),
        (Fault.RANGE, descriptor(1, 72, 8, 0)),
        (Fault.LENGTH, descriptor(0, 0, 0, put)),
        (Fault.LENGTH, descriptor(0, 0, 0, put, get)),
        (Fault.LENGTH, descriptor(0, 0, 33, put, get)),
        (Fault.LENGTH, descriptor(0, 0, 8 * DESCRIPTOR_BYTES, put, get)),
        (Fault.UNSUPPORTED, descriptor(0, 0, 8, 0, prefetch=1)),
        (Fault.UNSUPPORTED, descriptor(0, 0, 8, 0, local_copy=1)),
    ]
    if bench.parameters.counters < 256:
        faults.append((Fault.COUNTER, descriptor(bench.parameters.counters, 0, 8, 0)))
    await bench.set("IRQ_ENABLE", 1 << Irq.FAULT)
    for number, (fault, bad) in enumerate(faults, 1):
        ring = (number - 1) % bench.parameters.injection_rings
        await bench.post(ring, bad, good)
        await bench.settle()
        assert int(dut.irq.value)
        assert await bench.get("FAULTS") == number
        assert await bench.get("LAST_FAULT") == REGISTERS["LAST_FAULT"].pack(fault=fault, ring=ring), fault
        assert await bench.get("INJECTION_HEAD", ring) == bench.tails[ring]
        assert await bench.get("IRQ_STATUS") & 1 << Irq.FAULT == 0
        lane = ring % bench.parameters.lanes
        assert len(bench.inject[lane].packets) == 1
        bench.inject[lane].packets.clear()
    assert await bench.get("INJECTION_VALUE", 0) == -16 * len(faults) & 0xFFFFFFFF


@cocotb.test()
async def the_edge_of_a_window_is_inside(dut):
    """A message may end exactly where its window ends, and where the memory ends."""
    bench = Bench(dut)
    await bench.start()
    end = bench.parameters.memory_bytes
    content = bench.fill(end - 64, 64)
    await bench.window("INJECTION", 0, window=end - 64, limit=64)
    await bench.post(0, descriptor(0, 0, 64, 0), descriptor(0, 64, 0, 0), descriptor(0, 56, 8, 0))
    await bench.settle()
    assert await bench.get("FAULTS") == 0
    assert [p.to_bytes()[16:] for p in bench.inject[0].packets] == [
        content + bytes(16), bytes(16), content[56:] + bytes(8)]


@cocotb.test()
async def a_long_put_fills_the_link(dut):
    """Inside a message no cycle is lost; two lanes at once keep it up."""
    bench = Bench(dut, latency=3)
    await bench.start()
    length = min(bench.parameters.memory_bytes - bench.data, 48000) // PAYLOAD_BYTES * PAYLOAD_BYTES
    await bench.window("INJECTION", 0, window=bench.data, limit=length)
    lanes = range(min(bench.parameters.lanes, bench.parameters.injection_rings, 2))
    for lane in lanes:
        await bench.post(lane, descriptor(0, 0, length, pack(Header, dma=1)))
    for lane in lanes:
        while not bench.inject[lane].flits:
            await RisingEdge(dut.clk)
    start, done = bench.cycle, sum(bench.inject[lane].flits for lane in lanes)
    await bench.settle()
    flits = sum(bench.inject[lane].flits for lane in lanes) - done
    cycles = bench.cycle - start
    dut._log.info("injection: %d flits in %d cycles on %d lanes", flits, cycles, len(lanes))
    assert flits >= 0.97 * len(lanes) * (cycles - 40)
