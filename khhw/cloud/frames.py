"""What travels between the service and its machine: frames of JSON with bytes behind it.

A frame is its mark, the lengths of both parts (32 bits each, big endian), an object as JSON and bytes that belong to
it. What does not fit this, or ends in the middle, is a :class:`FrameError`; nothing is made of a frame before all of it
is there.
"""

import json
import struct
from typing import Any, NamedTuple

__all__ = ["HEADER_BYTES", "Frame", "FrameError", "frame_lengths", "packed", "parsed"]

_MARK = b"khcl"
_HEADER = struct.Struct(">4sII")
HEADER_BYTES = _HEADER.size
_LARGEST_JSON = 1 << 26
"""A revision of a machine of 4,096 nodes on which every node may send to all has that many bytes."""
_LARGEST_DATA = 1 << 24


class FrameError(ValueError):
    """Bytes that are no frame."""


class Frame(NamedTuple):
    """An object, and bytes that belong to it."""

    values: dict[str, Any]
    data: bytes = b""


def packed(frame: Frame) -> bytes:
    """A frame as it is sent."""
    text = json.dumps(frame.values, separators=(",", ":")).encode()
    return _HEADER.pack(_MARK, len(text), len(frame.data)) + text + frame.data


def frame_lengths(header: bytes) -> tuple[int, int]:
    """Bytes of JSON, and of data, behind a header of :data:`HEADER_BYTES`.

    Raises
    ------
    FrameError
        If it is none, or announces more than anybody sends.
    """
    if len(header) != HEADER_BYTES:
        raise FrameError(f"a frame that ends after {len(header)} of the {HEADER_BYTES} bytes of its header")
    mark, text, data = _HEADER.unpack(header)
    if mark != _MARK:
        raise FrameError(f"a frame that begins with {mark.hex()}, not {_MARK.hex()}")
    if text > _LARGEST_JSON or data > _LARGEST_DATA:
        raise FrameError(f"a frame of {text} and {data} bytes; there are at most {_LARGEST_JSON} and {_LARGEST_DATA}")
    return text, data


def parsed(text: bytes, data: bytes) -> Frame:
    """The frame of its two parts.

    Raises
    ------
    FrameError
        If the first is no object in JSON.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FrameError(f"a frame that holds no JSON: {error}") from None
    if not isinstance(values, dict):
        raise FrameError("a frame that holds no object")
    return Frame(values, data)
