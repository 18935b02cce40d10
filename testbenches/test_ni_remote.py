"""The network interface among hostile or restarting company: remote gets, loopback, resets."""

import itertools

import cocotb
from cocotb.triggers import RisingEdge

from rtl.formats import ANSWER_COMMITS, Descriptor, Header, PutHeader, pack, unpack
from rtl.registers import REGISTERS, Fault
from testbenches.kit.axilite import SLVERR
from testbenches.kit.stream import PAUSES, Packet
from testbenches.ni_bench import RING_BYTES, Bench, descriptor, fifo_packet, put_packet, replaced

DUT = "rtl.ni.ni:NI"
PARAMETERS = [{}]

READER = REGISTERS["INJECTION_READER"]
TO_ANY = READER.pack(open=1, any=1)
PUT = pack(Header, dma=1)
REMOTE = 2
"""The injection ring that takes remote gets."""


def _get(*descriptors: int, source: int, ring: int = REMOTE, bad: bool = False) -> Packet:
    payload = b"".join(one.to_bytes(32, "big") for one in descriptors)
    return put_packet(payload, source=source, ring=ring, remote_get=1, bad=bad)


@cocotb.test()
@cocotb.parametrize(pauses=list(PAUSES))
async def a_get_reads_what_is_open_to_its_requester(dut, pauses):
    """READER decides on all bits of the requester's stamped id, whatever the descriptor says."""
    bench = Bench(dut, pauses)
    await bench.start()
    await bench.open_rings(remote=REMOTE)
    content = bench.fill(bench.data, 512)
    faults = gets = 0
    reader, stranger = bench.random.sample(range(1 << 16), 2)
    to_reader, to_any = {"open": 1, "node": reader}, {"open": 1, "any": 1}
    asks = [({}, reader, False), (to_reader, reader, True), (to_reader, stranger, False),
            (to_any, stranger, True), ({**to_any, "node": reader}, stranger, True),
            ({"any": 1, "node": reader}, reader, False)]
    asks += [(to_reader, reader ^ 1 << bit, False) for bit in range(16)]
    asks += [({"open": 1, "node": node}, node, True) for node in (stranger, 0, 0xFFFF)]
    for rights, source, allowed in asks:
        await bench.window("INJECTION", 1, window=bench.data, limit=512, rights=READER.pack(**rights))
        # The descriptor lies about who asks.
        asked = descriptor(1, 8, 300, replaced(Header, PUT, source=99 if allowed else rights.get("node", 0), x=3))
        bench.eject[0].send(_get(asked, asked, source=source))
        gets += 2
        await bench.settle()
        packets = list(bench.inject[REMOTE % bench.parameters.lanes].packets)
        bench.inject[REMOTE % bench.parameters.lanes].packets.clear()
        if allowed:
            header = replaced(Header, unpack(Descriptor, asked)["header"], source=source)
            assert packets == 2 * bench.expected_packets(header, 0, content[8:308])
        else:
            faults += 2
            assert packets == []
            assert await bench.get("LAST_FAULT") == REGISTERS["LAST_FAULT"].pack(fault=Fault.WINDOW, ring=REMOTE)
        assert await bench.get("FAULTS") == faults
    assert await bench.get("INJECTION_TAIL", REMOTE) == gets * 32 % RING_BYTES
    assert await bench.get("INJECTION_HEAD", REMOTE) == gets * 32 % RING_BYTES
    assert (await bench.host.write(REGISTERS["INJECTION_TAIL"].at(REMOTE), 0)).resp == SLVERR


