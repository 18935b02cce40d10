"""The network interface as its host sees it: registers, bus errors, memory window, guard's page, console."""

import cocotb
from cocotb.triggers import RisingEdge

from rtl.formats import LinkHeader, Protocol, Straps, TreeHeader, pack, unpack
from rtl.registers import GUARD_PAGE, MAGIC, MEMORY_WINDOW, REGISTERS, VERSION, Access, Irq, joined, registers_of
from testbenches.kit.axilite import OKAY, SLVERR
from testbenches.kit.stream import PAUSES, Packet
from testbenches.ni_bench import RING_BYTES, STRAPS, Bench

DUT = "rtl.ni.ni:NI"
PARAMETERS = [{}, {"counters": 256, "injection_rings": 8, "reception_rings": 4, "lanes": 1}]


@cocotb.test()
@cocotb.parametrize(pauses=["never", "often"])
async def what_the_map_allows(dut, pauses):
    """Every register of the map, by its access; forbidden ones are errors, are counted and change nothing."""
    bench = Bench(dut, pauses)
    await bench.start()
    errors = 0
    for register, index, address in registers_of(bench.parameters):
        if register.address >= GUARD_PAGE or 2 < index < register.elements(bench.parameters) - 1:
            continue
        read = await bench.host.read(address)
        assert (read.resp == OKAY) == (register.host not in (Access.WO, Access.NONE)), register.name
        if register.host in (Access.RO, Access.NONE):
            assert (await bench.host.write(address, 0xFFFFFFFF)).resp == SLVERR, register.name
            errors += 1
        # Half a register does not exist.
        assert (await bench.host.write(address, 0, strobe=0b0011)).resp == SLVERR
        assert (await bench.host.read(address + bench.random.randrange(1, 4))).resp == SLVERR
        assert (await bench.host.write(address + bench.random.randrange(1, 4), 0)).resp == SLVERR
        errors += 3
        if register.name not in ("TIME_LOW", "TIME_HIGH", "BUS_ERRORS"):
            assert (await bench.host.read(address)).value == read.value, register.name
    assert await bench.get("BUS_ERRORS") == errors


@cocotb.test()
async def addresses_without_a_register(dut):
    """Every word below the guard's page that the map leaves out is an error."""
    bench = Bench(dut)
    await bench.start()
    known = {address for _, _, address in registers_of(bench.parameters)}
    holes = [address for address in range(0, 0x300, 4) if address not in known]
    holes += [0x1FFC, 0x2000 + 16 * bench.parameters.counters, 0x3FFC, 0xA000, 0xFFFC, 0x10000, 0x400000,
              MEMORY_WINDOW + bench.parameters.memory_bytes, 0xFFFFFC]
    holes = [address for address in holes if address not in known]
    for address in holes:
        assert (await bench.host.read(address)).resp == SLVERR, hex(address)
        assert (await bench.host.write(address, 0)).resp == SLVERR, hex(address)
    assert await bench.get("BUS_ERRORS") == 2 * len(holes)
    assert not bench.guard.accesses


