"""The reading end of a console channel: commands, raw data, and finding back after losses."""

from collections.abc import Iterator
from dataclasses import dataclass

from khhw.node.commands import LINE_LIMIT, Command, WrongLine, parse_line
from khhw.node.lines import LineCutter
from khhw.node.tree_packets import TreePacket
from rtl.formats import TREE_PAYLOAD_BYTES, Protocol

__all__ = ["ConsoleReader", "RawEnd", "RawWrite", "Reading"]

_SEQUENCE = 0x10000
"""Packets are numbered in 16 bits: 15 MiB, more than a node has memory."""


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


Reading = Command | WrongLine | RawWrite | RawEnd
"""What a packet brings."""


class ConsoleReader:
    """What the outside says to a node, in order, as commands and raw writes.

    Text of other nodes, empty lines and commands for others are left out. A line of which a part was lost is a
    :class:`WrongLine`, as is one that is too long: nothing of it is obeyed.

    Raw data comes in packets of 240 bytes, the last one shorter, numbered on from the packet that ended the
    announcing line. So the number says where each packet belongs: a lost one leaves a hole and shifts nothing.
    Packets of a raw write that is not wanted, or not any more, are recognised by their mark and dropped; text ends a
    raw write.

    Parameters
    ----------
    rank : int
        Of the node.
    """

    def __init__(self, rank: int) -> None:
        self._rank = rank
        self._cutter = LineCutter(LINE_LIMIT)
        self._too_long = 0
        self._torn = self._unfinished = False
        self._next: int | None = None
        self._address = self._length = self._first = self._arrived = 0

    @property
    def expects(self) -> bool:
        """Whether more is to come of raw data, or of a line: by the count of its packets."""
        return self._raw or (self._unfinished and self._cutter.inside)

    @property
    def _raw(self) -> bool:
        return self._length > 0

    def expect(self, address: int, length: int) -> None:
        """Take the `length` bytes behind the command that was just read as raw data for `address`."""
        self._address, self._length, self._arrived = address, length, 0
        self._first = self._next or 0

    def give_up(self) -> Reading:
        """Stop waiting for what is expected; what still comes of it is dropped."""
        if not self._raw:
            self._cutter.forget()
            self._torn = True
            return _lost()
        end = RawEnd(self._arrived, self._length, 0)
        self._length = 0
        return end

    def feed(self, packet: TreePacket) -> Iterator[Reading]:
        """What a packet brings. Only packets from outside the machine are commands.

        It is read on while what it brought is obeyed, so that :meth:`expect` can follow its command.
        """
        if not packet.external or packet.protocol != Protocol.CONSOLE:
            return
        if self._raw:
            index = (packet.conn_id - self._first) % _SEQUENCE
            if packet.raw and index < self._packets:
                yield from self._feed_raw(packet, index)
                return
            yield self.give_up()
        if not packet.raw:
            yield from self._feed_text(packet)

    @property
    def _packets(self) -> int:
        return -(-self._length // TREE_PAYLOAD_BYTES)

    def _feed_text(self, packet: TreePacket) -> Iterator[Reading]:
        if packet.conn_id != self._next:
            # Packets are missing. With them is the rest of the line that had begun, and the beginning of this one
            # unless it begins here.
            if (self._cutter.inside or packet.this_pkt) and not self._torn:
                yield _lost()
            self._cutter.forget()
            self._too_long = 0
            self._torn = packet.this_pkt != 0
        self._next = (packet.conn_id + 1) % _SEQUENCE
        self._unfinished = packet.this_pkt + 1 < packet.total_pkt
        for piece in self._cutter.feed(packet.payload):
            if self._torn:
                self._torn = not piece.ends
            elif not piece.ends:
                self._too_long += len(piece.data)
            elif self._too_long:
                length, self._too_long = self._too_long + len(piece.data), 0
                yield WrongLine(f"a line has at most {LINE_LIMIT:,} bytes; this one of {length:,} was dropped")
            else:
                yield from self._line(piece.data.decode("utf-8", "replace"))

    def _line(self, text: str) -> Iterator[Reading]:
        line = parse_line(text)
        if self._rank in line.nodes and not (isinstance(line, Command) and not line.name):
            yield line

    def _feed_raw(self, packet: TreePacket, index: int) -> Iterator[Reading]:
        self._next = (packet.conn_id + 1) % _SEQUENCE
        room = self._length - index * TREE_PAYLOAD_BYTES
        data = packet.payload[:room]
        self._arrived += len(data)
        yield RawWrite(self._address + index * TREE_PAYLOAD_BYTES, data)
        if index == self._packets - 1:
            end = RawEnd(self._arrived, self._length, len(packet.payload) - len(data))
            self._length = 0
            yield end


def _lost() -> WrongLine:
    return WrongLine("a part of a line was lost on its way; nothing of that line was obeyed")
