"""When a packet retires: once, whatever becomes of it, and only when all that it changes is there to be seen."""

from typing import NamedTuple

import cocotb
from cocotb.triggers import RisingEdge

from rtl.formats import DESCRIPTOR_BYTES, Flit, Header, LinkHeader, Protocol, TreeHeader, pack
from testbenches.kit.stream import Packet
from testbenches.ni_bench import Bench, descriptor, fifo_packet, put_packet

DUT = "rtl.ni.ni:NI"
PARAMETERS = [{}, {"lanes": 1, "counters": 2, "injection_rings": 1, "reception_rings": 1, "memory_bytes": 8192}]

WINDOW_BYTES = 1024


class Sent(NamedTuple):
    """A packet, what is in memory from an address on when it has retired, and a register that has moved then."""

    packet: Packet
    address: int = 0
    content: bytes = b""
    register: str = ""
    value: int = 0


async def arrive(bench, source, sent, retired):
    """Send a packet alone, and look when it retires: not later, for then it would be there anyhow."""
    bench.fill(sent.address, len(sent.content))
    assert not int(retired.value)
    source.send(sent.packet)
    for _ in range(2000):
        await RisingEdge(bench.dut.clk)
        if int(retired.value):
            break
    else:
        raise AssertionError(f"never retired: {sent.packet}")
    assert bench.memory.idle, "it retired before the memory had acknowledged its writes"
    assert bench.memory.dump(sent.address, len(sent.content)) == sent.content


def message(bench, length, tail, *, bad):
    """A packet for reception ring 0, whose TAIL is `tail`."""
    packet = fifo_packet(bench.random.randbytes(length), bad=bad)
    record = b"" if bad else packet.to_bytes()
    return Sent(packet, bench.reception_address(0, tail), record, "RECEPTION_TAIL", tail + len(record))


def put(bench, length, left, *, bad):
    """A put into the window of counter 0, whose value is `left`; one with a bad tail may or may not change memory."""
    payload, offset = bench.random.randbytes(length), 8 * bench.random.randrange((WINDOW_BYTES - length) // 8)
    packet = put_packet(payload, put_offset=offset, bad=bad)
    if bad:
        return Sent(packet, register="RECEPTION_VALUE", value=left)
    return Sent(packet, bench.data + offset, payload, "RECEPTION_VALUE", left - length)


def get(bench, length, tail, *, bad):
    """A remote get for injection ring 0, whose TAIL is `tail`: descriptors that are skipped."""
    asked = descriptor(0, 0, 8, pack(Header, dma=1)).to_bytes(DESCRIPTOR_BYTES, "big") * (length // DESCRIPTOR_BYTES)
    packet = put_packet(asked, remote_get=1, bad=bad, size=length // DESCRIPTOR_BYTES)
    kept = b"" if bad else asked
    return Sent(packet, bench.ring_address(0, tail), kept, "INJECTION_TAIL", tail + len(kept))


def text(bench, length, tail, *, bad):
    """A console packet; the console's ring has its TAIL at `tail`."""
    words = 2 + (length + 7) // 8
    link = pack(LinkHeader, protocol=Protocol.CONSOLE, opt=length, total_pkt=1)
    content = pack(TreeHeader, words=words).to_bytes(8, "big") + link.to_bytes(16, "big")
    content += bench.random.randbytes(length) + bytes(-length % 8)
    record = b"" if bad else content + bytes(-len(content) % 32)
    address = bench.reception_address(bench.parameters.reception_rings, tail)
    return Sent(Packet.of_bytes(content, bad=bad), address, record, "CONSOLE_TAIL", tail + len(record))


@cocotb.test()
@cocotb.parametrize(kind=[message, put, get, text], pauses=["never", "often"], latency=[1, 6])
async def what_it_changes_is_visible(dut, kind, pauses, latency):
    """Each kind and length, on all lanes: writes acknowledged, memory changed, and then a register read says so."""
    bench = Bench(dut, pauses, latency=latency)
    await bench.start()
    await bench.open_rings(remote=0)
    state = 1 << 20 if kind is put else 0
    await bench.window("RECEPTION", 0, window=bench.data, limit=WINDOW_BYTES, value=state)
    sources = [bench.console_in] if kind is text else bench.eject
    retired = dut.console_retired if kind is text else dut.retired
    for length, bad in ((240, False), (64, True), (17, False), (40, False), (8, True), (16, False), (97, False)):
        for source in sources:
            sent = kind(bench, length, state, bad=bad)
            await arrive(bench, source, sent, retired)
            assert await bench.get(sent.register) == sent.value
            state = sent.value
            await bench.settle()
        if kind is not put:
            # No record goes across the end of its ring.
            await bench.open_rings(remote=0)
            state = 0
    assert bench.console_retired + sum(bench.retired.values()) == 7 * len(sources)


@cocotb.test()
@cocotb.parametrize(pauses=["never", "often"])
async def what_is_dropped_retires_too(dut, pauses):
    """Without a ring, outside a window, cut behind any of its headers, back to back: as many retire as came."""
    bench = Bench(dut, pauses)
    await bench.start()
    await bench.set("CONSOLE_SIZE", 0)
    await bench.set("RECEPTION_SIZE", 0)
    whole = [fifo_packet(bytes(64)), put_packet(bytes(64)), put_packet(bytes(64), remote_get=1)]
    whole += [Packet(packet.words[:flits], bad=True) for packet in whole for flits in (1, 2, 3)]
    texts = [text(bench, 40, 0, bad=False).packet.words[:flits] for flits in (1, 2, 3, 8)]
    for _ in range(5):
        bench.random.shuffle(whole)
        for packet in whole:
            for lane in bench.eject:
                lane.send(packet)
        for words in bench.random.sample(texts, len(texts)):
            bench.console_in.send(Packet(words, bad=bench.random.random() < 0.5))
    # A header that is all of its packet, as often as can be.
    for _ in range(10):
        bench.console_in.send_flit(pack(Flit, first=1, last=1, data=bench.random.getrandbits(64)))
    await bench.settle()
    assert bench.console_retired == await bench.get("CONSOLE_DROPS") == 5 * len(texts) + 10
    assert [bench.retired[lane] for lane in range(len(bench.eject))] == [5 * len(whole)] * len(bench.eject)