@cocotb.test()
async def values_hold_or_are_refused(dut):
    """RW registers give back what was written; values a register cannot take are errors and change nothing."""
    bench = Bench(dut)
    await bench.start()
    end = bench.parameters.memory_bytes
    last = bench.parameters.counters - 1
    for side, rights, value in (("INJECTION", "READER", 0x3ABCD), ("RECEPTION", "WRITER", 0xC5A96B)):
        for index in (0, last):
            written = {"VALUE": 0xDEADBEEF ^ index, "WINDOW": 0xFFFFFFF0 ^ index << 3, "LIMIT": 0x12345678,
                       rights: value}
            for name, number in written.items():
                await bench.set(f"{side}_{name}", number, index)
            for name, number in written.items():
                assert await bench.get(f"{side}_{name}", index) == number
            assert (await bench.host.write(REGISTERS[f"{side}_WINDOW"].at(index), 4)).resp == SLVERR
            assert await bench.get(f"{side}_WINDOW", index) == written["WINDOW"]
    refused = [
        ("INJECTION_BASE", 16), ("INJECTION_BASE", end), ("INJECTION_SIZE", 48), ("INJECTION_SIZE", end + 32),
        ("RECEPTION_SIZE", 33), ("INJECTION_TAIL", RING_BYTES), ("INJECTION_TAIL", 8), ("RECEPTION_HEAD", 4),
        ("RECEPTION_HEAD", RING_BYTES + 32), ("CONSOLE_HEAD", 0xFFFFFFE0), ("CONSOLE_BASE", 1),
        ("CONSOLE_TX_ADDRESS", 4), ("CONSOLE_TX_LENGTH", 0), ("CONSOLE_TX_LENGTH", 241),
    ]
    for name, value in refused:
        before = await bench.get(name)
        assert (await bench.host.write(REGISTERS[name].at(), value)).resp == SLVERR, name
        assert await bench.get(name) == before
    await bench.set("INJECTION_SIZE", end)
    await bench.set("INJECTION_BASE", end - 32)
    assert await bench.get("INJECTION_BASE") == end - 32
    assert await bench.get("INJECTION_SIZE") == end
    for value in (0xFFFF, 0x1FFF):
        await bench.set("IRQ_ENABLE", value)
        assert await bench.get("IRQ_ENABLE") == value


@cocotb.test()
async def who_and_where(dut):
    """Identification, and a time whose halves belong together."""
    bench = Bench(dut)
    await bench.start()
    parameters = bench.parameters
    assert await bench.get("MAGIC") == MAGIC
    assert await bench.get("VERSION") == VERSION
    for _ in range(16):
        straps = {name: bench.random.getrandbits(Straps[name].width) for name in STRAPS}
        node = bench.random.getrandbits(16)
        dut.straps.value = pack(Straps, **straps)
        dut.node_id.value = node
        assert await bench.get("COORDINATE") == REGISTERS["COORDINATE"].pack(**{axis: straps[axis] for axis in "xyz"})
        assert await bench.get("SIZE") == REGISTERS["SIZE"].pack(**{axis: straps[f"size_{axis}"] for axis in "xyz"})
        assert await bench.get("RANK") == straps["rank"]
        assert await bench.get("NODE_ID") == node
    assert await bench.get("MEMORY_BYTES") == parameters.memory_bytes
    assert await bench.get("RESOURCES") == REGISTERS["RESOURCES"].pack(
        counters=parameters.counters, lanes=parameters.lanes, injection_rings=parameters.injection_rings,
        reception_rings=parameters.reception_rings)
    while bench.cycle < 4100:
        await RisingEdge(dut.clk)
    times = []
    for _ in range(3):
        low = await bench.get("TIME_LOW")
        before = bench.cycle
        for _ in range(5000 if not times else 10):
            await RisingEdge(dut.clk)
        time = joined(low, await bench.get("TIME_HIGH"))
        assert before - 10 <= time - bench.epoch >> 20 <= before
        times.append(time)
    assert times == sorted(times)
    for _ in range(12):
        bench.epoch = bench.random.getrandbits(63)
        await RisingEdge(dut.clk)
        await RisingEdge(dut.clk)
        low = await bench.get("TIME_LOW")
        assert 0 <= (joined(low, await bench.get("TIME_HIGH")) - bench.epoch >> 20) <= bench.cycle


