"""Nets on nodes of all kinds: little memory, few rings; and what a net takes and gives back."""

from itertools import pairwise

import pytest

from khhw.net import ANY, Buffer, Net, NetError, RemoteBuffer, WindowError, rdma_get, rdma_put, tcp_send
from khhw.net.areas import Areas
from khhw.node import Layout
from rtl.parameters import Parameters
from tests.net.pair import Nets

DATA = bytes(range(256)) * 12


async def server(net):
    connection = await (await net.listen(1)).accept()
    base = net.heap.base
    net.node.memory[base] = DATA
    try:
        window = await net.register(base, len(DATA), read=ANY, write=0)
    except WindowError:
        window = await net.register(base, len(DATA), write=0)
    await tcp_send(connection, window.export())
    assert await connection.receive_exactly(len(DATA)) == DATA
    assert await connection.receive(1) == b""
    assert net.node.memory.read(base, 3) == b"end"
    await connection.close()


async def client(net):
    await net.node.sleep(1000)
    connection = await net.connect(1, 1)
    remote = RemoteBuffer.parse(await connection.receive_exactly(8), 1)
    buffer = Buffer(net.heap.base, len(DATA))
    await tcp_send(connection, DATA)
    if remote.reads is not None:
        await (await rdma_get(1, buffer, remote)).done()
        assert net.node.memory.read(buffer.address, buffer.length) == DATA
    net.node.memory[buffer.address] = b"end"
    await (await rdma_put(remote, buffer.slice(0, 3))).done()
    await connection.close()
    return remote.reads is not None


@pytest.mark.parametrize(("parameters", "reads"), [
    (Parameters(), True), (Parameters(memory_bytes=4 << 20, counters=256), True),
    (Parameters(injection_rings=3), True), (Parameters(injection_rings=2, reception_rings=1), True),
    (Parameters(injection_rings=1, reception_rings=4, lanes=1), False), (Parameters(counters=4, slots=8), True),
])
def test_all_calls_on_all_nodes(parameters, reads):
    assert Nets(parameters=parameters, memory_bytes=None).run(client, server)[0] is reads


def test_messages_go_on_beside_a_net():
    async def sender(net):
        await net.node.sleep(1000)
        await net.node.send(1, b"plain", function=9)

    async def receiver(net):
        [packet] = await net.node.reception.receive(50_000)
        return packet.function, packet.payload

    assert Nets().run(sender, receiver)[1] == (9, b"plain")


def test_a_net_can_be_opened_again():
    async def twice(net):
        await net.close()
        await net.close()
        return await (server if net.node.rank else client)(await Net.open(net.node))

    Nets().run(twice, twice)


@pytest.mark.parametrize("memory_bytes", [64 << 10, 128 << 10, 1 << 20, 4 << 20])
@pytest.mark.parametrize("connections", [1, 64, 200])
def test_areas_lie_behind_the_kernel_s(memory_bytes, connections):
    layout = Layout(memory_bytes)
    areas = Areas.plan(layout, 8, connections)
    assert areas.heap.base == layout.heap.base
    pieces = sorted([
        areas.heap, areas.reception, areas.streams, areas.puts, areas.control, areas.requests,
        *(area for pair in areas.buffers for area in pair)], key=lambda area: area.base)
    for before, after in pairwise(pieces):
        assert before.end == after.base
    assert pieces[-1].end == memory_bytes
    assert areas.heap.length > layout.heap.length // 3
    if memory_bytes >= 1 << 20:
        assert len(areas.buffers) >= min(connections, 64)


def test_a_memory_too_small_for_a_net():
    with pytest.raises(NetError, match="has no room for a net; give the node 64 KiB of memory"):
        Areas.plan(Layout(32 << 10), 256, 64)
