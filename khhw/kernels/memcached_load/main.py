"""Load on a memcached of another node, from one or several nodes at once; see ``docs/memcached.md``.

For each combination of ``values=``, ``sizes=``, ``distribution=``, ``active=`` (how many of ``clients=``), ``loop=``,
``gets=`` and ``path=``: store what is missing, learn where it is, begin together with the other clients, warm up,
measure, drain. Every value read is checked, byte for byte. Results stand at the base of the heap as ``table.py`` says.
"""

from khhw.kernels.memcached.answers import MAXIMUM_KEY
from khhw.kernels.memcached.client import AnswerError, Place, RemoteClient, StreamClient
from khhw.kernels.memcached.item import VERSION_BYTES, item_bytes
from khhw.kernels.memcached.remote import NOT_NOTED, NOTED
from khhw.kernels.memcached_load.measurement import SERIAL_BITS, Measurement
from khhw.kernels.memcached_load.options import Plan, Point, parse_plan
from khhw.kernels.memcached_load.table import HEADER, MAGIC, OPS, POINT, SAMPLE, PointRecord
from khhw.kernels.memcached_load.together import Together
from khhw.kernels.memcached_load.workload import Keys, make_value
from khhw.net import Buffer, Net, NetError
from khhw.node import Node

__all__ = ["main"]

_LEAD = 3000
"""Cycles from agreeing on a start to the start."""
_PATIENCE = 20_000_000
_COMPLAINTS = 3
"""Wrong values of a point that are told one by one."""


class Load:
    """This node's part of a plan.

    Parameters
    ----------
    node : Node
    net : Net
    plan : Plan
    """

    def __init__(self, node: Node, net: Net, plan: Plan) -> None:
        self.node, self.net, self.plan = node, net, plan
        self.clients: list[RemoteClient] = []
        self.samples = self.checked = self.wrong = self.evictions = self.serial = 0
        self._stored: tuple[str, int] | None = None
        self._base = net.heap.base
        self._samples_at = self._base + HEADER.size + POINT.size * len(plan.points)

    async def open(self) -> None:
        """Connect to the server."""
        plan, heap = self.plan, self.net.heap
        largest = max([plan.largest, *(point.value_bytes for point in plan.points)])
        scratch = -(-(item_bytes(MAXIMUM_KEY, largest) + VERSION_BYTES) // 64) * 64
        heads = HEADER.size + POINT.size * len(plan.points)
        left = heap.length - heads - scratch * plan.connections - 64
        self._samples_kept = min(plan.samples, left // (SAMPLE.size * len(plan.points)))
        if self._samples_kept < 1:
            raise ValueError(
                f"{plan.connections} buffers of {scratch} bytes and {len(plan.points)} points do not fit into a heap "
                f"of {heap.length} bytes: fewer connections=, a smaller largest=")
        table = -(-(heads + SAMPLE.size * self._samples_kept * len(plan.points)) // 64) * 64
        self._control = StreamClient(self.net, await self.net.connect(plan.server, plan.port))
        self._together = Together(self.node, self._control, plan.clients, _PATIENCE)
        places: dict[bytes, Place] = {}
        for number in range(plan.connections):
            room = Buffer(heap.base + table + number * scratch, scratch)
            connection = await self.net.connect(plan.server, plan.port)
            client = RemoteClient(self.net, connection, room, places, check_version=plan.check_version)
            await client.open()
            self.clients.append(client)
        self._header(0, 0)

    async def run(self) -> None:
        """All points."""
        done = 0
        try:
            for number, point in enumerate(self.plan.points):
                await self._point(number, point)
                done = number + 1
                self._header(done, 0)
        except (NetError, AnswerError) as error:
            await self.node.console.print(
                f"node {self.node.rank}> error: memcached_load: point {done + 1} of {len(self.plan.points)}: {error}")
        self._header(done, 1)

    async def _point(self, number: int, point: Point) -> None:
        keys = Keys(self.plan, point)
        place = self.plan.clients.index(self.node.rank)
        await self._store(point, keys, place)
        await self._together.meet()
        if point.path == "rdma" and place < point.clients:
            await self.clients[0].learn(keys.names)
        await self._together.meet()
        start = await self._together.start(_LEAD, self._noted)
        measurement = Measurement(
            self.node, self.plan, point, number, keys, self.clients, self.serial, start, self._samples_kept)
        if place < point.clients:
            await measurement.run()
        else:
            # To look for the others now would be load on the server.
            await self.node.sleep(max(0, measurement.record.end - self.node.now))
        self.serial = measurement.serial
        self.checked += measurement.checked
        self.wrong += measurement.record.wrong
        self.clients = [client for client in self.clients if client not in measurement.failed]
        if not self.clients:
            raise AnswerError(f"all connections to the server have failed, the last one with {measurement.reason}")
        for complaint in measurement.complaints[:_COMPLAINTS]:
            await self.node.console.print(f"node {self.node.rank}> memcached_load: {complaint}")
        await self._together.meet()
        if self._together.leads:
            await self._ask_server(measurement.record)
        self._keep(number, measurement)

    async def _store(self, point: Point, keys: Keys, place: int) -> None:
        """This client's share of the values, unless those there have the right sizes."""
        if self._stored == (point.values, point.value_bytes):
            return
        self._stored = point.values, point.value_bytes
        for index in range(place, len(keys), len(self.plan.clients)):
            self.serial += 1
            value = make_value(self.plan.seed, index, self.node.rank << SERIAL_BITS | self.serial, keys.sizes[index])
            await StreamClient.set(self.clients[0], keys.names[index], value)

    async def _noted(self, start: int) -> bool:
        """Have the server note its work at both ends of a measurement: nobody asks it anything in between."""
        answer = await self._control.ask(self._between(start + self.plan.warmup))
        if answer not in (NOTED, NOT_NOTED):
            raise AnswerError(answer.decode("latin-1"))
        return answer == NOTED

    def _between(self, begin: int) -> bytes:
        return b"rbusy %d %d" % (begin, begin + self.plan.measure)

    async def _ask_server(self, record: PointRecord) -> None:
        """What the server has noted, when all clients have come to their end."""
        record.server_ns, record.server_accesses, record.evictions = await self._control.numbers(
            self._between(record.begin))
        self.evictions += record.evictions

    def _keep(self, number: int, measurement: Measurement) -> None:
        """Write a point and its samples to the table."""
        record, memory = measurement.record, self.node.memory
        record.first, record.samples = self.samples, len(measurement.samples)
        memory[self._base + HEADER.size + POINT.size * number] = record.pack()
        memory[self._samples_at + SAMPLE.size * self.samples] = b"".join(
            SAMPLE.pack(one.begin, one.cycles, one.value_bytes, OPS.index(one.op)) for one in measurement.samples)
        self.samples += len(measurement.samples)

    def _header(self, done: int, ended: int) -> None:
        plan = self.plan
        self.node.memory[self._base] = HEADER.pack(
            MAGIC, len(plan.points), done, self.samples, plan.connections, ended)


async def main(node: Node, arguments: str) -> None:
    """Run all points and leave the table."""
    plan = parse_plan(arguments, node.rank)
    if node.rank not in plan.clients:
        raise ValueError(f"node {node.rank} is not among clients={','.join(map(str, plan.clients))}")
    net = await Net.open(node)
    load = Load(node, net, plan)
    await load.open()
    await load.run()
    await node.console.print(
        f"node {node.rank}> memcached_load: {load.samples} samples, {load.checked} values read, "
        f"{load.wrong} wrong, {load.evictions} evictions")
    await net.close()
