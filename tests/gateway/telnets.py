"""Consoles for telnet without a machine: what people type is noted, and nodes say what a test has them say."""

import socket
import threading
import time
from contextlib import contextmanager

from khhw.control.console import OUTSIDE, Said
from khhw.gateway.consoles import Consoles
from khhw.gateway.sockets import Sockets
from khhw.host.scheduler import sleep
from khhw.host.sync import Event
from tests.gateway.standin import Simulation

NODES = 3


class StandInConsole:
    """Notes what is written to it, and takes no more while it is held."""

    def __init__(self, inbox):
        self.lines = []
        self._inbox, self._free = inbox, Event("the test")
        self._free.set()

    async def line(self, text, ranks):
        await sleep(1)
        self.lines.append((text, ranks))
        await self._free.wait()

    def hold(self):
        """Not before it is done: what a person types passes what is posted."""
        held = threading.Event()
        self._inbox.post(OUTSIDE, self._free.clear)
        self._inbox.post(OUTSIDE, held.set)
        assert held.wait(10)

    def release(self):
        self._inbox.post(OUTSIDE, self._free.set)


class Telnets:
    """Consoles of three nodes, of which none says anything by itself."""

    def __init__(self):
        self.simulation, self.sockets = Simulation(), Sockets()
        self.console = StandInConsole(self.simulation.inbox)
        self.consoles = Consoles(self.simulation.host, self.sockets, NODES, 0, {2: "memcached"})

    @contextmanager
    def running(self):
        self.consoles.open(self.console)
        self.sockets.start()
        self.simulation.start()
        try:
            yield self
        finally:
            try:
                self.simulation.stop()
            finally:
                self.sockets.close()

    @contextmanager
    def at(self, rank):
        """A person at a console."""
        with socket.create_connection(("127.0.0.1", self.consoles.ports[rank]), timeout=10) as person:
            with person.makefile("rb") as heard:
                assert (b"memcached is running" if rank == 2 else b"type help") in heard.readline()
                yield person, heard

    def say(self, rank, text):
        """A node says a line."""
        self.simulation.inbox.post(OUTSIDE, lambda: self.consoles.said(Said(1, rank, text)))

    def wait_for_lines(self, count):
        """Until so many lines have been written to the console."""
        self._wait_until(lambda: len(self.console.lines) >= count)

    def wait_until_held_back(self):
        """Until a line is being written, no more are taken, and what a person types waits for room."""
        typed = self.consoles._typed
        self._wait_until(lambda: self.console.lines and typed.full() and typed._putters)

    def wait_for_urgent(self):
        """Until it is known here that a person has sent urgent data, of which nothing has been read."""
        self._wait_until(lambda: any(carrier.wire._urgent_arrives for carrier in self._carriers()))

    def _carriers(self):
        return list(self.sockets._carriers.values())

    def _wait_until(self, condition):
        end = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < end, self.console.lines
            time.sleep(0.005)
