"""Numbers in commands and values, read as memcached reads them: with the C library's strtol and strtoul."""

import re

__all__ = ["delta_number", "flags_number", "signed_number"]

_NUMBER = re.compile(rb"[ \t\n\v\f\r]*([+-]?)0*([0-9]{1,20})(?=[ \t\n\v\f\r]|\Z)")
"""More digits than 20 are in no 64-bit number, and a value may have a million of them."""
_WORD = 1 << 64


def signed_number(text: bytes) -> int | None:
    """A 64-bit signed number of which 32 bits are kept: expiry times and lengths; None if `text` is none."""
    if (found := _NUMBER.match(text)) is None:
        return None
    number = -int(found[2]) if found[1] == b"-" else int(found[2])
    if not -_WORD // 2 <= number < _WORD // 2:
        return None
    return (number + (1 << 31)) % (1 << 32) - (1 << 31)


def delta_number(text: bytes) -> int | None:
    """A 64-bit unsigned number: what is counted, and unique numbers; None if `text` is none.

    As in C a minus sign wraps around, and is refused only when the result would be a negative 64-bit number.
    """
    if (found := _NUMBER.match(text)) is None or int(found[2]) >= _WORD:
        return None
    number = -int(found[2]) % _WORD if found[1] == b"-" else int(found[2])
    return None if found[1] == b"-" and number >> 63 else number


def flags_number(text: bytes) -> int | None:
    """Flags: a 64-bit number of which 32 bits are kept; None if `text` is none."""
    number = delta_number(text)
    return None if number is None else number & 0xFFFFFFFF
