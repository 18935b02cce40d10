"""What the four calls take between node 0 and node 1, in cycles of the machine's clock, which both can read.

Node 0 asks, node 1 serves. Node 0 prints one line of JSON: a list of samples for each figure, and what one get takes
while nothing else is under way.
"""

import json
from collections.abc import Awaitable, Callable

from khhw.net import ANY, Buffer, Connection, Net, RemoteBuffer, Window, rdma_get, rdma_put, tcp_rcv, tcp_send
from khhw.node import Node, parse_options

Packets = Callable[[int], Awaitable[tuple[int, int]]]
"""Packets the node of a rank has sent, and packets that were delivered to it; only its owner knows."""

PORT = 1
_NUMBER = 8
_EXPORT = 8
_QUIET = 3_000
"""Cycles after which nothing of the streams is under way any more."""
_LOOK = 4_000
"""Cycles in which one get and nothing else happens."""


async def tell(connection: Connection, number: int) -> None:
    """Send one number."""
    await tcp_send(connection, number.to_bytes(_NUMBER, "big"))


async def hear(connection: Connection) -> int:
    """Receive one number."""
    return int.from_bytes(await connection.receive_exactly(_NUMBER), "big")


async def until(node: Node, cycle: int) -> None:
    """Sleep until a cycle."""
    await node.sleep(max(0, cycle - node.now))


async def uncounted(_rank: int) -> tuple[int, int]:
    """Nobody asks the owner."""
    return 0, 0


async def serve(net: Net, options: dict[str, list[int]], packets: Packets = uncounted) -> None:
    """Node 1's part."""
    node, base = net.node, net.heap.base
    largest = max(options["put"] + options["get"] + options["stream"])
    node.memory[base] = bytes(range(256)) * (largest // 256)
    reading = await net.register(base, largest, read=ANY)
    writing = await net.register(base + largest, largest, write=0)
    listener = await net.listen(PORT)
    connection = await listener.accept()
    await tcp_send(connection, reading.export() + writing.export())
    begin = await hear(connection)
    await until(node, begin)
    before = await packets(node.rank)
    await until(node, begin + _LOOK)
    after = await packets(node.rank)
    for was, now in zip(before, after, strict=True):
        await tell(connection, now - was)
    for _ in options["get"] * options["repeat"][0]:
        await hear(connection)
    for size in options["put"] * options["repeat"][0]:
        await _take_put(connection, writing, size, node)
    for size in options["stream"] * options["repeat"][0]:
        await _take_stream(connection, Buffer(base + largest, size), node)
    for size in options["exchange"] * options["repeat"][0]:
        await tcp_send(connection, await connection.receive_exactly(size))
    await connection.receive(1)
    await connection.close()


async def _take_put(connection: Connection, window: Window, size: int, node: Node) -> None:
    await window.expect(size)
    await tell(connection, 0)
    await window.written(size)
    await tell(connection, node.now)


async def _take_stream(connection: Connection, place: Buffer, node: Node) -> None:
    got = 0
    while got < place.length:
        got += await tcp_rcv(connection, place.slice(got, place.length - got))
    await tell(connection, node.now)


async def ask(net: Net, options: dict[str, list[int]], packets: Packets = uncounted) -> dict[str, object]:
    """Node 0's part: samples by figure."""
    node = net.node
    await node.sleep(options["settle"][0])
    connection = await net.connect(1, PORT)
    exports = await connection.receive_exactly(2 * _EXPORT)
    source, target = (RemoteBuffer.parse(exports[at:at + _EXPORT], 1) for at in (0, _EXPORT))
    wire = await _wire(net, connection, source.slice(0, options["get"][0]), packets)
    found: dict[str, object] = {"wire": wire}
    repeat = options["repeat"][0]
    found["get"] = [[size, await _get(net, connection, source.slice(0, size))] for size in options["get"] * repeat]
    found["put"] = [[size, await _put(net, connection, target.slice(0, size))] for size in options["put"] * repeat]
    found["stream"] = [[size, await _stream(net, connection, size)] for size in options["stream"] * repeat]
    found["exchange"] = [[size, await _exchange(node, connection, size)] for size in options["exchange"] * repeat]
    await connection.close()
    return found


async def _wire(net: Net, connection: Connection, source: RemoteBuffer, packets: Packets) -> dict[str, int]:
    """One get while nothing else is under way; its packets as both guards count them, if `packets` tells."""
    node = net.node
    begin = node.now + _QUIET
    await tell(connection, begin)
    await until(node, begin + _LOOK // 4)
    sent, delivered = await packets(node.rank)
    began = node.now
    await (await rdma_get(1, Buffer(net.heap.base, source.length), source)).done()
    ended = node.now
    sent_after, delivered_after = await packets(node.rank)
    there = [await hear(connection) for _ in range(2)]
    found = {"bytes": source.length, "began": began, "ended": ended}
    if packets is not uncounted:
        found |= {"sent": sent_after - sent, "delivered": delivered_after - delivered,
                  "target_sent": there[0], "target_delivered": there[1]}
    return found


async def _get(net: Net, connection: Connection, source: RemoteBuffer) -> int:
    """From the call to data that can be used."""
    node, place = net.node, Buffer(net.heap.base, source.length)
    node.memory.clear(place.address, place.length)
    await node.sleep(_QUIET)
    began = node.now
    await (await rdma_get(1, place, source)).done()
    ended = node.now
    if node.memory.read(place.address, place.length) != (bytes(range(256)) * (place.length // 256 + 1))[:place.length]:
        raise ValueError("a get brought other bytes than were there")
    await tell(connection, 0)
    return ended - began


async def _put(net: Net, connection: Connection, target: RemoteBuffer) -> int:
    """From the call to the interrupt at the target, which has all bytes then."""
    await hear(connection)
    await net.node.sleep(_QUIET)
    began = net.node.now
    await (await rdma_put(target, Buffer(net.heap.base, target.length))).done()
    return await hear(connection) - began


async def _stream(net: Net, connection: Connection, size: int) -> int:
    """From the call to the last byte in the peer's buffer."""
    await net.node.sleep(_QUIET)
    began = net.node.now
    await tcp_send(connection, Buffer(net.heap.base, size))
    return await hear(connection) - began


async def _exchange(node: Node, connection: Connection, size: int) -> int:
    """There and back."""
    await node.sleep(_QUIET)
    began = node.now
    await tcp_send(connection, bytes(size))
    await connection.receive_exactly(size)
    return node.now - began


DEFAULTS: dict[str, int | list[int]] = {
    "get": [4096], "put": [65536], "stream": [65536], "exchange": [64], "repeat": 3, "settle": 3000,
}


async def main(node: Node, arguments: str) -> None:
    """Play the part this node has."""
    options = parse_options(arguments, **DEFAULTS)
    net = await Net.open(node)
    if node.rank == 1:
        await serve(net, options)
    else:
        await node.console.print(f"node {node.rank}> calls: {json.dumps(await ask(net, options))}")
    await net.close()
