"""Latency: puts of several sizes from one node to others, timed from doorbell to the receiver's interrupt.

Source and destinations run it together; all other nodes end at once. For each sample the source asks the
destination to arm a counter, the destination says when it has, the source puts, and the destination
answers the cycle in which its interrupt came. Both read the same clock.

Result table at the base of the source's heap: :data:`HEADER`, then the samples, :data:`SAMPLE` each.

Arguments: ``source=``, ``destinations=`` (the defaults are 1, 2 and 3 hops apart in the talk's machine, and allowed
both ways on its first slide), ``sizes=`` in bytes, ``repeat=``, ``patience=`` cycles for one answer.
"""

import struct

from khhw.node import Node, Packet, parse_options, put_descriptor

COUNTER = 1
"""Reception counter the puts go to."""
HEADER = struct.Struct(">4sIII16x")
"""Magic, samples, destinations that did not answer, 1 when the kernel has ended."""
SAMPLE = struct.Struct(">HHIQQ8x")
"""Destination rank, hops, bytes, cycle of the doorbell, cycle of the interrupt."""
MAGIC = b"KHLT"
ARM, ARMED, HIT, END = 1, 2, 3, 4
_SETTLE = 3000
_NUMBER = struct.Struct(">Q")
_BUFFER_PART = 2


class SilenceError(Exception):
    """The other side did not answer."""


async def expect(node: Node, functions: tuple[int, ...], patience: int) -> Packet:
    """The next message with one of `functions`."""
    end = node.now + patience
    while True:
        for packet in await node.reception.receive(max(0, end - node.now)):
            if packet.function in functions:
                return packet
        if node.now >= end:
            raise SilenceError


async def sample(node: Node, destination: int, size: int, buffer: int, patience: int) -> tuple[int, int]:
    """One put: cycles of the doorbell and of the interrupt at the destination."""
    await node.send(destination, _NUMBER.pack(size), function=ARM)
    await expect(node, (ARMED,), patience)
    place = node.shape.coordinate(destination)
    doorbell = await node.sender.post(put_descriptor(place, COUNTER, 0, buffer, size))
    answer = await expect(node, (HIT,), patience)
    return doorbell, int(_NUMBER.unpack(answer.payload)[0])


async def measure(node: Node, options: dict[str, list[int]]) -> None:
    """The source's part."""
    heap = node.layout.heap
    buffer = heap.base + heap.length // _BUFFER_PART // 32 * 32
    samples, silent = 0, 0
    for destination in options["destinations"]:
        try:
            for size in options["sizes"]:
                for _ in range(options["repeat"][0]):
                    doorbell, hit = await sample(node, destination, size, buffer, options["patience"][0])
                    place = heap.base + HEADER.size + samples * SAMPLE.size
                    if place + SAMPLE.size > buffer:
                        raise ValueError(f"{samples} samples fill the table")
                    hops = node.shape.distance(node.rank, destination)
                    node.memory[place] = SAMPLE.pack(destination, hops, size, doorbell, hit)
                    samples += 1
        except SilenceError:
            silent += 1
            await node.console.print(f"node {node.rank}> error: latency: node {destination} does not answer")
        await node.send(destination, _NUMBER.pack(0), function=END)
        node.memory[heap.base] = HEADER.pack(MAGIC, samples, silent, 0)
    node.memory[heap.base] = HEADER.pack(MAGIC, samples, silent, 1)
    await node.console.print(f"node {node.rank}> latency: {samples} samples")


async def answer(node: Node, options: dict[str, list[int]]) -> None:
    """A destination's part."""
    source, patience = options["source"][0], options["patience"][0]
    heap = node.layout.heap
    counter = node.reception_counter(COUNTER)
    turns = len(options["destinations"]) * len(options["sizes"]) * options["repeat"][0] + 1
    try:
        while (packet := await expect(node, (ARM, END), patience * turns)).function != END:
            size = _NUMBER.unpack(packet.payload)[0]
            await counter.arm(heap.base + HEADER.size, heap.length - HEADER.size, size,
                              writer=node.shape.node_id(source))
            await node.send(source, _NUMBER.pack(size), function=ARMED)
            if await counter.wait(patience):
                await node.send(source, _NUMBER.pack(node.interrupted_at), function=HIT)
    except SilenceError:
        await node.console.print(f"node {node.rank}> error: latency: node {source} is silent")


async def main(node: Node, arguments: str) -> None:
    """Play the part this node has."""
    options = parse_options(
        arguments, source=2, destinations=[6, 1, 5], sizes=[8, 32, 240, 1024], repeat=3, patience=50_000)
    room = node.layout.heap.length // _BUFFER_PART - 32
    if not all(0 < size <= room for size in options["sizes"]):
        raise ValueError(f"sizes are 1 to {room} bytes")
    node.memory.clear(node.layout.heap.base, HEADER.size)
    if node.rank == options["source"][0]:
        await node.sleep(_SETTLE)
        await measure(node, options)
    elif node.rank in options["destinations"]:
        await answer(node, options)
