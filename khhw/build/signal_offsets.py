"""What the engine's C++ must be told: where Verilator put the signals that stay visible, and numbers of formats."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from khhw.build.design import PublicSignal
from khhw.errors import BuildError
from rtl.formats import Flit, TreeChannel
from rtl.signatures import TreeFlit

__all__ = ["SignalOffset", "formats_text", "offsets_in", "write_offsets"]

_BYTES = {"CData": 1, "SData": 2, "IData": 4, "QData": 8}
_MEMBER = re.compile(
    r"^\s*(?:VlUnpacked<)?(?:(?P<kind>[CSIQ]Data)|VlWide<(?P<words>\d+)>)/\*(?P<high>\d+):0\*/"
    r"(?:, (?P<rows>\d+)>)? (?P<name>\w+);", re.MULTILINE)
_PREFIX = "inside__DOT__"


@dataclass(frozen=True)
class SignalOffset:
    """Where a register or memory is in the struct of a verilated cell.

    Parameters
    ----------
    name : str
        Path below the node.
    member : str
        Of the struct.
    bits, rows : int
        Width, and how many; 1 for a register.
    stride : int
        Bytes from a row to the next.
    """

    name: str
    member: str
    bits: int
    rows: int
    stride: int


def offsets_in(header: str) -> Iterator[SignalOffset]:
    """Registers and memories of the node that a Verilator header declares."""
    for found in _MEMBER.finditer(header):
        _, inside, path = found["name"].partition(_PREFIX)
        if inside:
            stride = _BYTES[found["kind"]] if found["kind"] else 4 * int(found["words"])
            yield SignalOffset(_plain(path), found["name"], int(found["high"]) + 1, int(found["rows"] or 1), stride)


def write_offsets(target: Path, folder: Path, prefix: str, public: Iterable[PublicSignal]) -> None:
    """Write the table of `public` signals as rows of a C++ array.

    Raises
    ------
    BuildError
        If the node's memory is not among them: the back door needs it.
    """
    header = (folder / f"{prefix}___024root.h").read_text()
    wanted = {f"{signal.module.partition('.')[2]}.{signal.name}" for signal in public}
    found = [signal for signal in offsets_in(header) if signal.name in wanted]
    if not any(signal.name == "memory.ram" for signal in found):
        raise BuildError("the verilated node has no array memory.ram")
    rows = [f'{{"{signal.name}", offsetof(Root, {signal.member}), {signal.bits}, {signal.stride}, {signal.rows}}},'
            for signal in found]
    target.write_text("\n".join(rows) + "\n")


def formats_text() -> str:
    """A C++ header with the numbers of :mod:`rtl.formats` that the engine needs."""
    values = {
        **{f"k{name.capitalize()}Bit": Flit[name].offset for name in ("first", "last", "bad")},
        "kChannelBit": TreeFlit["channel"].offset - TreeFlit["flit"].offset,
        "kOwnerChannel": int(TreeChannel.OWNER),
    }
    lines = [f"constexpr int {name} = {value};" for name, value in values.items()]
    return "\n".join(["#pragma once", "namespace khhw {", *lines, "}", ""])


def _plain(name: str) -> str:
    """The path a mangled name stands for."""
    dotted = name.replace("__DOT__", ".")
    return re.sub(r"__0([0-9A-F]{2})", lambda code: chr(int(code[1], 16)), dotted.replace("___05F", "__"))
