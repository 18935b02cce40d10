"""Write the reference pages: formats, registers, results, machine file, scenario, and the JSON schemas.

They are generated from the sources, so they say what the code does. With --check nothing is written, and the exit
code is 1 if a file differs from what would be written.
"""

import argparse
import json
import sys
from pathlib import Path

__all__ = ["add_arguments", "pages", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``khhw reference``."""
    parser.add_argument("-o", dest="folder", metavar="DIR", type=Path,
                        help="folder to write to (default: docs of this checkout)")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def pages() -> dict[str, str]:
    """Text of every page and schema by file name."""
    from khhw.export.reference import formats_reference, registers_reference
    from khhw.report.schemas import (
        json_schemas,
        machine_file_reference,
        results_reference,
        scenario_reference,
    )

    return {"formats.md": formats_reference(), "registers.md": registers_reference(),
            "results.md": results_reference(), "machine-file.md": machine_file_reference(),
            "cloud-scenario.md": scenario_reference(), **json_schemas()}


def run(arguments: argparse.Namespace) -> int:
    """Write or compare the pages; 1 if a comparison fails."""
    from khhw.build.cache import checkout
    from khhw.commands.output import report
    from khhw.errors import RequestError
    from khhw.files import read_text, writable_folder

    root = checkout()
    folder = arguments.folder or (root / "docs" if root else None)
    if folder is None:
        raise RequestError("khhw is installed without its sources; name a folder with -o")
    found = pages()
    old = [name for name, text in found.items() if not (folder / name).is_file() or read_text(folder / name) != text]
    if not arguments.check:
        for name in old:
            writable_folder((folder / name).parent)
            (folder / name).write_text(found[name], encoding="utf-8")
    if arguments.json:
        print(json.dumps(report({"pages": [str(folder / name) for name in found], "changed": old}), indent=1))
    else:
        for name in old:
            print(f"{folder / name}: " + ("not what khhw reference writes" if arguments.check else "written"),
                  file=sys.stderr if arguments.check else sys.stdout)
    return 1 if arguments.check and old else 0

