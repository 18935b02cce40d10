"""Puts and gets between reference nodes: what arrives, what is refused, and what the caller is told."""

import random
from itertools import accumulate

import pytest

from khhw.host.sync import Event, gather
from khhw.net import (
    ANY,
    Buffer,
    ClosedError,
    NoAnswerError,
    NotAllowedError,
    RemoteBuffer,
    WindowError,
    rdma_get,
    rdma_put,
)
from tests.net.pair import Nets

LENGTH = 10_000
DATA = random.Random(1).randbytes(LENGTH)


class Shelf:
    """Where a test hands windows over: streams are tested elsewhere."""

    def __init__(self):
        self.window = None
        self.done = False

    async def fetch(self, net):
        while self.window is None:
            await net.node.sleep(100)
        return RemoteBuffer.parse(self.window, 1)

    async def serve(self, net, **rights):
        base = net.heap.base
        net.node.memory[base] = DATA
        window = await net.register(base, LENGTH, **rights)
        self.window = window.export()
        while not self.done:
            await net.node.sleep(1000)
        return window


def run(client, server=None, *rules, **rights):
    """client(net, remote) on node 0 against a window on node 1; what node 1 has in it at the end."""
    shelf = Shelf()

    async def ask(net):
        try:
            return await client(net, await shelf.fetch(net))
        finally:
            shelf.done = True

    async def answer(net):
        if server is not None:
            return await server(net, shelf)
        await shelf.serve(net, **(rights or {"read": ANY, "write": ANY}))
        return net.node.memory.read(net.heap.base, LENGTH)

    return Nets(*rules).run(ask, answer)


async def get(net, remote, length=None, **options):
    length = remote.length if length is None else length
    buffer = Buffer(net.heap.base, length)
    transfer = await rdma_get(1, buffer, remote.slice(0, length))
    await transfer.done(**options)
    return net.node.memory.read(buffer.address, length)


@pytest.mark.parametrize(("offset", "length"), [(0, 1), (8, 8), (0, 240), (240, 241), (16, 4096), (0, LENGTH)])
def test_a_get_reads(offset, length):
    async def client(net, remote):
        return await get(net, remote.slice(offset, length))

    assert run(client)[0] == DATA[offset:offset + length]


@pytest.mark.parametrize(("offset", "length"), [(0, 1), (8, 7), (0, 240), (240, 241), (16, 4096), (0, LENGTH)])
def test_a_put_writes(offset, length):
    new = bytes(range(1, 256)) * 40

    async def client(net, remote):
        net.node.memory[net.heap.base] = new
        transfer = await rdma_put(remote.slice(offset, length), Buffer(net.heap.base, length))
        await transfer.done()
        await transfer.done()

    assert run(client)[1] == DATA[:offset] + new[:length] + DATA[offset + length:]


