"""memcached on a node; see ``docs/memcached.md``.

Arguments: ``port=``, ``store=`` bytes of memory for items (0: all there is), ``item_max=``, ``clock_hz=`` and
``epoch=`` (Unix time of cycle 0) for expiry times, ``patience=`` cycles for a put into a reserved slot,
``connections=`` there can be at a time.
"""

from khhw.kernels.memcached.clock import CLOCK_HZ, EPOCH, Clock
from khhw.kernels.memcached.server import PORT, Server
from khhw.net import Net
from khhw.node import Node, parse_options, spawn

__all__ = ["main"]


async def main(node: Node, arguments: str) -> None:
    """Serve until the outside writes ``stop``."""
    options = parse_options(
        arguments, port=PORT, store=0, item_max=1 << 20, clock_hz=CLOCK_HZ, epoch=EPOCH, patience=100_000,
        connections=64)
    net = await Net.open(node, connections=options["connections"][0])
    heap = net.heap
    length = min(options["store"][0] or heap.length, heap.length)
    clock = Clock(lambda: node.now, options["clock_hz"][0], options["epoch"][0])
    server = Server(node, net, heap.base, length, clock=clock, item_max=options["item_max"][0],
                    patience=options["patience"][0])
    task = await spawn(server.run(options["port"][0]), name="memcached")
    await node.console.print(f"node {node.rank}> memcached: open, {length} bytes")
    await node.console.told_to_stop("memcached")
    task.cancel()
    await net.close()
