"""What permission costs in hardware: the guard of a node synthesised with tables of many sizes, and without any."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from khhw.build.design import Design, convert
from khhw.export.synthesis import synthesise
from rtl.parameters import Parameters

__all__ = ["DESIGNS", "SIZES", "cost", "table_bits"]

SIZES = (8, 64, 512, 1024, 4096, 65536)
"""Node ids that a table covers."""

DESIGNS = {
    "in": "rtl.guard.guard:Guard",
    "out": "khhw.bench.open_guard:OpenGuard",
    "table": "rtl.guard.table:PermissionTable",
}
"""What is synthesised: the guard, what is left with permission taken out, and one of the guard's tables alone."""

_COUNTS = {"lut4": "lut", "flip_flops": "flip_flops", "block_ram": "block_ram", "distributed_ram": "lut_ram"}
"""Names in the results, and those of a :class:`~khhw.export.synthesis.Synthesis`."""


def table_bits(parameters: Parameters) -> int:
    """Bits of all tables of a guard: two banks of words of 32 bits, one table a lane each way and one for the tree."""
    return (2 * parameters.lanes + 1) * 2 * 32 * parameters.table_words


def cost(sizes: Sequence[int], parameters: Parameters, tell: Callable[[str], None]) -> list[dict[str, Any]]:
    """Synthesise guards for the Lattice ECP5.

    Parameters
    ----------
    sizes : sequence of int
        `table_nodes` of each.
    parameters : Parameters
        All others.
    tell : callable
        Called with what is being done.

    Returns
    -------
    list of dict
        An object a size and design: ``guard`` (a key of :data:`DESIGNS`), ``table_nodes``, ``lanes``, ``lut4``,
        ``flip_flops``, ``block_ram`` (18 kbit), ``distributed_ram`` (16 by 4 bits), ``table_bits``, ``samples``
        (1: the tool always says the same), ``tool``.

    Raises
    ------
    RequestError
        If Yosys is not installed.
    BuildError
        If it fails.
    """
    rows: list[dict[str, Any]] = []
    for size in sizes:
        chosen = replace(parameters, table_nodes=size)
        bits = {"in": table_bits(chosen), "out": 0, "table": 2 * 32 * chosen.table_words}
        for guard, target in DESIGNS.items():
            tell(f"cost: {guard}, tables for {size} nodes: synthesising, unless it is done")
            found = synthesise(_design(target, chosen))
            rows.append({"measure": "cost", "guard": guard, "table_nodes": size, "lanes": chosen.lanes,
                         **{name: getattr(found, counted) for name, counted in _COUNTS.items()},
                         "table_bits": bits[guard], "samples": 1, "tool": found.tool})
    return rows


def _design(target: str, parameters: Parameters) -> Design:
    column = {"column": True} if target == DESIGNS["table"] else {}
    return convert(target, {**parameters.as_dict(), **column})
