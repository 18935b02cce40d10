"""Write a block, a node or a machine as Verilog.

The folder gets the Verilog, a SystemVerilog package of its types, an instance to copy and a testbench, a C header,
a FuseSoC core file, waivers for Verilator's lint, and names.json, a map of ports, modules and memories.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from khhw.export.package import Package
    from khhw.export.synthesis import Synthesis

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``khhw verilog``."""
    parser.add_argument("-o", dest="folder", metavar="DIR", type=Path, required=True, help="folder to write to")
    parser.add_argument("--top", required=True, help="what to write: ni, router, guard, node or fabric")
    parser.add_argument("--nodes", metavar="XxYxZ", help="nodes of a fabric (default: 2x2x2)")
    parser.add_argument("-P", dest="values", metavar="NAME=VALUE", action="append", default=[],
                        help="a parameter of the node; may be given several times")
    parser.add_argument("--lint", action="store_true", help="check what was written with Verilator")
    parser.add_argument("--synth", nargs="*", metavar="FAMILY",
                        help="synthesise it too, for ecp5, xilinx7 and gowin, or for those that are named; takes "
                             "minutes, the result is kept")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(arguments: argparse.Namespace) -> int:
    """Write it; 0 if that was possible."""
    from khhw.export.package import lint, parse_values, write_package
    from khhw.export.synthesis import synthesise

    shape = _shape(arguments.nodes) if arguments.nodes else None
    families = [] if arguments.synth is None else _families(arguments.synth)
    package = write_package(arguments.folder, arguments.top, values=parse_values(arguments.values), shape=shape)
    if arguments.lint:
        lint(package)
    found = [synthesise(package.written, family) for family in families]
    if found:
        _keep(package, found)
    if arguments.json:
        _print_json(package, found)
    else:
        _print(package, found, linted=arguments.lint)
    return 1 if any(synthesis.unmapped for synthesis in found) else 0


def _families(asked: list[str]) -> list[str]:
    from khhw.errors import RequestError
    from khhw.export.families import FAMILIES

    if unknown := [family for family in asked if family not in FAMILIES]:
        raise RequestError(f"no FPGA family {unknown[0]!r}; there are {', '.join(FAMILIES)}")
    return list(dict.fromkeys(asked)) or list(FAMILIES)


def _shape(text: str) -> tuple[int, int, int]:
    from khhw.errors import RequestError

    try:
        x, y, z = map(int, text.lower().split("x"))
    except ValueError:
        raise RequestError(f"nodes are given as XxYxZ, for example 2x2x2, not {text!r}") from None
    return x, y, z


def _keep(package: "Package", found: "list[Synthesis]") -> None:
    from khhw.build.provenance import provenance

    names = json.loads((package.folder / "names.json").read_text(encoding="utf-8"))
    facts = {name: names[name] for name in ("khhw", "licence", "top", "module", "hash", "parameters")}
    facts["provenance"] = provenance().model_dump()
    facts["synthesis"] = [synthesis.as_dict() for synthesis in found]
    (package.folder / "synthesis.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def _print(package: "Package", found: "list[Synthesis]", *, linted: bool) -> None:
    for name in package.files:
        print(package.folder / name)
    if linted:
        print("Verilator's lint has nothing to say about it")
    if found:
        print(package.folder / "synthesis.json")
        print(_table(found))
    for synthesis in found:
        for kind, number in synthesis.unmapped.items():
            print(f"not mapped for {synthesis.family}: {number} of {kind}")


def _table(found: "list[Synthesis]") -> str:
    """A line a family."""
    from khhw.export.families import FAMILIES

    rows = [(FAMILIES[each.family].title, f"{each.lut:,} LUT{FAMILIES[each.family].lut_inputs}", f"{each.flip_flops:,}",
             f"{each.block_ram:,}", f"{each.lut_ram:,}", f"{each.dsp:,}", each.tool) for each in found]
    rows.insert(0, (found[0].module, "LUT", "FF", "block RAM (18 kbit)", "LUT RAM (cells)", "DSP", "tool"))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(
        cell.ljust(width) if column in (0, len(widths) - 1) else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip() for row in rows)


def _print_json(package: "Package", found: "list[Synthesis]") -> None:
    from khhw.commands.output import report

    names = json.loads((package.folder / "names.json").read_text(encoding="utf-8"))
    results: dict[str, Any] = {"top": names["top"], "module": package.module, "hash": names["hash"],
                               "files": [str(package.folder / name) for name in package.files]}
    if found:
        results["synthesis"] = [synthesis.as_dict() for synthesis in found]
    print(json.dumps(report(results, parameters=names["parameters"]), indent=1))
