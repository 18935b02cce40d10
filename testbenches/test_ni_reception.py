"""The network interface: reception into rings and windows, and its counters."""

import cocotb

from rtl.formats import DESCRIPTOR_BYTES, PAYLOAD_BYTES, Flit, Header, Writer, pack, unpack
from rtl.registers import REGISTERS, Fault, Irq
from testbenches.kit.stream import PAUSES
from testbenches.ni_bench import ANY_WRITER, RING_BYTES, Bench, chunks_of, descriptor, fifo_packet, put_packet

DUT = "rtl.ni.ni:NI"
PARAMETERS = [
    {}, {"lanes": 1, "counters": 2, "injection_rings": 1, "reception_rings": 1, "memory_bytes": 8192},
    {"lanes": 6, "counters": 256, "injection_rings": 8, "reception_rings": 4, "memory_bytes": 131072},
]


@cocotb.test()
@cocotb.parametrize(pauses=["never", "often"])
async def every_kind_arrives_on_every_lane(dut, pauses):
    """Packets for each ring, puts and remote gets, good and bad: the good ones count."""
    bench = Bench(dut, pauses)
    await bench.start()
    parameters = bench.parameters
    counter, rings, lanes = parameters.counters - 1, range(parameters.reception_rings), parameters.lanes
    nobody = descriptor(0, 0, 8, pack(Header, dma=1)).to_bytes(DESCRIPTOR_BYTES, "big")
    for number, remote in enumerate(range(parameters.injection_rings), 1):
        await bench.open_rings(remote=remote)
        await bench.window("RECEPTION", counter, window=bench.data, limit=64, value=1000)
        for lane in bench.eject:
            for bad in (True, False):
                for ring in rings:
                    lane.send(fifo_packet(bytes(16), ring=ring, bad=bad))
                lane.send(put_packet(bytes(8), counter=counter, bad=bad))
                lane.send(put_packet(nobody, ring=remote, remote_get=1, bad=bad, source=7))
        await bench.settle()
        assert await bench.get("BAD_DROPS") == number * lanes * (len(rings) + 2)
        assert [await bench.get("RECEPTION_TAIL", ring) for ring in rings] == [32 * lanes] * len(rings)
        assert await bench.get("RECEPTION_VALUE", counter) == 1000 - 8 * lanes
        assert await bench.get("INJECTION_TAIL", remote) == await bench.get("INJECTION_HEAD", remote) == 32 * lanes
        # The window that the gets ask for is open to nobody.
        assert await bench.get("FAULTS") == number * lanes
        assert await bench.get("LAST_FAULT") == REGISTERS["LAST_FAULT"].pack(fault=Fault.WINDOW, ring=remote)


