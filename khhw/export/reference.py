"""``docs/formats.md`` and ``docs/registers.md``, from the definitions the RTL is built of."""

import enum
import inspect
import re
from collections.abc import Iterator

from amaranth.lib import data

from khhw.export.diagram import bit_diagram
from khhw.export.documented import constant_docs, member_docs
from khhw.export.headers import fields_of, register_fields
from rtl import formats, registers
from rtl.formats import FIELDS, FORMATS, INSIDE
from rtl.parameters import Parameters
from rtl.registers import REGISTERS, Access, Register

__all__ = ["GENERATED", "formats_reference", "registers_reference", "table"]

GENERATED = "<!-- Written by `khhw reference`: change the sources named below and run it again. -->"

_ACCESS = {
    Access.RW: "read and write",
    Access.RO: "read; a write is an error",
    Access.WO: "write; a read is an error",
    Access.W1C: "read; a write clears the bits written as 1",
    Access.NONE: "every access is an error",
}

_FORMAT_ENUMS: tuple[type[enum.IntEnum], ...] = (
    formats.VirtualChannel, formats.Direction, formats.TreeChannel, formats.TreeClass, formats.Protocol,
    formats.ControlOp, formats.Reason,
)

_SIZES = ("FLIT_BYTES", "CHUNK_BYTES", "WORD_BYTES", "PACKET_BYTES", "PAYLOAD_BYTES", "DESCRIPTOR_BYTES",
          "TREE_PAYLOAD_BYTES")


def table(heads: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def formats_reference() -> str:
    """Text of ``docs/formats.md``."""
    sizes = [[f"`{name}`", str(getattr(formats, name))] for name in _SIZES]
    blocks = [
        "# Formats", GENERATED,
        "Source: `rtl/formats.py`. The headers that `khhw verilog` writes come from it too. Terms are explained in the "
        "[glossary](glossary.md).",
        *_prose(formats.__doc__).split("\n\n")[1:],
        "In the diagrams the most significant bit is left and bit 0 is the last bit of the format. "
        "Boxes without a name are reserved: 0.",
        table(["size", "bytes"], sizes),
        "## What software sees",
        *(_layout(name, layout) for name, layout in FORMATS.items()),
        "## What moves between blocks",
        *(_layout(name, layout) for name, layout in INSIDE.items()),
        "## Values",
        *(_enum(kind) for kind in _FORMAT_ENUMS),
    ]
    return "\n\n".join(blocks) + "\n"


def registers_reference() -> str:
    """Text of ``docs/registers.md``, with element counts of a node of the default parameters."""
    defaults = Parameters()
    rows = [[f"`0x{r.address:04x}`", f"[{r.name}](#{r.name.lower()})", f"`{r.host}`", f"`{r.owner}`",
             _elements(r, defaults)] for r in REGISTERS.values()]
    blocks = [
        "# Registers", GENERATED, "Source: `rtl/registers.py`. Terms are explained in the [glossary](glossary.md).",
        *_prose(registers.__doc__).split("\n\n")[1:],
        table(["access", "what it allows"], [[f"`{access}`", meaning] for access, meaning in _ACCESS.items()]),
        f"Registers are 32 bits wide and accessed whole, at byte addresses on the host port (AXI4-Lite) and in "
        f"[control words](formats.md#controlword). From `0x{registers.GUARD_PAGE:04x}` on they belong to the guard, "
        f"which only the fabric reset resets. From `0x{registers.TRAFFIC_PAGE:04x}` on they belong to the traffic "
        f"generator of a node that is built with one. From `0x{registers.MEMORY_WINDOW:06x}` on the host port shows "
        f"the node memory.",
        "Counts that depend on a parameter are named after it, with the count at its default.",
        "## All registers", table(["address", "register", "host", "owner", "elements"], rows),
        *(_register(register, defaults) for register in REGISTERS.values()),
        "## Values", *(_enum(kind) for kind in (
            registers.Irq, registers.Fault, formats.Reason, registers.Pattern, registers.TrafficError)),
    ]
    return "\n\n".join(blocks) + "\n"


def _prose(text: str | None) -> str:
    """A docstring as Markdown: single backquotes around code, no roles."""
    text = re.sub(r":\w+:`~?([^`]+)`", lambda m: f"`{m[1].rpartition('.')[2]}`", inspect.cleandoc(text or ""))
    return text.replace("``", "`")


def _layout(name: str, layout: data.StructLayout) -> str:
    rows = [[str(low) if width == 1 else f"{low + width - 1}:{low}", f"`{field}`", str(width),
             _prose(FIELDS[name][field])] for field, low, width in fields_of(layout)]
    size = f"{layout.size} bits" + (f", {layout.size // 8} bytes" if layout.size % 8 == 0 else "")
    return "\n\n".join([f"### {name}", f"{size}. {_prose(constant_docs(formats)[name])}", _diagram(fields_of(layout)),
                        table(["bits", "field", "width", "meaning"], rows)])


def _diagram(fields: Iterator[tuple[str, int, int]]) -> str:
    return f"```text\n{bit_diagram(fields)}\n```"


def _enum(kind: type[enum.IntEnum]) -> str:
    docs = member_docs(kind)
    rows = [[str(int(member)) if member < 16 else f"0x{int(member):02x}", f"`{member.name}`",
             _prose(docs.get(member.name))] for member in kind]
    return "\n\n".join([f"### {kind.__name__}", _prose(kind.__doc__), table(["value", "name", "meaning"], rows)])


def _elements(register: Register, parameters: Parameters) -> str:
    if isinstance(register.count, int):
        return str(register.count)
    return f"{_count(register)}: {register.elements(parameters)}"


def _count(register: Register) -> str:
    formulas = {"table_words": "`table_nodes` / 32", "hit_words": "`counters` / 32, rounded up"}
    return formulas.get(str(register.count), f"`{register.count}`")


def _register(register: Register, parameters: Parameters) -> str:
    where = f"`0x{register.address:04x}`"
    if register.count != 1:
        where += f" + {register.stride} i, {_elements(register, parameters)} elements"
    blocks = [f"### {register.name}",
              f"{where} · host `{register.host}` · owner `{register.owner}`", _prose(register.doc)]
    if register.fields:
        blocks.append(_diagram(register_fields(register)))
    return "\n\n".join(blocks)
