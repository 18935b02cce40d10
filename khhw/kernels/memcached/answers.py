"""What a command leads to, and the fixed texts among the answers: those of memcached 1.6.18."""

from collections.abc import Callable
from dataclasses import dataclass, field

from khhw.kernels.memcached.store import Item

__all__ = [
    "BAD_BLOCK", "BAD_DELETE", "BAD_DELTA", "BAD_EXPIRY", "BAD_LINE", "MAXIMUM_KEY", "NO_NUMBER", "NO_ROOM",
    "TOO_LARGE", "VERSION", "DataBlock", "Handler", "Reply", "Value", "say", "unless",
]

MAXIMUM_KEY = 250
"""Bytes of the longest key."""
VERSION = b"1.6.18"
"""The release whose protocol this is."""
BAD_LINE = b"CLIENT_ERROR bad command line format"
BAD_DELETE = BAD_LINE + b".  Usage: delete <key> [noreply]"
BAD_DELTA = b"CLIENT_ERROR invalid numeric delta argument"
BAD_EXPIRY = b"CLIENT_ERROR invalid exptime argument"
BAD_BLOCK = b"CLIENT_ERROR bad data chunk"
NO_NUMBER = b"CLIENT_ERROR cannot increment or decrement non-numeric value"
TOO_LARGE = b"SERVER_ERROR object too large for cache"
NO_ROOM = b"SERVER_ERROR out of memory storing object"


@dataclass(frozen=True)
class Value:
    """The value of an item, pinned until it is sent."""

    item: Item


@dataclass(frozen=True)
class DataBlock:
    """A data block that follows its command.

    Parameters
    ----------
    verb, key : bytes
    length : int
        Bytes of the value.
    item : Item or None
        Where it goes, pinned; None: nowhere, and `failure` is the answer.
    unique : int
        Of ``cas``.
    noreply : bool
    failure : bytes
    """

    verb: bytes
    key: bytes
    length: int
    item: Item | None
    unique: int
    noreply: bool
    failure: bytes = b""


@dataclass
class Reply:
    """What a command leads to: answers, a data block to read, a value that lands by another way, the end."""

    answers: list[bytes | Value] = field(default_factory=list)
    block: DataBlock | None = None
    landing: Item | None = None
    close: bool = False


Handler = Callable[[list[bytes]], Reply]
"""A command: its words in, what it leads to out."""


def say(text: bytes) -> Reply:
    """An answer of one line."""
    return Reply([text + b"\r\n"])


def unless(noreply: bool, text: bytes) -> Reply:
    """An answer of one line, or none."""
    return Reply() if noreply else say(text)