@cocotb.test()
async def every_counter_has_a_hit_of_its_own(dut):
    """The last byte of a window sets the bit of its counter and no other; a write of the bit clears it."""
    bench = Bench(dut)
    await bench.start()
    for counter in range(bench.parameters.counters):
        await bench.window("RECEPTION", counter, window=bench.data, limit=8, value=8)
        bench.eject[0].send(put_packet(bytes(8), counter=counter))
        await bench.settle()
        for word in range(REGISTERS["RECEPTION_HITS"].elements(bench.parameters)):
            assert await bench.get("RECEPTION_HITS", word) == (counter // 32 == word) << counter % 32
        await bench.set("RECEPTION_HITS", 1 << counter % 32, counter // 32)


@cocotb.test()
async def reception_keeps_up(dut):
    """Full packets of puts, back to back, arrive at 95 % of the link's rate at least."""
    bench = Bench(dut, latency=3)
    await bench.start()
    lanes = range(min(bench.parameters.lanes, 2))
    room = min((bench.parameters.memory_bytes - bench.data) // PAYLOAD_BYTES * PAYLOAD_BYTES, 24000)
    await bench.window("RECEPTION", 1, window=bench.data, limit=room, value=len(lanes) * room)
    for offset in range(0, room, PAYLOAD_BYTES):
        for lane in lanes:
            bench.eject[lane].send(put_packet(bytes(PAYLOAD_BYTES), counter=1, put_offset=offset))
    start = bench.cycle
    await bench.settle()
    flits, cycles = room // PAYLOAD_BYTES * 32, bench.cycle - start
    dut._log.info("reception: %d flits a lane in %d cycles on %d lanes", flits, cycles, len(lanes))
    assert flits >= 0.95 * cycles
    assert await bench.get("RECEPTION_HITS") == 2


@cocotb.test()
@cocotb.parametrize(pauses=list(PAUSES), latency=[1, 6])
async def packets_fill_reception_rings(dut, pauses, latency):
    """Packets of all lanes into all rings: each whole, those of a lane in order, bad ones not at all.

    Puts between them, and a host that reads the counter they count down, make lanes finish at odd times.
    """
    bench = Bench(dut, pauses, latency=latency, seed=latency)
    await bench.start()
    await bench.window("RECEPTION", 1, window=bench.data, limit=8, value=1 << 30)
    draw, parameters = bench.random, bench.parameters
    rings = range(parameters.reception_rings)
    heads = [0] * parameters.reception_rings
    total = bad = 0
    for _ in range(8):
        expected: dict[tuple[int, int], list[bytes]] = {}
        room = [RING_BYTES - 32] * parameters.reception_rings
        for source in range(parameters.lanes):
            for _ in range(5):
                ring = draw.choice(rings)
                payload = draw.randbytes(draw.choice([0, 1, 16, 17, 240, draw.randrange(240)]))
                packet = fifo_packet(payload, ring=ring, source=source, bad=draw.random() < 0.2,
                                     software=draw.getrandbits(64))
                if chunks_of(len(payload)) * 32 > room[ring]:
                    continue
                room[ring] -= chunks_of(len(payload)) * 32
                bench.eject[source].send(packet)
                total, bad = total + 1, bad + packet.bad
                for _ in range(draw.randrange(3)):
                    bench.eject[source].send(put_packet(bytes(8), counter=1))
                    total += 1
                if not packet.bad:
                    expected.setdefault((ring, source), []).append(packet.to_bytes())
        for _ in range(40):
            await bench.get("RECEPTION_VALUE", 1)
        await bench.settle()
        for ring in rings:
            tail = await bench.get("RECEPTION_TAIL", ring)
            assert bool(await bench.get("IRQ_STATUS") & 1 << ring) == (tail != heads[ring])
            while heads[ring] != tail:
                header = unpack(Header, int.from_bytes(
                    bench.memory.dump(bench.reception_address(ring, heads[ring]), 8), "big"))
                content = b"".join(
                    bench.memory.dump(bench.reception_address(ring, heads[ring] + 32 * chunk), 32)
                    for chunk in range(header["size"] + 1))
                heads[ring] = (heads[ring] + len(content)) % RING_BYTES
                assert content == expected[ring, header["source"]].pop(0)
            await bench.set("RECEPTION_HEAD", heads[ring], ring)
        assert not any(expected.values())
    assert await bench.get("BAD_DROPS") == bad
    assert await bench.get("RING_DROPS") == 0
    assert sum(bench.retired.values()) == total


@cocotb.test()
@cocotb.parametrize(pauses=["never", "bursts"])
async def a_full_ring_drops(dut, pauses):
    """What does not fit is dropped whole and counted; one chunk stays free; so is all for a closed ring."""
    bench = Bench(dut, pauses)
    await bench.start()
    packets = [fifo_packet(bytes([n]) * 112) for n in range(9)]
    for packet in packets:
        bench.eject[0].send(packet)
        await bench.eject[0].settle()
    await bench.settle()
    assert await bench.get("RECEPTION_TAIL", 0) == 7 * 128
    assert await bench.get("RING_DROPS") == 2
    bench.eject[0].send(fifo_packet(bytes(80)))
    bench.eject[0].send(fifo_packet(bytes(16)))
    await bench.settle()
    assert await bench.get("RECEPTION_TAIL", 0) == 31 * 32
    assert await bench.get("RING_DROPS") == 3
    await bench.set("RECEPTION_HEAD", 64)
    bench.eject[0].send(fifo_packet(bytes(48)))
    await bench.settle()
    assert await bench.get("RECEPTION_TAIL", 0) == 32
    assert bench.memory.dump(bench.reception_address(0), 7 * 128)[128:] == b"".join(
        packet.to_bytes() for packet in packets[1:7])
    await bench.set("RECEPTION_SIZE", 0)
    bench.eject[0].send(fifo_packet(b""))
    await bench.settle()
    assert await bench.get("RING_DROPS") == 4
    assert bench.retired[0] == 13


@cocotb.test()
@cocotb.parametrize(pauses=list(PAUSES), latency=[1, 6])
async def puts_stay_in_their_window(dut, pauses, latency):
    """Random puts against a model of memory, counters and hits: nothing outside a window ever changes."""
    bench = Bench(dut, pauses, latency=latency, seed=latency)
    await bench.start()
    draw, parameters = bench.random, bench.parameters
    end = parameters.memory_bytes
    windows = {0: (bench.data, 800, ANY_WRITER), 1: (end - 128, 4096, ANY_WRITER), 2: (0, 0xFFFFFFFF, 0),
               3: (0xFFFFFFF8, 0xFFFFFFFF, ANY_WRITER)}
    values = {}
    for counter, (window, limit, writer) in windows.items():
        if counter < parameters.counters:
            values[counter] = draw.randrange(1, 600)
            await bench.window("RECEPTION", counter, window=window, limit=limit, value=values[counter], rights=writer)
    model = bytearray(bench.memory.content)
    drops = hits = lane = 0
    for _ in range(60):
        payload = draw.randbytes(draw.choice([1, 7, 8, 9, 31, 32, 239, 240, draw.randrange(1, 240)]))
        counter = draw.choice([*range(4), parameters.counters & 0xFF]) if draw.random() < 0.5 else 0
        offset = draw.choice([draw.randrange(0, 800, 8), draw.randrange(0, 100, 8), draw.randrange(800)])
        short = draw.random() < 0.1
        size = 0 if short else None
        bench.eject[lane].send(put_packet(payload, counter=counter, put_offset=offset, size=size))
        window, limit, writer = windows.get(counter, (0, 0, 0)) if counter < parameters.counters else (0, 0, 0)
        carried = not short or len(payload) <= 16
        inside = offset + len(payload) <= limit and window + offset + len(payload) <= end
        if writer and offset % 8 == 0 and inside and carried:
            model[window + offset:window + offset + len(payload)] = payload
            values[counter] = values[counter] - len(payload) & 0xFFFFFFFF
            hits |= (values[counter] == 0) << counter
        else:
            drops += 1
        if draw.random() < 0.5:
            # Puts overlap: only those of one lane are ordered.
            await bench.settle()
            lane = draw.randrange(parameters.lanes)
    await bench.settle()
    assert await bench.get("COUNTER_DROPS") == drops
    assert bench.memory.content == model
    for counter, value in values.items():
        assert await bench.get("RECEPTION_VALUE", counter) == value
    assert await bench.get("RECEPTION_HITS") == hits


@cocotb.test()
@cocotb.parametrize(pauses=["never", "often"])
async def a_window_takes_puts_of_its_writer_alone(dut, pauses):
    """Stamped source and key decide, each of their bits, on all lanes at once: what differs is dropped and counted."""
    bench = Bench(dut, pauses)
    await bench.start()
    node, key, lanes, drops = 0xA5C3, 0b011110, bench.parameters.lanes, 0
    flips = [(1 << bit, 0) for bit in range(16)] + [(0, 1 << bit) for bit in range(6)]
    cases = [(fields, node ^ flip, key ^ turn)
             for fields in ({"armed": 1}, {"armed": 1, "any": 1}, {}, {"any": 1}) for flip, turn in [(0, 0), *flips]]
    for fields, source, carried in cases:
        before, payload = bench.fill(bench.data, 8), bench.random.randbytes(8)
        await bench.window("RECEPTION", 1, window=bench.data, limit=8, value=8 * lanes,
                           rights=pack(Writer, node=node, key=key, **fields))
        for lane in bench.eject:
            lane.send(put_packet(payload, counter=1, key=carried, source=source))
        await bench.settle()
        taken = "armed" in fields and ("any" in fields or source == node) and carried == key
        drops += 0 if taken else lanes
        assert bench.memory.dump(bench.data, 8) == (payload if taken else before), (fields, hex(source), carried)
        assert await bench.get("RECEPTION_VALUE", 1) == (0 if taken else 8 * lanes)
        assert await bench.get("COUNTER_DROPS") == drops


@cocotb.test()
@cocotb.parametrize(pauses=["never", "often"])
async def a_bad_put_does_not_count(dut, pauses):
    """A bad tail leaves counter and hit bit alone; the good copy that follows does count, and interrupts."""
    bench = Bench(dut, pauses)
    await bench.start()
    await bench.set("IRQ_ENABLE", 1 << Irq.RECEPTION_HIT)
    await bench.window("RECEPTION", 1, window=bench.data + 24, limit=240, value=240)
    payload = bench.random.randbytes(240)
    for bad in (True, False):
        bench.eject[0].send(put_packet(payload, counter=1, bad=bad))
        await bench.settle()
        assert await bench.get("RECEPTION_VALUE", 1) == (240 if bad else 0)
        assert await bench.get("RECEPTION_HITS") == (0 if bad else 2)
        assert int(dut.irq.value) == (not bad)
        assert await bench.get("BAD_DROPS") == 1
    assert bench.memory.dump(bench.data + 24, 240) == payload
    # A packet that the guard closes early counts as bad, wherever it is cut.
    whole = list(put_packet(payload, counter=1).flits())
    for cut in (1, 2, 3, 30):
        for flit in whole[:cut]:
            bench.eject[0].send_flit(flit)
        bench.eject[0].send_flit(pack(Flit, last=1, bad=1))
    bench.eject[0].send_flit(pack(Flit, first=1, last=1, bad=1))
    await bench.settle()
    assert await bench.get("BAD_DROPS") == 6
    assert await bench.get("RECEPTION_VALUE", 1) == 0
    assert bench.retired[0] == 7
