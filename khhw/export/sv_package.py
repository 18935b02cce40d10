"""Formats, registers, parameters and the types of all ports as a SystemVerilog package."""

import enum
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from amaranth.hdl import Shape
from amaranth.lib import data

from khhw.export.banner import banner
from khhw.export.documented import constant_docs, plain
from khhw.export.headers import CONSTANTS, ENUMS, fields_of, first_sentence, register_fields, snake
from rtl import formats, registers, signatures
from rtl.formats import FIELDS, FORMATS, INSIDE
from rtl.parameters import Parameters
from rtl.registers import REGISTERS, Register
from rtl.signatures import PORT_LAYOUTS, memory_write

__all__ = ["PACKAGE", "structs", "sv_package", "sv_type"]

PACKAGE = "khhw_pkg"

_WORDS = {"function", "priority"}
"""Fields whose names are words of SystemVerilog; the lint of the package notices a new one."""

_HEAD = f"""\
//
// Structs are packed with the first byte of memory in their most significant bits.
package {PACKAGE};
  // Who uses a package takes what it needs.
  // verilator lint_off UNUSEDPARAM
"""


def structs(parameters: Parameters) -> dict[str, data.StructLayout]:
    """Layouts that have a type in the package, by name, those that others are made of first."""
    return {**FORMATS, **INSIDE, **PORT_LAYOUTS, "MemoryWrite": memory_write(parameters)}


def sv_package(parameters: Parameters) -> str:
    """Text of ``khhw_pkg.sv`` for nodes built with `parameters`: constants, enums, types of ports and registers.

    It keeps to what Icarus Verilog and Yosys understand too: parameters that are texts have no type.
    """
    lines = [f"localparam int {name} = {_number(value)};" for name, value in CONSTANTS.items()]
    lines += ["", *(f"localparam {_parameter(name, value)};" for name, value in parameters.as_dict().items())]
    for kind in ENUMS:
        lines += ["", *_enum(kind)]
    known = structs(parameters)
    docs = {**constant_docs(formats), **constant_docs(signatures), "MemoryWrite": memory_write.__doc__ or ""}
    for name, layout in known.items():
        lines += ["", *_comment(plain(docs[name])), *_struct(name, layout, known)]
    lines.append("")
    for register in REGISTERS.values():
        lines += _register(register, parameters)
    body = "\n".join(f"  {line}".rstrip() for line in lines)
    head = banner("//", "formats and registers of a node, and the types of its ports", parameters)
    return f"{head}\n{_HEAD}\n{body}\n\n  // verilator lint_on UNUSEDPARAM\nendpackage\n"


def sv_type(shape: Any, known: Mapping[str, data.StructLayout]) -> str:
    """Type of a signal: one of the package for a struct, else ``logic``; arrays are packed.

    Parameters
    ----------
    shape : shape-castable
        Of the signal.
    known : mapping
        What :func:`structs` gives.
    """
    if isinstance(shape, data.ArrayLayout):
        base, _, inner = sv_type(shape.elem_shape, known).partition(" ")
        return f"{base} [{shape.length - 1}:0]{inner}"
    if isinstance(shape, data.StructLayout):
        for name, layout in known.items():
            if shape == layout:
                return f"{snake(name)}_t"
    width = Shape.cast(shape).width
    return "logic" if width == 1 else f"logic [{width - 1}:0]"


def _number(value: int) -> str:
    return f"32'h{value:x}" if value >= 0x1000 else str(value)


def _parameter(name: str, value: int | str) -> str:
    named = f"PARAM_{name.upper()} = "
    return f'{named}"{value}"' if isinstance(value, str) else f"int {named}{int(value)}"


def _comment(text: str) -> list[str]:
    return [f"// {line}" for line in textwrap.wrap(text, 100)]


def _name(field: str) -> str:
    """A field's name, with an underscore behind it where it is a word of the language."""
    return f"{field}_" if field in _WORDS else field


def _enum(kind: type[enum.IntEnum]) -> Iterator[str]:
    name, width = snake(kind.__name__), _enum_width(kind)
    yield f"// {first_sentence(kind.__doc__ or '')}"
    yield f"typedef enum logic [{width - 1}:0] {{"
    members = [f"  {name.upper()}_{member.name} = {width}'d{int(member)}" for member in kind]
    yield from (f"{member}," for member in members[:-1])
    yield members[-1]
    yield f"}} {name}_e;"


def _enum_width(kind: type[enum.IntEnum]) -> int:
    """Bits of the field that holds an enum, or as many as its members need."""
    fixed = {formats.Reason: 4, registers.Fault: 4, formats.Protocol: 16, formats.ControlOp: 8, formats.TreeClass: 4,
             registers.Irq: 5}
    return fixed.get(kind) or Shape.cast(kind).width


def _struct(name: str, layout: data.StructLayout, known: Mapping[str, data.StructLayout]) -> Iterator[str]:
    yield "typedef struct packed {"
    for field, _, _ in fields_of(layout):
        yield from (f"  {line}" for line in _comment(plain(FIELDS.get(name, {}).get(field, ""))))
        yield f"  {sv_type(layout[field].shape, known)} {_name(field)};"
    yield f"}} {snake(name)}_t;"


def _register(register: Register, parameters: Parameters) -> Iterator[str]:
    name = register.name
    yield from _comment(f"{plain(register.doc)} Host {register.host}, owner {register.owner}.")
    yield f"localparam logic [23:0] REG_{name} = 24'h{register.address:06x};"
    if register.count != 1:
        yield f"localparam int REG_{name}_COUNT = {register.elements(parameters)};"
        yield f"localparam int REG_{name}_STRIDE = {register.stride};"
    if register.fields:
        yield "typedef struct packed {"
        yield from (f"  logic [{width - 1}:0] {_name(field)};" for field, _, width in register_fields(register))
        yield f"}} {name.lower()}_reg_t;"
