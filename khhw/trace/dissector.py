"""A dissector in Lua, by which Wireshark and tshark show the packets of a capture field by field.

Fields, their descriptions and the names of their values come from :mod:`rtl.formats`; what is not in a format, which
header follows which, is in ``dissector.lua`` beside this module.
"""

import enum
import json
import re
from collections.abc import Iterator
from importlib import resources

from amaranth.lib import data

from khhw._version import __version__
from khhw.export.banner import LICENCE
from khhw.export.documented import plain
from khhw.export.headers import ENUMS, fields_of, snake
from khhw.trace.fields import direction_name
from rtl.formats import EXTERNAL, FIELDS, FORMATS, ControlOp, Direction, Protocol, TreeClass
from rtl.torus.hints import hint_bit

__all__ = ["dissector", "filter_of", "value_names", "values_of"]

_ENUM = re.compile(r"\b[Aa] `(\w+)`")
_KINDS = {kind.__name__: kind for kind in ENUMS}
_WIDEST = 32
"""Bits of a field that need not begin and end with a byte."""


def filter_of(name: str) -> str:
    """What the filters of a format's fields begin with: ``khhw.put_header``."""
    return f"khhw.{snake(name)}"


def values_of(name: str, field: str) -> type[enum.IntEnum] | None:
    """The enumeration a field holds, as its documentation says; None if it is a number."""
    found = _ENUM.search(FIELDS[name][field])
    return _KINDS.get(found[1]) if found else None


def value_names(kind: type[enum.IntEnum], width: int) -> dict[int, str]:
    """Words for the values of an enumeration in a field of `width` bits."""
    names = {int(member): member.name for member in kind}
    if kind is ControlOp:
        failed = names.pop(ControlOp.FAILED)
        return names | {value | ControlOp.FAILED: f"{name} {failed}" for value, name in names.items()}
    if kind is TreeClass:
        return {number: names.get(number, f"class {number}") for number in range(1 << width)}
    return names


def dissector() -> str:
    """Text of the Lua script.

    Raises
    ------
    ValueError
        If a format has a field that Wireshark's masks cannot name.
    """
    directions = [_table({"name": _string(direction_name(d)), "bit": str(1 << hint_bit(d))}) for d in Direction]
    head = [f"-- khhw {__version__}: torus packets (USER0) and tree packets (USER1) for Wireshark and tshark.",
            "-- Generated from khhw's RTL: do not edit. khhw trace --dissector writes it.",
            f"-- SPDX-License-Identifier: {LICENCE}", "",
            f"local external_vector = {EXTERNAL:#x}",
            f"local protocols = {_table({member.name: str(int(member)) for member in Protocol})}",
            f"local directions = {{{', '.join(directions)}}}",
            f"local filters = {_table({name: _string(filter_of(name)) for name in FORMATS})}", "",
            "-- Fields: first bit, counted from the most significant of the format, and width.",
            "local formats = {}"]
    lines = [line for name, layout in FORMATS.items() for line in _format(name, layout)]
    rest = resources.files("khhw.trace").joinpath("dissector.lua").read_text(encoding="utf-8")
    return "\n".join([*head, *lines, "", rest])


def _format(name: str, layout: data.StructLayout) -> Iterator[str]:
    yield f"formats.{name} = {{ bytes = {layout.size // 8},"
    for field, low, width in fields_of(layout):
        bit = layout.size - low - width
        if width > _WIDEST and (bit % 8 or width % 8):
            raise ValueError(f"{name}.{field} has {width} bits from bit {bit} on: a field of more than {_WIDEST} bits "
                             "must be whole bytes for the dissector")
        facts = {"name": _string(field), "bit": str(bit), "width": str(width)}
        if (nested := _nested(layout, field)) is not None:
            facts["format"] = _string(nested)
        if (kind := values_of(name, field)) is not None:
            names = value_names(kind, width)
            facts["values"] = "{" + ", ".join(f"[{value}]={_string(word)}" for value, word in names.items()) + "}"
        yield f"    {_table(facts | {'doc': _string(plain(FIELDS[name][field]))})},"
    yield "}"


def _nested(layout: data.StructLayout, field: str) -> str | None:
    shape = layout[field].shape
    return next((name for name, other in FORMATS.items() if shape is other), None)


def _table(facts: dict[str, str]) -> str:
    return "{" + ", ".join(f"{name}={value}" for name, value in facts.items()) + "}"


def _string(text: str) -> str:
    # Lua reads the escapes that JSON writes for ASCII, which is all that documentation has.
    return json.dumps(text)
