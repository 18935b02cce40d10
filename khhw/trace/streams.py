"""Streams of :mod:`khhw.net` among the packets of a run: connections, segments and the bytes they carry."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from khhw.net.errors import SegmentError
from khhw.net.segments import CONNECTIONS, Kind, Segment
from khhw.trace.entries import Entry
from khhw.trace.fields import Fields
from khhw.trace.torus import TorusPacket
from rtl.formats import FLIT_BYTES

__all__ = ["Direction", "Stream", "Streams", "entries_of"]

_WORD = 1 << 32
_SHOWN = 40


@dataclass(slots=True)
class Direction:
    """One way of a connection.

    Parameters
    ----------
    source, destination : int
        Ranks.
    number : int
        The destination's number of the connection.
    first : int
        Sequence number of the first byte.
    pieces : list of (offset, bytes, Entry)
        As they were sent, those sent again too.
    """

    source: int
    destination: int
    number: int
    first: int
    pieces: list[tuple[int, bytes, Entry]] = field(default_factory=list)

    def bytes_sent(self) -> tuple[bytes, list[tuple[int, Entry]]]:
        """All bytes up to the first that is missing; and where each packet's new bytes begin."""
        sent, starts = bytearray(), []  # type: bytearray, list[tuple[int, Entry]]
        for offset, payload, entry in sorted(self.pieces, key=lambda piece: piece[0]):
            if offset > len(sent):
                break
            if offset + len(payload) > len(sent):
                starts.append((len(sent), entry))
                sent += payload[len(sent) - offset:]
        return bytes(sent), starts


@dataclass(frozen=True, slots=True)
class Stream:
    """A connection.

    Parameters
    ----------
    port : int
        What the server listens at.
    client_port : int
    up, down : Direction
        Client to server, and back.
    """

    port: int
    client_port: int
    up: Direction
    down: Direction


class Streams:
    """All connections of a run, found by their SYN and SYN_ACK.

    Parameters
    ----------
    listed : sequence of Entry
        All packets, in order.
    """

    def __init__(self, listed: Sequence[Entry]) -> None:
        self.found: list[Stream] = []
        self._open: dict[tuple[int, int, int], tuple[Stream, Direction]] = {}
        self._asked: dict[tuple[int, int, int], Segment] = {}
        self._segments: dict[int, tuple[Stream | None, Segment]] = {}
        for entry in listed:
            packet = entry.packet
            if entry.kind == "message" and isinstance(packet, TorusPacket) and packet.stamped is not None:
                self._take(entry, packet.source, packet.stamped.flits)

    def fields(self, entry: Entry) -> Fields | None:
        """The segment a packet is, decoded; None if it is none."""
        if entry.number not in self._segments:
            return None
        stream, segment = self._segments[entry.number]
        fields: Fields = {"segment": segment.kind.name}
        if stream is not None:
            fields["connection"] = f"{stream.up.source}:{stream.client_port} to {stream.up.destination}:{stream.port}"
        fields |= {"sequence": segment.sequence, "number": segment.connection}
        if segment.kind != Kind.DATA:
            fields |= {"acknowledges": segment.acknowledgement, "window": segment.window}
        if segment.payload:
            fields["payload"] = len(segment.payload)
            begin = segment.payload[:_SHOWN]
            if begin.isascii() and begin.translate(None, b"\r\n").decode("ascii").isprintable():
                fields["text"] = ascii(begin.decode("ascii")) + ("..." if len(segment.payload) > _SHOWN else "")
        return fields

    def _take(self, entry: Entry, source: int, flits: Sequence[int]) -> None:
        if not isinstance(entry.destination, int):
            return
        try:
            segment = Segment.parse(b"".join(flit.to_bytes(FLIT_BYTES, "big") for flit in flits))
        except (SegmentError, struct.error):
            # A message of some other kernel.
            return
        if segment.kind == Kind.SYN and segment.extra >> 16:
            self._asked[source, entry.destination, segment.mark % CONNECTIONS] = segment
            self._segments[entry.number] = None, segment
        elif segment.kind == Kind.SYN_ACK:
            self._opened(entry, source, entry.destination, segment)
        elif (known := self._open.get((source, entry.destination, segment.connection))) is not None:
            stream, way = known
            self._segments[entry.number] = stream, segment
            if segment.payload:
                way.pieces.append(((segment.sequence - way.first) % _WORD, segment.payload, entry))

    def _opened(self, entry: Entry, source: int, destination: int, segment: Segment) -> None:
        """An answer to a SYN of `destination`."""
        asked = self._asked.pop((destination, source, segment.connection), None)
        if asked is None:
            known = self._open.get((source, destination, segment.connection))
            if known is not None:
                self._segments[entry.number] = known[0], segment
            return
        stream = Stream(
            asked.extra >> 16, asked.extra & 0xFFFF,
            Direction(destination, source, segment.mark % CONNECTIONS, (asked.sequence + 1) % _WORD),
            Direction(source, destination, segment.connection, (segment.sequence + 1) % _WORD))
        self.found.append(stream)
        for way in (stream.up, stream.down):
            self._open[way.source, way.destination, way.number] = stream, way
        self._segments[entry.number] = stream, segment


def entries_of(starts: Sequence[tuple[int, Entry]], begin: int, end: int) -> Iterator[Entry]:
    """The packets that carry bytes `begin` to `end` of a direction."""
    for index, (start, entry) in enumerate(starts):
        stop = starts[index + 1][0] if index + 1 < len(starts) else None
        if start < end and (stop is None or stop > begin):
            yield entry
