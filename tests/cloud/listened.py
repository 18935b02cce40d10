"""A machine for tests of consoles: nodes say what a test has them say, and take files as loaders do."""

import asyncio
import threading
import zlib
from contextlib import asynccontextmanager
from itertools import count

from khhw.cloud.consoles.hub import Hub
from khhw.cloud.errors import CloudError
from khhw.cloud.machine import Clock, Heard, MachineInfo
from khhw.cloud.models import Console
from khhw.node.commands import Command, parse_line

NODES = (2, 3, 5)
SEND = 1 << 31
MEMORY = 1 << 16


class _Listening:
    def __init__(self, sinks, sink):
        self._sinks, self._sink = sinks, sink
        sinks.append(sink)

    def stop(self):
        self._sinks.remove(self._sink)


class StandInMachine:
    """Calls its sinks in a thread of its own, as a machine does."""

    info = MachineInfo((2, 2, 2), 850_000_000, MEMORY, 0x1000, 4, "0" * 64)

    def __init__(self):
        self.said = []
        self.boot = 1
        self.deaf = set()
        self.memories = {rank: bytearray(MEMORY) for rank in NODES}
        self.free = threading.Event()
        self.free.set()
        self.busy = threading.Event()
        self.sinks = {}
        self._cycles = count(1000, 10)
        self._late = 0

    def clock(self):
        self._late += 2_000_000 * bool(self.deaf)
        return Clock(self.boot, next(self._cycles) + self._late)

    def listen(self, channel, sink):
        return _Listening(self.sinks.setdefault(channel, []), sink)

    def say(self, channel, text, raw=b""):
        self.busy.set()
        assert self.free.wait(20)
        self.said.append((channel, text, raw))
        command = parse_line(text)
        if isinstance(command, Command):
            for rank in NODES:
                if rank in command.nodes and rank not in self.deaf:
                    self._obey(channel, rank, command, raw)
        return self.clock()

    def _obey(self, channel, rank, command, raw):
        numbers = [int(word, 0) for word in command.rest.split() if word[0].isdigit()]
        memory = self.memories[rank]
        if command.name == "mrw":
            memory[numbers[0]:numbers[0] + len(raw)] = raw
            self.tell(rank, f"node {rank}> mrw: {numbers[1]} bytes\n", channel)
        elif command.name == "crc":
            data = memory[numbers[0]:numbers[0] + numbers[1]]
            self.tell(rank, f"node {rank}> crc: {zlib.crc32(data):08x}\n", channel)

    def tell(self, rank, data, channel=7, missed=0):
        """A node says something, in packets."""
        data = data.encode() if isinstance(data, str) else data
        packets = [Heard(Clock(self.boot, next(self._cycles)), rank, channel | SEND, data[at:at + 240], missed)
                   for at in range(0, len(data), 240)]

        def bring():
            for sink in list(self.sinks.get(channel | SEND, ())):
                for packet in packets:
                    sink(packet)

        thread = threading.Thread(target=bring)
        thread.start()
        thread.join()


class Rights:
    """Who may do what at con7, and at con8, node 3's own."""

    def __init__(self):
        self.of = {"alice": ["listen", "write", "share"], "bob": ["listen", "write"], "carol": ["listen"]}
        self.open = True
        self.coming = []

    def look(self, who, console=7):
        """What :meth:`Hub.visit` asks for them."""
        def look():
            if who not in self.of:
                raise CloudError.missing(f"there is no con{console}")
            return Console(
                id=console, send_id=7 | SEND, lease_uuid="a lease", project="alice",
                nodes=[3] if console == 8 else list(NODES), node=3 if console == 8 else None, open=self.open,
                rights=self.of[who], shares=[], coming=self.coming)

        return look


class HubOnStandIn:
    """A hub over a stand-in."""

    def __init__(self):
        self.machine, self.rights = StandInMachine(), Rights()
        self.hub = Hub(self.machine)

    def visit(self, who, console=7, **options):
        return self.hub.visit(who, self.rights.look(who, console), **options)


@asynccontextmanager
async def hub_on_stand_in():
    """A hub, in the running loop."""
    here = HubOnStandIn()
    try:
        yield here
    finally:
        await here.hub.close()


async def heard(visit, *kinds):
    """The next message of one of these kinds; what comes before it is dropped."""
    async with asyncio.timeout(20):
        while (message := await visit.person.next()) is not None:
            if message.kind in kinds:
                return message
    raise AssertionError(f"no {kinds} came")
