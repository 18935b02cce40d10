"""Write a block, a node or a machine as Verilog.

The folder gets the Verilog, a C header and a SystemVerilog package of formats and registers, a FuseSoC core
file, waivers for Verilator's lint, and names.json, a map of ports, modules and memories.
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
    parser.add_argument("--synth", action="store_true",
                        help="synthesise it for the Lattice ECP5 too; takes minutes, the result is kept")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(arguments: argparse.Namespace) -> int:
    """Write it; 0 if that was possible."""
    from khhw.export.package import lint, parse_values, write_package
    from khhw.export.synthesis import synthesise

    shape = _shape(arguments.nodes) if arguments.nodes else None
    package = write_package(arguments.folder, arguments.top, values=parse_values(arguments.values), shape=shape)
    if arguments.lint:
        lint(package)
    synthesis = synthesise(package.design) if arguments.synth else None
    if synthesis is not None:
        text = json.dumps(synthesis.as_dict(), indent=1) + "\n"
        (package.folder / "synthesis.json").write_text(text, encoding="utf-8")
    if arguments.json:
        _print_json(package, synthesis)
    else:
        _print(package, synthesis, linted=arguments.lint)
    return 1 if synthesis is not None and synthesis.unmapped else 0


def _shape(text: str) -> tuple[int, int, int]:
    from khhw.errors import RequestError

    try:
        x, y, z = map(int, text.lower().split("x"))
    except ValueError:
        raise RequestError(f"nodes are given as XxYxZ, for example 2x2x2, not {text!r}") from None
    return x, y, z


def _print(package: "Package", synthesis: "Synthesis | None", *, linted: bool) -> None:
    for name in package.files:
        print(package.folder / name)
    if linted:
        print("Verilator's lint has nothing to say about it")
    if synthesis is not None:
        print(package.folder / "synthesis.json")
        print(f"{synthesis.module} on an ECP5: {synthesis.lut4:,} LUT4, {synthesis.flip_flops:,} flip-flops, "
              f"{synthesis.block_ram} block RAMs of 18 kbit, {synthesis.distributed_ram:,} distributed RAMs of 16 x 4 "
              f"bits ({synthesis.tool})")
        for kind, number in synthesis.unmapped.items():
            print(f"not mapped: {number} of {kind}")


def _print_json(package: "Package", synthesis: "Synthesis | None") -> None:
    from khhw.commands.output import report

    names = json.loads((package.folder / "names.json").read_text(encoding="utf-8"))
    results: dict[str, Any] = {"top": names["top"], "module": package.module, "hash": names["hash"],
                               "files": [str(package.folder / name) for name in package.files]}
    if synthesis is not None:
        results["synthesis"] = synthesis.as_dict()
    print(json.dumps(report(results, parameters=names["parameters"]), indent=1))
