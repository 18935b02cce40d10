"""An item as it stands in the server's memory: the one definition that server and remote readers share.

Everything is a multiple of 8 bytes, the least a remote get can address: header, key, value, each padded. A reader
asks for the whole item and then, in the same request, for the version again. Hardware reads in that order, so both
versions are one, and even, exactly when nothing was written between.
"""

import struct
from dataclasses import dataclass

__all__ = [
    "ERASED", "FREE", "HEADER", "VERSION_BYTES", "Seen", "StaleError", "TornError", "item_bytes", "parse_item",
    "value_offset",
]

HEADER = struct.Struct(">QQQIIIHH")
"""Version, cas unique, cycle it expires in (0: never), own place in the store, value bytes, flags, key bytes, 0."""
VERSION_BYTES = 8
FREE = 0
"""Version where no item starts any more. Odd versions: being written. No version comes twice."""
ERASED = bytes(HEADER.size)
"""Header where no item starts any more."""
_UNIT = 8


class StaleError(Exception):
    """What stands at an address is not, or no longer, the item that was looked for there: ask for its address."""


class TornError(Exception):
    """The item was written while it was read: read again."""


@dataclass(frozen=True)
class Seen:
    """An item as a remote reader found it.

    Parameters
    ----------
    value : bytes
    flags : int
    cas : int
        Unique of this value.
    version : int
    expiry : int
        Cycle from which on it is not there; 0: none.
    """

    value: bytes
    flags: int
    cas: int
    version: int
    expiry: int


def _padded(length: int) -> int:
    return -(-length // _UNIT) * _UNIT


def value_offset(key_bytes: int) -> int:
    """Where in an item the value begins."""
    return HEADER.size + _padded(key_bytes)


def item_bytes(key_bytes: int, value_bytes: int) -> int:
    """Bytes of an item in memory."""
    return value_offset(key_bytes) + _padded(value_bytes)


def parse_item(data: bytes, again: bytes, place: int, key: bytes, *, check_version: bool = True) -> Seen:
    """Check what a remote get brought.

    Parameters
    ----------
    data : bytes
        What stood at `place`, at least as long as the item is said to be.
    again : bytes
        The version, read after it.
    place : int
        Where it was read: bytes from the beginning of the store.
    key : bytes
        What should be there.
    check_version : bool
        False takes what comes: for showing what goes wrong then.

    Raises
    ------
    TornError
        If it was being written.
    StaleError
        If it is another item, none, or longer than what was read.
    """
    version, cas, expiry, own, value_bytes, flags, key_bytes, _ = HEADER.unpack_from(data)
    start = value_offset(key_bytes)
    # What is not an item of this key will not become one by waiting, whatever its version looks like.
    if (version == FREE or own != place or data[HEADER.size:HEADER.size + key_bytes] != key
            or start + value_bytes > len(data)):
        raise StaleError
    if check_version and (version & 1 or int.from_bytes(again, "big") != version):
        raise TornError
    return Seen(data[start:start + value_bytes], flags, cas, version, expiry)
