"""One point: load from this node's clients, and what came of it."""

from collections import deque
from dataclasses import dataclass, field

from khhw.kernels.memcached.client import AnswerError, RefusedError, RemoteClient, StreamClient
from khhw.kernels.memcached_load.options import Plan, Point
from khhw.kernels.memcached_load.table import OPS, PointRecord
from khhw.kernels.memcached_load.workload import Chooser, Keys, make_value, right_value
from khhw.net import NetError
from khhw.node import Event, Node, gather, timeout

__all__ = ["SERIAL_BITS", "Measurement", "Sample"]

SERIAL_BITS = 40
"""Bits of a serial number that count; above them is the rank of the writer."""
_FAILURES = (TimeoutError, NetError, AnswerError)


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
    samples_kept : int
        Latencies there is room for.
    """

    node: Node
    plan: Plan
    point: Point
    number: int
    keys: Keys
    clients: list[RemoteClient]
    serial: int
    start: int
    samples_kept: int
    record: PointRecord = field(default_factory=PointRecord)
    samples: list[Sample] = field(default_factory=list)
    failed: list[RemoteClient] = field(default_factory=list)
    checked: int = 0
    reason: str = ""
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.record.begin = self.start + self.plan.warmup
        self.record.end = self.record.begin + self.plan.measure
        self._chooser = Chooser(
            len(self.keys), self.point.distribution, self.plan.seed, f"{self.number} {self.node.rank}")
        self._arrivals: deque[int] = deque()
        self._arrived = Event("an arrival")
        self._all_arrived = False

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
        while self.node.now < self.record.end and client not in self.failed:
            await self._operation(client, self.node.now)

    async def _arrive(self) -> None:
        """Operations are due as in a Poisson process, whether the one before has ended or not."""
        due, mean = float(self.start), self.plan.clock_hz / self.point.rate
        while (due := due + self._chooser.gap(mean)) < self.record.end:
            await self.node.sleep(max(0, int(due) - self.node.now))
            self._arrivals.append(int(due))
            self._arrived.set()
        self._all_arrived = True
        self._arrived.set()

    async def _open(self, client: RemoteClient) -> None:
        """Take what is due, oldest first; its time counts from when it was due."""
        while client not in self.failed:
            if self._arrivals:
                if self.node.now >= self.record.end + self.plan.drain:
                    self.record.errors += len(self._arrivals)
                    self._arrivals.clear()
                else:
                    await self._operation(client, self._arrivals.popleft())
            elif self._all_arrived:
                return
            else:
                self._arrived.clear()
                await self._arrived.wait()

    async def _operation(self, client: RemoteClient, due: int) -> None:
        """One GET or SET that is due in cycle `due`. A client that fails is not used again."""
        index = self._chooser.key()
        op = OPS[0] if self._chooser.is_get(self.point.gets) else OPS[1]
        try:
            async with timeout(max(1, self.record.end + self.plan.drain - self.node.now)):
                found = await self._get(client, index) if op == "get" else await self._set(client, index)
        except RefusedError:
            self.record.errors += 1
            return
        except _FAILURES as error:
            self._fail(client, error)
            return
        if self.record.begin <= due < self.record.end:
            self.record.misses += not found
            self.record.gets += op == "get"
            self.record.sets += op == "set"
            if len(self.samples) < self.samples_kept:
                self.samples.append(Sample(due, self.node.now - due, self.keys.sizes[index], op))
        if not found and self.plan.fill:
            await self._fill(client, index)

    async def _fill(self, client: RemoteClient, index: int) -> None:
        """Write what was missed; not a measured operation."""
        try:
            await self._set(client, index)
        except RefusedError:
            self.record.errors += 1
        except _FAILURES as error:
            self._fail(client, error)

    def _fail(self, client: RemoteClient, error: Exception) -> None:
        self.record.errors += 1
        self.failed.append(client)
        self.reason = f"{type(error).__name__}: {error}"

    async def _get(self, client: RemoteClient, index: int) -> bool:
        """Read a key and look at every byte; False if it is not there."""
        key, size = self.keys.names[index], self.keys.sizes[index]
        value = await (client.get(key) if self.point.path == "rdma" else StreamClient.get(client, key))
        if value is None:
            return False
        self.checked += 1
        right = right_value(self.plan.seed, index, value) and (self.plan.vary or len(value) == size)
        if not right:
            self.record.wrong += 1
            self.complaints.append(self._complaint(index, value))
        return True

    def _complaint(self, index: int, value: bytes) -> str:
        """What is wrong with a value: how long it is, which write it pretends to be, where it goes wrong."""
        serial = int.from_bytes(value[:8], "big")
        expected = make_value(self.plan.seed, index, serial, len(value))
        first = next((place for place, pair in enumerate(zip(value, expected, strict=True)) if pair[0] != pair[1]), -1)
        return (f"wrong value of {self.keys.names[index].decode()}: {len(value)} bytes of write {serial:#x}, from byte "
                f"{first} on {value[first:first + 16].hex()}, cycle {self.node.now}")

    async def _set(self, client: RemoteClient, index: int) -> bool:
        self.serial += 1
        serial, size = self.node.rank << SERIAL_BITS | self.serial, self.keys.sizes[index]
        value = make_value(self.plan.seed, index, serial, self._chooser.size(size) if self.plan.vary else size)
        key = self.keys.names[index]
        path = self.point.path if self.point.sets == "same" else self.point.sets
        await (client.set(key, value) if path == "rdma" else StreamClient.set(client, key, value))
        return True
