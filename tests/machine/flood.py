"""Flood: long messages of random lengths, for ever, to both columns of y; most of them half way round in +y."""

import random

from khhw.node import Node, descriptor, header, parse_options
from rtl.formats import FifoHeader, pack
from rtl.registers import Irq

PLUS_Y = 0x08
MESSAGES = 24


def message(node: Node, chooser: random.Random, near: int) -> tuple[bytes, int]:
    """A descriptor, and its bytes. Most packets turn from x into the ring of y; what is near keeps ejection busy."""
    x, y, _ = node.shape.coordinate(node.rank)
    far = chooser.randrange(100) >= near
    destination = (chooser.choice((x, 1 - x, 1 - x)), (y + node.shape.y // 2) % node.shape.y if far else y, 0)
    length = chooser.choice((16, 240, 720, 2400)) + chooser.randrange(240)
    head = header(destination, hint=PLUS_Y if far else 0)
    return descriptor(head, pack(FifoHeader, argument=length), node.layout.heap.base, length), length


async def main(node: Node, arguments: str) -> None:
    """Wait for the others, then send without end and without a time limit."""
    options = parse_options(arguments, seed=1, settle=4000, near=20)
    chooser = random.Random(f"{options['seed'][0]} {node.rank}")
    ring, tail = node.layout.injection, 0
    await node.sleep(options["settle"][0])
    while True:
        total = 0
        for _ in range(MESSAGES):
            one, length = message(node, chooser, options["near"][0])
            node.memory[ring.base + tail] = one
            tail = (tail + len(one)) % ring.length
            total += length
        await node.write("INJECTION_VALUE", total)
        await node.write("INJECTION_TAIL", tail)
        await node.wait(Irq.INJECTION_HIT)
        await node.acknowledge(Irq.INJECTION_HIT, 0)
        while await node.read("INJECTION_HEAD") != tail:
            pass
