"""A memcached client that asks without pause, and goes to the next server it knows when one does not answer.

Arguments: ``servers=`` ranks, ``start=`` and ``end=`` cycles, ``patience=`` cycles for an operation or a connection,
``keys=``, ``bytes=`` of a value, ``seed=``. Each operation, whatever becomes of it, is noted at the base of the heap.
"""

import random
import struct

from khhw.kernels.memcached.client import AnswerError, StreamClient
from khhw.kernels.memcached_load.workload import make_value
from khhw.net import Net, NetError, NotAllowedError
from khhw.node import Node, parse_options, timeout

PORT = 11211
HEADER = struct.Struct(">4sI8x")
"""Magic, and how many records follow."""
MAGIC = b"KHMC"
RECORD = struct.Struct(">QIBB2x")
"""Cycle it ended in, cycles it took, rank of the server, index in :data:`OUTCOMES`."""
ANSWERED, LATE, REFUSED, SILENT, WRONG = range(5)
OUTCOMES = ("answered", "not answered in time", "refused by the own guard", "no connection", "wrong value")


class Log:
    """What this client saw, in its memory."""

    def __init__(self, node: Node, base: int, length: int) -> None:
        self._node, self._base = node, base
        self._room = (length - HEADER.size) // RECORD.size
        self.count = 0
        self._head()

    def note(self, began: int, server: int, outcome: int) -> None:
        """An operation has ended."""
        if self.count < self._room:
            now, place = self._node.now, self._base + HEADER.size + RECORD.size * self.count
            self._node.memory[place] = RECORD.pack(now, now - began, server, outcome)
            self.count += 1
            self._head()

    def _head(self) -> None:
        self._node.memory[self._base] = HEADER.pack(MAGIC, self.count)


class Asker:
    """One operation after the other, with one server at a time."""

    def __init__(self, node: Node, net: Net, log: Log, options: dict[str, list[int]]) -> None:
        self.node, self.net, self.log = node, net, log
        self.start, self.end, self.patience = (options[name][0] for name in ("start", "end", "patience"))
        self.names = [b"node%d-%d" % (node.rank, index) for index in range(options["keys"][0])]
        self.values = [make_value(options["seed"][0], index, node.rank, options["bytes"][0])
                       for index in range(len(self.names))]
        self.choose = random.Random(f"{options['seed'][0]} {node.rank}")

    async def stay_with(self, server: int) -> None:
        """Store the values, then read them until the time is over or the server does not answer any more."""
        began, outcome = self.node.now, SILENT
        try:
            connection = await self.net.connect(server, PORT, timeout=self.patience)
            client = StreamClient(self.net, connection)
            for name, value in zip(self.names, self.values, strict=True):
                began, outcome = self.node.now, LATE
                async with timeout(self.patience):
                    await client.set(name, value)
            await self.node.sleep(max(0, self.start - self.node.now))
            while self.node.now < self.end:
                began = self.node.now
                await self._get(client, server)
            await connection.close()
        except NotAllowedError:
            self.log.note(began, server, REFUSED)
        except (NetError, AnswerError, TimeoutError):
            self.log.note(began, server, outcome)
            if outcome == LATE:
                await connection.reset()

    async def _get(self, client: StreamClient, server: int) -> None:
        began, index = self.node.now, self.choose.randrange(len(self.names))
        async with timeout(self.patience):
            value = await client.get(self.names[index])
        self.log.note(began, server, ANSWERED if value == self.values[index] else WRONG)


async def main(node: Node, arguments: str) -> None:
    """Ask until the end."""
    options = parse_options(arguments, servers=0, start=0, end=0, patience=10_000, keys=8, bytes=1024, seed=1)
    net = await Net.open(node)
    log = Log(node, net.heap.base, net.heap.length)
    asker = Asker(node, net, log, options)
    turn = 0
    while node.now < asker.end:
        await asker.stay_with(options["servers"][turn % len(options["servers"])])
        turn += 1
    await node.console.print(f"node {node.rank}> moving_client: {log.count} operations")
    await net.close()
