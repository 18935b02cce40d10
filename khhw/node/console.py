"""The console line of a node: packets in through a memory ring, text out through the transmitter."""

import struct
from typing import TYPE_CHECKING

from khhw.node.layout import Area
from khhw.node.tree_packets import TreePacket
from rtl.formats import EXTERNAL, FLIT_BYTES, TREE_PAYLOAD_BYTES
from rtl.registers import Irq

if TYPE_CHECKING:
    from khhw.node.node import Node

__all__ = ["NodeConsole", "parse_ranks", "selected"]

_LAST_RANK = (1 << 16) - 1
"""Node ids have 16 bits."""


class NodeConsole:
    """A node's end of its console channel.

    Which channels it hears and which it speaks on is the owner's to say.

    Parameters
    ----------
    node : Node
    area : Area
        Console ring.
    out : Area
        Where text waits while it is sent, 240 bytes at least.
    """

    def __init__(self, node: "Node", area: Area, out: Area) -> None:
        self._node = node
        self._area = area
        self._out = out
        self._head = 0
        self._unread: list[TreePacket] = []

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

    async def print(self, text: str) -> None:
        """Send a line of text to the outside."""
        await self.send((text.rstrip("\n") + "\n").encode())

    async def send(self, data: bytes, *, vector: int | None = EXTERNAL) -> None:
        """Send bytes on this node's channel, at most 240 to a packet, and wait until they are sent.

        Parameters
        ----------
        data : bytes
        vector : int or None
            The outside, a rank, or None for everybody who listens.
        """
        destination = 1 << 24 if vector is None else vector
        for at in range(0, len(data), TREE_PAYLOAD_BYTES):
            block = data[at:at + TREE_PAYLOAD_BYTES]
            await self._node.wait(Irq.CONSOLE_SENT)
            self._node.memory[self._out.base] = block
            await self._node.write("CONSOLE_TX_ADDRESS", self._out.base)
            await self._node.write("CONSOLE_TX_DEST", destination)
            await self._node.write("CONSOLE_TX_LENGTH", len(block))
        await self._node.wait(Irq.CONSOLE_SENT)

    def _read(self, length: int) -> bytes:
        return self._node.memory.ring(self._area.base, self._area.length, self._head, length)


def parse_ranks(text: str) -> set[int]:
    """Ranks of a list such as ``0,2,4-7``.

    Raises
    ------
    ValueError
        If it is no such list, or names a rank that no machine has.
    """
    ranks: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        try:
            low = int(first)
            high = int(last) if dash else low
        except ValueError:
            raise ValueError(f"{text!r} is no list of nodes; write it as 0,2,4-7") from None
        if high < low:
            raise ValueError(f"{part!r} in a list of nodes counts down")
        if high > _LAST_RANK:
            raise ValueError(f"{part!r} in a list of nodes is past {_LAST_RANK}, the last a machine can have")
        ranks |= set(range(low, high + 1))
    return ranks


def selected(line: str, rank: int) -> tuple[bool, str]:
    """Split a leading ``on RANKS`` from a command.

    Returns
    -------
    tuple of (bool, str)
        Whether `rank` is meant, and the command itself.

    Raises
    ------
    ValueError
        If the list cannot be read.
    """
    words = line.split(None, 2)
    if len(words) < 2 or words[0] != "on":
        return True, line
    return rank in parse_ranks(words[1]), words[2] if len(words) == 3 else ""
