"""A simulation without a machine, and streams without a net: what the sockets' side is tried on."""

import threading
from contextlib import contextmanager

from khhw.gateway.client import Client
from khhw.gateway.forward import forward
from khhw.gateway.sockets import Sockets
from khhw.host.inbox import Inbox
from khhw.host.ports import Host
from khhw.host.sync import Event, Queue
from khhw.net import NetError

RANK = 0


class Simulation(threading.Thread):
    """A scheduler and its inbox. A cycle passes when something happens in it."""

    def __init__(self):
        super().__init__(daemon=True)
        self.host = Host(1, 4096)
        self.host.inbox = self.inbox = Inbox()
        self.failure = None
        self._stopped = False

    def run(self):
        scheduler = self.host.scheduler
        try:
            while not self._stopped:
                if scheduler.next_cycle() is None and not self.inbox.wait(0.02):
                    continue
                if self.inbox.waiting:
                    self.inbox.deliver(scheduler, scheduler.now + 1)
                scheduler.run(scheduler.next_cycle())
        except BaseException as error:
            self.failure = error

    def spawn(self, coroutine, name="test"):
        """Start a task, from any thread."""
        self.inbox.post(RANK, lambda: self.host.scheduler.spawn(coroutine, rank=RANK, name=name, daemon=True))

    def stop(self):
        """End it; what a task has failed with is raised here."""
        self._stopped = True
        self.join()
        self.host.scheduler.close()
        if self.failure is not None:
            raise self.failure


class BrokenOffError(NetError):
    """The other end has reset the stream."""


class StandInStream:
    """The near end of a stream. The far end, a server, has `received` and `answers`, a few pieces each."""

    def __init__(self):
        self.received, self.answers = Queue(2), Queue(2)
        self.taken = 0
        self.was_reset = self.finished = self.closed = False

    async def send(self, data):
        self.taken += len(data)
        await self.received.put(data)

    async def receive(self, limit):
        data = await self.answers.get()
        if data is None:
            raise BrokenOffError("the other end has reset the stream")
        assert len(data) <= limit
        return data

    async def finish(self):
        if not self.finished:
            self.finished = True
            await self.received.put(b"")

    async def close(self):
        self.closed = True

    async def reset(self):
        self.was_reset = True
        if not self.received.full():
            self.received.put_nowait(b"")


async def echo(stream):
    """A server that sends back what it gets, and ends when its client does."""
    while data := await stream.received.get():
        await stream.answers.put(data)
    await stream.answers.put(b"")


class Gateway:
    """Sockets and a simulation in which every client is forwarded to a server of its own."""

    def __init__(self, server=echo, clients=60, **options):
        self.simulation = Simulation()
        self.sockets = Sockets(**options)
        self.streams, self.problems = [], []
        self.server = server
        self.door = self.sockets.listen(0, self._enter, clients)

    @property
    def address(self):
        return ("127.0.0.1", self.door.port)

    def _enter(self, wire):
        client = Client(wire, self.simulation.inbox, RANK)
        self.simulation.spawn(self._serve(client), wire.name)

    async def _serve(self, client):
        stream = StandInStream()
        self.streams.append(stream)
        self.simulation.host.scheduler.spawn(self.server(stream), rank=RANK, name="server", daemon=True)
        problem = await forward(client, stream, upward=len, downward=len)
        if problem:
            client.abort()
        self.problems.append(problem)

    def event(self):
        """An event that a server can wait for, and a function for the test that sets it."""
        event = Event("the test")
        return event, lambda: self.simulation.inbox.post(RANK, event.set)

    @contextmanager
    def running(self):
        self.sockets.start()
        self.simulation.start()
        self.sockets.open(self.door)
        try:
            yield self
        finally:
            try:
                self.simulation.stop()
            finally:
                self.sockets.close()
