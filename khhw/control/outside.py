"""The port above the root, shared: owner's answers to the owner, console text to the consoles."""

from collections.abc import Callable

from khhw.host.sync import Queue, spawn, timeout
from khhw.host.transport import RootTransport
from khhw.node.tree_packets import TreePacket, TreePacketError
from rtl.formats import Protocol, TreeChannel

__all__ = ["Outside"]

Sink = Callable[[int, TreePacket], None]


class Outside:
    """Sends into the tree, and sorts what comes out of it.

    Parameters
    ----------
    root : RootTransport
        The port.
    """

    def __init__(self, root: RootTransport) -> None:
        self._root = root
        self._answers: Queue[TreePacket] = Queue(name="an answer to the owner")
        self._sinks: list[Sink] = []
        self.stray = 0
        """Packets that nobody wanted, or that are none."""

    async def start(self) -> None:
        """Begin to listen, in a task of its own that a run does not wait for."""
        await spawn(self._listen(), name="outside", daemon=True)

    async def _listen(self) -> None:
        while True:
            flits, channel = await self._root.receive()
            try:
                packet = TreePacket.parse(flits)
            except TreePacketError:
                self.stray += 1
                continue
            if channel == TreeChannel.OWNER and packet.protocol == Protocol.CONTROL:
                self._answers.put_nowait(packet)
            elif channel == TreeChannel.TENANT and self._sinks:
                for sink in self._sinks:
                    sink(self._root.now, packet)
            else:
                self.stray += 1

    @property
    def now(self) -> int:
        """The current cycle."""
        return self._root.now

    def subscribe(self, sink: Sink) -> None:
        """Call `sink` with (cycle, packet) for every tenant packet that leaves the machine."""
        self._sinks.append(sink)

    async def send(self, packet: TreePacket, channel: TreeChannel) -> None:
        """Send a packet; returns when the tree has taken it."""
        await self._root.send(packet.flits(), channel)

    async def answer(self, limit: int) -> TreePacket:
        """The oldest answer to the owner; TimeoutError after `limit` cycles."""
        async with timeout(limit):
            return await self._answers.get()

    async def sleep(self, cycles: int) -> None:
        """Wait for `cycles` cycles."""
        await self._root.sleep(cycles)
