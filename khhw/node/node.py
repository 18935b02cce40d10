"""The driver of one node: registers by name, memory, interrupts, and what is built on them."""

from collections.abc import Sequence

from khhw.host.transport import BusError, NodeTransport
from khhw.node.access import RegisterAccess
from khhw.node.console import NodeConsole
from khhw.node.counters import CounterHits, InjectionCounter, ReceptionCounter
from khhw.node.descriptors import get_descriptor, message_descriptor, put_descriptor
from khhw.node.injection import InjectionRing, remote_ring_size
from khhw.node.layout import Layout
from khhw.node.memory import Memory
from khhw.node.reception import ReceptionRing
from khhw.node.shape import Shape
from rtl.formats import DESCRIPTOR_BYTES
from rtl.registers import MAGIC, Irq

__all__ = ["ANSWER_RING", "OWN_COUNTER", "SEND_RING", "Node"]

SEND_RING = 0
"""Injection ring of :meth:`Node.send`, :meth:`Node.put` and :meth:`Node.remote_get`."""
ANSWER_RING = 1
"""Injection ring that takes the descriptors of remote gets."""
OWN_COUNTER = 0
"""Injection counter whose window is the whole memory; the driver's own."""


_RELEASE_CHECK = 100
"""Cycles between looks at a node whose host port answers although it is held."""


class Node(RegisterAccess):
    """A node and nothing but this node: what a kernel is given.

    Made by :meth:`open`; until then size and coordinate are not known.

    Parameters
    ----------
    transport : NodeTransport
        The way to the node.

    Attributes
    ----------
    rank, node_id : int
        Who this node is; from its registers.
    shape : Shape
        The torus it is in.
    memory : Memory
        Its memory.
    layout : Layout
        What is where in it.
    console : NodeConsole
        Its console line.
    sender : InjectionRing
        Injection ring 0.
    reception : ReceptionRing
        Reception ring 0.
    accesses : int
        Register accesses by name so far.
    injection_hits, reception_hits : CounterHits
        Counters that have reached zero.
    """

    layout: Layout
    console: NodeConsole
    sender: InjectionRing
    reception: ReceptionRing

    def __init__(self, transport: NodeTransport) -> None:
        super().__init__(transport)
        self.injection_hits = CounterHits(self, "INJECTION")
        self.reception_hits = CounterHits(self, "RECEPTION")
        self.node_id = 0
        self.shape = Shape(1, 1, 1)

    @classmethod
    async def open(cls, transport: NodeTransport) -> "Node":
        """Wait until the owner has released the node, read what it says of itself and set up the driver's rings.

        Raises
        ------
        LayoutError
            If its memory is too small.
        """
        node = cls(transport)
        while not await node._released():
            await node.sleep(_RELEASE_CHECK)
        size = await node.read_fields("SIZE")
        node.shape = Shape(size["x"], size["y"], size["z"])
        node.rank = await node.read("RANK")
        node.node_id = await node.read("NODE_ID")
        length = await node.read("MEMORY_BYTES")
        node.memory = Memory(length, transport.peek, transport.poke)
        node.layout = Layout(length)
        node.console = NodeConsole(node, node.layout.console, node.layout.console_out)
        await node.console.open()
        await node.reset()
        return node

    async def _released(self) -> bool:
        try:
            return await self.read("MAGIC") == MAGIC
        except BusError:
            return False

    async def reset(self) -> None:
        """Put rings and counters back to how a kernel finds them; the console goes on."""
        resources = await self.read_fields("RESOURCES")
        counters = resources["counters"]
        for counter in range(counters):
            await self.reception_counter(counter).disarm()
            await self.injection_counter(counter).close()
        for hits in (self.injection_hits, self.reception_hits):
            await hits.clear_all(counters)
        for ring in range(resources["injection_rings"]):
            await self.write("INJECTION_SIZE", 0, ring)
        for ring in range(resources["reception_rings"]):
            await self.write("RECEPTION_SIZE", 0, ring)
        self.sender = InjectionRing(self, SEND_RING, self.layout.injection, self.layout.staging)
        self.reception = ReceptionRing(self, 0, self.layout.reception)
        await self.injection_counter(OWN_COUNTER).open(0, len(self.memory))
        await self.sender.open()
        await self.reception.open()

    async def send(self, destination: int, data: bytes, *, function: int = 0, ring: int = 0) -> int:
        """Send a memory-FIFO message and wait until it has left memory.

        Parameters
        ----------
        destination : int
            Rank.
        data : bytes
            At most what fits into the staging area.
        function : int
            8 bits the receiver interprets.
        ring : int
            Reception ring there.

        Returns
        -------
        int
            Cycle of the doorbell.
        """
        coordinate = self.shape.coordinate(destination)
        return await self.sender.send(
            data, lambda address: message_descriptor(coordinate, address, len(data), function=function, ring=ring))

    async def put(self, destination: int, counter: int, offset: int, data: bytes, *, key: int = 0) -> int:
        """Write `data` at `offset` of the window of a rank's reception counter, armed with `key`; see :meth:`send`."""
        coordinate = self.shape.coordinate(destination)
        return await self.sender.send(
            data, lambda address: put_descriptor(coordinate, counter, offset, address, len(data), key=key))

    async def remote_get(self, target: int, descriptors: Sequence[bytes], *, ring: int = ANSWER_RING) -> int:
        """Have a rank inject up to 7 descriptors; hardware there addresses them to this node."""
        coordinate = self.shape.coordinate(target)
        return await self.sender.send(
            b"".join(descriptors), lambda address: get_descriptor(coordinate, ring, address, len(descriptors)),
            align=DESCRIPTOR_BYTES)

    async def answer_gets(self) -> None:
        """Open the injection ring that takes the descriptors of remote gets."""
        area = self.layout.answers
        await self.write("INJECTION_BASE", area.base, ANSWER_RING)
        await self.write("INJECTION_SIZE", remote_ring_size(area.length), ANSWER_RING)

    def reception_counter(self, number: int) -> ReceptionCounter:
        """Reception counter `number`."""
        return ReceptionCounter(self, self.reception_hits, number)

    def injection_counter(self, number: int) -> InjectionCounter:
        """Injection counter `number`; 0 is the driver's own."""
        return InjectionCounter(self, self.injection_hits, number)

    async def faults(self) -> tuple[int, int]:
        """Descriptors skipped so far, and the :class:`rtl.registers.Fault` of the last one."""
        return await self.read("FAULTS"), (await self.read_fields("LAST_FAULT"))["fault"]

    async def acknowledge(self, cause: Irq, number: int) -> None:
        """Clear the hit bit of a counter."""
        await (self.injection_hits if cause == Irq.INJECTION_HIT else self.reception_hits).clear(number)
