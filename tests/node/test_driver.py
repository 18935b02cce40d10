"""The driver of a node, on the reference machine."""

from itertools import pairwise

import pytest

from khhw.control.domains import Domains
from khhw.control.epochs import EpochControl
from khhw.host.sync import gather
from khhw.node import BusError, Layout, LayoutError, Node, descriptor, header, parse_options, put_descriptor
from rtl.formats import PutHeader, Writer, pack
from rtl.registers import Fault, Irq
from tests.reference import Rig

ALL = Domains.from_rules(["* -> *"], 8)


class Pair:
    """Nodes opened by the test itself instead of by their loaders."""

    def __init__(self):
        self.rig = Rig()
        self.rig.run(EpochControl(self.rig.owner).change(ALL))

    def run(self, program, *ranks):
        """Run program(node, ...) with drivers of some nodes."""
        async def opened():
            return await program(*[await Node.open(self.rig.machine.host.nodes[rank]) for rank in ranks])
        for task in list(self.rig.machine.host.scheduler.tasks):
            if task.rank in ranks:
                task.cancel()
        return self.rig.run(opened())


@pytest.fixture
def pair():
    return Pair()


def test_a_message_arrives_with_its_stamp(pair):
    async def program(a, b):
        await a.send(6, b"hello", function=42)
        return await b.reception.receive(1000)

    [packet] = pair.run(program, 1, 6)
    assert (packet.source, packet.function, packet.payload) == (1, 42, b"hello")


def test_a_long_message_comes_in_packets_that_know_their_offset(pair):
    data = bytes(range(256)) * 3

    async def program(a, b):
        await a.send(6, data)
        found = bytearray(len(data))
        for packet in await b.reception.receive(1000):
            found[packet.offset:packet.offset + len(packet.payload)] = packet.payload
        return bytes(found)

    assert pair.run(program, 1, 6) == data


def test_the_reception_ring_goes_round(pair):
    async def program(a, b):
        seen = []
        for number in range(60):
            await a.send(6, bytes([number]) * 200)
            seen += [packet.payload for packet in await b.reception.receive(1000)]
        return seen

    assert pair.run(program, 1, 6) == [bytes([number]) * 200 for number in range(60)]


def test_a_put_reaches_the_window_and_the_counter(pair):
    async def program(a, b):
        window = b.layout.heap.base
        await b.reception_counter(2).arm(window, 64, 16, writer=a.node_id)
        await a.put(6, 2, 8, b"0123456789abcdef")
        return await b.reception_counter(2).wait(1000), b.memory.read(window, 32)

    assert pair.run(program, 1, 6) == (True, bytes(8) + b"0123456789abcdef" + bytes(8))


@pytest.mark.parametrize(("armed", "sent", "comes"), [
    ({"writer": 1}, 0, True), ({"writer": 2}, 0, False), ({"writer": 1, "key": 63}, 63, True),
    ({"writer": 1, "key": 5}, 4, False), ({"anybody": True}, 0, True), ({"anybody": True, "key": 5}, 0, False),
])
def test_a_counter_takes_puts_of_its_writer_with_its_key(pair, armed, sent, comes):
    async def program(a, b):
        await b.reception_counter(2).arm(b.layout.heap.base, 64, 16, **armed)
        await a.put(6, 2, 0, bytes(16), key=sent)
        return await b.reception_counter(2).wait(500), await b.read("COUNTER_DROPS")

    assert pair.run(program, 1, 6) == (comes, 0 if comes else 1)


@pytest.mark.parametrize(("armed", "message"), [
    ({}, r"of one node \(writer=\) or of anybody \(anybody=True\), not nobody"),
    ({"writer": 1, "anybody": True}, "not both"), ({"writer": 1 << 16}, "node = 65536 does not fit in 16 bits"),
    ({"anybody": True, "key": 64}, "key = 64 does not fit in 6 bits"),
])
def test_a_counter_is_armed_for_somebody(pair, armed, message):
    async def program(a):
        await a.reception_counter(2).arm(0, 64, 16, writer=3)
        with pytest.raises(ValueError, match=message):
            await a.reception_counter(2).arm(a.layout.heap.base, 64, 16, **armed)
        return await a.read("RECEPTION_WRITER", 2)

    assert pair.run(program, 1) == pack(Writer, armed=1, node=3), "nothing has changed"


def test_a_counter_that_is_not_reached_times_out(pair):
    async def program(a, b):
        await b.reception_counter(2).arm(b.layout.heap.base, 64, 17, writer=a.node_id)
        await a.put(6, 2, 0, bytes(16))
        return await b.reception_counter(2).wait(500)

    assert pair.run(program, 1, 6) is False


