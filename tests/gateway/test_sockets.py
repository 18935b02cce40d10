"""The sockets' side of the gateway, without a machine: clients of all manners against stand-ins for the streams."""

import errno
import random
import socket
import struct
import threading
import time

import pytest

from khhw.gateway.client import Client
from khhw.gateway.sockets import PortError, Sockets
from khhw.gateway.wire import CAPACITY, ClientLostError, Wire
from khhw.host.inbox import Inbox
from khhw.host.scheduler import Scheduler
from tests.gateway.standin import Gateway, echo

PATIENCE = 20


def connect(gateway):
    return socket.create_connection(gateway.address, timeout=PATIENCE)


def read_all(client):
    """All bytes up to the end of the stream."""
    parts = []
    while part := client.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


def eventually(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def settled(count):
    """A number that stays at last the same for a while, and is not 0."""
    end, last, since = time.monotonic() + PATIENCE, 0, time.monotonic()
    while not last or time.monotonic() < since + 0.3:
        assert time.monotonic() < end, "it does not settle"
        if (now := count()) != last:
            last, since = now, time.monotonic()
        time.sleep(0.005)
    return last


def send_later(client, data):
    """Send in a thread and half-close."""
    def send():
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    return thread


def exchange(gateway, data):
    """Send and receive at the same time; half-close when all is sent."""
    with connect(gateway) as client:
        writer = send_later(client, data)
        answer = read_all(client)
        writer.join()
    return answer


def test_fifty_clients_at_once_get_every_byte():
    with Gateway().running() as gateway:
        wanted = [random.Random(number).randbytes(150_000) for number in range(50)]
        answers = {}
        threads = [threading.Thread(target=lambda n=n: answers.update({n: exchange(gateway, wanted[n])}))
                   for n in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert [answers[n] == wanted[n] for n in range(50)] == [True] * 50
        eventually(lambda: gateway.problems == [""] * 50)
        eventually(lambda: gateway.door.connected == 0)


def test_a_slow_reader_stalls_nobody_else_and_loses_nothing():
    with Gateway().running() as gateway:
        data = random.Random(1).randbytes(12 << 20)
        with socket.socket() as slow:
            slow.settimeout(PATIENCE)
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
            slow.connect(gateway.address)
            send_later(slow, data)
            eventually(lambda: gateway.streams and gateway.streams[0].taken > CAPACITY)
            assert exchange(gateway, b"quick") == b"quick"
            stalled = settled(lambda: gateway.streams[0].taken)
            assert stalled < len(data), "what is not read must stop what is sent"
            assert read_all(slow) == data


def test_a_slow_server_holds_its_client_back():
    async def sleepy(stream):
        await awake.wait()
        await echo(stream)

    gateway = Gateway(sleepy)
    awake, wake = gateway.event()
    with gateway.running():
        with connect(gateway) as client:
            data = bytes(range(256)) * 4096
            send_later(client, data)
            assert settled(lambda: sum(stream.taken for stream in gateway.streams)) <= CAPACITY
            wake()
            assert read_all(client) == data


def test_a_client_that_goes_inside_a_value_resets_only_its_stream():
    with Gateway().running() as gateway:
        with connect(gateway) as steady, connect(gateway) as rude:
            rude.sendall(b"set key 0 0 100000\r\nonly this much")
            assert rude.recv(100)
            rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            rude.close()
            eventually(lambda: any(stream.was_reset for stream in gateway.streams))
            steady.sendall(b"still there")
            assert steady.recv(100) == b"still there"
        assert sum(stream.was_reset for stream in gateway.streams) == 1
        assert len(gateway.problems) >= 1 and "is gone" in gateway.problems[0]


def test_what_came_before_a_client_was_lost_is_delivered():
    """Commands that want no answer, and a client that does not wait."""
    heard = []

    async def listen(stream):
        await awake.wait()
        while data := await stream.received.get():
            heard.append(data)

    gateway = Gateway(listen)
    awake, wake = gateway.event()
    data = bytes(range(256)) * 160
    with gateway.running():
        with connect(gateway) as client:
            client.sendall(data)
        eventually(lambda: gateway.streams)
        wake()
        eventually(lambda: sum(len(part) for part in heard) == len(data))
        assert b"".join(heard) == data


def test_the_end_of_the_stream_is_the_end_of_the_connection_and_no_byte_is_lost():
    async def leave(stream):
        await stream.received.get()
        await stream.answers.put(b"x" * 10_000)
        await stream.answers.put(b"")

    with Gateway(leave).running() as gateway:
        with connect(gateway) as client:
            # More than the server will ever read: closing at once would reset the connection and lose the answer.
            client.sendall(b"quit\r\n" + bytes(CAPACITY * 2))
            time.sleep(0.1)
            assert read_all(client) == b"x" * 10_000
            eventually(lambda: gateway.problems == [""])
        assert gateway.streams[0].closed


def test_a_client_may_go_on_sending_for_a_while_after_the_end():
    """A connection closed at once would be reset by what the client still sends, before it has read the end."""
    async def leave(stream):
        await stream.answers.put(b"")

    with Gateway(leave, linger_seconds=0.3).running() as gateway:
        with connect(gateway) as client:
            assert client.recv(1) == b""
            for _ in range(4):
                client.sendall(b"more")
                time.sleep(0.02)
            eventually(lambda: gateway.door.connected == 0)


def test_a_stream_that_breaks_resets_its_client():
    async def break_off(stream):
        await stream.received.get()
        await stream.answers.put(None)

    with Gateway(break_off).running() as gateway:
        with connect(gateway) as client:
            client.sendall(b"get key\r\n")
            with pytest.raises(ConnectionResetError):
                client.recv(1)
        eventually(lambda: gateway.problems == ["the other end has reset the stream"])


def test_more_clients_than_allowed_wait_until_one_has_left():
    with Gateway(clients=2).running() as gateway:
        first, second, third = (connect(gateway) for _ in range(3))
        with first, second, third:
            for client in (first, second):
                client.sendall(b"in")
                assert client.recv(10) == b"in"
            third.sendall(b"out")
            third.settimeout(0.2)
            with pytest.raises(TimeoutError):
                third.recv(10)
            first.close()
            third.settimeout(PATIENCE)
            assert third.recv(10) == b"out"
        assert gateway.door.taken == 3


class WithoutFiles:
    """A listener of a process that has no files left for a while."""

    def __init__(self, listener):
        self._listener, self.refusals, self.full = listener, 0, True

    def accept(self):
        if self.full:
            self.refusals += 1
            raise OSError(errno.EMFILE, "Too many open files")
        return self._listener.accept()

    def __getattr__(self, name):
        return getattr(self._listener, name)


def test_a_door_shut_for_want_of_files_opens_when_a_client_of_another_has_gone():
    gateway = Gateway()
    other = gateway.sockets.listen(0, gateway._enter, 1)
    shut = gateway.sockets.listen(0, gateway._enter, 1)
    other.listener = without = WithoutFiles(other.listener)
    with gateway.running():
        gateway.sockets.open(other)
        with connect(gateway) as inside, socket.create_connection(("127.0.0.1", other.port), PATIENCE) as waiting:
            eventually(lambda: without.refusals)
            inside.sendall(b"in")
            assert inside.recv(10) == b"in"
            without.full = False
            inside.close()
            waiting.sendall(b"now")
            assert waiting.recv(10) == b"now"
            assert without.refusals == 1
            with socket.create_connection(("127.0.0.1", shut.port), PATIENCE) as early:
                early.settimeout(0.2)
                early.sendall(b"too early")
                with pytest.raises(TimeoutError):
                    early.recv(10)


def test_a_client_may_come_before_the_door_opens():
    gateway = Gateway()
    with connect(gateway) as client:
        client.sendall(b"early")
        with gateway.running():
            assert client.recv(10) == b"early"


def test_closing_ends_every_connection():
    with Gateway().running() as gateway:
        client = connect(gateway)
        client.sendall(b"hello")
        assert client.recv(10) == b"hello"
    with client:
        assert client.recv(10) == b""
    with pytest.raises(ConnectionRefusedError):
        connect(gateway)


def test_a_port_that_is_taken_is_named():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        sockets = Sockets()
        with pytest.raises(PortError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use; name another"):
            sockets.listen(port, print, 1)
        sockets.close()


class TestWire:
    def test_it_is_bounded_both_ways(self):
        wire = Wire("somebody", capacity=10)
        wire.arrived(b"1234567")
        assert wire.room == 3
        assert wire.take(5) == b"12345"
        assert wire.room == 8
        assert wire.give(b"abcdefghijkl") == 10
        assert not wire.give_whole(b"m")
        wire.sent(4)
        assert wire.outgoing(3) == b"efg"
        assert wire.give(b"klmnopq") == 4

    def test_each_side_is_told_what_it_waits_for(self):
        wire, heard = Wire("somebody", capacity=10), []
        wire.tell_simulation, wire.tell_socket = (lambda: heard.append("in")), (lambda: heard.append("out"))

        def told(action):
            heard.clear()
            action()
            return list(heard)

        assert told(lambda: wire.arrived(b"0123456789")) == ["in"]
        assert told(lambda: wire.take(4)) == [], "the socket has not seen it full"
        wire.arrived(b"abcd")
        assert wire.room == 0
        assert told(lambda: wire.take(4)) == []
        assert told(lambda: wire.take(1)) == ["out"], "half empty: the socket can go on"
        assert told(lambda: wire.give(b"012345")) == ["out"]
        assert told(lambda: wire.give(b"6")) == [], "the socket is at it"
        assert told(lambda: wire.sent(3)) == [], "nobody waits for room"
        assert told(lambda: wire.give(b"789abcdef")) == []
        assert told(lambda: wire.sent(4)) == []
        assert told(lambda: wire.sent(1)) == ["in"]
        assert told(wire.finish) == ["out"]
        assert told(wire.abort) == ["out"]
        assert told(wire.lost) == ["in"]

    def test_who_found_no_room_for_all_is_told_when_there_is_some(self):
        wire, heard = Wire("somebody", capacity=10), []
        wire.tell_simulation = lambda: heard.append("in")
        assert wire.give_whole(b"0123456")
        assert not wire.give_whole(b"789a")
        wire.sent(1)
        assert heard == []
        wire.sent(1)
        assert heard == ["in"]

    def test_urgent_data_goes_out_in_one_piece_that_ends_with_its_last_byte(self):
        wire = Wire("somebody")
        wire.give(b"01")
        wire.give_whole(b"2!", urgent=True)
        wire.give_whole(b"!", urgent=True)
        wire.give(b"34")
        sent = []
        while data := wire.outgoing(3):
            sent.append((data, wire.urgent_behind(len(data))))
            wire.sent(len(data))
        assert sent == [(b"012", False), (b"!", True), (b"!", True), (b"34", False)]

    def test_urgent_data_is_announced_once_and_ahead_of_its_end(self):
        wire, heard = Wire("somebody"), []
        wire.tell_simulation = lambda: heard.append("in")
        assert not wire.urgent()
        wire.urgent_arrives()
        assert heard == ["in"]
        assert wire.urgent() and not wire.urgent()

    def test_the_end_comes_behind_the_last_byte(self):
        wire = Wire("somebody")
        wire.arrived(b"last")
        wire.arrived(b"")
        assert wire.room == 0
        assert (wire.take(10), wire.take(10)) == (b"last", b"")

    def test_a_lost_client_is_told_of_behind_its_last_byte(self):
        wire = Wire("somebody")
        wire.arrived(b"last")
        wire.lost()
        assert wire.take(10) == b"last"
        for action in (lambda: wire.take(1), lambda: wire.give(b"1"), lambda: wire.give_whole(b"1")):
            with pytest.raises(ClientLostError, match="somebody is gone"):
                action()

    def test_much_news_is_one_event_in_the_inbox(self):
        inbox, wire = Inbox(), Wire("somebody")
        client = Client(wire, inbox, 0)
        for _ in range(100):
            wire.arrived(b"1")
        assert client.name == "somebody"
        inbox.deliver(scheduler := Scheduler(), 1)
        scheduler.run(1)
        assert scheduler.events == 1