@cocotb.test()
@cocotb.parametrize(pauses=list(PAUSES))
async def the_memory_window(dut, pauses):
    """Big-endian words, byte strobes, and the end of the memory."""
    bench = Bench(dut, pauses, latency=3)
    await bench.start()
    draw, end = bench.random, bench.parameters.memory_bytes
    model = bytearray(bench.memory.content)
    for address in [0, 4, end - 4, *(draw.randrange(0, end, 4) for _ in range(20)), *range(32, 64, 4)]:
        value, strobe = draw.getrandbits(32), draw.randrange(16)
        assert (await bench.host.write(MEMORY_WINDOW + address, value, strobe)).resp == OKAY
        for byte in range(4):
            if strobe >> 3 - byte & 1:
                model[address + byte] = value >> 8 * (3 - byte) & 0xFF
        expected = int.from_bytes(model[address:address + 4], "big")
        assert await bench.host.read(MEMORY_WINDOW + address) == (expected, OKAY)
    assert bench.memory.content == model


@cocotb.test()
@cocotb.parametrize(pauses=list(PAUSES))
async def the_guards_page(dut, pauses):
    """Accesses from 0x4000 to 0x9fff go out as they are; what the guard refuses is an error."""
    bench = Bench(dut, pauses)
    await bench.start()
    for address in 4 * (GUARD_PAGE, 0x4100, 0x6000, 0x9FFC):
        bench.guard_key = bench.random.getrandbits(32)
        assert await bench.host.read(address) == (address ^ bench.guard_key, OKAY)
        assert (await bench.host.write(address, address + 1)).resp == OKAY
        assert bench.guard.accesses[-1] == (True, address, address + 1)
    bench.guard_refuses = True
    assert (await bench.host.read(GUARD_PAGE)).resp == SLVERR
    assert (await bench.host.write(GUARD_PAGE, 1)).resp == SLVERR
    assert await bench.get("BUS_ERRORS") == 2
    assert len(bench.guard.accesses) == 34


def _console(text: bytes, *, bad: bool = False) -> Packet:
    words = 2 + (len(text) + 7) // 8
    link = pack(LinkHeader, protocol=Protocol.CONSOLE, opt=len(text), total_pkt=1)
    content = pack(TreeHeader, words=words).to_bytes(8, "big") + link.to_bytes(16, "big")
    return Packet.of_bytes(content + text.ljust(8 * (words - 2), b"\0"), bad=bad)


@cocotb.test()
@cocotb.parametrize(pauses=list(PAUSES), latency=[1, 6])
async def console_packets_are_recorded(dut, pauses, latency):
    """Records padded to 32 bytes, round the ring; a full ring drops and counts, a bad packet does too."""
    bench = Bench(dut, pauses, latency=latency)
    await bench.start()
    draw = bench.random
    console = bench.parameters.reception_rings
    await bench.set("IRQ_ENABLE", 1 << Irq.CONSOLE)
    head = drops = 0
    for _ in range(12):
        # Old bytes of the ring must not show in the padding.
        bench.memory.load(bench.reception_address(console), b"\xff" * RING_BYTES)
        room, expected = RING_BYTES - 32, b""
        for _ in range(6):
            text = draw.randbytes(draw.choice([1, 8, 9, 240, draw.randrange(1, 240)]))
            packet = _console(text, bad=draw.random() < 0.2)
            record = packet.to_bytes()
            record += bytes(-len(record) % 32)
            bench.console_in.send(packet)
            if len(record) > room or packet.bad:
                drops += 1
            else:
                expected += record
                room -= len(record)
        await bench.settle()
        ring = bench.memory.dump(bench.reception_address(console), RING_BYTES)
        tail = await bench.get("CONSOLE_TAIL")
        assert (tail - head) % RING_BYTES == len(expected)
        assert (ring + ring)[head:head + len(expected)] == expected
        assert int(dut.irq.value)
        head = tail
        await bench.set("CONSOLE_HEAD", head)
        await RisingEdge(dut.clk)
        await RisingEdge(dut.clk)
        assert not int(dut.irq.value)
    assert await bench.get("CONSOLE_DROPS") == drops
    assert bench.console_retired == 12 * 6


