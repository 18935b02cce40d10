"""A monitor of the rings of an honest node: bytes in, packets out, by the headers hardware gave them."""

from collections.abc import Iterator
from dataclasses import dataclass

from khhw.fuzz.taint import Bytes
from khhw.node.tree_packets import TreePacket
from rtl.codec import Codec
from rtl.formats import CHUNK_BYTES, FLIT_BYTES, Header, TreeHeader

__all__ = ["ConsoleRecord", "Record", "console_records", "torus_records"]

_header, _tree_header = Codec.of(Header), Codec.of(TreeHeader)


@dataclass(frozen=True)
class Record:
    """A packet in a reception ring.

    Parameters
    ----------
    source : int
        Stamped node id.
    software : int
        Second header.
    payload : bytes
        With what fills the last chunk.
    """

    source: int
    software: int
    payload: bytes


@dataclass(frozen=True)
class ConsoleRecord:
    """A packet in a console ring; `fields` are those of its tree header, `packet` is None if it cannot be one."""

    fields: dict[str, int]
    packet: TreePacket | None


def _from(ring: Bytes, offset: int, length: int) -> bytes:
    """Bytes of a ring, round its end."""
    rest = len(ring) - offset
    first = ring[offset:offset + length].tobytes()
    return first if length <= rest else first + ring[:length - rest].tobytes()


def torus_records(ring: Bytes, offset: int, end: int | None) -> Iterator[tuple[Record, int]]:
    """Packets from `offset` on, each with the offset behind it.

    Parameters
    ----------
    ring : numpy array of uint8
    offset : int
    end : int or None
        Where they end; None: where a header is 0, as no header of a packet is.
    """
    used = 0
    while offset != end and used < len(ring):
        first = int.from_bytes(_from(ring, offset, FLIT_BYTES), "big")
        if end is None and not first:
            return
        fields = _header.unpack(first)
        length = (fields["size"] + 1) * CHUNK_BYTES
        data = _from(ring, offset, length)
        used += length
        offset = (offset + length) % len(ring)
        yield Record(fields["source"], int.from_bytes(data[8:16], "big"), data[16:]), offset


def console_records(ring: Bytes, offset: int, end: int | None) -> Iterator[tuple[ConsoleRecord, int]]:
    """Tree packets from `offset` on; see :func:`torus_records`."""
    used = 0
    while offset != end and used < len(ring):
        first = int.from_bytes(_from(ring, offset, FLIT_BYTES), "big")
        if end is None and not first:
            return
        length = TreePacket.record_bytes(first)
        data = _from(ring, offset, length)
        used += length
        offset = (offset + length) % len(ring)
        flits = [int.from_bytes(data[at:at + FLIT_BYTES], "big") for at in range(0, length, FLIT_BYTES)]
        packet = None
        # What a node stores of a packet is what was sent: anything else is for the scoreboard to say.
        if flits[0] and len(flits) >= 3:
            try:
                packet = TreePacket.parse(flits)
            except ValueError:
                packet = None
        yield ConsoleRecord(_tree_header.unpack(first), packet), offset