@cocotb.test()
@cocotb.parametrize(pauses=["never", "often"])
async def a_get_is_answered_while_it_is_young(dut, pauses):
    """Its age is counted in commits, modulo 256; what is left of an answer when it is too old is not sent."""
    bench = Bench(dut, pauses)
    await bench.start()
    await bench.open_rings(remote=REMOTE)
    content = bench.fill(bench.data, 4096)
    await bench.window("INJECTION", 1, window=bench.data, limit=4096, rights=TO_ANY)
    sent, faults = bench.inject[REMOTE % bench.parameters.lanes].packets, 0

    def asked(length: int, at: int) -> tuple[int, int]:
        header = replaced(Header, PUT, source=5, crc=at % 256 >> 1, epoch=at % 2)
        return descriptor(1, 0, length, header), header

    for now, age, length in itertools.product((0, 1, 216), (0, 1, 2, 3, 4, 130, 255), (16, 500)):
        dut.commits.value = now
        one, header = asked(length, now - age)
        bench.eject[0].send(_get(one, source=5))
        await bench.settle()
        late = age >= ANSWER_COMMITS
        assert list(sent) == ([] if late else bench.expected_packets(header, 0, content[:length]))
        sent.clear()
        faults += late
        assert await bench.get("FAULTS") == faults
        if late:
            assert await bench.get("LAST_FAULT") == REGISTERS["LAST_FAULT"].pack(fault=Fault.LATE, ring=REMOTE)

    # A long answer is cut between packets, and those behind it are answered, each by its own age.
    dut.commits.value = 7
    for length, at in ((4096, 5), (64, 6), (0, 4), (128, 5)):
        bench.eject[0].send(_get(asked(length, at)[0], source=5))
    while len(sent) < 3:
        await RisingEdge(dut.clk)
    dut.commits.value = 8
    await bench.settle()
    whole, cut = bench.expected_packets(asked(4096, 5)[1], 0, content), len(sent) - 1
    assert 3 <= cut < 8
    assert list(sent) == whole[:cut] + bench.expected_packets(asked(64, 6)[1], 0, content[:64])
    assert await bench.get("FAULTS") == faults + 3
    assert await bench.get("INJECTION_HEAD", REMOTE) == await bench.get("INJECTION_TAIL", REMOTE)
    # Software's own messages have no age.
    dut.commits.value = 100
    own = REMOTE + bench.parameters.lanes if REMOTE + bench.parameters.lanes < bench.parameters.injection_rings else 0
    lane = bench.inject[own % bench.parameters.lanes].packets
    lane.clear()
    await bench.post(own, descriptor(1, 0, 64, PUT))
    await bench.settle()
    assert list(lane) == bench.expected_packets(PUT, 0, content[:64])


@cocotb.test()
@cocotb.parametrize(pauses=["never", "often"])
async def a_get_without_room_is_dropped(dut, pauses):
    """A get for software's ring, a ring that is not there, or one without room for all of it changes nothing."""
    bench = Bench(dut, pauses)
    await bench.start()
    await bench.open_rings(remote=REMOTE)
    await bench.set("INJECTION_SIZE", REGISTERS["INJECTION_SIZE"].pack(chunks=4, remote=1), REMOTE)
    await bench.window("INJECTION", 0, window=bench.data, limit=512, rights=TO_ANY)
    one = descriptor(0, 0, 8, PUT)
    dropped = [_get(one, source=1, ring=0), _get(one, source=1, ring=200), _get(*[one] * 4, source=1),
               _get(*[one] * 7, source=1)]
    for packet in dropped:
        bench.eject[0].send(packet)
    bench.eject[0].send(_get(*[one] * 3, source=1))
    await bench.settle()
    assert await bench.get("GET_DROPS") == 4
    assert len(bench.inject[REMOTE % bench.parameters.lanes].packets) == 3
    bench.eject[0].send(_get(*[one] * 2, source=1, bad=True))
    await bench.settle()
    assert await bench.get("BAD_DROPS") == 1
    assert await bench.get("INJECTION_TAIL", REMOTE) == 3 * 32
    bench.eject[0].send(_get(*[one] * 3, source=1))
    await bench.settle()
    assert await bench.get("INJECTION_TAIL", REMOTE) == 2 * 32
    assert sum(len(sink.packets) for sink in bench.inject) == 6
    assert bench.retired[0] == 7


