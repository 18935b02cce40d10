"""The header CRC: one definition for software, guard and router.

CRC-7 with polynomial x^7 + x^3 + 1, initial value 0 and final xor 0x7f, over the 57 bits of a torus
header other than the CRC itself, most significant first. A CRC is linear, so each of its bits is the
parity of the header bits of one mask: that is what both twins compute.
"""

from amaranth.hdl import Cat, Const, Value
from amaranth.lib import crc

from rtl.formats import Header

__all__ = ["CRC_BITS", "check_header", "hardware_crc", "header_crc", "hint_parity", "seal"]

CRC_BITS = Header["crc"].width
_BODY_BITS = Header["crc"].offset
_FINAL = (1 << CRC_BITS) - 1
_ALGORITHM = crc.Algorithm(
    crc_width=CRC_BITS, polynomial=0x09, initial_crc=0, reflect_input=False, reflect_output=False, xor_output=_FINAL,
)


def _masks() -> tuple[int, ...]:
    """For every CRC bit, the header bits whose parity it is."""
    code = _ALGORITHM(data_width=_BODY_BITS)
    columns = [code.compute([1 << bit]) ^ _FINAL for bit in range(_BODY_BITS)]
    return tuple(sum((column >> i & 1) << bit for bit, column in enumerate(columns)) for i in range(CRC_BITS))


_MASKS = _masks()


def header_crc(header: int) -> int:
    """The CRC of a 64-bit header, whatever its `crc` field holds (7 bits)."""
    return sum(((header & mask).bit_count() & 1) << i for i, mask in enumerate(_MASKS)) ^ _FINAL


def check_header(header: int) -> bool:
    """Whether the `crc` field of a 64-bit header is right."""
    # By places: the checksum is above all that it covers.
    return header >> _BODY_BITS == header_crc(header)


def seal(header: int) -> int:
    """The 64-bit header with its `crc` field set right."""
    return header & (1 << _BODY_BITS) - 1 | header_crc(header) << _BODY_BITS


def _parities(value: Value, offset: int) -> Value:
    """What header bits contribute to the CRC; `value` holds those from `offset` up."""
    return Cat(*[Cat(bit for number, bit in enumerate(value, offset) if mask >> number & 1).xor() for mask in _MASKS])


def hardware_crc(header: Value) -> Value:
    """The CRC of a 64-bit header in hardware: 7 parities, no state.

    Parameters
    ----------
    header : Value, 64 bits
        Its upper 7 bits are not used. Give a signal: it is named seven times.
    """
    return _parities(header[:_BODY_BITS], 0) ^ Const(_FINAL, CRC_BITS)


def hint_parity(hint: Value) -> Value:
    """By which 7 bits the CRC changes when these 6 bits of the `hint` field change."""
    return _parities(hint, Header["hint"].offset)
