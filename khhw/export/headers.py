"""Formats, registers and parameters of a node as a C header, and what all headers share."""

import enum
import re
import textwrap
from collections.abc import Iterator

from amaranth.lib import data

from khhw.export.banner import banner
from khhw.export.documented import constant_docs, member_docs, plain
from rtl import formats, registers
from rtl.codec import Codec
from rtl.formats import FIELDS, FLIT_BITS, FORMATS
from rtl.parameters import Parameters
from rtl.registers import REGISTERS, Register

__all__ = ["CONSTANTS", "ENUMS", "c_header", "fields_of", "first_sentence", "register_fields", "snake"]

ENUMS: tuple[type[enum.IntEnum], ...] = (
    formats.VirtualChannel, formats.TreeChannel, formats.Direction, formats.Protocol, formats.TreeClass,
    formats.ControlOp, formats.Reason, registers.Irq, registers.Fault,
    registers.Pattern, registers.TrafficError,
)
"""The enums software sees."""

CONSTANTS = {name: getattr(formats, name) for name in (
    "FLIT_BYTES", "CHUNK_BYTES", "WORD_BYTES", "PACKET_BYTES", "PAYLOAD_BYTES", "DESCRIPTOR_BYTES",
    "TREE_PAYLOAD_BYTES", "EXTERNAL",
)} | {name: getattr(registers, name) for name in (
    "MAGIC", "VERSION", "GUARD_PAGE", "TRAFFIC_PAGE", "MEMORY_WINDOW")}
"""Sizes and addresses by name."""

_C_HEAD = """\
/* A format is an array of 64-bit flits, first flit first; in memory every flit is big-endian.
 * Take a field with KHHW_GET(flits, HEADER_VC), change one with KHHW_SET(flits, HEADER_VC, value).
 */
#ifndef KHHW_H
#define KHHW_H

#include <stdint.h>

#define KHHW_GET(flits, field) (((flits)[KHHW_##field##_FLIT] & KHHW_##field##_MASK) >> KHHW_##field##_SHIFT)
#define KHHW_SET(flits, field, value) \\
    ((flits)[KHHW_##field##_FLIT] = ((flits)[KHHW_##field##_FLIT] & ~KHHW_##field##_MASK) \\
     | ((uint64_t)(value) << KHHW_##field##_SHIFT & KHHW_##field##_MASK))

/* Take a field from the value of a register, or place one: KHHW_REG_GET(value, RESOURCES_LANES). */
#define KHHW_REG_GET(word, field) (((word) & KHHW_REG_##field##_MASK) >> KHHW_REG_##field##_SHIFT)
#define KHHW_REG_PUT(field, value) ((uint32_t)(value) << KHHW_REG_##field##_SHIFT & KHHW_REG_##field##_MASK)

static inline uint64_t khhw_load_flit(const uint8_t *bytes)
{
    uint64_t flit = 0;
    for (int i = 0; i < 8; i++)
        flit = flit << 8 | bytes[i];
    return flit;
}

static inline void khhw_store_flit(uint8_t *bytes, uint64_t flit)
{
    for (int i = 8; i--; flit >>= 8)
        bytes[i] = (uint8_t)flit;
}"""


