"""Wire formats of streams, once: packets are made and taken apart here and nowhere else.

A segment is a memory-FIFO message. Its second header, :data:`rtl.formats.FifoHeader`, says all there is to say of
its payload:

* `put_offset` is the sequence number of the first byte. Hardware counts it up from packet to packet, so every
  packet of a segment carries its own.
* `argument` is {connection: 10, mark: 14}. `connection` is the receiver's number of the connection; `mark` is the
  sequence number behind the segment, modulo 2^14, which tells payload from padding.
* `function` is a :class:`Kind`, with :data:`PUSH`.

All kinds but ``DATA`` are one packet and begin with 16 bytes, :data:`PREFIX`: acknowledgement, window, end of the
first gap, and one more number.
"""

import enum
import struct
from typing import NamedTuple

from khhw.net.errors import SegmentError
from khhw.node import Coordinate, descriptor, header
from rtl.formats import DESCRIPTOR_BYTES, FLIT_BYTES, PACKET_BYTES, PAYLOAD_BYTES, Descriptor, FifoHeader, Header

__all__ = [
    "CONNECTIONS", "LONGEST", "PREFIX", "PREFIX_BYTES", "PREFIX_PAYLOAD", "PUSH", "Kind", "Segment",
    "segment_descriptor", "template", "unwrap",
]

CONNECTIONS = 1 << 10
"""Connections a node can number."""
_MARK_BITS = 14
_MARKS = 1 << _MARK_BITS
LONGEST = (_MARKS - 1) // PAYLOAD_BYTES * PAYLOAD_BYTES
"""Bytes a ``DATA`` segment carries at most."""
PREFIX = struct.Struct(">IIII")
"""Acknowledgement, window, gap, extra."""
PREFIX_BYTES = PREFIX.size
PREFIX_PAYLOAD = PAYLOAD_BYTES - PREFIX_BYTES
"""Bytes of data beside a prefix in one packet."""
PUSH = 0x40
"""Bit of `function`: the receiver acknowledges at once."""
_WORD = (1 << 32) - 1
_HEADERS = 2 * FLIT_BYTES


class Kind(enum.IntEnum):
    """What a segment is."""

    DATA = 1
    """Payload and nothing else, in any number of packets."""
    DATA_ACK = 2
    """A prefix, then payload."""
    ACK = 3
    """A prefix: all before `acknowledgement` is here, bytes up to acknowledgement + `window` are welcome; if `gap` is
    another number than the acknowledgement, what lies between the two is missing."""
    SYN = 4
    """Asks for a connection. `mark`: the sender's number of it; `window`; `extra`: {to port: 16, from port: 16}."""
    SYN_ACK = 5
    """The answer, with the same fields."""
    FIN = 6
    """The stream ends at this sequence number."""
    PROBE = 7
    """Wants an ACK."""
    RESET = 8
    """The sender has given the connection up."""
    UNKNOWN = 9
    """Answer to a segment for a connection that is not there: `mark` repeats its `connection`, `put_offset` its
    sequence number."""
    REFUSE = 10
    """Answer to a SYN: `extra` is 1 if nothing listens, 2 if there is no room."""
    ECHO = 11
    """Wants an ECHO_REPLY with the same `mark`."""
    ECHO_REPLY = 12
    """See ECHO."""


_KINDS = {int(kind): kind for kind in Kind}


class Segment(NamedTuple):
    """A packet of a stream, taken apart.

    `source` is the node id the guard stamped, `sequence` and what follows as above; `ends` says whether this is the
    last packet of its segment.
    """

    source: int
    kind: Kind
    push: bool
    connection: int
    mark: int
    sequence: int
    acknowledgement: int
    window: int
    gap: int
    extra: int
    payload: bytes
    ends: bool

    @classmethod
    def parse(cls, record: bytes) -> "Segment":
        """The segment in a record of a reception ring.

        Raises
        ------
        SegmentError
            If it is none: wrong kind, no room for what it says it holds.
        """
        first, second = _TWO_FLITS.unpack_from(record)
        function = second & 0xFF
        kind = _KINDS.get(function & ~PUSH)
        if kind is None:
            raise SegmentError(f"function {function:#x}")
        connection, mark = second >> _CONNECTION & CONNECTIONS - 1, second >> _MARK & _MARKS - 1
        sequence, room = second >> _SEQUENCE, len(record) - _HEADERS
        numbers, begin = (0, 0, 0, 0), _HEADERS
        if kind != Kind.DATA:
            if room < PREFIX_BYTES:
                raise SegmentError(f"{kind.name} without a prefix")
            numbers, begin, room = PREFIX.unpack_from(record, _HEADERS), _HEADERS + PREFIX_BYTES, room - PREFIX_BYTES
        length = mark - sequence & _MARKS - 1 if kind in (Kind.DATA, Kind.DATA_ACK) else 0
        ends = length <= room
        if kind == Kind.DATA and (not length or (not ends and len(record) != PACKET_BYTES)):
            raise SegmentError(f"DATA of {length} bytes in {len(record)}")
        if kind == Kind.DATA_ACK and not ends:
            raise SegmentError(f"DATA_ACK of {length} bytes in {len(record)}")
        payload = record[begin:begin + min(length, room)]
        return cls(first & _SOURCE, kind, bool(function & PUSH), connection, mark, sequence, *numbers, payload, ends)


# By places: software does this for every packet of a stream, and a codec would take out all other fields too.
_TWO_FLITS = struct.Struct(">QQ")
_SOURCE = (1 << Header["source"].width) - 1
_SEQUENCE = FifoHeader["put_offset"].offset
_MARK = FifoHeader["argument"].offset
_CONNECTION = _MARK + _MARK_BITS
_SOFTWARE = Descriptor["software"].offset
_ADDRESS, _LENGTH = Descriptor["base_offset"].offset, Descriptor["length"].offset


def template(coordinate: Coordinate, ring: int) -> int:
    """What all descriptors of segments to a node have in common; packets keep their order."""
    return int.from_bytes(descriptor(header(coordinate, ring=ring), 0, 0, 0), "big")


def segment_descriptor(
    template: int, function: int, connection: int, mark: int, sequence: int, address: int, length: int
) -> bytes:
    """Descriptor of a segment.

    Parameters
    ----------
    template : int
        See :func:`template`.
    function : int
        A :class:`Kind`, and :data:`PUSH`.
    connection, mark, sequence : int
        See above; taken modulo their widths.
    address, length : int
        The message in memory, prefix included.
    """
    software = (sequence & _WORD) << _SEQUENCE | connection << _CONNECTION | (mark & _MARKS - 1) << _MARK | function
    packed: int = template | address << _ADDRESS | length << _LENGTH | software << _SOFTWARE
    return packed.to_bytes(DESCRIPTOR_BYTES, "big")


def unwrap(number: int, near: int) -> int:
    """The 32-bit `number` as the integer closest to `near`: inside a node sequence numbers do not wrap."""
    return near + ((number - near + (1 << 31)) & _WORD) - (1 << 31)
