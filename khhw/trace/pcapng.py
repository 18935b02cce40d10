"""Capture files that Wireshark, tshark and tcpdump read: pcapng, as draft-ietf-opsawg-pcapng describes it.

Every block is written whole and flushed, so that what reads a pipe has it at once, and a file that was cut off is good
up to its last whole block.
"""

import enum
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO

__all__ = ["CaptureWriter", "LinkType", "Way"]

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_BYTE_ORDER_MAGIC = 0x1A2B3C4D
_VERSION = 1, 0
_LENGTH_UNKNOWN = -1

_COMMENT = 1
_SECTION_APPLICATION = 4
_INTERFACE_NAME, _INTERFACE_DESCRIPTION, _INTERFACE_RESOLUTION = 2, 3, 9
_PACKET_FLAGS, _PACKET_ID, _PACKET_QUEUE = 2, 5, 6
_NANOSECONDS = 9
"""Resolution of time stamps: 10 to the minus 9 seconds."""
_MOST = 0xFFFF
"""Bytes of an option."""

_Option = tuple[int, bytes]


class LinkType(enum.IntEnum):
    """What the packets of an interface are, from the registry of link-layer header types."""

    USER0 = 147
    """Torus packets."""
    USER1 = 148
    """Tree packets."""


class Way(enum.IntEnum):
    """Direction of a packet, as ``epb_flags`` has it."""

    INBOUND = 1
    OUTBOUND = 2


@dataclass
class CaptureWriter:
    """Writes one section: interfaces first, then their packets. Numbers are little-endian.

    Parameters
    ----------
    output : binary file
        Open for writing; a pipe will do.
    """

    output: BinaryIO

    def section(self, application: str, comment: str) -> None:
        """Begin.

        Parameters
        ----------
        application : str
            Name and version of the program that writes.
        comment : str
        """
        body = struct.pack("<IHHq", _BYTE_ORDER_MAGIC, *_VERSION, _LENGTH_UNKNOWN)
        self._block(_SECTION, body, [(_SECTION_APPLICATION, _text(application)), (_COMMENT, _text(comment))])

    def interface(self, name: str, description: str, link: LinkType) -> None:
        """Declare an interface; the first has number 0, the next 1. Its packets are captured whole."""
        self._block(_INTERFACE, struct.pack("<HHI", link, 0, 0), [
            (_INTERFACE_NAME, _text(name)), (_INTERFACE_DESCRIPTION, _text(description)),
            (_INTERFACE_RESOLUTION, bytes([_NANOSECONDS]))])

    def packet(
        self, interface: int, nanoseconds: int, content: bytes, length: int, *, way: Way, number: int, queue: int,
        comment: str,
    ) -> None:
        """A packet as it passed an interface.

        Parameters
        ----------
        interface : int
        nanoseconds : int
            Since the beginning.
        content : bytes
            What was seen of it.
        length : int
            Bytes it has; more than `content` if it was cut.
        way : Way
        number : int
            The same wherever the packet is seen (``epb_packetid``).
        queue : int
            Of the interface (``epb_queue``).
        comment : str
        """
        head = struct.pack("<IIIII", interface, nanoseconds >> 32, nanoseconds & 0xFFFFFFFF, len(content), length)
        self._block(_PACKET, head + _padded(content), [
            (_PACKET_FLAGS, struct.pack("<I", way)), (_PACKET_ID, struct.pack("<Q", number)),
            (_PACKET_QUEUE, struct.pack("<I", queue)), (_COMMENT, _text(comment))])

    def _block(self, kind: int, body: bytes, options: Iterable[_Option]) -> None:
        body += b"".join(struct.pack("<HH", code, len(value)) + _padded(value) for code, value in options) + bytes(4)
        length = struct.pack("<I", len(body) + 12)
        self.output.write(struct.pack("<I", kind) + length + body + length)
        self.output.flush()


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % 4)


def _text(text: str) -> bytes:
    # A character that the limit would split is left out.
    return text.encode("utf-8", "backslashreplace")[:_MOST].decode("utf-8", "ignore").encode()
