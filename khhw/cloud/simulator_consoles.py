"""Console channels in the simulator: what the service says into them, and what leaves the machine on them."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

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


class _Turn:
    """What one has at a time, first come first served."""

    def __init__(self, name: str) -> None:
        self._free: Queue[None] = Queue(1, f"a turn to write to {name}")
        self._free.put_nowait(None)

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        await self._free.get()
        try:
            yield
        finally:
            self._free.put_nowait(None)


class _Channel(_Turn):
    """A channel, whose packets are numbered on and on."""

    def __init__(self, number: int) -> None:
        super().__init__(f"console channel {number}")
        self.sequence = 0


class Channels:
    """All console channels of a machine.

    What a node says is sorted by the channel that hardware has stamped on it, not by the node: text that was under way
    while its node changed hands is still its old tenant's.

    Parameters
    ----------
    outside : Outside
    shape : Shape
        Of the machine.
    hearers : callable
        Says which nodes may hear a channel now.
    on_packet : callable
        See :data:`OnPacket`.
    """

    def __init__(
        self, outside: Outside, shape: Shape, hearers: Callable[[int], Iterable[int]], on_packet: OnPacket,
    ) -> None:
        self._outside = outside
        self._shape = shape
        self._hearers = hearers
        self._on_packet = on_packet
        self._channels: dict[int, _Channel] = {}
        self._nodes = [_Turn(f"node {rank}") for rank in range(shape.nodes)]
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
        async with AsyncExitStack() as turns:
            await turns.enter_async_context(channel.taken())
            # Nodes may hear several channels, but read one text at a time. Who waits for turns does so in one order.
            for rank in sorted(self._hearers(number)):
                await turns.enter_async_context(self._nodes[rank].taken())
            for data, is_raw in ((line, False), (raw, True)):
                packets = console_packets(number, data, channel.sequence, raw=is_raw)
                channel.sequence += len(packets)
                for packet in packets:
                    await self._outside.send(packet, TreeChannel.TENANT)