@cocotb.test()
@cocotb.parametrize(pauses=list(PAUSES))
async def a_put_to_oneself(dut, pauses):
    """Injection and reception at once: a region copied through both lanes, with hits at both ends."""
    bench = Bench(dut, pauses)
    await bench.start()
    length = 5000
    content = bench.fill(bench.data, length)
    to = bench.data + 5008
    await bench.window("INJECTION", 0, window=bench.data, limit=length, value=length)
    await bench.window("RECEPTION", 0, window=to, limit=length, value=length)
    half = 2400
    await bench.post(0, descriptor(0, 0, half, PUT))
    await bench.post(1, descriptor(0, half, length - half, PUT, pack(PutHeader, put_offset=half)))
    while not int(dut.quiescent.value) or any(sink.packets for sink in bench.inject):
        for source, sink in zip(bench.eject, bench.inject, strict=True):
            while sink.packets:
                source.send(sink.packets.popleft())
        await RisingEdge(dut.clk)
    await bench.settle()
    assert bench.memory.dump(to, length) == content
    assert await bench.get("RECEPTION_HITS") == 1
    assert await bench.get("INJECTION_HITS") == 1


@cocotb.test()
@cocotb.parametrize(pauses=list(PAUSES), latency=[1, 9])
async def reset_amid_traffic(dut, pauses, latency):
    """After a reset at any moment the interface is as new: registers 0, rings closed, traffic flows again."""
    bench = Bench(dut, pauses, latency=latency)
    await bench.start()
    for moment in (3, 17, 40, 61):
        await bench.window("INJECTION", 1, window=bench.data, limit=2000, value=7, rights=READER.pack(open=1))
        await bench.window("RECEPTION", 1, window=bench.data, limit=2000, value=7)
        await bench.post(0, descriptor(1, 0, 2000, PUT))
        for source in bench.eject:
            source.send(put_packet(bytes(240), counter=1))
            source.send(fifo_packet(bytes(240)))
        for _ in range(moment):
            await RisingEdge(dut.clk)
        for model in [*bench.eject, *bench.inject]:
            model.flush()
        await bench.reset(600)
        for model in bench.inject:
            model.flush()
        for name in ("VALUE", "WINDOW", "LIMIT", "READER"):
            assert await bench.get(f"INJECTION_{name}", 1) == 0
        for name in ("VALUE", "WINDOW", "LIMIT", "WRITER"):
            assert await bench.get(f"RECEPTION_{name}", 1) == 0
        for name in ("INJECTION_SIZE", "INJECTION_HEAD", "RECEPTION_SIZE", "RECEPTION_TAIL", "FAULTS"):
            assert await bench.get(name) == 0
        await bench.open_rings()
        bench.eject[0].send(fifo_packet(b"after reset"))
        await bench.post(0, descriptor(0, 0, 0, 0))
        await bench.settle()
        assert await bench.get("RECEPTION_TAIL") == 32
        assert b"after reset" in bench.memory.dump(bench.reception_address(0), 32)
        assert (await bench.inject[0].recv()).words == (0, 0, 0, 0)


@cocotb.test()
@cocotb.parametrize(pauses=["never", "often"])
async def rings_are_set_up_anew_under_traffic(dut, pauses):
    """Writing BASE or SIZE in mid-message leaves the new ring empty; the message on its way ends whole."""
    bench = Bench(dut, pauses)
    await bench.start()
    await bench.window("INJECTION", 0, window=bench.data, limit=2000)
    await bench.post(0, *[descriptor(0, 0, 1000, 0)] * 3)
    while not bench.inject[0].flits:
        await RisingEdge(dut.clk)
    await bench.set("INJECTION_SIZE", RING_BYTES, 0)
    await bench.settle()
    assert await bench.get("INJECTION_HEAD") == 0
    assert 5 <= len(bench.inject[0].packets) <= 10

    for delay in range(0, 60, 7):
        bench.eject[0].send(fifo_packet(bytes(240)))
        for _ in range(delay):
            await RisingEdge(dut.clk)
        await bench.set("RECEPTION_BASE", bench.reception_address(0), 0)
        tail_after = await bench.get("RECEPTION_TAIL")
        await bench.settle()
        assert await bench.get("RECEPTION_TAIL") in (0, 256)
        assert tail_after in (0, 256)
        await bench.set("RECEPTION_BASE", bench.reception_address(0), 0)
        bench.eject[1].send(fifo_packet(bytes(16)))
        await bench.settle()
        assert await bench.get("RECEPTION_TAIL") == 32
        await bench.set("RECEPTION_BASE", bench.reception_address(0), 0)
