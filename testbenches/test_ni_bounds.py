"""Bounds of the network interface to the last bit: windows, limits, offsets, counters, rings."""

import cocotb

from rtl.registers import REGISTERS, Access, Fault
from testbenches.kit.axilite import OKAY, SLVERR
from testbenches.ni_bench import Bench, descriptor, fifo_packet, put_packet

DUT = "rtl.ni.ni:NI"
PARAMETERS = [{"counters": 256, "injection_rings": 8, "reception_rings": 4, "lanes": 1}]

WORD = 2**32


def near(draw, value, bits=32):
    """A number of so many bits: the value, or it with one bit the other way."""
    return value ^ draw.choice((0, 0, 1 << draw.randrange(bits)))


class Window:
    """A random counter with a window, and a message of it: in bounds, or out of them by one bit."""

    def __init__(self, bench):
        draw, end = bench.random, bench.parameters.memory_bytes
        self.counter = draw.randrange(bench.parameters.counters)
        self.length = draw.choice((1, 8, 9, 232, 240))
        address = draw.randrange(bench.data, end - self.length + 1, 8)
        self.offset = near(draw, draw.choice((0, address - bench.data, 8 * draw.getrandbits(29)))) & ~7
        self.window = near(draw, (address - self.offset) % WORD) & ~7
        reached = self.offset + self.length
        self.limit = near(draw, draw.choice((reached, reached - 1, WORD - 1)) % WORD)
        self.value = draw.choice((self.length, draw.getrandbits(32), self.length - 1))
        self.address = self.window + self.offset
        """Where the message is: no number of 32 bits if that is outside."""
        self.inside = reached <= self.limit and self.address + self.length <= end

    async def check(self, bench, side, counted):
        """Value and hit of the counter; no other counter has a hit."""
        value = (self.value - self.length * counted) % WORD
        assert await bench.get(f"{side}_VALUE", self.counter) == value
        hits = [await bench.get(f"{side}_HITS", word) for word in range(8)]
        assert sum(hit << 32 * word for word, hit in enumerate(hits)) == (counted and value == 0) << self.counter
        await bench.set(f"{side}_HITS", hits[self.counter // 32], self.counter // 32)

    async def arm(self, bench, side):
        await bench.window(side, self.counter, window=self.window, limit=self.limit, value=self.value)


@cocotb.test()
async def messages_come_from_their_window(dut):
    """Whatever window, offset and limit are: what is sent lies in window and memory, and its own counter counts."""
    bench = Bench(dut)
    await bench.start()
    bench.fill(bench.data, bench.parameters.memory_bytes - bench.data)
    sent = faults = 0
    for _ in range(80):
        draw = Window(bench)
        await draw.arm(bench, "INJECTION")
        ring = bench.random.randrange(bench.parameters.injection_rings)
        await bench.post(ring, descriptor(draw.counter, draw.offset, draw.length, 0))
        await bench.settle()
        packets = list(bench.inject[0].packets)
        bench.inject[0].packets.clear()
        sent, faults = sent + draw.inside, faults + (not draw.inside)
        assert packets == (
            bench.expected_packets(0, 0, bench.memory.dump(draw.address, draw.length)) if draw.inside else [])
        assert await bench.get("FAULTS") == faults
        if not draw.inside:
            assert await bench.get("LAST_FAULT") == REGISTERS["LAST_FAULT"].pack(fault=Fault.RANGE, ring=ring)
        await draw.check(bench, "INJECTION", draw.inside)
    assert sent > 15 < faults


@cocotb.test()
async def puts_go_into_their_window(dut):
    """Whatever window, offset and limit are: what is written lies in window and memory, and its own counter counts."""
    bench = Bench(dut)
    await bench.start()
    stored = drops = 0
    for _ in range(80):
        draw = Window(bench)
        await draw.arm(bench, "RECEPTION")
        payload = bench.random.randbytes(draw.length)
        model = bytearray(bench.memory.content)
        bench.eject[0].send(put_packet(payload, counter=draw.counter, put_offset=draw.offset))
        await bench.settle()
        if draw.inside:
            model[draw.address:draw.address + draw.length] = payload
        stored, drops = stored + draw.inside, drops + (not draw.inside)
        assert bench.memory.content == model
        assert await bench.get("COUNTER_DROPS") == drops
        await draw.check(bench, "RECEPTION", draw.inside)
    assert stored > 15 < drops
    # The end of a message may be beyond all addresses.
    await bench.window("RECEPTION", 0, window=8, limit=WORD - 1, value=16)
    before = bytes(bench.memory.content)
    bench.eject[0].send(put_packet(bytes(16), counter=0, put_offset=WORD - 8))
    await bench.settle()
    assert await bench.get("COUNTER_DROPS") == drops + 1 and bench.memory.content == before


@cocotb.test()
async def a_large_ring_fills(dut):
    """A ring that is all of the memory takes what fits, one word less, and drops what comes then."""
    bench = Bench(dut)
    await bench.start()
    words = bench.parameters.memory_bytes // 32
    await bench.set("RECEPTION_BASE", 0)
    await bench.set("RECEPTION_SIZE", 32 * words)
    for _ in range(words // 8 + 3):
        bench.eject[0].send(fifo_packet(bytes(240)))
    await bench.settle()
    assert await bench.get("RECEPTION_TAIL") == 32 * (words - 8)
    assert await bench.get("RING_DROPS") == 4


@cocotb.test()
async def rings_take_only_what_is_sane(dut):
    """Base, size and offsets of a ring: what they can be is kept, all else is an error that changes nothing."""
    bench = Bench(dut)
    await bench.start()
    draw, end = bench.random, bench.parameters.memory_bytes
    kinds = {"RECEPTION": bench.parameters.reception_rings, "CONSOLE": 1,
             "INJECTION": bench.parameters.injection_rings}
    rings = {(kind, ring): [0, 0, 0, 0] for kind, count in kinds.items() for ring in range(count)}
    for (kind, ring), state in rings.items():
        for number, name in enumerate(("BASE", "SIZE")):
            state[number] = await bench.get(f"{kind}_{name}", ring)
    accepted = 0
    for _ in range(400):
        (kind, ring), state = draw.choice(list(rings.items()))
        number = draw.randrange(4)
        usual = (draw.randrange(0, end, 32), draw.randrange(0, end + 1, 32),
                 *[draw.randrange(0, state[1] + 32, 32) for _ in range(2)])[number]
        value = near(draw, usual)
        remote = kind == "INJECTION" and state[1] & 1
        sane = (value % 32 == 0 and value < end, value & 30 == 0 and value & ~1 <= end
                and (kind == "INJECTION" or not value & 1),
                *[value % 32 == 0 and value < state[1] & ~1 and not remote] * 2)[number]
        if (kind, number) == ("INJECTION", 3) and sane:
            # It would send what is there.
            continue
        name = f"{kind}_{('BASE', 'SIZE', 'HEAD', 'TAIL')[number]}"
        sane &= REGISTERS[name].host == Access.RW
        answer = await bench.host.write(REGISTERS[name].at(ring), value)
        assert answer.resp == (OKAY if sane else SLVERR), (name, ring, hex(value), state)
        if sane:
            accepted += 1
            state[number] = value
            state[2:] = state[2:] if number > 1 else (0, 0)
        for other, what in enumerate(("BASE", "SIZE", "HEAD", "TAIL")):
            assert await bench.get(f"{kind}_{what}", ring) == state[other], (name, what)
    assert 60 < accepted < 340


@cocotb.test()
@cocotb.parametrize(pauses=["never", "often"])
async def rings_of_any_base_and_size(dut, pauses):
    """Packets round rings of random base and size: each as a whole where the ring goes on, in its memory alone."""
    bench = Bench(dut, pauses)
    await bench.start()
    draw, end = bench.random, bench.parameters.memory_bytes
    for _ in range(12):
        ring, words = draw.randrange(bench.parameters.reception_rings), draw.choice((9, 10, 31, 64, 500))
        base = draw.randrange(0, end - 32 * words, 32)
        await bench.set("RECEPTION_BASE", base, ring)
        await bench.set("RECEPTION_SIZE", 32 * words, ring)
        tail = 0
        for _ in range(8):
            packet = fifo_packet(draw.randbytes(draw.randrange(241)), ring=ring, software=draw.getrandbits(64),
                                 source=draw.getrandbits(16))
            model = bytearray(bench.memory.content)
            content = packet.to_bytes()
            for offset in range(0, len(content), 32):
                at = base + 32 * ((tail + offset // 32) % words)
                model[at:at + 32] = content[offset:offset + 32]
            bench.eject[0].send(packet)
            await bench.settle()
            assert bench.memory.content == model
            tail = (tail + len(content) // 32) % words
            assert await bench.get("RECEPTION_TAIL", ring) == 32 * tail
            await bench.set("RECEPTION_HEAD", 32 * tail, ring)
