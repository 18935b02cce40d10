"""The loader's end of a console channel: lines, raw data, and finding back after losses."""

from dataclasses import dataclass, field

from khhw.node import TreePacket
from rtl.formats import TREE_PAYLOAD_BYTES

__all__ = ["Line", "RawEnd", "RawWrite", "Session", "raw_length"]

_SEQUENCE = 0x10000
_LINE_LIMIT = 1024


def raw_length(word: str) -> int:
    """Bytes that a raw write announces, written as ``mrw`` takes them; 0 if `word` is no such number."""
    try:
        return max(0, int(word, 0))
    except ValueError:
        return 0


@dataclass(frozen=True)
class Line:
    """A whole line of text.

    Parameters
    ----------
    text : str
    sequence : int
        Number of the packet it ended in.
    """

    text: str
    sequence: int


@dataclass(frozen=True)
class RawEnd:
    """A raw write is over.

    Parameters
    ----------
    arrived, length : int
        Bytes stored, and bytes announced.
    excess : int
        Bytes in the last packet behind the announced ones; dropped.
    """

    arrived: int
    length: int
    excess: int


@dataclass(frozen=True)
class RawWrite:
    """Raw bytes that belong at a memory address."""

    address: int
    data: bytes


@dataclass
class Session:
    """What arrives on a console channel, in order, as lines and raw writes.

    Raw data comes in packets of 240 bytes, the last one shorter, numbered on from the packet that ended the
    announcing line. So the number says where each packet belongs: a lost one leaves a hole and shifts nothing.
    Packets of a raw write that is not wanted, or not any more, are recognised by number and length and dropped.
    """

    _text: bytearray = field(default_factory=bytearray)
    _address: int = 0
    _length: int = 0
    _first: int = 0
    _arrived: int = 0
    _unwanted: tuple[int, int] | None = None

    @property
    def raw(self) -> bool:
        """Whether raw data is expected."""
        return self._length > 0

    def expect(self, address: int, length: int, sequence: int) -> None:
        """Take the next `length` bytes, in packets after number `sequence`, as raw data for `address`."""
        self._address, self._length, self._arrived = address, length, 0
        self._first = (sequence + 1) % _SEQUENCE

    def skip(self, length: int, sequence: int) -> None:
        """Drop `length` bytes of raw data after packet number `sequence`, if they come."""
        self._unwanted = ((sequence + 1) % _SEQUENCE, length)

    def give_up(self) -> RawEnd:
        """Stop waiting for raw data; what still comes of it is dropped."""
        end = RawEnd(self._arrived, self._length, 0)
        self._unwanted = (self._first, self._length)
        self._length = 0
        return end

    @property
    def _packets(self) -> int:
        return -(-self._length // TREE_PAYLOAD_BYTES)

    def feed(self, packet: TreePacket) -> list[Line | RawWrite | RawEnd]:
        """What a packet brings."""
        if self.raw:
            return self._feed_raw(packet)
        if self._unwanted is not None:
            first, length = self._unwanted
            left = length - (packet.conn_id - first) % _SEQUENCE * TREE_PAYLOAD_BYTES
            if left > 0 and len(packet.payload) == min(left, TREE_PAYLOAD_BYTES):
                return []
            self._unwanted = None
        return self._feed_text(packet)

    def _feed_text(self, packet: TreePacket) -> list[Line | RawWrite | RawEnd]:
        *lines, rest = (bytes(self._text) + packet.payload).split(b"\n")
        self._text = bytearray(rest[:_LINE_LIMIT])
        return [Line(line.decode("utf-8", "replace").strip(), packet.conn_id) for line in lines]

    def _feed_raw(self, packet: TreePacket) -> list[Line | RawWrite | RawEnd]:
        index = (packet.conn_id - self._first) % _SEQUENCE
        if index >= self._packets:
            return [self.give_up(), *self.feed(packet)]
        room = self._length - index * TREE_PAYLOAD_BYTES
        data = packet.payload[:room]
        self._arrived += len(data)
        events: list[Line | RawWrite | RawEnd] = [RawWrite(self._address + index * TREE_PAYLOAD_BYTES, data)]
        if index == self._packets - 1:
            events.append(RawEnd(self._arrived, self._length, len(packet.payload) - len(data)))
            self._length = 0
        return events
