"""A served machine of two nodes: real clients of all manners, at once, on one run of the RTL."""

import random
import shutil
import socket
import struct
import subprocess
import threading
import time
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymemcache.client.base import Client
from pymemcache.exceptions import MemcacheServerError

from tests.gateway.compare import compare, long_ones
from tests.gateway.served import PAIR, PATIENCE, RawClient, Served
from tests.kernels.memcached import sequences
from tests.kernels.memcached.record import recorded, shortened
from tests.kernels.memcached.servers import Asker, real_memcached

CLIENTS = 50
MOST = 200
CLOCK_HZ = 53_125_000
LARGEST = (1 << 20) - 60
"""Bytes of the largest value with a key of one byte, as in the distribution's memcached."""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with Served(tmp_path_factory.mktemp("serve"), f"{PAIR}\n[serve]\nclients = {MOST}\n") as served:
        yield served
    assert served.code == 0, served.ended
    assert served.ended["state"] == "interrupted"
    # As many as a single test of this module sends, whichever of them ran here.
    assert served.ended["operations"] > 200
    assert served.ended["cycles"] > served.ended["skipped_cycles"] > 0


@pytest.fixture
def client(served):
    client = Client(("127.0.0.1", served.port), connect_timeout=PATIENCE, timeout=PATIENCE, default_noreply=False)
    yield client
    client.close()


def test_pymemcache(client):
    assert client.flush_all()
    assert client.set("a", b"1", flags=3)
    assert not client.add("a", b"2")
    assert client.replace("a", b"9")
    assert client.incr("a", 2) == 11
    assert client.decr("a", 20) == 0
    assert client.append("a", b"x") and client.prepend("a", b"y")
    value, unique = client.gets("a")
    assert value == b"y0 x"
    assert client.cas("a", b"new", unique) is True
    assert client.cas("a", b"newer", unique) is False
    assert client.set_many({f"k{n}": f"v{n}".encode() * 100 for n in range(20)}) == []
    assert client.get_many([f"k{n}" for n in range(25)]) == {f"k{n}": f"v{n}".encode() * 100 for n in range(20)}
    assert client.touch("a", 100) and client.delete("a") and not client.delete("a")
    assert client.get("a", "nothing") == "nothing"
    client.set("b", b"not waited for", noreply=True)
    assert client.get("b") == b"not waited for"
    assert client.stats()[b"curr_items"] == 21
    assert client.version() == b"1.6.18"
    client.quit()


def test_libmemcached(served, tmp_path, client):
    """What of its tools is installed: copies a file in, and out again; reads statistics."""
    server = f"--servers=127.0.0.1:{served.port}"
    file = tmp_path / "a_file"
    file.write_bytes(random.Random(5).randbytes(5000))
    calls = {"memccp": ["memccp", server, str(file)], "memccat": ["memccat", server, "a_file"],
             "memcstat": ["memcstat", server], "memcping": ["memcping", server], "memcrm": ["memcrm", server, "a_file"]}
    answers = {name: subprocess.run(call, capture_output=True, timeout=PATIENCE)
               for name, call in calls.items() if shutil.which(name)}
    assert [name for name, answer in answers.items() if answer.returncode] == []
    if "memccat" in answers:
        assert answers["memccat"].stdout.rstrip(b"\n") == file.read_bytes().rstrip(b"\n")
        assert b"curr_items" in answers["memcstat"].stdout
        assert client.get("a_file") is None


def test_answers_are_those_that_were_recorded(served):
    """All sequences but those that take seconds each, against what the distribution's memcached once answered."""
    long, ours, wanted = long_ones(sequences.ALL), Asker(served.port, PATIENCE), recorded()
    different = {steps.name for steps in sequences.ALL
                 if steps not in long and shortened(sequences.play(steps, ours.ask)) != wanted[steps.name]}
    ours.close()
    assert different == set(sequences.DIFFERENCES)


