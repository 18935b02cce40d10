"""What sharing one program between all nodes is worth: C++ that Verilator writes for a fabric.

    python -m benchmarks.sharing [XxYxZ]

Runs Verilator without compiling: as khhw builds a fabric, and as Verilator does it by itself, each node with a program
of its own. Prints one JSON object. `bytes` are those of functions that run in a cycle, comments and declarations not
counted, `inputs_bytes` of them of the ones that run whenever an input may have changed; `functions` is how many there
are. One sample each: these numbers do not depend on the computer. CPU seconds of Verilator do.
"""

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from khhw.build.backends import SHARING, VARIANTS, control_file
from khhw.build.design import Design, convert
from khhw.build.toolchain import require_tools
from khhw.commands.output import report

__all__ = ["generated", "main", "programs"]

_FUNCTION = re.compile(r"^void (Vtop\w+___(?:nba|ico)_\w+)\(\w+\* vlSelf\) \{(.*?)^\}", re.DOTALL | re.MULTILINE)


def programs(design: Design, options: Sequence[str]) -> dict[str, int]:
    """Functions that Verilator writes for what a design does in a cycle, with their bytes."""
    verilator = require_tools()
    with tempfile.TemporaryDirectory() as folder:
        control = Path(folder) / "public.vlt"
        control.write_text(control_file(design))
        subprocess.run(
            [str(verilator.executable), "--cc", "--vpi", "-Wno-fatal", "-Wno-lint", "--timescale", "1ns/1ns",
             "--prefix", "Vtop", *VARIANTS["fast"].options, *options, "--top-module", design.top, "-Mdir", folder,
             str(control), *map(str, design.sources)],
            check=True, capture_output=True, env={**os.environ, **verilator.environment()})
        return {match[1]: len(match[2]) for file in Path(folder).glob("Vtop*.cpp") if "Slow" not in file.name
                for match in _FUNCTION.finditer(file.read_text())}


def generated(design: Design, options: Sequence[str]) -> dict[str, float]:
    """Verilator's output for a design: how much of it runs in a cycle, and CPU seconds of Verilator."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    found = programs(design, options)
    return {"bytes": sum(found.values()), "functions": len(found),
            "inputs_bytes": sum(size for name, size in found.items() if "___ico_" in name),
            "verilator_cpu_seconds": resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before}


def main(shape: str = "2x2x2") -> None:
    """Measure and print."""
    design = convert("rtl.fabric:Fabric", {"shape": [int(size) for size in shape.split("x")], "signatures": True})
    results = {"shared": generated(design, SHARING), "not shared": generated(replace(design, shared={}), ())}
    print(json.dumps(report(results, parameters={"shape": shape}), indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