def snake(name: str) -> str:
    """``VirtualChannel`` as ``virtual_channel``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def fields_of(layout: data.StructLayout) -> Iterator[tuple[str, int, int]]:
    """Fields of a layout, most significant first: (name, lowest bit, width)."""
    for name, (offset, mask) in Codec.of(layout).positions.items():
        yield name, offset, mask.bit_length()


def register_fields(register: Register) -> Iterator[tuple[str, int, int]]:
    """Fields of a register, most significant first: (name, lowest bit, width); none for a plain value."""
    if register.fields:
        yield from fields_of(register.layout)


def c_header(parameters: Parameters) -> str:
    """Text of ``khhw.h`` for nodes built with `parameters`: constants, enums, formats and registers."""
    blocks = [f"{banner('/*', 'formats and registers of a node', parameters)}\n{_C_HEAD}"]
    blocks.append("\n".join(["/* Sizes and addresses. */", *(
        f"#define KHHW_{name} {_c_number(value)}" for name, value in CONSTANTS.items())]))
    blocks.append("\n".join(["/* What the nodes are built with. */", *(
        f"#define KHHW_PARAM_{name.upper()} {_c_value(value)}" for name, value in parameters.as_dict().items())]))
    blocks += [_c_enum(kind) for kind in ENUMS]
    blocks += [_c_format(name, layout) for name, layout in FORMATS.items()]
    blocks.append("\n".join(["/* Registers: byte addresses on the host port and for the owner's control words. */",
                             *(line for register in REGISTERS.values() for line in _c_register(register, parameters))]))
    return "\n\n".join([*blocks, "#endif"]) + "\n"


def first_sentence(text: str) -> str:
    """The first sentence of a documentation, as plain text."""
    return re.split(r"(?<=\.)\s", plain(text), maxsplit=1)[0]


def _c_comment(text: str) -> str:
    return "/* " + "\n * ".join(textwrap.wrap(text, 100)) + " */"


def _c_number(value: int) -> str:
    return f"0x{value:x}u" if value >= 0x1000 else f"{value}u"


def _c_value(value: int | str) -> str:
    return f'"{value}"' if isinstance(value, str) else f"{int(value)}u"


def _c_enum(kind: type[enum.IntEnum]) -> str:
    docs = member_docs(kind)
    lines = [f"/* {first_sentence(kind.__doc__ or '')} */", f"enum khhw_{snake(kind.__name__)} {{"]
    for member in kind:
        comment = f"  /* {first_sentence(docs[member.name])} */" if member.name in docs else ""
        lines.append(f"    KHHW_{snake(kind.__name__).upper()}_{member.name} = {_hex_or_decimal(member)},{comment}")
    return "\n".join([*lines, "};"])


def _hex_or_decimal(value: int) -> str:
    return f"0x{value:02x}" if value > 15 else str(int(value))


def _c_format(name: str, layout: data.StructLayout) -> str:
    prefix = f"KHHW_{snake(name).upper()}"
    flits = layout.size // FLIT_BITS
    lines = [_c_comment(plain(constant_docs(formats)[name])), f"#define {prefix}_FLITS {flits}"]
    for field, low, width in fields_of(layout):
        if field.startswith("reserved"):
            continue
        shift = low % FLIT_BITS
        if shift + width > FLIT_BITS:
            raise ValueError(f"field {field} of {name} lies in two flits; the C header has no name for that")
        lines += [
            _c_comment(plain(FIELDS[name][field])),
            f"#define {prefix}_{field.upper()}_FLIT {flits - 1 - low // FLIT_BITS}",
            f"#define {prefix}_{field.upper()}_SHIFT {shift}",
            f"#define {prefix}_{field.upper()}_MASK UINT64_C(0x{((1 << width) - 1) << shift:016x})",
        ]
    return "\n".join(lines)


def _c_register(register: Register, parameters: Parameters) -> Iterator[str]:
    prefix = f"KHHW_REG_{register.name}"
    yield _c_comment(f"{plain(register.doc)} Host {register.host}, owner {register.owner}.")
    if register.count == 1:
        yield f"#define {prefix} 0x{register.address:04x}u"
    else:
        yield f"#define {prefix}(i) (0x{register.address:04x}u + {register.stride}u * (uint32_t)(i))"
        yield f"#define {prefix}_COUNT {register.elements(parameters)}u"
    for name, low, width in register_fields(register):
        if name != "reserved":
            yield f"#define {prefix}_{name.upper()}_SHIFT {low}"
            yield f"#define {prefix}_{name.upper()}_MASK 0x{((1 << width) - 1) << low:08x}u"
