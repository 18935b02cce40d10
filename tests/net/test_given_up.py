"""Calls that are cancelled, and nets and windows that are closed, leave nothing behind."""

from types import SimpleNamespace

import pytest

from khhw.net import (
    ANY,
    Buffer,
    ClosedError,
    NoAnswerError,
    RemoteBuffer,
    rdma_get,
    rdma_put,
    tcp_send,
)
from khhw.net.rdma import GetTransfer
from khhw.node import timeout
from tests.net.pair import PORT, Nets, accept, connect

LENGTH = 10_000
LATE = 150_000
"""Cycles after which counters that were given up are lent again."""


def run(client, nets=None, **options):
    """client(net, remote) on node 0, with a window full of "w" on node 1."""
    shelf = []

    async def ask(net):
        while not shelf:
            await net.node.sleep(100)
        try:
            return await client(net, RemoteBuffer.parse(shelf[0], 1))
        finally:
            shelf.append(None)

    async def answer(net):
        net.node.memory[net.heap.base] = b"w" * LENGTH
        window = await net.register(net.heap.base, LENGTH, read=ANY, write=0)
        shelf.append(window.export())
        while len(shelf) < 2:
            await net.node.sleep(1000)
        return net.node.memory.read(net.heap.base, LENGTH)

    return (nets or Nets()).run(ask, answer, **options)


def free(net):
    return sorted(net.counters.injection_pool._free), sorted(net.counters.reception_pool._free)


@pytest.mark.parametrize("way", ["put", "get"])
def test_a_transfer_whose_wait_was_cancelled_is_given_up(way):
    async def client(net, remote):
        before, here = free(net), Buffer(net.heap.base, LENGTH)
        net.node.memory[here.address] = b"h" * LENGTH
        transfer = await (rdma_put(remote, here) if way == "put" else rdma_get(1, here, remote))
        with pytest.raises(TimeoutError):
            async with timeout(20):
                await transfer.done()
        for _ in range(2):
            with pytest.raises(ClosedError, match="with node 1 was given up here"):
                await transfer.done()
        await net.node.sleep(LATE)
        assert free(net) == before
        # What is lent again works.
        await (await rdma_get(1, here.slice(0, 100), remote.slice(0, 100))).done()
        await (await rdma_put(remote.slice(0, 100), here.slice(0, 100))).done()

    run(client)


def test_the_answer_to_a_get_whose_wait_was_cancelled_is_dropped():
    nets = Nets()
    deliver = nets.machine.deliver

    def late(source, destination, packet, **facts):
        if source == 1 and len(packet) == 256:
            nets.machine.at(3000, lambda: deliver(source, destination, packet, **facts))
        else:
            deliver(source, destination, packet, **facts)

    nets.machine.deliver = late

    async def client(net, remote):
        net.node.memory[net.heap.base] = b"h" * 240
        transfer = await rdma_get(1, Buffer(net.heap.base, 240), remote.slice(0, 240))
        with pytest.raises(TimeoutError):
            async with timeout(500):
                await transfer.done()
        await net.node.sleep(10_000)
        return net.node.memory.read(net.heap.base, 240)

    assert run(client, nets)[0] == b"h" * 240


def test_the_request_of_a_get_that_was_given_up_is_kept_until_it_has_left():
    """Its descriptors lie in memory, and the next get of the counter puts its own there."""
    nets, held = Nets(), []
    node = nets.machine.nodes[0]
    inject = node.inject

    async def client(net, remote):
        here = Buffer(net.heap.base, 128)
        node.inject = held.append
        first = await rdma_get(1, here.slice(0, 64), remote.slice(0, 64))
        with pytest.raises(TimeoutError):
            async with timeout(20):
                await first.done()
        await net.node.sleep(1000)
        second = await rdma_get(1, here, [remote.slice(0, 64), remote.slice(64, 64)])
        node.inject = inject
        for ring in set(held):
            inject(ring)
        await second.done()
        await net.node.sleep(LATE)
        return first._counter != second._counter, net.node.memory.read(here.address, 128), free(net)[1]

    apart, data, counters = run(client, nets)[0]
    assert apart
    assert data == b"w" * 128
    assert counters == list(range(8))