@cocotb.test()
@cocotb.parametrize(pauses=["never", "often"])
async def the_console_ring_is_set_up_anew_under_traffic(dut, pauses):
    """A new place leaves the ring empty of what was on its way; what comes afterwards is recorded there."""
    bench = Bench(dut, pauses, latency=3)
    await bench.start()
    draw, end = bench.random, bench.parameters.memory_bytes
    stale = 0
    for delay in range(0, 60, 2):
        bench.console_in.send(_console(draw.randbytes(104)))
        for _ in range(delay):
            await RisingEdge(dut.clk)
        base = draw.randrange(bench.data, end - RING_BYTES + 1, 32)
        await bench.set("CONSOLE_BASE", base)
        await bench.settle()
        tail = await bench.get("CONSOLE_TAIL")
        assert tail in (0, 128)
        stale += not tail
        packet = _console(draw.randbytes(40))
        bench.console_in.send(packet)
        await bench.settle()
        assert bench.memory.dump(base + tail, 64) == packet.to_bytes()
        assert await bench.get("CONSOLE_TAIL") == tail + 64
    assert stale > 3


@cocotb.test()
@cocotb.parametrize(pauses=list(PAUSES))
async def text_is_sent(dut, pauses):
    """Text of any length to everybody or one place; one at a time; idle is an interrupt."""
    bench = Bench(dut, pauses, latency=2)
    await bench.start()
    text = bench.fill(bench.data, 512)
    await bench.set("IRQ_ENABLE", 1 << Irq.CONSOLE_SENT)
    for length, offset, broadcast in [
        (1, 0, 1), (8, 8, 0), (9, 24, 0), (240, 16, 1), (239, 0, 0), (60, 0, 0), (150, 8, 1),
    ]:
        vector = bench.random.getrandbits(24)
        await bench.set("CONSOLE_TX_ADDRESS", bench.data + offset)
        await bench.set("CONSOLE_TX_DEST", REGISTERS["CONSOLE_TX_DEST"].pack(broadcast=broadcast, vector=vector))
        await bench.set("CONSOLE_TX_LENGTH", length)
        packet = await bench.console_out.recv()
        header = unpack(TreeHeader, packet.words[0])
        assert (header["tree_class"], header["p2p"], header["vector"]) == (15, 1 - broadcast, vector)
        assert header["words"] == len(packet.words) - 1 == 2 + (length + 7) // 8
        link = unpack(LinkHeader, packet.words[1] << 64 | packet.words[2])
        assert (link["protocol"], link["opt"], link["total_pkt"]) == (Protocol.CONSOLE, length, 1)
        assert packet.to_bytes()[24:] == text[offset:offset + length] + bytes(-length % 8)
        await bench.settle()
        assert await bench.get("CONSOLE_TX_LENGTH") == 0
        assert int(dut.irq.value)

    bench.console_out.pauses = iter([True] * 400 + [False] * 10000)
    await bench.set("CONSOLE_TX_LENGTH", 8)
    for _ in range(3):
        await RisingEdge(dut.clk)
    assert not int(dut.irq.value)
    assert (await bench.host.write(REGISTERS["CONSOLE_TX_LENGTH"].at(), 8)).resp == SLVERR
    assert await bench.get("CONSOLE_TX_LENGTH") == 8
    await bench.settle()
    assert len(bench.console_out.packets) == 1
    await bench.set("CONSOLE_TX_ADDRESS", bench.parameters.memory_bytes - 8)
    assert (await bench.host.write(REGISTERS["CONSOLE_TX_LENGTH"].at(), 9)).resp == SLVERR
    for address in (*(bench.data ^ 1 << bit for bit in range(16, 32)), 2**32 - 8):
        await bench.set("CONSOLE_TX_ADDRESS", address)
        assert await bench.get("CONSOLE_TX_ADDRESS") == address
        assert (await bench.host.write(REGISTERS["CONSOLE_TX_LENGTH"].at(), 8)).resp == SLVERR
