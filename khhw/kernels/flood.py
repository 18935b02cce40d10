"""Flood: puts to one node as fast as the hardware takes them, until the outside writes ``stop``.

Booted as a service on the senders and on the node they send to. Every put lands in the same window, so only the wire
is busy, and no software at the far end.

Arguments: ``to=`` rank; ``bytes=`` of a put; ``hint=`` bits of its headers, X+ 32 to Z- 1, for the cable to take where
two are as short (0: the router's choice).
"""

from khhw.node import Event, Node, descriptor, header, parse_options, spawn
from rtl.formats import PutHeader, pack

COUNTER = 1
"""Reception counter the puts go to."""
_ENDLESS = 0x7FFFFFFF
_BATCH = 8


async def stopped(node: Node, stop: Event) -> None:
    """Set `stop` when the outside writes it."""
    await node.console.told_to_stop("flood")
    stop.set()


async def main(node: Node, arguments: str) -> None:
    """Send, or be sent to."""
    options = parse_options(arguments, to=0, bytes=2400, hint=0)
    to, size, hint = (options[name][0] for name in ("to", "bytes", "hint"))
    heap = node.layout.heap
    if not 0 < size <= heap.length:
        raise ValueError(f"bytes= is 1 to {heap.length}, not {size}")
    stop = Event("the end of the flood")
    if node.rank == to:
        await node.reception_counter(COUNTER).arm(heap.base, heap.length, _ENDLESS, anybody=True)
    await node.console.print(f"node {node.rank}> flood: open")
    await spawn(stopped(node, stop), name="stop")
    if node.rank == to:
        await stop.wait()
        return
    head = header(node.shape.coordinate(to), dma=1, hint=hint)
    put = descriptor(head, pack(PutHeader, counter=COUNTER), heap.base, size)
    batch = [put] * min(_BATCH, node.sender.capacity // 2)
    sent, began = 0, node.now
    while not stop.is_set():
        before = node.sender.pushed
        await node.sender.start(*batch)
        sent += len(batch) * size
        await node.sender.left(before - 1)  # the batch before has left and this one has not: the lane never runs dry
    await node.sender.drain()
    cycles = node.now - began
    await node.console.print(f"node {node.rank}> flood: {sent:,} bytes to node {to}, {sent / cycles:.2f} a cycle")
