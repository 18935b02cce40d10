"""Streams between reference nodes: bytes in order whatever the torus does."""

import random

import pytest

from khhw.host.sync import gather
from khhw.net import Buffer, Connection, tcp_rcv, tcp_send
from tests.net.pair import PORT, Nets, accept, connect


def text(length, seed=0):
    return random.Random(seed).randbytes(length)


def test_bytes_go_both_ways_and_the_stream_ends():
    async def client(net):
        connection = await connect(net)
        await tcp_send(connection, b"hello")
        answer = await connection.receive_exactly(5)
        await connection.close()
        return connection.peer, connection.remote_port, answer

    async def server(net):
        connection = await accept(net)
        heard = await connection.receive(100)
        await tcp_send(connection, b"world")
        end = await connection.receive(100)
        await connection.close()
        return connection.peer, connection.local_port, heard, end, len(net.table.connections)

    assert Nets().run(client, server) == [(1, PORT, b"world"), (0, PORT, b"hello", b"", 0)]


@pytest.mark.parametrize("length", [1, 7, 8, 223, 224, 225, 239, 240, 241, 3839, 3840, 5000, 40_001])
@pytest.mark.parametrize("buffer", [False, True], ids=["bytes", "buffer"])
def test_any_length_arrives(length, buffer):
    data = text(length)

    async def client(net):
        connection = await connect(net)
        for _ in range(2):
            if buffer:
                net.node.memory[net.heap.base] = data
                await tcp_send(connection, Buffer(net.heap.base, length))
                net.node.memory.clear(net.heap.base, length)
            else:
                await tcp_send(connection, data)
        await connection.close()

    async def server(net):
        connection, base, got = await accept(net), net.heap.base, 0
        while count := await tcp_rcv(connection, Buffer(base + got, 2 * length + 1 - got)):
            got += count
        await connection.close()
        return net.node.memory.read(base, got)

    assert Nets().run(client, server)[1] == data + data


@pytest.mark.parametrize("spoil", [{"lose": 0.1}, {"repeat": 0.3}, {"delay": 400}, {
    "lose": 0.05, "repeat": 0.1, "delay": 300}], ids=["lost", "repeated", "late", "all"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_bad_torus_changes_no_byte(spoil, seed):
    there, back = text(60_000, seed), text(30_000, seed + 100)

    async def talk(connection, mine, length, rng):
        async def send():
            at = 0
            while at < len(mine):
                step = rng.choice([1, 8, 100, 240, 2000, 9000])
                await tcp_send(connection, mine[at:at + step])
                at += step

        async def hear():
            got = b""
            while len(got) < length:
                got += await connection.receive(rng.choice([1, 50, 300, 5000, 20000]))
            return got

        _, got = await gather(send(), hear())
        return got

    async def client(net):
        connection = await connect(net)
        got = await talk(connection, there, len(back), random.Random(seed))
        await connection.close()
        return got, net.table.resent

    async def server(net):
        connection = await accept(net)
        got = await talk(connection, back, len(there), random.Random(seed + 1))
        end = await connection.receive(1)
        await connection.close()
        return got + end, net.table.resent

    nets = Nets()
    nets.spoil(seed, **spoil)
    (first, resent), (second, also) = nets.run(client, server)
    assert (first, second) == (back, there)
    assert resent + also > 0 or not spoil.get("lose")


def test_sequence_numbers_wrap(monkeypatch):
    data, begin = text(9000), Connection.begin

    def late(table, peer, ports):
        connection = begin(table, peer, ports)
        connection.first = (0xFFFFF000, 0xFFFFFF00)[table.node.rank]
        connection.outgoing.__init__(connection.areas[0], connection.first + 1)
        return connection

    monkeypatch.setattr(Connection, "begin", late)

    async def client(net):
        connection = await connect(net)
        await tcp_send(connection, data)
        got = await connection.receive_exactly(len(data))
        await connection.close()
        return got

    async def server(net):
        connection = await accept(net)
        got = await connection.receive_exactly(len(data))
        await tcp_send(connection, got[::-1])
        await connection.receive(1)
        await connection.close()

    nets = Nets()
    nets.spoil(lose=0.1)
    assert nets.run(client, server)[0] == data[::-1]


def test_a_slow_reader_holds_the_sender_back():
    data = text(100_000)

    async def client(net):
        connection = await connect(net)
        await tcp_send(connection, data)
        sent = net.node.now
        await connection.close()
        return sent

    async def server(net):
        connection = await accept(net)
        await net.node.sleep(300_000)
        began, got = net.node.now, await connection.receive_exactly(len(data))
        ended = net.node.now
        await connection.close()
        return began, ended, got == data

    sent, (began, ended, same) = Nets().run(client, server)
    assert same
    assert sent > began
    assert ended - began < 20_000, "the peer is told at once that the window is open again"


def test_sixty_four_connections_at_once():
    async def client(net):
        async def one(number):
            connection = await connect(net)
            data = text(3000, number)
            await tcp_send(connection, data)
            assert await connection.receive_exactly(3000) == data[::-1]
            await connection.close()

        await gather(*(one(number) for number in range(64)))
        with_room = len(net.table.connections)
        return with_room

    async def server(net):
        listener = await net.listen(PORT)

        async def one():
            connection = await listener.accept()
            await tcp_send(connection, (await connection.receive_exactly(3000))[::-1])
            await connection.receive(1)
            await connection.close()

        await gather(*(one() for _ in range(64)))
        return len(net.table.connections)

    assert Nets().run(client, server) == [0, 0]


def test_connections_of_a_node_with_itself():
    async def program(net):
        async def server():
            connection = await accept(net)
            await tcp_send(connection, (await connection.receive_exactly(1000))[::-1])
            await connection.close()

        async def client():
            connection = await connect(net, peer=0)
            await tcp_send(connection, text(1000))
            got = await connection.receive_exactly(1000)
            await connection.close()
            return got

        return (await gather(server(), client()))[1]

    assert Nets().run(program) == [text(1000)[::-1]]
