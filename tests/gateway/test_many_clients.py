"""Two hundred clients at once on a served machine, all of them connected all the time."""

from tests.gateway.served import PAIR, RawClient, Served

CLIENTS = 200


def test_two_hundred_clients_are_served_and_one_more_waits(tmp_path):
    with Served(tmp_path, f"{PAIR}\n[serve]\nclients = {CLIENTS}\n") as served:
        clients = [RawClient(served) for _ in range(CLIENTS)]
        for number, client in enumerate(clients):
            client.socket.sendall(b"set k%d 0 0 5\r\nv%04d\r\n" % (number, number))
        for client in clients:
            assert client.until(b"\r\n") == b"STORED\r\n"
        one_more = RawClient(served)
        one_more.socket.sendall(b"get k7\r\n")
        for number, client in enumerate(clients):
            client.socket.sendall(b"get k%d\r\n" % number)
        for number, client in enumerate(clients):
            assert client.until(b"END\r\n") == b"VALUE k%d 0 5\r\nv%04d\r\nEND\r\n" % (number, number)
        assert b"STAT curr_connections %d\r\n" % CLIENTS in clients[0].ask(b"stats\r\n", b"END\r\n")
        clients[7].socket.close()
        assert one_more.until(b"END\r\n") == b"VALUE k7 0 5\r\nv0007\r\nEND\r\n"
        for client in (*clients, one_more):
            client.socket.close()
    assert (served.code, served.ended["taken"], served.ended["failed"]) == (0, CLIENTS + 1, 0)
