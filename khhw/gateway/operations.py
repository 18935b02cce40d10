"""Counting the commands of memcached's text protocol as they pass."""

from khhw.kernels.memcached.numerals import signed_number
from khhw.kernels.memcached.protocol import LINE_BYTES

__all__ = ["Operations"]

_STORAGE = (b"set", b"add", b"replace", b"append", b"prepend", b"cas")
_LARGEST_VALUE = (1 << 31) - 3
"""A line that announces more is refused, and nothing follows it."""


class Operations:
    """Counts commands in what a client sends, without keeping values.

    Attributes
    ----------
    count : int
        Commands that came to the end of their line or, where a value follows, of that.
    """

    def __init__(self) -> None:
        self.count = 0
        self._line = bytearray()
        self._value = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        at = 0
        while at < len(data):
            if self._value:
                skipped = min(self._value, len(data) - at)
                self._value -= skipped
                at += skipped
                self.count += not self._value
                continue
            end = data.find(b"\n", at)
            self._line += data[at:end if end >= 0 else len(data)][:LINE_BYTES - len(self._line)]
            if end < 0:
                return
            at = end + 1
            self._value = _value_bytes(bytes(self._line).split())
            self._line.clear()
            self.count += not self._value


def _value_bytes(words: list[bytes]) -> int:
    """Bytes of value, its line end included, that follow a command line."""
    if len(words) < 5 or words[0] not in _STORAGE:
        return 0
    length = signed_number(words[4])
    return length + 2 if length is not None and 0 <= length <= _LARGEST_VALUE else 0
