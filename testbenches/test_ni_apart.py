"""What arrives changes what it is for and nothing else: nothing of the console, no memory beside its room."""

import cocotb
from cocotb.triggers import RisingEdge

from rtl.formats import DESCRIPTOR_BYTES, Flit, Header, pack
from rtl.registers import Irq
from testbenches.ni_bench import RING_BYTES, Bench, descriptor, fifo_packet, put_packet

DUT = "rtl.ni.ni:NI"
PARAMETERS = [{}, {"lanes": 1, "counters": 2, "injection_rings": 1, "reception_rings": 1, "memory_bytes": 8192}]


@cocotb.test()
@cocotb.parametrize(pauses=["never", "often"])
async def packets_of_the_torus_are_nothing_to_the_console(dut, pauses):
    """Stored, dropped or bad, on any lane: no console packet is waiting or was dropped, and none interrupts."""
    bench = Bench(dut, pauses)
    await bench.start()
    await bench.set("IRQ_ENABLE", 1 << Irq.CONSOLE)
    cocotb.start_soon(_never(dut.irq, dut.clk))
    await bench.window("RECEPTION", 1, window=bench.data, limit=64, value=1000)
    for lane in bench.eject:
        for bad in (False, True):
            lane.send(fifo_packet(bytes(100), bad=bad))
            lane.send(put_packet(bytes(64), counter=1, bad=bad))
            lane.send(put_packet(bytes(72), counter=1, bad=bad))
            lane.send_flit(pack(Flit, first=1, last=1, bad=bad))
    await bench.settle()
    assert await bench.get("BAD_DROPS") > 0 < await bench.get("COUNTER_DROPS")
    assert await bench.get("CONSOLE_DROPS") == await bench.get("CONSOLE_TAIL") == 0
    assert not await bench.get("IRQ_STATUS") >> Irq.CONSOLE & 1


@cocotb.test()
async def what_is_not_offered_is_not_there(dut):
    """A lane and the tree show a header that nobody offers, as a gate does that sinks one: nothing sees it."""
    bench = Bench(dut)
    await bench.start()
    everything = 0xFFFF & ~(1 << Irq.CONSOLE_SENT)
    await bench.set("IRQ_ENABLE", everything)
    cocotb.start_soon(_never(dut.irq, dut.clk))
    counts = [f"{kind}_DROPS" for kind in ("CONSOLE", "BAD", "RING", "COUNTER", "GET")]
    counts += ["CONSOLE_TAIL", "RECEPTION_TAIL"]
    names = [*(f"eject__{lane}" for lane in range(bench.parameters.lanes)), "console_in"]
    for last, dma in ((0, 0), (1, 0), (0, 1), (1, 1)):
        for name in names:
            getattr(dut, f"{name}__payload").value = pack(
                Flit, first=1, last=last, bad=last, data=pack(Header, dma=dma, size=7))
        for _ in range(10):
            await RisingEdge(dut.clk)
            assert int(dut.quiescent.value)
        assert [await bench.get(count) for count in counts] == [0] * len(counts)
        assert not await bench.get("IRQ_STATUS") & everything
    await bench.settle()


async def _never(signal, clock):
    """The signal stays 0."""
    while True:
        await RisingEdge(clock)
        assert not int(signal.value), signal._path


@cocotb.test()
@cocotb.parametrize(pauses=["never", "often"], bad=[False, True])
async def a_get_writes_its_descriptors_and_no_more(dut, pauses, bad):
    """Every size, all round the ring: of all memory only the room changes, as far as the packet has descriptors."""
    bench = Bench(dut, pauses)
    await bench.start()
    await bench.open_rings(remote=0)
    draw, tail = bench.random, 0
    for size in [*range(8), *(draw.randrange(8) for _ in range(24))]:
        # Descriptors that are skipped: their window is open to nobody.
        asked = b"".join(
            descriptor(0, 8 * draw.randrange(99), 8, pack(Header, dma=1)).to_bytes(DESCRIPTOR_BYTES, "big")
            for _ in range(size))
        bench.fill(0, bench.parameters.memory_bytes)
        expected = bytearray(bench.memory.content)
        for index in range(size):
            address = bench.ring_address(0, tail + DESCRIPTOR_BYTES * index)
            expected[address:address + DESCRIPTOR_BYTES] = asked[DESCRIPTOR_BYTES * index:][:DESCRIPTOR_BYTES]
        # What the last chunk holds behind the descriptors is nobody's.
        bench.eject[-1].send(put_packet(asked + draw.randbytes(16), ring=0, remote_get=1, bad=bad, size=size))
        await bench.settle()
        tail = (tail + DESCRIPTOR_BYTES * size) % RING_BYTES if not bad else 0
        assert await bench.get("INJECTION_TAIL") == await bench.get("INJECTION_HEAD") == tail
        assert bench.memory.content == expected, size
    assert await bench.get("GET_DROPS") == 0
