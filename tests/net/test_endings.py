"""How connections begin and end on reference nodes, and errors that name the direction."""

import pytest

from khhw.host.scheduler import sleep
from khhw.host.sync import spawn
from khhw.net import ClosedError, NetError, NoAnswerError, NotAllowedError, ResetError, tcp_send
from khhw.net.endpoint import MOST_TRIES
from khhw.net.segments import CONNECTIONS
from tests.net.pair import PORT, Nets, accept, connect


async def send_for_ever(connection):
    while True:
        await tcp_send(connection, bytes(5000))
        await connection._node.sleep(100)


async def receive_for_ever(connection):
    while True:
        await connection.receive(100_000)


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


def test_numbers_and_buffers_are_used_again():
    """More connections, one after the other, than there are buffers or places in a backlog."""
    async def client(net):
        await net.node.sleep(1000)
        for number in range(80):
            connection = await net.connect(1, PORT)
            await tcp_send(connection, bytes([number]))
            assert await connection.receive(1) == bytes([number])
            await connection.close()

    async def server(net):
        listener = await net.listen(PORT)
        for _ in range(80):
            connection = await listener.accept()
            await tcp_send(connection, await connection.receive(1))
            assert await connection.receive(1) == b""
            await connection.close()
        return len(net.table._numbers), len(net.table._buffers)

    assert Nets().run(client, server, connections=2)[1] == (CONNECTIONS, 2)


def test_a_backlog_is_full():
    async def client(net):
        await net.node.sleep(1000)
        connections = [await net.connect(1, PORT) for _ in range(64)]
        with pytest.raises(NoAnswerError, match="within 20000 cycles"):
            await net.connect(1, PORT, timeout=20_000)
        for connection in connections:
            await connection.reset()

    async def server(net):
        await net.listen(PORT)
        await net.node.sleep(100_000)

    Nets().run(client, server, connections=66)


def test_old_refusals_are_forgotten():
    async def client(net):
        with pytest.raises(NotAllowedError):
            await connect(net)
        await net.node.sleep(50_000)
        with pytest.raises(NoAnswerError, match="within 20000 cycles"):
            await net.connect(1, PORT, timeout=20_000)

    async def server(net):
        await net.close()

    async def owner(nets):
        await sleep(30_000)
        await nets.allowing("* -> *")

    Nets("0 -> 0", "1 -> 0 1").run(client, server, owner=owner)


def test_a_peer_without_room_refuses():
    async def client(net):
        connections = [await connect(net) for _ in range(2)]
        with pytest.raises(ResetError, match="node 1 has no room for a connection to port 7"):
            await net.connect(1, PORT)
        for connection in connections:
            await connection.close()

    async def server(net):
        listener = await net.listen(PORT)
        while len(net.table._buffers) > 2:
            net.table.take()
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
        return len(net.table.connections)

    async def server(net):
        listener = await net.listen(PORT)
        await net.node.sleep(1_500_000)
        return net.table.unanswered(port=listener.port), len(net.table.connections)

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
        net.table.connections.clear()
        net.table.by_peer.clear()
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


def test_a_port_is_closed_once_and_a_net_that_is_closed_has_none():
    async def client(net):
        before = await net.listen(PORT)
        await before.close()
        listener = await net.listen(PORT)
        await before.close()
        assert net.listeners == {PORT: listener}
        waiting = await spawn(accepted(listener))
        await net.node.sleep(10)
        await net.close()
        with pytest.raises(ClosedError):
            await net.listen(PORT)
        return await waiting

    async def accepted(listener):
        with pytest.raises(ClosedError):
            await listener.accept()
        return True

    async def server(net):
        await net.node.sleep(10)

    assert Nets().run(client, server)[0]


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
