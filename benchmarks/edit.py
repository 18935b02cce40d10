"""From one changed line of RTL to the first packet: how long a developer waits.

    python -m benchmarks.edit [block] [machine] [native]

A copy of the checkout gets another constant in the router's arbiter. `block`: the router's testbench, until its first
case has seen its packet. `machine`: the talk's eight nodes on cocotb, until a run of one message has ended; `native`:
the same on the native engine, which compiles one node for all. What does not depend on the line, Verilator's own
library, is there already, as it is for somebody who has built before. Prints one JSON object: seconds of wall and CPU
for the conversion to Verilog, the build, and the run; one sample each. Other work on the machine changes wall times:
`load` says how much there was.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from khhw.build.cache import build_root
from khhw.build.design import convert
from khhw.build.simulator import Simulation
from khhw.build.testbench import Options, find_testbenches, run_testbench
from khhw.commands.output import report
from khhw.machine.design import design_of
from khhw.machine.machine import EngineName, Machine

__all__ = ["BARS", "main"]

ROOT = Path(__file__).resolve().parents[1]
BARS = {"block": 30.0, "machine": 90.0, "native": 90.0}
"""Seconds of wall there may be on two cores with nothing else to do."""
EDITED = "rtl/torus/arbiter.py"
LINE = ("THROUGH_GRANTS = 8\n", "THROUGH_GRANTS = 9\n")
CASE = "latency"
"""Of the router's testbench: 100 cycles with one packet."""
MACHINE = """
[torus]
shape = [2, 2, 2]
[node]
memory_bytes = 4194304
[domains.open]
groups.all = [0, 1, 2, 3, 4, 5, 6, 7]
[[phases]]
name = "one"
domains = "open"
kernels = [{ kernel = "latency", arguments = "source=0 destinations=1 sizes=8 repeat=1" }]
"""


class Clock:
    """Notes wall and CPU time, children's too, by step."""

    def __init__(self) -> None:
        self.steps: dict[str, dict[str, float]] = {}
        self._last = self._now()

    def step(self, name: str) -> None:
        """What was done since the last step has this name."""
        now = self._now()
        self.steps[name] = {kind: round(now[kind] - self._last[kind], 1) for kind in now}
        self._last = now

    def _now(self) -> dict[str, float]:
        times = os.times()
        return {"wall": time.monotonic(), "cpu": sum(times[:4])}


def block(folder: Path, clock: Clock) -> None:
    """The router's testbench up to its first packet."""
    (bench,) = find_testbenches(str(ROOT / "testbenches" / "test_router.py"))
    design = convert(bench.dut, path=bench.path, strict=True)
    clock.step("convert")
    built = Simulation(design=design, variant="debug").build()
    clock.step("build")
    first: list[str] = []

    def line(text: str) -> None:
        if re.search(rf"\.{CASE} passed", text) and not first:
            first.append(text)
            clock.step("first packet")

    built.run(bench.module, case=CASE, path=bench.path, folder=folder / "run", on_line=line,
              env={"KHHW_PARAMETERS": json.dumps(dict(bench.parameters[0]))})
    assert first, f"{CASE} did not pass"


def machine(folder: Path, clock: Clock, engine: EngineName = "cocotb") -> None:
    """A machine of eight nodes up to the end of a run of one message."""
    file = folder / "machine.toml"
    file.write_text(MACHINE)
    loaded = Machine.load(file, engine=engine)
    if engine == "cocotb":
        # The native engine's build converts a node and the root of the tree itself.
        design_of(loaded.file, loaded.folder)
        clock.step("convert")
    loaded.build()
    clock.step("build")
    results = loaded.run(folder / "out")
    clock.step("first packet")
    assert results.state == "done", results.message


WHAT: dict[str, Callable[[Path, Clock], None]] = {
    "block": block, "machine": machine, "native": partial(machine, engine="native")}


def measured(name: str) -> dict[str, Any]:
    """Run this module in an edited copy of the checkout, with a build folder that has Verilator's library only."""
    # Makes that library where it is not there yet, with the smallest testbench.
    (small,) = find_testbenches(str(ROOT / "testbenches" / "test_guard_counters.py"))
    run_testbench(small, small.parameters[0], Options())
    with tempfile.TemporaryDirectory(prefix="khhw-edit-") as temporary:
        copy, builds = Path(temporary) / "khhw", Path(temporary) / "build"
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
        for file in filter(None, listed.stdout.split("\0")):
            (copy / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / file, copy / file)
        for kept in (build_root() / "sim").glob("runtime-*"):
            if kept.is_dir():
                shutil.copytree(kept, builds / "sim" / kept.name)
        edited = copy / EDITED
        text = edited.read_text()
        assert text.count(LINE[0]) == 1, f"{EDITED} has changed"
        edited.write_text(text.replace(*LINE))
        done = subprocess.run([sys.executable, "-m", "benchmarks.edit", "--here", name], cwd=copy, check=True,
                              stdout=subprocess.PIPE, text=True, env={**os.environ, "KHHW_BUILD": str(builds)})
        steps: dict[str, dict[str, float]] = json.loads(done.stdout.splitlines()[-1])
    total = {kind: round(sum(step[kind] for step in steps.values()), 1) for kind in ("wall", "cpu")}
    return {"steps": steps, "total": total, "bar": BARS[name], "holds": total["wall"] <= BARS[name]}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is named; 0 if all is within its bar."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.edit", description=__doc__.partition("\n")[0])
    parser.add_argument("what", nargs="*", metavar="WHAT", help="block, machine, native; all if none is named")
    parser.add_argument("--here", choices=WHAT, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.here:
        with tempfile.TemporaryDirectory() as folder:
            clock = Clock()
            WHAT[chosen.here](Path(folder), clock)
        print(json.dumps(clock.steps))
        return 0
    results = {name: measured(name) for name in chosen.what or WHAT}
    print(json.dumps(report(results) | {"load": round(os.getloadavg()[0], 1), "edited": EDITED}, indent=1))
    return 0 if all(result["holds"] for result in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
