"""The server: connections of ``khhw.net`` on one side, sessions and the store on the other."""

from khhw.kernels.memcached.answers import Value
from khhw.kernels.memcached.clock import Clock
from khhw.kernels.memcached.commands import Commands
from khhw.kernels.memcached.meter import Meter
from khhw.kernels.memcached.protocol import Answer, Session
from khhw.kernels.memcached.remote import Remote
from khhw.kernels.memcached.statistics import Statistics
from khhw.kernels.memcached.store import Item, Store
from khhw.net import ANY, ClosedError, Connection, Net, NetError, Window, WindowError, tcp_send
from khhw.node import Node, Queue, spawn, timeout

__all__ = ["PORT", "Server"]

PORT = 11211
_AT_ONCE = 16384
"""Bytes taken from a stream at a time."""
_TOGETHER = 1 << 20
"""Bytes of answers from which on they are sent before more values are read: one line can ask for gigabytes."""


class Server:
    """memcached on a node.

    Parameters
    ----------
    node : Node
    net : Net
    base, length : int
        Memory of the store.
    clock : Clock
    item_max : int
        Limit on an item.
    patience : int
        Cycles a put into a reserved slot may take.
    """

    def __init__(
        self, node: Node, net: Net, base: int, length: int, *, clock: Clock, item_max: int, patience: int,
    ) -> None:
        self.node, self.net, self.patience = node, net, patience
        self.store = Store(node.memory, base, length, clock, item_max=item_max)
        self.statistics = Statistics(self.store, self._counters)
        self._meter = Meter(node, lambda: (round(node.busy_ns), node.accesses, self.store.evictions))
        self.remote = Remote(self.store, self.statistics, lambda: self._window.export(), self._meter)
        self.commands = Commands(self.store, self.statistics, self.remote.commands)
        self._window: Window

    def _counters(self) -> dict[str, int]:
        node = self.node
        return {"khhw_cycle": node.now, "khhw_busy_ns": round(node.busy_ns), "khhw_accesses": node.accesses}

    async def run(self, port: int = PORT) -> None:
        """Open the store to readers and answer every connection, until cancelled or the net is closed."""
        self._window = await self.net.register(self.store.base, self.store.length, read=ANY)
        listener = await self.net.listen(port)
        await spawn(self._meter.run(), name="meter")
        try:
            while True:
                connection = await listener.accept()
                self.statistics["curr_connections"] += 1
                self.statistics["total_connections"] += 1
                await spawn(Client(self, connection).run(), name=f"client at node {connection.peer}")
        except ClosedError:
            return

    async def charge(self) -> None:
        """Charge the work that protocol and store have done."""
        work = dict(self.store.work)
        self.store.work.clear()
        await self.node.work_all(work)


class Client:
    """One connection.

    Parameters
    ----------
    server : Server
    connection : Connection
    """

    def __init__(self, server: Server, connection: Connection) -> None:
        self._server = server
        self._connection = connection
        self._session = Session(server.commands)
        self._events = self._new_events()
        self._reads_ahead = False

    def _new_events(self) -> Queue[bytes | bool]:
        return Queue(name=f"bytes or a value from node {self._connection.peer}")

    async def run(self) -> None:
        """Answer until the client has gone."""
        try:
            while not self._session.closed and (data := await self._in_time()):
                await self._answer(self._session.feed(data))
                while (item := self._session.landing) is not None:
                    await self._land(item)
                    await self._answer(self._session.landed())
            await self._connection.close()
        except NetError:
            await self._connection.reset()
        finally:
            self._session.lost()
            self._server.statistics["curr_connections"] -= 1

    async def _answer(self, answers: list[Answer]) -> None:
        """Send answers, in as few pieces as memory allows; what they stand for may change afterwards."""
        try:
            await self._server.charge()
            text = bytearray()
            for part in answers:
                text += self._server.store.read(part.item) if isinstance(part, Value) else part
                if len(text) >= _TOGETHER:
                    await tcp_send(self._connection, bytes(text))
                    text.clear()
            if text:
                await tcp_send(self._connection, bytes(text))
        finally:
            self._session.sent(answers)

    async def _land(self, item: Item) -> None:
        """Let the value of `item` come by put, and say what came of it."""
        server = self._server
        remote = server.remote
        if not item.value_bytes:
            await tcp_send(self._connection, remote.landed(item))
            return
        await server.charge()
        try:
            room = item.address + item.room - item.value_address
            window = await server.net.register(item.value_address, room, write=self._connection.peer)
        except WindowError:
            await tcp_send(self._connection, remote.refused(item))
            return
        kept = False
        try:
            await window.expect(item.value_bytes)
            await tcp_send(self._connection, b"SLOT %b\r\n" % window.export().hex().encode())
            kept = await self._landed(window, item)
        finally:
            # Nobody may write there any more before others can find it, or use the room.
            await window.close()
            text = remote.landed(item) if kept else remote.lost(item)
        await server.charge()
        await tcp_send(self._connection, text)

    async def _landed(self, window: Window, item: Item) -> bool:
        """Whether the value came, before patience or the connection ended."""
        if not self._reads_ahead:
            self._reads_ahead = True
            await spawn(self._read_ahead(), name=f"what node {self._connection.peer} says meanwhile")
        events = self._events
        watch = await spawn(self._watch(window, item, events), name=f"a put of node {self._connection.peer}")
        try:
            came = await events.get()
            while isinstance(came, bytes):
                self._reads_ahead = False
                if not came:
                    # The stream has ended. A put that comes in this very cycle is not that of the next item.
                    self._events = self._new_events()
                    return False
                self._session.feed(came)
                came = await events.get()
            return came
        finally:
            # Whoever is lent the counter after this window is to wait for it alone.
            watch.cancel()

    async def _watch(self, window: Window, item: Item, events: Queue[bytes | bool]) -> None:
        try:
            events.put_nowait(await window.written(item.value_bytes, self._server.patience))
        except WindowError:
            events.put_nowait(False)

    async def _read_ahead(self) -> None:
        try:
            self._events.put_nowait(await self._connection.receive(_AT_ONCE))
        except NetError:
            self._events.put_nowait(b"")

    async def _in_time(self) -> bytes:
        """What the client sends next; nothing if a line too long to be sent in pieces stops for a second."""
        if not self._session.hurried:
            return await self._bytes()
        try:
            async with timeout(self._server.store.clock.hz):
                return await self._bytes()
        except TimeoutError:
            return b""

    async def _bytes(self) -> bytes:
        """What the client sends next; nothing at the end of the stream."""
        if not self._reads_ahead:
            return await self._connection.receive(_AT_ONCE)
        came = await self._events.get()
        assert isinstance(came, bytes), "no value lands now"
        self._reads_ahead = False
        return came