def test_several_sources_are_read_in_one_request():
    spans = [(0, 100), (4000, 8), (104, 240), (9000, 1000), (0, 8), (16, 24), (32, 1)]

    async def client(net, remote):
        base = net.heap.base
        sources = [remote.slice(offset, length) for offset, length in spans]
        starts = accumulate((-(-length // 8) * 8 for _, length in spans), initial=base)
        into = [Buffer(start, length) for start, (_, length) in zip(starts, spans, strict=False)]
        await (await rdma_get(1, into, sources)).done()
        return [net.node.memory.read(buffer.address, buffer.length) for buffer in into]

    assert run(client)[0] == [DATA[offset:offset + length] for offset, length in spans]


def test_several_sources_into_one_buffer():
    async def client(net, remote):
        buffer = Buffer(net.heap.base, 64)
        await (await rdma_get(1, buffer, [remote.slice(800, 48), remote.slice(0, 16)])).done()
        return net.node.memory.read(buffer.address, 64)

    assert run(client)[0] == DATA[800:848] + DATA[:16]


def test_many_transfers_are_under_way_at_once():
    async def client(net, remote):
        base, size = net.heap.base, 400

        async def one(number):
            buffer = Buffer(base + number * size, size)
            await (await rdma_get(1, buffer, remote.slice(number * size, size))).done()
            net.node.memory[buffer.address] = net.node.memory.read(buffer.address, size)[::-1]
            await (await rdma_put(remote.slice(number * size, size), buffer)).done()

        await gather(*(one(number) for number in range(20)))

    changed = run(client)[1]
    for number in range(20):
        assert changed[number * 400:number * 400 + 400] == DATA[number * 400:number * 400 + 400][::-1]


def test_a_window_says_when_bytes_were_put():
    async def client(net, remote):
        net.node.memory[net.heap.base] = b"x" * 3000
        for _ in range(2):
            await (await rdma_put(remote, Buffer(net.heap.base, 1500))).done()
        await (await rdma_put(remote, Buffer(net.heap.base, 3000))).done()

    async def server(net, shelf):
        window = await net.register(net.heap.base, LENGTH, write=0)
        assert not await window.written(1, timeout=50)
        shelf.window = window.export()
        assert await window.written(3000)
        assert await window.written(6000)
        await window.expect(100)
        assert not await window.written(100, timeout=2000)
        while not shelf.done:
            await net.node.sleep(100)

    run(client, server)


def test_an_expected_put_raises_the_interrupt():
    async def client(net, remote):
        await (await rdma_put(remote, Buffer(net.heap.base, 3000))).done()

    async def server(net, shelf):
        window = await net.register(net.heap.base, LENGTH, write=0)
        await window.expect(3000)
        shelf.window = window.export()
        return await window.written(3000)

    assert run(client, server)[1] is True


@pytest.mark.parametrize("rights", [{"write": ANY}, {"read": 1, "write": ANY}, {"read": 1}])
def test_a_window_for_others_gives_nothing(rights):
    async def client(net, remote):
        stolen = RemoteBuffer(1, remote.reads or 1, remote.writes, remote.ring, 0, LENGTH)
        net.node.memory.clear(net.heap.base, LENGTH)
        for _ in range(2):
            with pytest.raises(WindowError, match="but it is there: the window is closed, not open to node 0"):
                await get(net, stolen, timeout=5000)
        return net.node.memory.read(net.heap.base, LENGTH)

    assert run(client, **rights)[0] == bytes(LENGTH)


def test_a_closed_window_gives_nothing_and_takes_nothing():
    async def client(net, remote):
        assert await get(net, remote, 100) == DATA[:100]
        await net.node.sleep(10_000)
        net.node.memory[net.heap.base] = b"y" * 100
        await (await rdma_put(remote, Buffer(net.heap.base, 100))).done()
        with pytest.raises(WindowError, match="the window is closed"):
            await get(net, remote, 100, timeout=5000)

    async def server(net, shelf):
        net.node.memory[net.heap.base] = DATA
        window = await net.register(net.heap.base, LENGTH, read=0, write=0)
        shelf.window = window.export()
        await net.node.sleep(8000)
        await window.close()
        await window.close()
        with pytest.raises(WindowError, match="not open for writing"):
            await window.written(1)
        while not shelf.done:
            await net.node.sleep(1000)
        return net.node.memory.read(net.heap.base, LENGTH)

    assert run(client, server)[1] == DATA


@pytest.mark.parametrize(("rules", "error", "message"), [
    (["0 -> 0", "1 -> 0 1"], NotAllowedError, "node 0 -> node 1 is not allowed"),
    (["0 -> 0 1", "1 -> 1"], NoAnswerError, "did not answer a get within 3000 cycles: node 1 -> node 0 is not allowed"),
])
def test_a_get_on_a_one_way_pair_names_the_direction(rules, error, message):
    async def client(net, remote):
        with pytest.raises(error, match=message):
            await get(net, remote, 100, timeout=3000)

    run(client, None, *rules)


def test_a_put_on_a_one_way_pair():
    async def client(net, remote):
        with pytest.raises(NotAllowedError, match="node 0 -> node 1 is not allowed"):
            await (await rdma_put(remote, Buffer(net.heap.base, 100))).done()

    assert run(client, None, "0 -> 0", "1 -> 0 1")[1] == DATA


def test_a_put_needs_one_direction_only():
    async def client(net, remote):
        net.node.memory[net.heap.base] = b"z" * 100
        await (await rdma_put(remote, Buffer(net.heap.base, 100))).done()

    assert run(client, None, "0 -> 0 1", "1 -> 1")[1] == b"z" * 100 + DATA[100:]


def test_a_late_answer_hits_nobody_else():
    """The answer to a get that was given up comes while the next get, of other bytes, waits for its own."""
    nets, shelf = Nets(), Shelf()
    deliver, delays = nets.machine.deliver, [6000, 7000]

    def late(source, destination, packet, **facts):
        if source == 1 and len(packet) == 256 and delays:
            nets.machine.at(delays.pop(0), lambda: deliver(source, destination, packet, **facts))
        else:
            deliver(source, destination, packet, **facts)

    nets.machine.deliver = late

    async def client(net):
        remote = await shelf.fetch(net)
        with pytest.raises(WindowError):
            await get(net, remote.slice(0, 240), timeout=1000)
        found = await get(net, remote.slice(240, 240))
        again = await get(net, remote.slice(480, 240))
        shelf.done = True
        return found, again

    async def server(net):
        await shelf.serve(net, read=ANY)

    assert nets.run(client, server)[0] == (DATA[240:480], DATA[480:720])
    assert not delays


def test_counters_run_out_for_windows_but_not_for_transfers():
    async def client(net, remote):
        windows = [await net.register(net.heap.base, 64, write=0) for _ in range(6)]
        with pytest.raises(WindowError, match="node 0 has no reception counter left for another window; close one"):
            await net.register(net.heap.base, 64, read=ANY, write=0)
        windows += [await net.register(net.heap.base, 64, read=ANY) for _ in range(6)]
        with pytest.raises(WindowError, match="no injection counter left"):
            await net.register(net.heap.base, 64, read=ANY)
        assert await get(net, remote, 100) == DATA[:100]
        for window in windows:
            await window.close()
        await net.register(net.heap.base, 64, read=ANY, write=0)

    run(client)


def test_what_cannot_be_asked():
    async def client(net, remote):
        here = Buffer(net.heap.base, 64)
        for wrong in (
            lambda: rdma_get(1, here, []), lambda: rdma_get(1, here, [remote.slice(0, 8)] * 8),
            lambda: rdma_get(1, here, remote.slice(4, 8)), lambda: rdma_get(1, Buffer(4, 64), remote.slice(0, 8)),
            lambda: rdma_get(1, here, remote.slice(0, 65)), lambda: rdma_get(0, here, remote.slice(0, 8)),
            lambda: rdma_get(1, [here, here], remote.slice(0, 8)), lambda: rdma_get(1, here, remote.slice(0, 0)),
            lambda: rdma_get(1, [here, Buffer(here.address + 72, 8)], [remote.slice(0, 64), remote.slice(64, 8)]),
            lambda: rdma_put(remote.slice(4, 64), here), lambda: rdma_put(remote, Buffer(4, 64)),
            lambda: rdma_put(remote, Buffer(0, 0)),
        ):
            with pytest.raises(ValueError, match=r"a get|a source|fit|window|buffer|put"):
                await wrong()
        with pytest.raises(WindowError, match="65 bytes do not fit into 64 of node 1"):
            await rdma_put(remote.slice(0, 64), Buffer(net.heap.base, 65))
        for address, length in ((4, 8), (0, 0), (len(net.node.memory) - 8, 16)):
            with pytest.raises(WindowError, match="a window is memory of the node"):
                await net.register(address, length, read=ANY)
        neither = RemoteBuffer(1, None, None, 1, 0, 64)
        with pytest.raises(WindowError, match="not open for reading"):
            await rdma_get(1, here, neither)
        with pytest.raises(WindowError, match="not open for writing"):
            await rdma_put(neither, here)

    run(client)


def test_an_export_is_eight_bytes():
    with pytest.raises(WindowError, match="has 8 bytes, not 3"):
        RemoteBuffer.parse(b"abc", 1)
    for offset, length in ((-1, 1), (0, -1), (60, 8)):
        with pytest.raises(ValueError, match="leave a remote buffer of 64 bytes"):
            RemoteBuffer(1, 1, 1, 1, 0, 64).slice(offset, length)
        with pytest.raises(ValueError, match="leave a buffer of 64 bytes"):
            Buffer(0, 64).slice(offset, length)
    with pytest.raises(ValueError, match="cannot be -1 bytes"):
        Buffer(0, -1)


def test_without_a_net_there_are_no_calls():
    async def program(net):
        await net.close()
        with pytest.raises(ClosedError, match="no net is open on this node"):
            await rdma_get(0, Buffer(0, 8), RemoteBuffer(0, 1, 1, 1, 0, 8))
        with pytest.raises(ClosedError):
            await net.connect(0, 1)

    Nets("0 -> 0").run(program)


def test_waiting_for_a_counter_ends_when_one_is_free():
    async def client(net, remote):
        turns, base = Event(), net.heap.base
        first = [await rdma_get(1, Buffer(base + 64 * i, 64), remote.slice(0, 64)) for i in range(8)]

        async def ninth():
            transfer = await rdma_get(1, Buffer(base + 512, 64), remote.slice(0, 64))
            turns.set()
            await transfer.done()

        async def rest():
            await net.node.sleep(5000)
            assert not turns.is_set()
            for transfer in first:
                await transfer.done()

        await gather(ninth(), rest())

    run(client)
