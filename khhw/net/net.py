"""The network of one node: connections, windows, and the tasks that serve them."""

from collections import Counter
from collections.abc import Coroutine
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from khhw.net.areas import Areas
from khhw.net.buffers import Buffer
from khhw.net.connection import Connection
from khhw.net.counter_pool import CounterPool
from khhw.net.diagnosis import Diagnosis
from khhw.net.errors import ClosedError, NetError, NoAnswerError, NoRoomError, SegmentError
from khhw.net.listener import Listener
from khhw.net.protocol import Protocol
from khhw.net.segments import Segment
from khhw.net.table import ConnectionTable, State
from khhw.net.timers import Timers
from khhw.net.transmitter import Transmitter
from khhw.net.windows import Anybody, Window
from khhw.node import (
    ANSWER_RING,
    Area,
    BusError,
    InjectionRing,
    Node,
    ReceptionRing,
    Work,
    current_task,
    spawn,
)
from rtl.registers import Irq

__all__ = ["KEEPALIVE", "Net", "net_of_this_node"]

KEEPALIVE = 1_000_000
"""Cycles a task waits for bytes before the peer is asked whether it is there."""
_STREAM_RING, _PUT_RING = 2, 3
_CONNECT_PATIENCE = 300_000
_DRAIN_PATIENCE = 200_000
"""Cycles a net that is closed waits for its rings; what has not left by then goes with the ring."""
_FIRST_LOOK = 8_000
"""Cycles without an answer to a SYN after which this node's own guard is asked."""
_EPHEMERAL = 0xC000
_PORTS = 1 << 16

_open_nets: WeakKeyDictionary[Any, dict[int, "Net"]] = WeakKeyDictionary()


async def net_of_this_node() -> "Net":
    """The net that is open on the node of the task that awaits this.

    Raises
    ------
    ClosedError
        If none is.
    """
    task = await current_task()
    net = _open_nets.get(task.scheduler, {}).get(task.rank)
    if net is None:
        raise ClosedError("no net is open on this node; open one with Net.open(node)")
    return net


