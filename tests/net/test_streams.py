"""Streams between reference nodes: bytes in order whatever the torus does, and errors that name the direction."""

import random

import pytest

from khhw.net import (
    Buffer,
    ClosedError,
    NetError,
    NoAnswerError,
    NotAllowedError,
    ResetError,
    tcp_rcv,
    tcp_send,
)
from khhw.net.endpoint import MOST_TRIES
from khhw.sim.scheduler import sleep
from khhw.sim.sync import gather
from tests.net.pair import Nets

PORT = 7


def text(length, seed=0):
    return random.Random(seed).randbytes(length)


async def send_for_ever(connection):
    while True:
        await tcp_send(connection, bytes(5000))
        await connection._node.sleep(100)


async def receive_for_ever(connection):
    while True:
        await connection.receive(100_000)


async def accept(net, port=PORT):
    return await (await net.listen(port)).accept()


async def connect(net, peer=1, port=PORT, **options):
    await net.node.sleep(1000)
    return await net.connect(peer, port, **options)


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
        return connection.peer, connection.local_port, heard, end, len(net.connections)

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
        connection, place, got = await accept(net), net.heap.base, 0
        while count := await tcp_rcv(connection, Buffer(place + got, 2 * length + 1 - got)):
            got += count
        await connection.close()
        return net.node.memory.read(place, got)

    assert Nets().run(client, server)[1] == data + data


