"""Try the mutants that a testbench must see: ``python -m tests.rtl.mutation [WORD...]``.

The case each breaks runs on Verilator with the fault in the design under test, and must fail. With words only the
mutants whose text has one of them are tried.
"""

import sys
from dataclasses import replace
from typing import Any

from khhw.mutants import Finder, Mutant, mutants_of, mutated

__all__ = ["MUTANTS", "fails", "main"]

MUTANTS = mutants_of(Finder.TESTBENCH)


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
    """The design under test with a fault in it, for the process that converts it."""
    kind, _, number = name.partition("_")
    if kind != "mutant":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from khhw.build.testbench import find_testbenches

    mutant = MUTANTS[int(number)]
    (bench,) = find_testbenches(mutant.breaks.split(".")[0])
    return mutated(bench.dut, mutant)


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
