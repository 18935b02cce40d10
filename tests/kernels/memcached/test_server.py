"""The server's side of a connection, without a machine: stand-ins for the net and for its counters."""

from types import SimpleNamespace

from khhw.host.scheduler import Scheduler, sleep
from khhw.kernels.memcached.meter import MOST_SPANS, Meter
from khhw.kernels.memcached.remote import Remote
from khhw.kernels.memcached.server import Client
from khhw.node import Event, Queue
from tests.kernels.memcached.servers import Here

RANK = 0
PATIENCE = 10_000


class StandInConnection:
    """What a client sends, and what it was sent."""

    peer = 1

    def __init__(self):
        self.said, self.answers = Queue(), []
        self.closed = self.was_reset = False

    async def receive(self, _limit):
        data = await self.said.get()
        if not data:
            self.said.put_nowait(b"")
        return data

    async def send(self, data):
        await sleep(1)
        self.answers.append(bytes(data))

    async def close(self):
        self.closed = True

    async def reset(self):
        self.was_reset = True


class StandInWindow:
    """A window whose counter has hits; notes who waits for them, and who still does when it is given back."""

    def __init__(self):
        self.hit, self.waiting, self.waiting_at_close = Event("a hit"), 0, None

    def export(self):
        return bytes(8)

    async def expect(self, _length):
        await sleep(1)

    async def written(self, _length, _patience):
        self.waiting += 1
        try:
            await self.hit.wait()
        finally:
            self.waiting -= 1
        return True

    async def close(self):
        await sleep(1)
        if self.waiting_at_close is None:
            self.waiting_at_close = self.waiting


class Served:
    """One client of a server."""

    def __init__(self):
        self.here, self.windows = Here(), []
        self.remote = Remote(self.here.store, self.here.statistics, lambda: bytes(8), Meter(self.here, lambda: ()))
        self.here.commands._handlers.update(self.remote.commands)
        self.connection = StandInConnection()
        self.scheduler = Scheduler()
        server = SimpleNamespace(
            store=self.here.store, statistics=self.here.statistics, commands=self.here.commands, remote=self.remote,
            net=SimpleNamespace(register=self._register), patience=PATIENCE, charge=self._charge)
        self.here.statistics["curr_connections"] += 1
        self.scheduler.spawn(Client(server, self.connection).run(), rank=RANK, name="client", daemon=True)

    async def _register(self, _address, _room, **_rights):
        self.windows.append(StandInWindow())
        return self.windows[-1]

    async def _charge(self):
        self.here.store.work.clear()

    def say(self, *pieces):
        """Let the client say something, and what follows from it happen."""
        async def say():
            for piece in pieces:
                self.connection.said.put_nowait(piece)
            await sleep(100)

        self.play(say())

    def hit(self, number):
        """A put into a window has come."""
        async def hit():
            self.windows[number].hit.set()
            await sleep(100)

        self.play(hit())

    def play(self, coroutine):
        task = self.scheduler.spawn(coroutine, rank=RANK, name="test")
        while not task.done:
            self.scheduler.run(self.scheduler.next_cycle())

    @property
    def heard(self):
        return b"".join(self.connection.answers)


def test_a_put_lands():
    served = Served()
    served.say(b"rset a 0 0 8\r\n")
    assert served.heard == b"SLOT 0000000000000000\r\n"
    served.hit(0)
    assert served.heard.partition(b"\r\n")[2].startswith(b"STORED ")


def test_nobody_waits_for_a_counter_that_was_given_back():
    served = Served()
    served.say(b"rset a 0 0 8\r\n")
    assert served.windows[0].waiting == 1
    served.say(b"")
    assert served.windows[0].waiting_at_close == 0
    assert served.heard.endswith(b"SERVER_ERROR put did not come\r\n")
    assert served.connection.closed


def test_a_put_that_comes_with_the_end_of_the_stream_is_not_the_next_ones():
    served = Served()
    served.say(b"rset a 0 0 8\r\nrset b 0 0 8\r\n")

    async def end_and_hit():
        served.connection.said.put_nowait(b"")
        await sleep(0)
        served.windows[0].hit.set()
        await sleep(200)

    served.play(end_and_hit())
    assert served.heard.count(b"did not come") == 2
    assert b"STORED" not in served.heard


def test_a_line_that_asks_for_much_is_answered_in_pieces():
    served, value = Served(), bytes(range(250)) * 2000
    served.say(b"set k 0 0 %d\r\n%b\r\n" % (len(value), value))
    served.connection.answers.clear()
    served.say(b"get" + b" k" * 50 + b"\r\n")
    assert served.heard == (b"VALUE k 0 %d\r\n%b\r\n" % (len(value), value)) * 50 + b"END\r\n"
    assert max(map(len, served.connection.answers)) < 2 << 20


def test_a_short_answer_is_sent_in_one_piece():
    served = Served()
    served.say(b"set a 0 0 1\r\nx\r\nset b 0 0 2000\r\n%b\r\nget a b a\r\n" % bytes(2000))
    assert len(served.connection.answers) == 1


class Metered:
    """A meter, and figures that rise by themselves: ten times the cycle."""

    def __init__(self):
        self.scheduler = Scheduler()
        self.meter = Meter(self, lambda: (10 * self.now,))
        self.scheduler.spawn(self.meter.run(), rank=RANK, name="meter", daemon=True)

    @property
    def now(self):
        return self.scheduler.now

    def play(self, *steps):
        """Ask and look in given cycles; what came of each."""
        found = []

        async def ask():
            for cycle, step, begin, end in steps:
                await sleep(cycle - self.now)
                found.append(getattr(self.meter, step)(begin, end))

        task = self.scheduler.spawn(ask(), rank=RANK, name="test")
        while not task.done:
            self.scheduler.run(self.scheduler.next_cycle())
        return found


def test_work_is_noted_between_the_cycles_that_were_asked_for():
    assert Metered().play(
        (5, "ask", 100, 200), (6, "ask", 50, 150), (7, "ask", 100, 120), (130, "answer", 100, 120),
        (140, "answer", 100, 200), (250, "answer", 100, 200), (250, "answer", 50, 150), (250, "answer", 50, 200),
    ) == [True, True, True, (200,), None, (1000,), (1000,), None]


def test_it_is_too_late_to_note_what_has_begun():
    assert Metered().play((100, "ask", 100, 200), (101, "ask", 90, 200), (300, "answer", 100, 200)) == [
        False, False, None]


def test_a_client_that_asks_without_end_takes_no_memory_without_end():
    many = [(5, "ask", 100 + number, 200) for number in range(MOST_SPANS + 1)]
    asked = Metered().play(*many, (201, "ask", 300, 400), (201, "answer", 100, 200), (201, "answer", 101, 200))
    assert asked == [True] * MOST_SPANS + [False, True, None, (990,)]
