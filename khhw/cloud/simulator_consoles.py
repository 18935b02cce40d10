"""Console channels in the simulator: what the service says into them, and what leaves the machine on them."""

from collections.abc import Callable

from khhw.cloud.machine import RAW_LIMIT, RequestRefusedError
from khhw.control.outside import Outside
from khhw.host.sync import Queue
from khhw.node.commands import LineError, written
from khhw.node.shape import Shape
from khhw.node.tree_packets import TreePacket, console_packets
from rtl.formats import Protocol, TreeChannel

__all__ = ["Channels", "OnPacket"]

OnPacket = Callable[[int, int, int, bytes], None]
"""Told of a packet: cycle, rank, channel, payload."""
_HIGHEST = (1 << 32) - 1


class _Channel:
    """One channel's way in: a text is in the tree before the next one begins."""

    def __init__(self, number: int) -> None:
        self.sequence = 0
        self.turn: Queue[None] = Queue(1, f"a turn on console channel {number}")
        self.turn.put_nowait(None)


class Channels:
    """All console channels of a machine.

    What a node says is sorted by the channel that hardware has stamped on it, not by the node: text that was under way
    while its node changed hands is still its old tenant's.

    Parameters
    ----------
    outside : Outside
    shape : Shape
        Of the machine.
    on_packet : callable
        See :data:`OnPacket`.
    """

    def __init__(self, outside: Outside, shape: Shape, on_packet: OnPacket) -> None:
        self._outside = outside
        self._shape = shape
        self._on_packet = on_packet
        self._channels: dict[int, _Channel] = {}
        outside.subscribe(self._arrived)

    def _arrived(self, cycle: int, packet: TreePacket) -> None:
        if packet.protocol != Protocol.CONSOLE or not packet.dst_key:
            return
        try:
            rank = self._shape.rank_of_id(packet.source)
        except ValueError:
            return
        self._on_packet(cycle, rank, packet.dst_key, packet.payload)

    async def say(self, number: int, text: str, raw: bytes) -> None:
        """See :meth:`khhw.cloud.machine.Machine.say`; returns when the tree has taken all of it."""
        if not 0 < number <= _HIGHEST:
            raise RequestRefusedError(f"a console channel is a number from 1 to {_HIGHEST}, not {number}")
        if len(raw) > RAW_LIMIT:
            raise RequestRefusedError(f"{len(raw):,} bytes of raw data; one write has {RAW_LIMIT:,} at most")
        try:
            line = f"{written(text)}\n".encode()
        except (LineError, UnicodeEncodeError) as error:
            raise RequestRefusedError(str(error)) from None
        channel = self._channels.setdefault(number, _Channel(number))
        await channel.turn.get()
        try:
            for data, is_raw in ((line, False), (raw, True)):
                packets = console_packets(number, data, channel.sequence, raw=is_raw)
                channel.sequence += len(packets)
                for packet in packets:
                    await self._outside.send(packet, TreeChannel.TENANT)
        finally:
            channel.turn.put_nowait(None)