class Net:
    """Made by :meth:`open`.

    Attributes
    ----------
    node : Node
    heap : Area
        Node memory that is left for the kernel.
    counters : CounterPool
        Windows and transfers share them.
    table : ConnectionTable
        Its connections.
    listeners : dict
        By port.
    """

    def __init__(
        self, node: Node, areas: Areas, rings: tuple[int, int], lanes: int, counters: int, keepalive: int,
    ) -> None:
        injection_rings, reception_rings = rings
        self.node = node
        self.heap = areas.heap
        self.listeners: dict[int, Listener] = {}
        self.timers = Timers(node)
        self.ring = min(1, reception_rings - 1)
        self.reception = ReceptionRing(node, self.ring, areas.reception)
        stream_ring = self.put_ring = node.sender
        self._own_rings: list[InjectionRing] = []
        if injection_rings > _STREAM_RING:
            stream_ring = self.put_ring = InjectionRing(node, _STREAM_RING, areas.streams, Area(0, 0))
            self._own_rings.append(stream_ring)
        if injection_rings > _PUT_RING:
            self.put_ring = InjectionRing(node, _PUT_RING, areas.puts, Area(0, 0))
            self._own_rings.append(self.put_ring)
        self.transmitter = Transmitter(node, stream_ring, areas.control, self.ring)
        self.counters = CounterPool(
            node, self.timers, counters, lanes=lanes, answers=injection_rings > ANSWER_RING, requests=areas.requests)
        self.table: ConnectionTable[Connection] = ConnectionTable(
            node, self.transmitter, self.timers, areas.buffers, keepalive)
        self.diagnosis = Diagnosis(node, self.transmitter)
        self._protocol = Protocol(self.table, self.listeners, self.diagnosis)
        self.round_trips: dict[int, int] = {}
        self._last_port = _EPHEMERAL
        self._tasks: list[Any] = []
        self._owner: tuple[Any, int] | None = None

    @classmethod
    async def open(cls, node: Node, *, connections: int = 64, keepalive: int = KEEPALIVE) -> "Net":
        """Take rings, counters and memory of a node that runs no other net.

        Parameters
        ----------
        node : Node
        connections : int
            Connections there can be at once; fewer if the memory is small.
        keepalive : int
            Cycles a task waits for bytes before the peer is asked whether it is there.

        Raises
        ------
        NetError
            If the memory is too small.
        """
        resources = await node.read_fields("RESOURCES")
        counters, lanes = resources["counters"], resources["lanes"]
        rings = resources["injection_rings"], resources["reception_rings"]
        net = cls(node, Areas.plan(node.layout, counters, connections), rings, lanes, counters, keepalive)
        for ring in net._own_rings:
            await ring.open()
        await net.reception.open()
        await net.diagnosis.open()
        task = await current_task()
        net._owner = task.scheduler, task.rank
        _open_nets.setdefault(task.scheduler, {})[task.rank] = net
        for name, work in (("stream receiver", net._receive()), ("stream timers", net.timers.run())):
            net._tasks.append(await spawn(net._while_alive(work), name=name, daemon=True))
        return net

    async def close(self) -> None:
        """Reset all connections, close all windows and give back what was taken."""
        if self.table.closed:
            return
        for connection in list(self.table.connections.values()):
            await connection.reset()
        for listener in list(self.listeners.values()):
            await listener.close()
        for ring in dict.fromkeys([self.transmitter.ring, self.put_ring]):
            await ring.doorbell()
            await ring.drain(_DRAIN_PATIENCE)
        self._end(ClosedError("the net is closed"))
        for ring in self._own_rings:
            await ring.close()
        await self.counters.close()
        await self.node.write("RECEPTION_SIZE", 0, self.ring)
        if self.ring == 0:
            await self.node.reception.open()

    def _end(self, error: NetError) -> None:
        self.table.closed = True
        if self._owner is not None:
            _open_nets.get(self._owner[0], {}).pop(self._owner[1], None)
        for connection in list(self.table.connections.values()):
            connection.fail(error)
        for listener in self.listeners.values():
            listener.end()
        for task in self._tasks:
            task.cancel()

    async def _while_alive(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a task of the net; when the owner takes the node away, it ends, and with it all connections."""
        try:
            await work
        except BusError:
            pass
        finally:
            if not self.table.closed:
                self._end(NoAnswerError(f"node {self.node.rank} itself is held or was reset"))

    # Connections.

    async def listen(self, port: int) -> Listener:
        """Take connections to a port.

        Raises
        ------
        NetError
            If the port is taken.
        ClosedError
            If the net is closed.
        """
        if not 0 <= port < _PORTS:
            raise ValueError(f"Ports have 16 bits: {port}")
        self._check()
        if port in self.listeners:
            raise NetError(f"port {port} of node {self.node.rank} is taken")
        listener = self.listeners[port] = Listener(
            port, partial(self.table.unanswered, port=port), partial(self.listeners.pop, port, None))
        return listener

    async def connect(self, rank: int, port: int, timeout: int | None = None) -> Connection:
        """Open a connection to a port of another node.

        Parameters
        ----------
        rank, port : int
        timeout : int or None
            Cycles until an answer; by default 300,000.

        Raises
        ------
        NotAllowedError
            If this node's guard refuses packets to the peer.
        NoAnswerError
            If nothing comes back.
        ResetError
            If the peer refuses.
        """
        if not 0 <= port < _PORTS:
            raise ValueError(f"Ports have 16 bits: {port}")
        self._check()
        await self.node.work(Work.CALL)
        await self.table.room()
        self._last_port = _EPHEMERAL + (self._last_port + 1 - _EPHEMERAL) % (_PORTS - _EPHEMERAL)
        connection = Connection.begin(self.table, rank, (self._last_port, port))
        if connection is None:
            raise NoRoomError(f"node {self.node.rank} has no room for another connection")
        begun, patience = self.node.now, _CONNECT_PATIENCE if timeout is None else timeout
        await connection.greet()
        connection.outgoing.due = self.node.now + connection.outgoing.patience
        connection.schedule(connection.outgoing.due)
        try:
            if await connection.established(min(patience, _FIRST_LOOK)):
                return connection
            if await self.diagnosis.refused_here(rank, begun):
                raise self.diagnosis.not_allowed(rank)
            if await connection.established(max(0, begun + patience - self.node.now)):
                return connection
            raise await self.diagnosis.of_connect(rank, begun, patience)
        except BaseException:
            if connection.state == State.ASKED:
                self.table.forget(connection)
            raise

    def _check(self) -> None:
        if self.table.closed:
            raise ClosedError("the net is closed")

    async def _receive(self) -> None:
        """Take packets of the streams, for ever."""
        node = self.node
        while True:
            ring = self.reception
            records = await ring.records()
            if not records:
                await node.wait(Irq.RECEPTION + self.ring)
                continue
            touched: dict[Connection, None] = {}
            for record in records:
                await self._packet(record, touched)
            # Whoever got something goes first.
            await node.sleep(0)
            await ring.release()
            for connection in touched:
                await connection.respond()
            await self._protocol.send_later()
            await self.transmitter.ring.doorbell()
            if len(records) == 1:
                await node.wait(Irq.RECEPTION + self.ring)

    async def _packet(self, record: bytes, touched: dict[Connection, None]) -> None:
        try:
            segment = Segment.parse(record)
        except SegmentError:
            self.table.bad_segments += 1
            await self.node.work(Work.PACKET)
            return
        await self.node.work_all({Work.PACKET: 1, Work.SEGMENT: int(segment.ends)})
        connection = self.table.connections.get(segment.connection)
        before = connection.incoming.copied if connection is not None else 0
        touches = await self._protocol.arrived(segment)
        if touches is not None:
            touched[touches] = None
            await self.node.work(Work.COPY, max(0, touches.incoming.copied - before))

    async def register(
        self, address: int, length: int, *, read: Anybody | int | None = None, write: Anybody | int | None = None
    ) -> Window:
        """Open memory of this node to peers.

        Parameters
        ----------
        address, length : int
            Which; the address is a multiple of 8.
        read : ANY, int or None
            Who may get from it: every node that may send here, one rank, nobody. Takes an injection counter.
        write : ANY, int or None
            Who may put into it, likewise. Takes a reception counter.

        Raises
        ------
        WindowError
            If it leaves the memory, or no counter is left.
        ValueError
            If there is no such rank.
        TypeError
            For True or False: say whom.
        """
        self._check()
        return await self.counters.register(Buffer(address, length), read, write)

    @property
    def statistics(self) -> Counter[str]:
        """Segments by what became of them."""
        return Counter(
            sent=self.transmitter.sent, resent=self.table.resent, bad=self.table.bad_segments,
            stray=self.table.strays, refused=self.table.refused)
