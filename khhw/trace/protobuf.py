"""Protocol buffers as they are written: a message is its fields one after the other.

The format is https://protobuf.dev/programming-guides/encoding.
"""

__all__ = ["field", "fixed64"]

_VARINT, _FIXED64, _BYTES = 0, 1, 2
_GROUP_BITS = 7
_MORE = 1 << _GROUP_BITS


def field(number: int, value: int | str | bytes) -> bytes:
    """A field.

    Parameters
    ----------
    number : int
        Of the field in its message.
    value : int, str or bytes
        0 to 2^64 - 1 for every integer that is not signed, a text, or a message.
    """
    if isinstance(value, int):
        return _varint(number << 3 | _VARINT) + _varint(value)
    content = value.encode("utf-8", "backslashreplace") if isinstance(value, str) else value
    return _varint(number << 3 | _BYTES) + _varint(len(content)) + content


def fixed64(number: int, value: int) -> bytes:
    """A field of the type ``fixed64``."""
    return _varint(number << 3 | _FIXED64) + value.to_bytes(8, "little")


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the highest bit says that more follow."""
    if value < 0:
        raise ValueError(f"a varint is 0 or more, not {value}")
    found = bytearray()
    while value >= _MORE:
        found.append(value & _MORE - 1 | _MORE)
        value >>= _GROUP_BITS
    return bytes([*found, value])