@pytest.mark.parametrize("reader", [1, 2, None])
def test_a_remote_get_reads_what_it_may(pair, reader):
    async def program(a, b):
        b.memory[b.layout.heap.base] = b"secret--"
        await b.injection_counter(3).open(b.layout.heap.base, 32, reader=reader)
        await b.answer_gets()
        target = a.layout.heap.base
        a.memory.clear(target, 32)
        await a.reception_counter(1).arm(target, 32, 8, writer=b.node_id)
        # The destination a requester writes does not matter: it gets the answer, nobody else.
        software = pack(PutHeader, counter=1)
        await a.remote_get(6, [descriptor(header((0, 0, 0), dma=1), software, 0, 8, counter=3)])
        arrived = await a.reception_counter(1).wait(2000)
        return arrived, a.memory.read(target, 8), await b.faults()

    arrived, data, (faults, last) = pair.run(program, 1, 6)
    if reader == 1:
        assert (arrived, data, faults) == (True, b"secret--", 0)
    else:
        assert (arrived, data, faults, last) == (False, bytes(8), 1, Fault.WINDOW)


def test_two_tasks_of_a_node_wait_for_different_causes(pair):
    async def program(a, b):
        async def messages():
            return [packet.payload for packet in await b.reception.receive(5000)]

        async def hits():
            await b.reception_counter(1).arm(b.layout.heap.base, 32, 8, writer=a.node_id)
            return await b.reception_counter(1).wait(5000)

        async def sender():
            await a.sleep(500)
            await a.put(6, 1, 0, bytes(8))
            await a.sleep(500)
            await a.send(6, b"late")

        return await gather(messages(), hits(), sender())

    assert pair.run(program, 1, 6)[:2] == [[b"late"], True]


def test_skipped_descriptors_do_not_hang_the_ring(pair):
    async def program(a):
        target = a.shape.coordinate(6)
        await a.sender.post(put_descriptor(target, 1, 0, 4, 8), put_descriptor(target, 1, 0, 0, 8, counter=255))
        return await a.faults()

    assert pair.run(program, 1) == (2, Fault.COUNTER)


def test_what_a_tenant_may_not_do_is_a_bus_error(pair):
    async def program(a):
        with pytest.raises(BusError):
            await a.write("COMMIT", 1)
        return await a.read("BUS_ERRORS")

    assert pair.run(program, 1) == 1


def test_waiting_ends_after_its_time(pair):
    async def program(a):
        begin = a.now
        causes = await a.wait(Irq.RECEPTION, timeout=300)
        return causes, a.now - begin

    causes, cycles = pair.run(program, 1)
    assert causes == frozenset()
    assert 300 <= cycles < 320


def test_only_what_is_waited_for_is_enabled(pair):
    async def program(a):
        await a.wait(Irq.RECEPTION, timeout=50)
        await a.wait(Irq.CONSOLE, Irq.FAULT, timeout=50)
        return await a.read("IRQ_ENABLE")

    assert pair.run(program, 1) == 1 << Irq.CONSOLE | 1 << Irq.FAULT


def test_staging_that_does_not_fit_is_refused(pair):
    async def program(a):
        with pytest.raises(ValueError, match="do not fit"):
            await a.send(6, bytes(5000))

    pair.run(program, 1)


def test_memory_ends_where_it_ends(pair):
    async def program(a):
        for span in (slice(-8, 8), slice(65530, 65540)):
            with pytest.raises(IndexError):
                a.memory[span]
        with pytest.raises(IndexError):
            a.memory[65536] = b"x"

    pair.run(program, 1)


@pytest.mark.parametrize("memory_bytes", [32 << 10, 64 << 10, 1 << 20])
def test_areas_do_not_overlap(memory_bytes):
    layout = Layout(memory_bytes)
    areas = [layout.injection, layout.answers, layout.console, layout.console_out, layout.reception, layout.staging,
             layout.image, layout.heap]
    for before, after in pairwise(areas):
        assert before.end == after.base
        assert after.length > 0
        assert after.base % 32 == 0
    assert layout.heap.end == memory_bytes


def test_a_memory_too_small_is_refused():
    with pytest.raises(LayoutError, match=r"at least 32768 bytes .* not 4096"):
        Layout(4096)


def test_options():
    assert parse_options("b=1,0x10", a=5, b=[7]) == {"a": [5], "b": [1, 16]}
    for text in ("c=1", "a", "a=x"):
        with pytest.raises(ValueError, match="option"):
            parse_options(text, a=5)
