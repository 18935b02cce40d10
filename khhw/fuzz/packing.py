"""Many headers and descriptors at once, as arrays."""

from typing import Any

import numpy as np
import numpy.typing as npt
from amaranth.lib import data

from khhw.fuzz.taint import Bytes, Words
from rtl.codec import Codec
from rtl.formats import Descriptor

__all__ = ["Column", "DESCRIPTOR_WORDS", "as_bytes", "descriptors", "pack_all", "set_field", "take_field"]

Column = int | npt.NDArray[Any]
"""A field of many: one value for all, or one each."""

# By places: a codec's are those of the whole layout, and here they are wanted within a word of an array.
DESCRIPTOR_WORDS = 4
_WORD = 64


def pack_all(layout: data.StructLayout, count: int, **fields: Column) -> Words:
    """`count` values of a layout of one word; fields that are not given are 0, and what does not fit is cut off."""
    words = np.zeros(count, np.uint64)
    for name, values in fields.items():
        words |= _placed(layout, name, values, count)
    return words


def _placed(layout: data.StructLayout, name: str, values: Column, count: int) -> Words:
    offset, mask = Codec.of(layout).positions[name]
    given = np.broadcast_to(np.asarray(values), (count,)).astype(np.uint64)
    return (given & np.uint64(mask)) << np.uint64(offset % _WORD)


def set_field(words: Words, layout: data.StructLayout, name: str, values: Column) -> None:
    """Change a field of all `words` in place."""
    words &= ~_placed(layout, name, Codec.of(layout).positions[name].mask, len(words))
    words |= _placed(layout, name, values, len(words))


def take_field(words: Words, layout: data.StructLayout, name: str) -> Words:
    """A field of all `words`."""
    offset, mask = Codec.of(layout).positions[name]
    return words >> np.uint64(offset % _WORD) & np.uint64(mask)


def descriptors(headers: Words, software: Words, address: Column, length: Column, counter: Column) -> Words:
    """Descriptors, one a row of four words."""
    count = len(headers)
    rows = np.zeros((count, DESCRIPTOR_WORDS), np.uint64)
    rows[:, 0] = _placed(Descriptor, "counter", counter, count)
    rows[:, 1] = _placed(Descriptor, "base_offset", address, count) | _placed(Descriptor, "length", length, count)
    rows[:, 2] = headers
    rows[:, 3] = software
    return rows


def as_bytes(words: Words) -> Bytes:
    """Words as they stand in memory."""
    return np.frombuffer(np.ascontiguousarray(words).astype(">u8").tobytes(), np.uint8)