if shutil.which("memcached"):

    def test_answers_are_those_of_the_distribution(served):
        """Sequences that nobody has thought of, side by side."""
        ours = Asker(served.port, PATIENCE)
        with real_memcached() as theirs:

            @settings(max_examples=20, derandomize=True, suppress_health_check=list(HealthCheck))
            @given(st.lists(st.randoms(use_true_random=False).map(sequences.random_command), max_size=12))
            def made_up(commands):
                assert compare([sequences.Steps("made_up", tuple(commands))], ours.ask, theirs) == []

            made_up()
        ours.close()


class _Swarm:
    """Fifty clients at once; each keeps a value of its own and asks for it again and again."""

    def __init__(self, served):
        self.done, self.wrong = 0, []
        self._threads = [threading.Thread(target=self._run, args=(served, number)) for number in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def _run(self, served, number):
        try:
            key, value = b"swarm%d" % number, random.Random(number).randbytes(number * 20)
            with RawClient(served) as client:
                if client.ask(b"set %b 0 0 %d\r\n%b\r\n" % (key, len(value), value)) != b"STORED\r\n":
                    self.wrong.append((number, "set"))
                for _ in range(3):
                    answer = client.ask(b"get %b\r\n" % key, b"\r\nEND\r\n")
                    if answer != b"VALUE %b 0 %d\r\n%b\r\nEND\r\n" % (key, len(value), value):
                        self.wrong.append((number, answer))
                client.socket.sendall(b"version\r\nquit\r\nget swarm0\r\n")
                if client.rest() != b"VERSION 1.6.18\r\n":
                    self.wrong.append((number, "quit"))
                self.done += 1
        except Exception as error:
            self.wrong.append((number, error))

    def join(self):
        for thread in self._threads:
            thread.join(PATIENCE)
        assert self.wrong == []
        assert self.done == CLIENTS


def test_fifty_clients_with_bad_company(served, client):
    """Silent, slow and rude clients stall nobody but themselves, and what a rude one cut short is not stored."""
    client.set("torn", b"whole")
    client.set("long", b"x" * 100_000)
    with (RawClient(served) as silent, RawClient(served) as half, RawClient(served) as rude,
          RawClient(served, receive_buffer=4096) as slow):
        half.socket.sendall(b"get swar")
        slow.socket.sendall(b"get long\r\n" * 40)
        rude.socket.sendall(b"set torn 0 0 5000\r\n" + b"t" * 3000)
        time.sleep(0.2)
        rude.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        rude.socket.close()
        _Swarm(served).join()
        assert client.get("torn") == b"whole"
        value = random.Random(1).randbytes(20)
        assert half.ask(b"m1\r\n", b"END\r\n") == b"VALUE swarm1 0 20\r\n" + value + b"\r\nEND\r\n"
        assert silent.ask(b"version\r\n").startswith(b"VERSION")
        slow.socket.settimeout(PATIENCE)
        answer = b"VALUE long 0 100000\r\n" + b"x" * 100_000 + b"\r\nEND\r\n"
        assert slow.until(answer * 2) == answer * 2


def test_two_hundred_clients_are_served_at_a_time_and_one_more_waits(served):
    with ExitStack() as stack:
        clients = [stack.enter_context(RawClient(served)) for _ in range(MOST)]
        for number, client in enumerate(clients):
            client.socket.sendall(b"set k%d 0 0 5\r\nv%04d\r\n" % (number, number))
        for client in clients:
            assert client.until(b"\r\n") == b"STORED\r\n"
        one_more = stack.enter_context(RawClient(served))
        one_more.socket.sendall(b"get k7\r\n")
        for number, client in enumerate(clients):
            client.socket.sendall(b"get k%d\r\n" % number)
        for number, client in enumerate(clients):
            assert client.until(b"END\r\n") == b"VALUE k%d 0 5\r\nv%04d\r\nEND\r\n" % (number, number)
        one_more.socket.settimeout(0.1)
        with pytest.raises(TimeoutError):
            one_more.until(b"END\r\n")
        clients[7].socket.close()
        one_more.socket.settimeout(PATIENCE)
        assert one_more.until(b"END\r\n") == b"VALUE k7 0 5\r\nv0007\r\nEND\r\n"


def test_a_client_that_stops_sending_gets_its_answers(served):
    with RawClient(served) as client:
        client.socket.sendall(b"set h 0 0 1\r\nx\r\nget h\r\n" + b"get nothing\r\n" * 200)
        client.socket.shutdown(socket.SHUT_WR)
        assert client.rest() == b"STORED\r\nVALUE h 0 1\r\nx\r\nEND\r\n" + b"END\r\n" * 200


def test_a_number_without_end_is_the_error_of_its_client(served):
    with RawClient(served) as hostile, RawClient(served) as other:
        assert other.ask(b"set kept 0 0 2\r\nme\r\n") == b"STORED\r\n"
        assert hostile.ask(b"set a 0 0 " + b"1" * 5000 + b"\r\n") == b"CLIENT_ERROR bad command line format\r\n"
        other.socket.sendall(b"get kept\r\n")
        assert other.until(b"END\r\n") == b"VALUE kept 0 2\r\nme\r\nEND\r\n"


@pytest.mark.rare
def test_values_at_the_limit_and_others_meanwhile(served, client):
    value = random.Random(2).randbytes(LARGEST)
    latency, began = [], time.monotonic()

    def ask():
        with RawClient(served) as other:
            while not over.is_set():
                asked = time.monotonic()
                assert other.ask(b"version\r\n") == b"VERSION 1.6.18\r\n"
                latency.append(time.monotonic() - asked)

    over = threading.Event()
    thread = threading.Thread(target=ask)
    thread.start()
    try:
        assert client.set("L", value)
        assert client.get("L") == value
        with pytest.raises(MemcacheServerError, match="object too large"):
            client.set("L", value + b"x" * 60)
        assert client.get("L") is None, "a value that was refused must not leave the old one"
    finally:
        over.set()
        thread.join(PATIENCE)
    assert len(latency) > 20
    assert max(latency) < (time.monotonic() - began) / 5, "a large value held another client up"


def test_consoles(served):
    def at(index):
        person = served.connect(served.consoles[index])
        return person, person.makefile("rb")

    (gateway, says), (everybody, all_say) = at(1), at(2)
    with gateway, everybody, says, all_say:
        assert b"console of node 1" in says.readline()
        assert b"consoles of all nodes" in all_say.readline()
        gateway.sendall(b"info\r\nfly\r\n")
        assert says.readline().startswith(b"node 1> info: rank 1, gateway to port 11211 of node 0; ")
        assert says.readline() == b"node 1> error: unknown command 'fly'; this is the gateway and runs nothing else\r\n"
        everybody.sendall(b"on 1 help\n")
        assert all_say.readline().startswith(b"[1] node 1> info: ")


def test_no_line_ends_what_is_served(served, client):
    """The server has its own reader of its console, and a line that it could not read ended it once."""
    client.set("kept", b"still")
    lines = ["on all info", "on \u00b2 stop", f"on {'9' * 900} stop", "mrw 0 99999999999999999999", "on 0 on 0 stop",
             "\u202e", "x" * 999, "", "on", "on 0"]
    with served.connect(served.consoles[2]) as everybody, everybody.makefile("rb") as says:
        everybody.sendall("".join(f"{line}\r\n" for line in lines).encode() + b"\xff\xfe\n\x1b[A\n\0\non 0 last\n")
        heard = []
        while b"unknown command 'last'" not in (line := says.readline()):
            heard.append(line.decode())
    assert sum(line.startswith("[0] node 0> error: ") for line in heard) > 6
    assert client.get("kept") == b"still"


def test_time_passes_as_on_the_wall_while_nobody_asks(served, client):
    def cycle():
        return int(client.stats()[b"khhw_cycle"])

    before, began = cycle(), time.monotonic()
    time.sleep(1)
    passed, seconds = cycle() - before, time.monotonic() - began
    assert 0.4 < passed / CLOCK_HZ / seconds < 1.1, "a timer far away must not make time jump, nor may it stand still"


@pytest.mark.rare  # It simulates for seconds.
def test_items_expire(client):
    assert client.set("short", b"lived", expire=1)
    assert client.get("short") == b"lived"
    time.sleep(2.5)
    assert client.get("short") is None
