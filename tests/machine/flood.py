"""Flood: long messages of random lengths, for ever, most of them half way round in +x and the rest one hop back."""

import random

from khhw.node import Node, descriptor, header, parse_options
from rtl.formats import FifoHeader, pack
from rtl.registers import Irq

PLUS_X = 0x20
MESSAGES = 24


def message(node: Node, chooser: random.Random, back: float) -> tuple[bytes, int]:
    """A descriptor, and its bytes."""
    size = node.shape.x
    forward = chooser.random() >= back
    destination = ((node.rank + (size // 2 if forward else size - 1)) % size, 0, 0)
    length = chooser.choice((16, 240, 720, 2400)) + chooser.randrange(240)
    head = header(destination, hint=PLUS_X if forward else 0)
    return descriptor(head, pack(FifoHeader, argument=length), node.layout.heap.base, length), length


async def main(node: Node, arguments: str) -> None:
    """Wait for the others, then send without end and without a time limit."""
    options = parse_options(arguments, seed=1, settle=4000, back=30)
    chooser = random.Random(f"{options['seed'][0]} {node.rank}")
    ring, tail = node.layout.injection, 0
    await node.sleep(options["settle"][0])
    while True:
        total = 0
        for _ in range(MESSAGES):
            one, length = message(node, chooser, options["back"][0] / 100)
            node.memory[ring.base + tail] = one
            tail = (tail + len(one)) % ring.length
            total += length
        await node.write("INJECTION_VALUE", total)
        await node.write("INJECTION_TAIL", tail)
        await node.wait(Irq.INJECTION_HIT)
        await node.acknowledge(Irq.INJECTION_HIT, 0)
        while await node.read("INJECTION_HEAD") != tail:
            pass
