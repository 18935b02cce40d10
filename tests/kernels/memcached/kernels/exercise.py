"""Drives a memcached on node 0 from node 1: both paths, what goes wrong, and reads of what is being written."""

from khhw.kernels.memcached.client import RefusedError, RemoteClient, StreamClient
from khhw.kernels.memcached_load.workload import make_value, right_value
from khhw.net import Buffer, Net, RemoteBuffer, WindowError, rdma_get, rdma_put
from khhw.node import Node, gather

SERVER, PORT = 0, 11211
SIZES = (1, 7, 8, 100, 240, 1000, 5000)
LARGE = 12_000
PATIENCE = 20_000


class Exercise:
    """One check after the other; each says what it saw."""

    def __init__(self, node: Node, net: Net) -> None:
        self.node, self.net = node, net
        self.rooms = 0

    async def say(self, text: str) -> None:
        await self.node.console.print(f"node {self.node.rank}> saw {text}")

    async def connect(self, **options: bool) -> RemoteClient:
        room = Buffer(self.net.heap.base + self.rooms * 16384, 16384)
        self.rooms += 1
        client = RemoteClient(self.net, await self.net.connect(SERVER, PORT), room, **options)
        await client.open()
        return client

    async def both_paths(self) -> None:
        client, right = await self.connect(), 0
        for size in SIZES:
            key = b"size%d" % size
            for serial, write in ((1, client.set), (2, super(RemoteClient, client).set)):
                value = make_value(1, size, serial, size)
                await write(key, value)
                right += await client.get(key) == value and await StreamClient.get(client, key) == value
        missing = await client.get(b"nothing"), await StreamClient.get(client, b"nothing")
        await self.say(f"both paths: {right} of {2 * len(SIZES)} right, missing {missing == (None, None)}")

    async def stale(self) -> None:
        client = await self.connect()
        for key in (b"deleted", b"flushed", b"grown", b"expired"):
            await client.set(key, b"before")
            assert await client.get(key) == b"before"
        await client.ask(b"delete deleted")
        await StreamClient.set(client, b"grown", bytes(500))
        await client.ask(b"touch expired -1")
        answers = [await client.get(key) for key in (b"deleted", b"grown", b"expired")]
        await client.ask(b"flush_all")
        answers.append(await client.get(b"flushed"))
        await self.say(f"stale: {answers == [None, bytes(500), None, None]}, {client.seen['stale']} stale reads")

    async def windows(self) -> None:
        """More reservations than windows; one that is never used, one whose client goes."""
        clients = [await self.connect() for _ in range(8)]
        answers = [await client.ask(b"rset slot%d 0 0 64" % number) for number, client in enumerate(clients)]
        slots = [answer.startswith(b"SLOT") for answer in answers]
        refused = answers.count(b"SERVER_ERROR no window")
        fallback = clients[slots.index(False)]
        await fallback.set(b"slot0", b"by stream")
        begun = self.node.now
        await clients[0].connection.close()
        late = await clients[1].line()
        waited = self.node.now - begun
        export = bytes.fromhex(answers[1].split()[1].decode())
        self.node.memory[self.net.heap.base] = bytes(64)
        put = await rdma_put(RemoteBuffer.parse(export, SERVER), Buffer(self.net.heap.base, 64))
        await put.done()
        found = [await StreamClient.get(fallback, b"slot%d" % number) for number in range(3)]
        await self.say(f"windows: {sum(slots)} slots, {refused} refused, fallback {fallback.seen['fallback']}, "
                       f"late {late.decode()!r} {waited >= PATIENCE // 2}, {found}")
        await clients[1].set(b"slot1", b"again")
        await self.say(f"windows: then {await clients[1].get(b'slot1')!r}, fallback {clients[1].seen['fallback']}")

    async def errors(self) -> None:
        """What a client must not: each is an error at the caller, and the connection goes on."""
        client, said = await self.connect(), list[bytes]()
        lines = b"rset a 0 0 2000000", b"rset a 0 0 -1", b"rset a x 0 1", b"rindex " + b"k" * 251, b"rwindow 1"
        said += [await client.ask(line) for line in lines]
        try:
            await client.set(b"a", bytes(16000) + bytes(1 << 21))
        except (RefusedError, ValueError) as error:
            said.append(type(error).__name__.encode())
        window = RemoteBuffer.parse(bytes.fromhex((await client.ask(b"rwindow")).split()[1].decode()), SERVER)
        try:
            await rdma_put(window, Buffer(self.net.heap.base, 64))
        except WindowError:
            said.append(b"not for writing")
        try:
            await (await rdma_get(SERVER, Buffer(self.net.heap.base, 64), RemoteBuffer(
                SERVER, 6, None, window.ring, 0, 64))).done(PATIENCE)
        except WindowError:
            said.append(b"not registered")
        await client.set(b"a", b"alive")
        await self.say(f"errors: {b'; '.join(said).decode()}; then {await client.get(b'a')!r}")

    async def torn(self, *, check: bool) -> None:
        """A reader that never stops, and a writer: the item changes under every few reads."""
        reader, writer = await self.connect(check_version=check), await self.connect()
        await StreamClient.set(writer, b"torn", make_value(1, 9, 0, LARGE))
        assert right_value(1, 9, await reader.get(b"torn") or b"")
        writing, wrong, reads = True, 0, 0

        async def write() -> None:
            nonlocal writing
            for serial in range(1, 6):
                await StreamClient.set(writer, b"torn", make_value(1, 9, serial, LARGE))
            writing = False

        async def read() -> None:
            nonlocal wrong, reads
            while writing:
                wrong += not right_value(1, 9, await reader.get(b"torn") or b"")
                reads += 1

        await gather(write(), read())
        await self.say(f"torn, check {check}: {wrong > 0} wrong, {reader.seen['torn'] > 0} torn, {reads > 0} reads")


async def main(node: Node, arguments: str) -> None:
    """All checks."""
    net = await Net.open(node)
    exercise = Exercise(node, net)
    await exercise.both_paths()
    await exercise.stale()
    await exercise.errors()
    await exercise.windows()
    await exercise.torn(check=True)
    await exercise.torn(check=False)
    lines = [line := await (client := await exercise.connect()).ask(b"stats")]
    while line != b"END":
        lines.append(line := await client.line())
    stats = dict(line.split()[1:] for line in lines[:-1])
    names = ("khhw_set_lost", "khhw_set_refused", "curr_items", "evictions", "store_too_large")
    await exercise.say("stats: " + " ".join(f"{name} {stats[name.encode()].decode()}" for name in names))
    await net.close()
