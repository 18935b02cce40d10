"""Faults in the RTL that a testbench must see: ``python -m tests.mutation [WORD...]``.

Each is a :class:`~formal.mutants.Mutant`, one replacement in one module, that `breaks` a case of a testbench:
``block.case``. The case runs on Verilator with the fault in the design under test and must fail. With words only the
mutants whose text has one of them are tried.
"""

import importlib
import sys
from dataclasses import replace
from typing import Any

from formal.mutants import Mutant

__all__ = ["MUTANTS", "fails", "main"]

MUTANTS = (
    Mutant("guard_registers.commits_are_counted", "commits are counted modulo 4",
           "rtl.guard.control", "self.commits.eq(self.commits + 1)", "self.commits[:2].eq(self.commits + 1)"),
)
"""Faults the testbenches did not see before they had the case each `breaks`."""


def fails(mutant: Mutant) -> bool:
    """Whether the case the mutant breaks fails with it, on the first variant of its testbench."""
    from khhw.build.testbench import Options, find_testbenches, run_testbench

    block, case = mutant.breaks.split(".")
    (bench,) = find_testbenches(block)
    faulty = replace(bench, dut=f"{__spec__.name}:mutant_{MUTANTS.index(mutant)}")
    result = run_testbench(faulty, bench.parameters[0], Options(case=case))
    if not result.cases:
        raise LookupError(f"{block} has no case {case} for the mutant {mutant.what!r}: {result.error}")
    return not result.passed


def __getattr__(name: str) -> Any:
    """The design under test with a fault in it: made in the process that converts it, where nothing else is loaded."""
    kind, _, number = name.partition("_")
    if kind != "mutant":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from khhw.build.testbench import find_testbenches

    mutant = MUTANTS[int(number)]
    (bench,) = find_testbenches(mutant.breaks.split(".")[0])
    mutant.load()
    module, _, component = bench.dut.partition(":")
    return getattr(importlib.import_module(module), component)


def main(words: list[str]) -> int:
    """Try the mutants that have one of the words; 0 if all are seen."""
    chosen = [mutant for mutant in MUTANTS
              if not words or any(word in f"{mutant.breaks} {mutant.module} {mutant.what}" for word in words)]
    survivors = 0
    for mutant in chosen:
        seen = fails(mutant)
        survivors += not seen
        print(f"{'seen    ' if seen else 'SURVIVES'}  {mutant.breaks:<60} {mutant.what}", flush=True)
    print(f"{len(chosen) - survivors} of {len(chosen)} mutants seen")
    return 1 if survivors or not chosen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
