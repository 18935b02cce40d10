"""What runs on the RTL of two nodes to try the four calls; an entry of a simulator process."""

from calls_kernel import ask, serve

from khhw.control.domains import Domains
from khhw.control.epochs import EpochControl
from khhw.control.outside import Outside
from khhw.control.owner import Owner
from khhw.host.scheduler import sleep
from khhw.net import (
    ANY,
    Buffer,
    Net,
    NetError,
    RemoteBuffer,
    rdma_get,
    tcp_rcv,
    tcp_send,
)
from khhw.node import Area, Node, ReceptionRing, Shape

SHAPE = Shape(2, 1, 1)
OPTIONS = {"get": [4096], "put": [65536], "stream": [65536], "exchange": [64], "repeat": [2], "settle": [3000]}
BYTES = bytes(range(251)) * 100
LOSSY, IDLE = 21, 22


class Pair:
    """One run: node 0 tries things, node 1 serves, the owner changes domains and takes node 1 away."""

    def __init__(self, host):
        self.found = {}
        self.events = []
        self.wishes = []
        self.boots = 0
        self.counted = [0, 0]
        host.scheduler.observer = lambda cycle, rank, _sequence, _name: self.events.append((cycle, rank))
        host.scheduler.spawn(self.own(host), name="owner", daemon=True)
        host.scheduler.spawn(self.first(host.nodes[0]), rank=0, name="node 0")
        host.nodes[1].boot(self.second)

    def results(self, _outcome):
        began, ended = self.found["calls"]["wire"]["began"], self.found["calls"]["wire"]["ended"]
        self.found["instructions"] = sum(rank == 1 and began < cycle < ended for cycle, rank in self.events)
        return self.found

    def stuck(self, _read):
        return []

    async def own(self, host):
        outside = Outside(host.root)
        await outside.start()
        owner = Owner(outside, SHAPE)
        epochs = EpochControl(owner)
        await owner.release()
        await epochs.change(Domains.from_rules(["* -> *"], 2))
        while True:
            await sleep(500)
            while self.wishes:
                wish = self.wishes.pop(0)
                match wish:
                    case ("rules", *rules):
                        await epochs.change(Domains.from_rules(rules, 2))
                    case ("hold",):
                        await owner.hold(1)
                    case ("release",):
                        await owner.release(1)
                    case ("count", rank):
                        self.counted = [sum(await owner.read(rank, name, (0, 1))) for name in ("INJECTED", "DELIVERED")]
                self.found.setdefault("granted", []).append(wish[0])

    async def wish(self, net, *what):
        """Have the owner do something, and wait until it is done."""
        count = len(self.found.get("granted", []))
        self.wishes.append(what)
        while len(self.found.get("granted", [])) == count:
            await net.node.sleep(500)

    def packets(self, net):
        """What the owner reads of a node."""
        async def counted(rank):
            await self.wish(net, "count", rank)
            return self.counted

        return counted

    async def failing(self, name, coroutine):
        """What a call raises."""
        try:
            result = await coroutine
        except NetError as error:
            self.found[name] = [type(error).__name__, str(error)]
        else:
            self.found[name] = ["", repr(result)]

    async def second(self, port):
        """Node 1."""
        net = await Net.open(await Node.open(port))
        self.boots += 1
        lossy, idle = await net.listen(LOSSY), await net.listen(IDLE)
        if self.boots > 1:
            connection = await idle.accept()
            await tcp_send(connection, await connection.receive_exactly(5))
            await connection.close()
            return
        await serve(net, OPTIONS, self.packets(net))
        await self.overrun(net, await lossy.accept())
        window = await net.register(net.heap.base, 65536, read=ANY)
        connection = await idle.accept()
        await tcp_send(connection, window.export())
        await lossy.accept()
        await net.node.sleep(10_000_000)

    async def overrun(self, net, connection):
        """A reception ring with room for one packet."""
        whole = net.reception
        small = ReceptionRing(net.node, net.ring, Area(net.heap.base, 512))
        net.reception = small
        await small.open()
        await tcp_send(connection, b"ready")
        got = 0
        buffer = Buffer(net.heap.base + 4096, len(BYTES))
        while got < len(BYTES):
            got += await tcp_rcv(connection, buffer.slice(got, len(BYTES) - got))
        self.found["overrun"] = {
            "same": net.node.memory.read(buffer.address, len(BYTES)) == BYTES,
            "drops": await net.node.read("RING_DROPS"),
        }
        net.reception = whole
        await whole.open()
        await connection.close()

    async def first(self, port):
        """Node 0."""
        net = await Net.open(await Node.open(port))
        self.found["calls"] = await ask(net, OPTIONS, self.packets(net))
        connection = await net.connect(1, LOSSY)
        await connection.receive_exactly(5)
        await tcp_send(connection, BYTES)
        self.found["resent"] = net.table.resent
        await connection.close()

        idle = await net.connect(1, IDLE)
        window = RemoteBuffer.parse(await idle.receive_exactly(8), 1)
        here = Buffer(net.heap.base, 65536)
        closed = RemoteBuffer(1, (window.reads or 0) - 1, None, window.ring, 0, 64)
        await self.failing("no window", self.get(here.slice(0, 64), closed, 5000))
        stream = await net.connect(1, LOSSY)
        await self.one_way(net, window, here)
        await self.taken_away(net, stream, idle, window, here)
        await net.close()

    async def get(self, here, remote, timeout):
        await (await rdma_get(1, here, remote)).done(timeout)

    async def one_way(self, net, window, here):
        await self.wish(net, "rules", "0 -> 0 1", "1 -> 1")
        await self.failing("connect, back not allowed", net.connect(1, IDLE, timeout=20_000))
        await self.failing("get, back not allowed", self.get(here.slice(0, 64), window.slice(0, 64), 5000))
        await self.wish(net, "rules", "0 -> 0", "1 -> 0 1")
        await self.failing("connect, there not allowed", net.connect(1, IDLE))
        await self.failing("get, there not allowed", self.get(here.slice(0, 64), window.slice(0, 64), 5000))
        await self.wish(net, "rules", "* -> *")

    async def taken_away(self, net, stream, idle, window, here):
        """The owner holds node 1 while a get and a stream are under way, and releases it."""
        transfer = await rdma_get(1, here, window)
        await self.wish(net, "hold")
        await self.failing("get, held", transfer.done(50_000))
        await self.failing("stream, held", self.endless(stream))
        await self.wish(net, "release")
        while self.boots < 2:
            await net.node.sleep(1000)
        await net.node.sleep(2000)
        await self.failing("stream, rebooted", self.endless(idle))
        again = await net.connect(1, IDLE)
        await tcp_send(again, b"again")
        self.found["again"] = (await again.receive_exactly(5)).decode()
        await again.close()

    async def endless(self, stream):
        while True:
            await tcp_send(stream, bytes(2000))


def pair(host, _arguments):
    """The entry."""
    return Pair(host)
