"""What sharing one program between all nodes is worth: C++ that Verilator writes for a fabric.

    python benchmarks/inlining.py [XxYxZ]

Runs Verilator without compiling, once with what :class:`rtl.fabric.Fabric` asks for (`no_inline` for the node and its
blocks, straps kept), once with `no_inline` for the node alone, and prints one JSON object: bytes of C++ and CPU seconds
of Verilator for each. One sample each; CPU seconds depend on the machine, bytes do not.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from khhw.build.backends import VARIANTS, control_file
from khhw.build.design import Design, convert
from khhw.build.toolchain import require_tools
from khhw.commands.output import report
from rtl.fabric import NODE_MODULE

__all__ = ["main"]


def generated(design: Design) -> dict[str, float]:
    """Verilator's output for a design: bytes of C++ and CPU seconds."""
    verilator = require_tools()
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    with tempfile.TemporaryDirectory() as folder:
        control = Path(folder) / "public.vlt"
        control.write_text(control_file(design))
        subprocess.run(
            [str(verilator.executable), "--cc", "--vpi", "-Wno-fatal", "-Wno-lint", "--timescale", "1ns/1ns",
             *VARIANTS["fast"].options, "--top-module", design.top, "-Mdir", folder, str(control),
             *map(str, design.sources)],
            check=True, capture_output=True, env={**os.environ, **verilator.environment()})
        size = sum(file.stat().st_size for file in Path(folder).glob("*.cpp"))
    return {"cpp_bytes": size, "verilator_cpu_seconds": resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before}


def main(shape: str = "2x2x2") -> None:
    """Measure and print."""
    design = convert("rtl.fabric:Fabric", {"shape": [int(size) for size in shape.split("x")]})
    plain = replace(design, no_inline=(NODE_MODULE,), public=tuple(s for s in design.public if s.name == "ram"))
    results = {"blocks shared": generated(design), "node shared": generated(plain)}
    print(json.dumps(report(results, parameters={"shape": shape}), indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
