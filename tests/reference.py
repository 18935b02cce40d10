"""A machine in Python, for checking host code without RTL: registers and rings of nodes, guards, tree.

It has the timing of nothing in particular. What it decides it decides as the register map and the formats say;
where it and the RTL differ, the RTL is right.
"""

import heapq
import itertools
from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from operator import and_, or_

from khhw.control.console import Console
from khhw.control.outside import Outside
from khhw.control.owner import Owner
from khhw.host.ports import Host
from khhw.host.scheduler import ROOT
from khhw.kernels.loader import run_loader
from khhw.node import Shape
from khhw.node.layout import Layout
from khhw.node.tree_packets import Control, TreePacket
from rtl.formats import EXTERNAL, ControlOp, ControlWord, TreeChannel, TreeHeader, pack, unpack
from rtl.parameters import Parameters
from tests.reference_node import ReferenceNode, RefusedError

ACCESS_CYCLES = 4
TREE_CYCLES = 30
HOP_CYCLES = 10
PATIENCE = 1 << 16


def joined(packets):
    """The answers of several nodes as that of the first."""
    first = min(packets, key=lambda packet: packet.src_key)
    words = []
    for each in zip(*(Control.parse_all(packet.payload) for packet in packets), strict=True):
        op, values = reduce(or_, (word.op for word in each)), [word.data for word in each]
        together = {ControlOp.ALL: lambda v: reduce(and_, v), ControlOp.SUM: sum}.get(
            op & ~ControlOp.FAILED, lambda v: reduce(or_, v))
        words.append(pack(ControlWord, op=op, address=each[0].address, data=together(values) & 0xFFFFFFFF))
    return replace(first, payload=b"".join(word.to_bytes(8, "big") for word in words))