def test_a_put_that_was_too_slow_gives_its_counter_back():
    async def client(net, remote):
        before = free(net)
        transfer = await rdma_put(remote, Buffer(net.heap.base, LENGTH))
        with pytest.raises(NoAnswerError, match="did not leave memory within 10 cycles"):
            await transfer.done(timeout=10)
        await net.node.sleep(LATE)
        return free(net) == before

    assert run(client)[0]


def test_calls_that_are_cancelled_anywhere_lose_no_counter():
    async def client(net, remote):
        before, ended = free(net), 0
        for cycles in range(1, 60):
            here = Buffer(net.heap.base + 64 * cycles, 48 + cycles % 8)
            for got, call in (
                (b"w", lambda here=here: rdma_get(1, here, remote.slice(0, here.length))),
                (b"h", lambda here=here: rdma_put(remote.slice(LENGTH // 2, here.length), here)),
            ):
                net.node.memory[here.address] = b"h" * 64
                try:
                    async with timeout(cycles):
                        transfer = await call()
                except TimeoutError:
                    ended += 1
                    if ended % 6 == 0:
                        await net.node.sleep(LATE)
                else:
                    await transfer.done()
                    assert net.node.memory.read(here.address, here.length) == got * here.length
        await net.node.sleep(LATE)
        return free(net) == before, ended

    same, ended = run(client, cycles=60_000_000)[0]
    assert same
    assert ended > 10


def test_a_lane_takes_33_cycles_a_packet():
    """What the wait for a get reckons with is what docs/calls.md says."""
    net = SimpleNamespace(node=SimpleNamespace(now=0))
    assert GetTransfer(net, 1, [2400, 8], 0, 0, 0)._cycles == 331


def test_a_window_is_closed_when_no_packet_can_write_any_more():
    async def client(net, remote):
        window = await net.register(net.heap.base, 64, write=0)
        before = net.node.now
        await window.close()
        return net.node.now - before

    assert run(client)[0] > 64


def test_a_closed_net_has_closed_its_rings():
    async def client(net, remote):
        net.node.memory[net.heap.base] = b"h" * LENGTH
        await rdma_put(remote, Buffer(net.heap.base, LENGTH))
        assert await net.node.read("INJECTION_SIZE", 2)
        await net.close()
        return [await net.node.read("INJECTION_SIZE", ring) for ring in (2, 3)]

    assert run(client) == [[0, 0], b"h" * LENGTH]


def test_a_send_buffer_is_given_when_the_hardware_is_through_with_it():
    async def client(net):
        ring, found = net.transmitter.ring, []
        connection = await connect(net)
        await tcp_send(connection, bytes(5000))
        await connection.reset()
        await net.node.sleep(3000)
        behind, take = ring.pushed, net.table.take

        def checked():
            found.append(ring.taken >= behind)
            return take()

        net.table.take = checked
        await (await net.connect(1, PORT)).reset()
        return found

    async def server(net):
        await net.listen(PORT)
        await net.node.sleep(50_000)

    assert Nets().run(client, server, connections=1)[0] == [True]


async def block(net):
    """Nothing gets into the ring of the streams; a function that ends this."""
    await net.node.sleep(2000)
    ring = net.transmitter.ring
    room = ring.room

    async def never(_count):
        await net.node.sleep(1_000_000)

    ring.room = never
    return lambda: setattr(ring, "room", room)


@pytest.mark.parametrize("call", ["finish", "close"])
def test_an_end_that_was_not_sent_is_sent_by_the_next_call(call):
    async def client(net):
        connection = await connect(net)
        go_on = await block(net)
        with pytest.raises(TimeoutError):
            async with timeout(100):
                await getattr(connection, call)()
        go_on()
        await connection.close()

    async def server(net):
        connection = await accept(net)
        end = await connection.receive(1)
        await connection.close()
        return end

    assert Nets().run(client, server)[1] == b""


def test_sends_that_were_cancelled_leave_the_send_buffer_free():
    async def client(net):
        connection = await connect(net)
        go_on = await block(net)
        for _ in range(100):
            with pytest.raises(TimeoutError):
                async with timeout(100):
                    await tcp_send(connection, bytes(500))
        go_on()
        await tcp_send(connection, b"x" * 20_000)
        await connection.close()

    async def server(net):
        connection = await accept(net)
        got = await connection.receive_exactly(20_000)
        await connection.close()
        return got

    assert Nets().run(client, server, cycles=2_000_000)[1] == b"x" * 20_000
