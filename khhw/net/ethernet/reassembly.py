"""Frames out of the packets that carry them, in whatever order these come. Whoever sends them may lie."""

from dataclasses import dataclass, field
from typing import NamedTuple

from khhw.net.ethernet.limits import ETHERNET_HEADER, LINK_HEADER, packets_of
from rtl.codec import Codec
from rtl.formats import FLIT_BITS, FLIT_BYTES, PAYLOAD_BYTES, FifoHeader, Header, Protocol, TorusLinkHeader

__all__ = ["Arrival", "Reassembly"]

_HEADERS = 2 * FLIT_BYTES
_LINK = Codec.of(TorusLinkHeader)
_SOURCE, _SOFTWARE = Codec.of(Header).positions["source"], Codec.of(FifoHeader).positions
_OFFSET, _NUMBER = _SOFTWARE["put_offset"], _SOFTWARE["function"]
_MOST_UNFINISHED = 8
"""Frames of one sender that can be unfinished. The torus keeps the order of a lane, so there is one a lane, as a rule.
"""


class Arrival(NamedTuple):
    """A frame.

    Parameters
    ----------
    source : int
        Node id of the sender: the guard's stamp.
    network : int
        The network it says it is of.
    frame : bytes
    """

    source: int
    network: int
    frame: bytes


@dataclass
class _Unfinished:
    """A frame of which packets are missing: payloads by index, and its length with the link header when it is known."""

    parts: dict[int, bytes] = field(default_factory=dict)
    length: int | None = None


class Reassembly:
    """Collects packets until a frame is whole.

    It keeps a bounded number of frames for each sender, so that nobody can take the room of others: one that begins
    too many loses its own oldest.

    Parameters
    ----------
    longest : int
        Bytes of the longest frame.

    Attributes
    ----------
    bad : int
        Packets, or whole frames, that were dropped as they contradict themselves.
    incomplete : int
        Frames that were given up with packets missing.
    doubled : int
        Of these, frames of which a packet came twice: the second begins another frame.
    missing : int
        Packets that are still to come of the frame that the last packet belongs to, as far as its length is known.
    """

    def __init__(self, longest: int) -> None:
        self._longest = LINK_HEADER + longest
        self._slots = packets_of(longest)
        self._senders: dict[int, dict[int, _Unfinished]] = {}
        self.bad = self.incomplete = self.doubled = self.missing = 0

    def take(self, packet: bytes) -> Arrival | None:
        """A packet as it stands in a reception ring; the frame that is whole with it, if one is."""
        self.missing = 0
        headers = int.from_bytes(packet[:_HEADERS], "big")
        source = headers >> FLIT_BITS + _SOURCE.offset & _SOURCE.mask
        offset, number = headers >> _OFFSET.offset & _OFFSET.mask, headers >> _NUMBER.offset & _NUMBER.mask
        slot, rest = divmod(offset, PAYLOAD_BYTES)
        payload = packet[_HEADERS:]
        if rest or slot >= self._slots:
            self.bad += 1
            return None
        length = None
        if slot == 0 and (length := self._length_in(payload)) is None:
            self.bad += 1
            return None
        if length is not None and length <= len(payload):
            return self._arrival(source, payload, length)
        frames = self._senders.setdefault(source, {})
        frame = self._frame(frames, number, slot)
        frame.parts[slot] = payload
        frame.length = length or frame.length
        if frame.length is None:
            return None
        self.missing = max(0, packets_of(frame.length - LINK_HEADER) - len(frame.parts))
        if self.missing:
            return None
        del frames[number]
        if not frames:
            del self._senders[source]
        return self._whole(source, frame, frame.length)

    def _length_in(self, payload: bytes) -> int | None:
        """The length that a link header says, if it is one of a frame that can be."""
        if len(payload) < LINK_HEADER + ETHERNET_HEADER:
            return None
        link = _LINK.unpack(int.from_bytes(payload[:_HEADERS], "big"))
        length = link["length"]
        possible = LINK_HEADER + ETHERNET_HEADER <= length <= self._longest and link["protocol"] == Protocol.ETHERNET
        return length if possible else None

    def _frame(self, frames: dict[int, _Unfinished], number: int, slot: int) -> _Unfinished:
        """The frame of a sender that a packet belongs to."""
        frame = frames.get(number)
        if frame is not None and slot in frame.parts:
            # Numbers come round again: the rest of the other frame is lost, or this packet is a lie.
            self.doubled += 1
            self.incomplete += 1
            del frames[number]
            frame = None
        if frame is None:
            if len(frames) >= _MOST_UNFINISHED:
                self.incomplete += 1
                del frames[next(iter(frames))]
            frame = frames[number] = _Unfinished()
        return frame

    def _whole(self, source: int, frame: _Unfinished, length: int) -> Arrival | None:
        """A frame that has as many packets as it takes, if they are the right ones, and full up to the last."""
        last = len(frame.parts) - 1
        parts = [frame.parts.get(slot, b"") for slot in range(last + 1)]
        if any(len(part) < PAYLOAD_BYTES for part in parts[:last]) or len(parts[last]) < length - last * PAYLOAD_BYTES:
            self.bad += 1
            return None
        return self._arrival(source, b"".join(parts), length)

    def _arrival(self, source: int, data: bytes, length: int) -> Arrival:
        network = _LINK.take(int.from_bytes(data[:_HEADERS], "big"), "dst_key")
        return Arrival(source, network, data[LINK_HEADER:length])