class ReferenceMachine:
    """Nodes, and everything between them."""

    def __init__(self, sizes=(2, 2, 2), parameters=None, *, memory_bytes=65536):
        self.parameters = parameters or Parameters(memory_bytes=memory_bytes)
        self.shape = Shape(*sizes)
        self.layout = Layout(self.parameters.memory_bytes)
        self.host = Host(self.shape.nodes, self.parameters.memory_bytes)
        self.host.memory = self
        self.nodes = [ReferenceNode(self, rank) for rank in range(self.shape.nodes)]
        self.lose: Callable[[TreePacket], bool] = lambda _packet: False
        self._events = []
        self._held = -1
        self._combining = {}
        self._order = itertools.count()

    # What the host may do.

    def peek(self, rank, address, length):
        return bytes(self.nodes[rank].memory[address:address + length])

    def poke(self, rank, address, data):
        self.nodes[rank].memory[address:address + len(data)] = data

    @property
    def now(self):
        return self.host.scheduler.now

    def at(self, delay, action, *arguments):
        heapq.heappush(self._events, (self.now + delay, next(self._order), action, arguments))

    def run(self, coroutine, *, cycles=5_000_000):
        """Run an owner's task to its end and give its result."""
        task = self.host.scheduler.spawn(coroutine, rank=ROOT, name="owner")
        task.watch(lambda _task: None)
        while not task.done:
            due = [cycle for cycle in (self.host.scheduler.next_cycle(), *(e[0] for e in self._events[:1]))
                   if cycle is not None]
            assert due, f"nothing will ever happen again: {self.host.scheduler.tasks}"
            assert min(due) < cycles, f"out of cycles: {self.host.scheduler.tasks}"
            self._step(min(due))
        return task.result()

    def _step(self, cycle):
        self.host.scheduler.now = max(self.now, cycle)
        while self._events and self._events[0][0] <= cycle:
            _, _, action, arguments = heapq.heappop(self._events)
            action(*arguments)
        levels = sum(node.irq << node.rank for node in self.nodes)
        self.host.interrupts(cycle, levels)
        held = sum(node.held << node.rank for node in self.nodes)
        if held != self._held:
            self._held = held
            self.host.held(cycle, held)
        self.host.scheduler.run(cycle)
        for access in self.host.start_accesses():
            self.at(ACCESS_CYCLES, self._serve, access)
        while self.host.root.outgoing:
            packet = self.host.root.outgoing.popleft()
            packet.taken(cycle + len(packet.flits))
            self.at(len(packet.flits) + TREE_CYCLES, self._enter, packet.flits, packet.channel)
        if any(node.irq and self.host.listening >> node.rank & 1 for node in self.nodes):
            self.at(1, lambda: None)

    def _serve(self, access):
        node = self.nodes[access.rank]
        try:
            value, error = node.access(access.address, access.value), False
        except RefusedError:
            value, error = 0, True
            node.counts["BUS_ERRORS"] += not node.values["HOLD", 0]
        self.host.nodes[access.rank].answered(self.now, value, error)

    # The torus.

    def deliver(self, source, destination, packet, **facts):
        """Send a packet that the egress guard let pass."""
        delay = 20 + HOP_CYCLES * self.shape.distance(source, destination)
        self.at(delay, self.nodes[destination].arrive, packet, facts)

    # The tree.

    def _enter(self, flits, channel):
        """A packet enters above the root: stamps, and down."""
        header = unpack(TreeHeader, flits[0])
        header |= {"external": 1, "owner": int(channel == TreeChannel.OWNER), "source": 0}
        packet = TreePacket.parse([pack(TreeHeader, **header), *flits[1:]])
        if not self.lose(packet):
            self.spread(packet, channel)

    def climb(self, packet, channel):
        """A packet of a node goes up to the root and is turned there; answers of a class when all members have sent."""
        if packet.combine:
            waiting = self._combining.setdefault(packet.conn_id, [])
            waiting.append(packet)
            if len(waiting) < len(self.members(packet.tree_class)):
                if len(waiting) == 1:
                    self.at(PATIENCE, self._go_apart, packet.conn_id)
                return
            packet = joined(self._combining.pop(packet.conn_id))
        everybody = packet.vector is None and self.nodes[0].route(packet.tree_class)["outside"]
        if packet.vector == EXTERNAL or everybody:
            self.at(TREE_CYCLES, self._leave, packet, channel)
        if packet.vector != EXTERNAL:
            self.at(TREE_CYCLES, self.spread, packet, channel)

    def _go_apart(self, conn_id):
        """Answers that wait for one that does not come."""
        for packet in self._combining.pop(conn_id, ()):
            self.climb(replace(packet, combine=False), TreeChannel.OWNER)

    def _leave(self, packet, channel):
        self.host.root.arrived(self.now, packet.flits(), channel)

    def spread(self, packet, channel):
        for rank in self.members(packet.tree_class):
            if packet.vector in (None, rank):
                self.nodes[rank].tree(packet)

    def members(self, tree_class):
        """Ranks that a packet for a class comes to, by its routes from the root on."""
        members, waiting = [], [0]
        for rank in waiting:
            route = self.nodes[rank].route(tree_class)
            members += [rank] * route["own"]
            waiting += [child for child, way in ((2 * rank + 1, "left"), (2 * rank + 2, "right"))
                        if route[way] and child < self.shape.nodes]
        return members


class Rig:
    """A reference machine with owner and console, its nodes in their loaders."""

    def __init__(self, sizes=(2, 2, 2), **keywords):
        self.machine = ReferenceMachine(sizes, **keywords)
        self.outside = Outside(self.machine.host.root)
        self.owner = Owner(self.outside, self.machine.shape)
        self.console = Console(self.outside, self.machine.shape, 1, listen=2, limit=400_000)
        self.ranks = range(self.machine.shape.nodes)
        self.machine.run(self._boot())

    async def _boot(self):
        for port in self.machine.host.nodes:
            port.boot(run_loader)
        await self.outside.start()
        await self.owner.set_console(None, 2, [1, 2])
        await self.owner.release()
        await self.console.wait(self.ranks, "ready")

    def run(self, coroutine, **keywords):
        return self.machine.run(coroutine, **keywords)

    def memory(self, rank):
        return lambda address, length: self.machine.peek(rank, address, length)

    def said(self, rank):
        return [said.text for said in self.console.transcript if said.rank == rank]

    async def run_kernel(self, image, name, arguments="", ranks=None):
        """Load, boot, wait for the end."""
        ranks = self.ranks if ranks is None else ranks
        address = self.machine.layout.image.base
        await self.console.load(image, address, ranks)
        mark = await self.console.boot(address, arguments, ranks)
        return await self.console.done(name, ranks, since=mark)