@pytest.mark.parametrize("spoil", [{"lose": 0.1}, {"repeat": 0.3}, {"delay": 400}, {
    "lose": 0.05, "repeat": 0.1, "delay": 300}], ids=["lost", "repeated", "late", "all"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_bad_torus_changes_no_byte(spoil, seed):
    there, back = text(60_000, seed), text(30_000, seed + 100)

    async def talk(connection, mine, length, dice):
        async def send():
            at = 0
            while at < len(mine):
                step = dice.choice([1, 8, 100, 240, 2000, 9000])
                await tcp_send(connection, mine[at:at + step])
                at += step

        async def hear():
            got = b""
            while len(got) < length:
                got += await connection.receive(dice.choice([1, 50, 300, 5000, 20000]))
            return got

        _, got = await gather(send(), hear())
        return got

    async def client(net):
        connection = await connect(net)
        got = await talk(connection, there, len(back), random.Random(seed))
        await connection.close()
        return got, net.resent

    async def server(net):
        connection = await accept(net)
        got = await talk(connection, back, len(there), random.Random(seed + 1))
        end = await connection.receive(1)
        await connection.close()
        return got + end, net.resent

    nets = Nets()
    nets.spoil(seed, **spoil)
    (first, resent), (second, also) = nets.run(client, server)
    assert (first, second) == (back, there)
    assert resent + also > 0 or not spoil.get("lose")


def test_sequence_numbers_wrap():
    data = text(9000)

    async def client(net):
        make, net.new_connection = net.new_connection, None

        def late(peer, ports):
            connection = make(peer, ports)
            connection.first = 0xFFFFF000
            connection.outgoing.__init__(connection.areas[0], connection.first + 1)
            return connection

        net.new_connection = late
        connection = await connect(net)
        await tcp_send(connection, data)
        got = await connection.receive_exactly(len(data))
        await connection.close()
        return got

    async def server(net):
        make, net.new_connection = net.new_connection, None

        def late(peer, ports):
            connection = make(peer, ports)
            connection.first = 0xFFFFFF00
            connection.outgoing.__init__(connection.areas[0], connection.first + 1)
            return connection

        net.new_connection = late
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
        await connection.close()
        return began, got == data

    sent, (began, same) = Nets().run(client, server)
    assert same
    assert sent > began


def test_sixty_four_connections_at_once():
    async def client(net):
        async def one(number):
            connection = await connect(net)
            data = text(3000, number)
            await tcp_send(connection, data)
            assert await connection.receive_exactly(3000) == data[::-1]
            await connection.close()

        await gather(*(one(number) for number in range(64)))
        with_room = len(net.connections)
        return with_room

    async def server(net):
        listener = await net.listen(PORT)

        async def one():
            connection = await listener.accept()
            await tcp_send(connection, (await connection.receive_exactly(3000))[::-1])
            await connection.receive(1)
            await connection.close()

        await gather(*(one() for _ in range(64)))
        return len(net.connections)

    assert Nets().run(client, server) == [0, 0]


def test_no_room_for_one_more():
    async def client(net):
        first = await connect(net)
        with pytest.raises(NetError, match="node 0 has no room"):
            await net.connect(1, PORT)
        await first.close()

    async def server(net):
        listener = await net.listen(PORT)
        connection = await listener.accept()
        await connection.receive(1)
        await connection.close()

    Nets().run(client, server, connections=1)


def test_a_peer_without_room_refuses():
    async def client(net):
        connections = [await connect(net) for _ in range(2)]
        with pytest.raises(ResetError, match="node 1 has no room for a connection to port 7"):
            await net.connect(1, PORT)
        for connection in connections:
            await connection.close()

    async def server(net):
        listener = await net.listen(PORT)
        net._buffers = type(net._buffers)(list(net._buffers)[:2])
        for connection in [await listener.accept(), await listener.accept()]:
            await connection.receive(1)
            await connection.close()

    Nets().run(client, server)


def test_nothing_listens():
    async def client(net):
        with pytest.raises(ResetError, match="node 1 refuses port 9: nothing listens there"):
            await connect(net, port=9)

    async def server(net):
        await net.node.sleep(10_000)

    Nets().run(client, server)


@pytest.mark.parametrize(("rules", "error", "message"), [
    (["0 -> 0", "1 -> 0 1"], NotAllowedError, "node 0 -> node 1 is not allowed: the guard of node 0 refuses"),
    (["0 -> 0 1", "1 -> 1"], NoAnswerError, "did not answer within 300000 cycles: node 1 -> node 0 is not allowed"),
])
def test_a_one_way_pair_names_the_direction(rules, error, message):
    async def client(net):
        with pytest.raises(error, match=message):
            await connect(net)
        return len(net.connections)

    async def server(net):
        listener = await net.listen(PORT)
        await net.node.sleep(1_500_000)
        return listener.pending, len(net.connections)

    assert Nets(*rules).run(client, server) == [0, (0, 0)]


def test_a_full_log_hides_no_refusal():
    async def client(net):
        for _ in range(20):
            await net.node.send(1, b"refused")
        with pytest.raises(NotAllowedError, match="node 0 -> node 1"):
            await connect(net)

    async def server(net):
        await net.node.sleep(10)

    Nets("0 -> 0", "1 -> 0 1").run(client, server)


def test_domains_that_change_break_a_stream_in_time():
    async def client(net):
        connection = await connect(net)
        with pytest.raises(NoAnswerError, match="node 1 does not answer any more"):
            await send_for_ever(connection)

    async def server(net):
        connection = await accept(net)
        with pytest.raises(NetError):
            await receive_for_ever(connection)

    async def owner(nets):
        await sleep(10_000)
        await nets.allowing("0 -> 0", "1 -> 1")

    Nets().run(client, server, owner=owner, keepalive=50_000)


def test_a_reader_learns_of_a_dead_peer():
    async def client(net):
        connection = await connect(net)
        with pytest.raises(NoAnswerError, match="node 1 does not answer any more"):
            await connection.receive(1)
        return net.node.now

    async def server(net):
        await accept(net)
        await net.node.write("RECEPTION_SIZE", 0, net.ring)
        await net.node.sleep(2_000_000)

    assert Nets().run(client, server, keepalive=20_000)[0] < 20_000 * (MOST_TRIES + 3)


def test_a_quiet_peer_is_not_dead():
    async def client(net):
        connection = await connect(net)
        got = await connection.receive(1)
        await connection.close()
        return got

    async def server(net):
        connection = await accept(net)
        await net.node.sleep(1_000_000)
        await tcp_send(connection, b"x")
        await connection.close()

    assert Nets().run(client, server, keepalive=20_000)[0] == b"x"


def test_reset_is_told():
    async def client(net):
        connection = await connect(net)
        with pytest.raises(ResetError, match="node 1 has reset the connection"):
            await connection.receive(1)
        with pytest.raises(ResetError):
            await tcp_send(connection, b"x")
        await connection.close()

    async def server(net):
        connection = await accept(net)
        await connection.reset()
        with pytest.raises(ClosedError, match="reset here"):
            await tcp_send(connection, b"x")
        await net.node.sleep(5000)

    Nets().run(client, server)


def test_a_peer_that_began_anew_does_not_know_the_stream():
    async def client(net):
        connection = await connect(net)
        await tcp_send(connection, b"x")
        with pytest.raises(ResetError, match="node 1 does not know the connection any more"):
            await send_for_ever(connection)
        again = await net.connect(1, PORT)
        await tcp_send(again, b"y")
        await again.close()

    async def server(net):
        connection = await accept(net)
        await connection.receive(1)
        # Forget all, as a reset does.
        net.connections.clear()
        net.by_peer.clear()
        listener = net.listeners[PORT]
        again = await listener.accept()
        assert await again.receive(1) == b"y"
        await again.close()

    Nets().run(client, server)


def test_after_the_end():
    async def client(net):
        connection = await connect(net)
        await connection.close()
        await connection.close()
        with pytest.raises(ClosedError, match="closed"):
            await tcp_send(connection, b"x")
        with pytest.raises(ClosedError, match="closed"):
            await connection.receive(1)

    async def server(net):
        connection = await accept(net)
        with pytest.raises(ClosedError, match="ended after 0 of 5 bytes"):
            await connection.receive_exactly(5)
        await tcp_send(connection, b"too late")
        with pytest.raises(NetError):
            await send_for_ever(connection)

    Nets().run(client, server)


def test_a_closed_port_lets_nobody_wait():
    async def client(net):
        connection = await connect(net)
        with pytest.raises(ResetError):
            await connection.receive(1)
        with pytest.raises(ResetError, match="nothing listens"):
            await net.connect(1, PORT)

    async def server(net):
        listener = await net.listen(PORT)
        with pytest.raises(NetError, match="port 7 of node 1 is taken"):
            await net.listen(PORT)
        await net.node.sleep(5000)
        await listener.close()
        with pytest.raises(ClosedError, match="port 7 is closed"):
            await listener.accept()
        await net.node.sleep(5000)

    Nets().run(client, server)


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
