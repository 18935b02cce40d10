"""One point: load from this node's clients, and what came of it."""

from collections import deque
from dataclasses import dataclass, field

from khhw.kernels.memcached.client import AnswerError, RemoteClient, StreamClient
from khhw.kernels.memcached_load.options import Plan, Point
from khhw.kernels.memcached_load.table import OPS, PointRecord
from khhw.kernels.memcached_load.workload import Chooser, Keys, make_value, right_value
from khhw.net import NetError
from khhw.node import Event, Node, gather, timeout

__all__ = ["Measurement", "Sample", "WrongValueError"]

_SERIALS = 40
"""Bits of a serial number that count; above them is the rank of the writer."""


class WrongValueError(Exception):
    """A value nobody wrote under this key: torn, or another key's."""


@dataclass(frozen=True)
class Sample:
    """An operation that began in the measurement and ended."""

    begin: int
    cycles: int
    value_bytes: int
    op: str


@dataclass
class Measurement:
    """Load of one point from one node.

    Parameters
    ----------
    node : Node
    plan : Plan
    point : Point
    number : int
        Of the point.
    keys : Keys
    clients : list of RemoteClient
        One operation at a time on each.
    serial : int
        Writes this node has done so far.
    start : int
        Cycle in which the load begins.
    """

    node: Node
    plan: Plan
    point: Point
    number: int
    keys: Keys
    clients: list[RemoteClient]
    serial: int
    start: int
    record: PointRecord = field(default_factory=PointRecord)
    samples: list[Sample] = field(default_factory=list)
    checked: int = 0

    def __post_init__(self) -> None:
        self.record.begin = self.start + self.plan.warmup
        self.record.end = self.record.begin + self.plan.measure
        self._chooser = Chooser(
            len(self.keys), self.point.distribution, self.plan.seed, f"{self.number} {self.node.rank}")
        self._arrivals: deque[int] = deque()
        self._arrived = Event("an arrival")
        self._running = 0

    async def run(self) -> None:
        """Warm up, measure, drain."""
        await self.node.sleep(max(0, self.start - self.node.now))
        tasks = [self._closed(client) for client in self.clients] if not self.point.rate else [
            self._arrive(), *(self._open(client) for client in self.clients)]
        await gather(*tasks, self._account())
        for client in self.clients:
            self.record.torn += client.seen["torn"]
            self.record.stale += client.seen["stale"]
            self.record.fallbacks += client.seen["fallback"]
            client.seen.clear()

    async def _account(self) -> None:
        """Note this node's own work at both ends of the measurement."""
        for cycle, sign in ((self.record.begin, -1), (self.record.end, 1)):
            await self.node.sleep(max(0, cycle - self.node.now))
            self.record.client_ns += sign * round(self.node.busy_ns)
            self.record.client_accesses += sign * self.node.accesses

    async def _closed(self, client: RemoteClient) -> None:
        """One operation after the other."""
        while self.node.now < self.record.end:
            await self._operation(client, self.node.now)

    async def _arrive(self) -> None:
        """Operations are due as in a Poisson process, whether the one before has ended or not."""
        due, mean = float(self.start), self.plan.clock_hz / self.point.rate
        while (due := due + self._chooser.gap(mean)) < self.record.end:
            await self.node.sleep(max(0, int(due) - self.node.now))
            self._arrivals.append(int(due))
            self._arrived.set()
        self._running = -1
        self._arrived.set()

    async def _open(self, client: RemoteClient) -> None:
        """Take what is due, oldest first; its time counts from when it was due."""
        last = self.record.end + self.plan.drain
        while self.node.now < last:
            if self._arrivals:
                await self._operation(client, self._arrivals.popleft())
            elif self._running < 0:
                return
            else:
                self._arrived.clear()
                await self._arrived.wait()
        self.record.errors += len(self._arrivals)
        self._arrivals.clear()

    async def _operation(self, client: RemoteClient, due: int) -> None:
        """One GET or SET that is due in cycle `due`."""
        index = self._chooser.key()
        op = OPS[0] if self._chooser.is_get(self.point.gets) else OPS[1]
        counted = self.record.begin <= due < self.record.end
        try:
            async with timeout(max(1, self.record.end + self.plan.drain - self.node.now)):
                found = await self._get(client, index) if op == "get" else await self._set(client, index)
        except (TimeoutError, NetError, AnswerError):
            self.record.errors += 1
            raise
        if not counted:
            return
        self.record.misses += not found
        self.record.gets += op == "get"
        self.record.sets += op == "set"
        if len(self.samples) < self.plan.samples:
            self.samples.append(Sample(due, self.node.now - due, self.keys.sizes[index], op))

    async def _get(self, client: RemoteClient, index: int) -> bool:
        """Read a key and look at every byte; False if it is not there."""
        key = self.keys.names[index]
        value = await (client.get(key) if self.point.path == "rdma" else StreamClient.get(client, key))
        if value is None:
            return False
        self.checked += 1
        if not right_value(self.plan.seed, index, self.keys.sizes[index], value):
            raise WrongValueError(f"{key!r} holds {value[:32].hex()}..., {len(value)} bytes, which nobody wrote there")
        return True

    async def _set(self, client: RemoteClient, index: int) -> bool:
        self.serial += 1
        serial = self.node.rank << _SERIALS | self.serial
        value = make_value(self.plan.seed, index, serial, self.keys.sizes[index])
        key = self.keys.names[index]
        await (client.set(key, value) if self.point.path == "rdma" else StreamClient.set(client, key, value))
        return True
