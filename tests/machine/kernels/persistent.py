"""A client that is not put off: stores and reads one value for ever, says when it loses its server, and comes back."""

from khhw.kernels.memcached.client import AnswerError, RemoteClient, StreamClient
from khhw.net import Buffer, Net, NetError
from khhw.node import Node

SCRATCH = 1 << 16
WAIT = 20_000


async def work(net: Net, place: Buffer) -> None:
    """Store and read by both paths until the server is gone."""
    connection = await net.connect(0, 11211, timeout=WAIT)
    try:
        client = RemoteClient(net, connection, place)
        await client.open()
        for turn in range(1 << 30):
            value = bytes([turn % 251]) * 3000
            await (client.set(b"key", value) if turn % 2 else StreamClient.set(client, b"key", value))
            found = await (StreamClient.get(client, b"key") if turn % 2 else client.get(b"key"))
            if found != value:
                raise ValueError(f"turn {turn}: another value")
            if turn == 3:
                await net.node.console.print(f"node {net.node.rank}> persistent: at work")
    finally:
        await connection.reset()


async def main(node: Node, arguments: str) -> None:
    """Work, and when the server is lost say why and try again, as often as told."""
    net = await Net.open(node, keepalive=WAIT)
    place = Buffer(net.heap.base, SCRATCH)
    losses = 0
    while losses < int(arguments):
        try:
            await work(net, place)
        except (NetError, AnswerError) as error:
            if "did not answer within" in str(error):
                continue
            losses += 1
            await node.console.print(f"node {node.rank}> persistent: lost: {type(error).__name__}: {error}")
    await net.close()
