"""The console line of a node: packets in through a memory ring, text out through the transmitter."""

import struct

from khhw.host.sync import Queue
from khhw.node.access import RegisterAccess
from khhw.node.commands import Command, WrongLine, prompt, shortened
from khhw.node.layout import Area
from khhw.node.reader import ConsoleReader, Reading
from khhw.node.tree_packets import TreePacket
from rtl.formats import EXTERNAL, FLIT_BYTES, TREE_PAYLOAD_BYTES
from rtl.registers import REGISTERS, Irq

__all__ = ["EVERYBODY", "NodeConsole"]

EVERYBODY = REGISTERS["CONSOLE_TX_DEST"].pack(broadcast=1)
"""CONSOLE_TX_DEST of text to everybody who listens."""


class NodeConsole:
    """A node's end of its console channel.

    Which channels it hears and which it speaks on is the owner's to say.

    Parameters
    ----------
    node : RegisterAccess
    area : Area
        Console ring.
    out : Area
        Where text waits while it is sent, 240 bytes at least.
    """

    def __init__(self, node: RegisterAccess, area: Area, out: Area) -> None:
        self._node = node
        self._area = area
        self._out = out
        self._head = 0
        self._unread: list[TreePacket] = []
        self._unfinished = False
        self._turn: Queue[None] = Queue(1, "a turn to speak")
        self._turn.put_nowait(None)

    async def open(self) -> None:
        """Tell the hardware where the ring is, and empty it."""
        await self._node.write("CONSOLE_BASE", self._area.base)
        await self._node.write("CONSOLE_SIZE", self._area.length)
        self._head = 0
        self._unread.clear()

    async def take(self) -> list[TreePacket]:
        """All packets that are there; frees their room in the ring."""
        tail = await self._node.read("CONSOLE_TAIL")
        packets, self._unread = self._unread, []
        moved = self._head != tail
        while self._head != tail:
            first = int.from_bytes(self._read(FLIT_BYTES), "big")
            length = TreePacket.record_bytes(first)
            record = self._read(length)
            packets.append(TreePacket.parse(struct.unpack(f">{length // FLIT_BYTES}Q", record)))
            self._head = (self._head + length) % self._area.length
        if moved:
            await self._node.write("CONSOLE_HEAD", self._head)
        return packets

    async def receive(self, timeout: int | None = None) -> list[TreePacket]:
        """Sleep until there are packets and take them; an empty list after `timeout` cycles."""
        while True:
            if packets := await self.take():
                return packets
            if not await self._node.wait(Irq.CONSOLE, timeout=timeout):
                return []

    def put_back(self, packets: list[TreePacket]) -> None:
        """Leave packets to whoever reads the console next, in front of newer ones."""
        self._unread = packets + self._unread

    async def end_line(self) -> None:
        """End the line that was begun towards the outside, if one was: by text without a newline, or cut off."""
        if self._unfinished:
            await self.send(b"\n")

    async def print(self, text: str) -> None:
        """Send a line of text to the outside. What UTF-8 cannot say is sent as a backslash and its number."""
        await self.send((text.rstrip("\n") + "\n").encode(errors="backslashreplace"))

    async def told_to_stop(self, kernel: str) -> None:
        """Read the console until the outside tells this node to ``stop``; see :meth:`stops`."""
        reader = ConsoleReader(self._node.rank)
        while True:
            packets = await self.receive()
            while packets:
                for reading in reader.feed(packets.pop(0)):
                    if await self.stops(reading, kernel):
                        self.put_back(packets)
                        return

    async def stops(self, reading: Reading, kernel: str) -> bool:
        """Whether a kernel that knows one command, ``stop``, is told it; what else it is told is answered by an error.

        Parameters
        ----------
        reading : Command, WrongLine or raw data
            Of a :class:`~khhw.node.reader.ConsoleReader`.
        kernel : str
            Its name.
        """
        match reading:
            case Command(name="stop", rest=""):
                return True
            case Command(name="stop", rest=rest):
                await self._refuse(f"stop takes nothing behind it, not {shortened(rest)!r}")
            case Command(name=name):
                await self._refuse(f"unknown command {shortened(name)!r}; {kernel} is running and knows stop")
            case WrongLine(message=message):
                await self._refuse(message)
        return False

    async def _refuse(self, message: str) -> None:
        await self.print(f"{prompt(self._node.rank)}error: {message}")

    async def send(self, data: bytes, *, vector: int | None = EXTERNAL) -> None:
        """Send bytes on this node's channel, at most 240 to a packet, and wait until they are sent.

        What several tasks send does not mix.

        Parameters
        ----------
        data : bytes
        vector : int or None
            The outside, a rank, or None for everybody who listens.
        """
        destination = EVERYBODY if vector is None else REGISTERS["CONSOLE_TX_DEST"].pack(vector=vector)
        await self._turn.get()
        try:
            for at in range(0, len(data), TREE_PAYLOAD_BYTES):
                await self._send(data[at:at + TREE_PAYLOAD_BYTES], destination)
            await self._node.wait(Irq.CONSOLE_SENT)
        finally:
            self._turn.put_nowait(None)

    async def _send(self, block: bytes, destination: int) -> None:
        await self._node.wait(Irq.CONSOLE_SENT)
        if destination == EXTERNAL:
            self._unfinished = not block.endswith(b"\n")
        self._node.memory[self._out.base] = block
        await self._node.write("CONSOLE_TX_ADDRESS", self._out.base)
        await self._node.write("CONSOLE_TX_DEST", destination)
        await self._node.write("CONSOLE_TX_LENGTH", len(block))

    def _read(self, length: int) -> bytes:
        return self._node.memory.ring(self._area.base, self._area.length, self._head, length)
