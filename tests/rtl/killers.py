"""Which test sees each fault of the RTL: ``make mutants``, ``python -m tests.rtl.killers [--part 1/8] [WORD...]``.

All mutants are tried, whoever they were made for. First the case that saw the fault when it was tried last, or that
it was made for; then every testbench whose design under test imports the faulty module, the smallest design first, up
to the first case that fails. With ``--suite`` what survives them all is put into a copy of the checkout, whose tests
run as ``make test`` does. What was found is kept in the build folder, and holds as long as the testbench that saw a
fault and what it tests stay the same: a run that was stopped goes on where it was. With ``--write`` it goes to
docs/results/mutants.json and mutants.md as well, from where another machine goes on.
"""

import argparse
import ast
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from khhw.build.cache import build_root, digest, file_digest, lock, write_atomically
from khhw.build.design import convert
from khhw.build.testbench import Options, Testbench, find_testbenches, run_testbench, variant_id
from khhw.commands.output import report
from khhw.errors import BuildError
from khhw.mutants import Finder, Mutant, mutants_of, mutated
from tests.rtl.usual import usual_variants

__all__ = ["Outcome", "Run", "all_mutants", "benches_of", "imported_by", "killer_among", "likely", "main", "part_of",
           "table"]

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "docs" / "results" / "mutants.json"
PAGE = RESULTS.with_suffix(".md")
MUTANTS = (*mutants_of(Finder.TESTBENCH), *mutants_of(Finder.PROOF), *mutants_of(Finder.CAMPAIGN))
TEXT_TESTS = ("tests/formal", "tests/rtl/test_mutation.py", "tests/rtl/test_killers.py", "tests/structure",
              "tests/export/test_reference.py")
"""Tests that compare texts of the sources: they would see any change, and say nothing of behaviour."""


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant.

    Parameters
    ----------
    mutant, module, expected : str
        The fault in words, where it is, and the case or property it was made for.
    stage : str
        ``benches`` or ``suite``: how far it came.
    killer : str
        Testbench, variant and case, or test; empty for a survivor. If ``make test`` leaves the variant out, nothing
        that it runs of testbenches saw the fault.
    seconds : float
        Of wall.
    key : str
        Digest of the fault, its module, the testbench that saw it and the Verilog that it tests; of all testbenches
        that the fault can reach if none did. What this was found for.
    """

    mutant: str
    module: str
    expected: str
    stage: str
    killer: str
    seconds: float
    key: str


class Run(NamedTuple):
    """A variant of a testbench to run, with all its cases or those whose name contains `case`."""

    bench: Testbench
    values: Mapping[str, Any]
    case: str | None = None


def all_mutants() -> list[Mutant]:
    """Every fault once, those for testbenches first."""
    return list({(mutant.module, mutant.old, mutant.new): mutant for mutant in reversed(MUTANTS)}.values())[::-1]


@functools.cache
def imported_by(module: str) -> frozenset[str]:
    """Modules of RTL and testbenches that a module imports, itself included, from their sources."""
    found, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        file = _file(name)
        if name in found or file is None:
            continue
        found.add(name)
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                waiting += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Import):
                waiting += [alias.name for alias in node.names]
    return frozenset(found)


def _file(module: str) -> Path | None:
    bases = [root.joinpath(*module.split(".")) for root in (ROOT, ROOT / "testbenches")]
    files = [file for base in bases for file in (base.with_suffix(".py"), base / "__init__.py")]
    return next((file for file in files if file.is_file()), None)


def benches_of(mutant: Mutant, benches: Iterable[Testbench]) -> list[Testbench]:
    """Testbenches the fault can reach: the one it was made for, then those of the smallest designs."""
    def key(bench: Testbench) -> tuple[bool, int, str]:
        size = len(imported_by(bench.dut.partition(":")[0]))
        return (bench.block != mutant.breaks.partition(".")[0], size, bench.block)

    reached = [bench for bench in benches if mutant.module in imported_by(bench.dut.partition(":")[0])]
    return sorted(reached, key=key)


def likely(mutant: Mutant, benches: Iterable[Testbench], last: str = "") -> list[Run]:
    """What most likely sees a fault: the case that saw it last, as an outcome names it, and the one it was made for;
    of variants that ``make test`` runs."""
    runs = {f"{bench.block}-{variant_id(values)}": (bench, values) for bench in benches for values in bench.parameters
            if variant_id(values) in usual_variants(bench)}
    first = {bench.block: (bench, values) for bench, values in reversed(runs.values())}
    saw, made_for = last.partition(": "), mutant.breaks.partition(".")
    found = [Run(*there[name], case) for there, (name, _, case) in ((runs, saw), (first, made_for)) if name in there]
    return [run for run in found if any(run.case.startswith(case) for case in run.bench.cases)]


def killer_among(mutant: Mutant, benches: Sequence[Testbench], last: str = "") -> str:
    """The first case of a testbench that fails with the fault, empty if none does; `last` is what saw it last."""
    runs = [Run(bench, values) for bench in benches for values in bench.parameters]
    # What `make test` runs of every testbench before the others of any: few faults need those, and no fault should.
    ordered = sorted(runs, key=lambda run: variant_id(run.values) not in usual_variants(run.bench))
    for bench, values, case in likely(mutant, benches, last) + ordered:
        faulty = replace(bench, dut=f"{__spec__.name}:mutant_{MUTANTS.index(mutant)}_{bench.block}")
        try:
            if _same_verilog(bench, faulty, values):
                continue
            result = run_testbench(faulty, values, Options(case=case))
        except BuildError:
            return f"{bench.block}: does not elaborate"
        if not result.passed:
            failed = [each.name for each in result.cases if not each.passed]
            return f"{bench.block}-{variant_id(values)}: {failed[0] if failed else result.error}"
    return ""


def _same_verilog(bench: Testbench, faulty: Testbench, values: Mapping[str, Any]) -> bool:
    """Whether the fault makes no difference to this variant."""
    texts = [[file_digest(source) for source in convert(each.dut, values, path=each.path).sources]
             for each in (bench, faulty)]
    return texts[0] == texts[1]


def __getattr__(name: str) -> Any:
    """The design under test with a fault in it."""
    kind, _, rest = name.partition("_")
    number, _, block = rest.partition("_")
    if kind != "mutant" or not number.isdecimal():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    (bench,) = find_testbenches(block)
    return mutated(bench.dut, MUTANTS[int(number)])


def killer_in_suite(mutant: Mutant, minutes: float) -> str:
    """The first test of ``make test`` that fails with the fault, in a copy of the checkout; empty if none does."""
    with tempfile.TemporaryDirectory(prefix="khhw-mutant-") as folder:
        copy = Path(folder) / "khhw"
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
        for name in filter(None, listed.stdout.split("\0")):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
        file = copy.joinpath(*mutant.module.split(".")).with_suffix(".py")
        file.write_text(file.read_text().replace(mutant.old, mutant.new))
        ignored = [f"--ignore={name}" for name in TEXT_TESTS]
        try:
            done = subprocess.run(
                [sys.executable, "-m", "pytest", "-q", "-x", "-n", "2", "--dist", "loadgroup",
                 "--no-loadscope-reorder", "-m", "not rare", *ignored],
                cwd=copy, capture_output=True, text=True, check=False, timeout=minutes * 60,
                env={**os.environ, "KHHW_BUILD": str(build_root())})
        except subprocess.TimeoutExpired:
            return ""
        failed = [line.split()[1] for line in done.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
        return failed[0].partition("@[")[0] if failed else ""


def part_of(mutants: Sequence[Mutant], part: str) -> list[Mutant]:
    """Every n-th mutant: part ``2/8`` is the second of eight."""
    number, _, parts = part.partition("/")
    return list(mutants[int(number) - 1::int(parts)])


def _kept(mutant: Mutant) -> Path:
    """Where this machine keeps what became of a mutant."""
    return build_root() / "mutants" / f"{digest([mutant.module, mutant.old, mutant.new])}.json"


@functools.cache
def _verilog(block: str) -> tuple[str, ...]:
    """Digests of the Verilog that a testbench tests, of all variants."""
    (bench,) = find_testbenches(block)
    return tuple(file_digest(source) for values in bench.parameters
                 for source in convert(bench.dut, values, path=bench.path).sources)


def _key(mutant: Mutant, benches: Sequence[Testbench]) -> str:
    """Digest of the fault and the module it is in, of the designs these testbenches test, and of the testbenches."""
    file = _file(mutant.module)
    return digest([mutant.module, mutant.old, mutant.new, file and file_digest(file),
                   [_verilog(bench.block) for bench in benches], [file_digest(bench.file) for bench in benches]])


def _judges(killer: str, reached: Sequence[Testbench]) -> Sequence[Testbench]:
    """Testbenches an outcome depends on: the one that saw the fault, or all that it reaches."""
    named = killer.partition(":")[0]
    one = [bench for bench in reached
           if named in (bench.block, *(f"{bench.block}-{variant_id(values)}" for values in bench.parameters))]
    return one or reached


@functools.cache
def _committed() -> dict[tuple[str, str, str], Outcome]:
    """What earlier runs wrote, by module, fault, and what it was made for."""
    found = json.loads(RESULTS.read_text())["results"]["outcomes"] if RESULTS.is_file() else []
    return {(each["module"], each["mutant"], each["expected"]): Outcome(**each) for each in found}


def _found(mutant: Mutant) -> list[Outcome]:
    """What was found of a mutant, for whatever sources: here, and by those who committed it."""
    file, committed = _kept(mutant), _committed().get((mutant.module, mutant.what, mutant.breaks))
    here = Outcome(**json.loads(file.read_text())) if file.is_file() else None
    return [found for found in (here, committed) if found]


def _outcome(mutant: Mutant, benches: Sequence[Testbench]) -> Outcome | None:
    """What became of a mutant, if it was found for these sources."""
    reached = benches_of(mutant, benches)
    return next((found for found in _found(mutant) if found.key == _key(mutant, _judges(found.killer, reached))), None)


def tried(mutant: Mutant, benches: Sequence[Testbench], suite_minutes: float | None) -> Outcome:
    """What becomes of a mutant, tried now unless that is known."""
    known, reached = _outcome(mutant, benches), benches_of(mutant, benches)
    if known and _is_final(known, suite_minutes):
        return known
    started, last = time.monotonic(), next((found.killer for found in _found(mutant)), "")
    stage, killer = "benches", known.killer if known else killer_among(mutant, reached, last)
    if not killer and suite_minutes is not None:
        stage, killer = "suite", killer_in_suite(mutant, suite_minutes)
    spent = time.monotonic() - started + (known.seconds if known else 0)
    key = _key(mutant, _judges(killer, reached))
    found = Outcome(mutant.what, mutant.module, mutant.breaks, stage, killer, round(spent, 1), key)
    file = _kept(mutant)
    with lock(file):
        write_atomically(file, json.dumps(asdict(found)) + "\n")
    return found


def _is_final(known: Outcome, suite_minutes: float | None) -> bool:
    """Whether nothing is left to try."""
    return bool(known.killer) or known.stage == "suite" or suite_minutes is None


def in_time(mutant: Mutant, benches: Sequence[Testbench], suite_minutes: float | None, end: float) -> Outcome | None:
    """What becomes of a mutant; None if it would begin after `end`, of the monotonic clock."""
    known = _outcome(mutant, benches)
    if time.monotonic() > end and not (known and _is_final(known, suite_minutes)):
        return None
    return tried(mutant, benches, suite_minutes)


def table(outcomes: Sequence[Outcome], left: int = 0) -> str:
    """The page: every mutant and what saw it, and how many have not been tried with these sources."""
    killed = sum(bool(outcome.killer) for outcome in outcomes)
    untried = f" {left} more have not been tried since the sources they reach were changed." if left else ""
    rows = "\n".join(f"| {outcome.mutant} | `{outcome.module}` | `{outcome.expected}` | "
                     f"{outcome.killer.replace('|', '/') or _survivor(outcome)} |" for outcome in outcomes)
    return (f"# Mutants\n\nEach line is one fault put into the RTL, and the first testbench or test that failed with "
            f"it.\nProofs are not counted here: `make prove` shows that the property in the third column fails too.\n\n"
            f"`make mutants`: {killed} of {len(outcomes)} are seen by tests, in "
            f"{sum(outcome.seconds for outcome in outcomes) / 60:.0f} minutes of one core each.{untried}\n\n"
            f"| Fault | Module | Made for | Seen by |\n|---|---|---|---|\n{rows}\n")


def _survivor(outcome: Outcome) -> str:
    return "**survives**" if outcome.stage == "suite" else "no testbench; not yet tried against `make test`"


def write(benches: Sequence[Testbench]) -> None:
    """Write what is known of all mutants."""
    known = [found for mutant in all_mutants() if (found := _outcome(mutant, benches))]
    left = len(all_mutants()) - len(known)
    found = {"left": left, "outcomes": [asdict(each) for each in known]}
    RESULTS.write_text(json.dumps(report(found, also=["testbenches"]), indent=1) + "\n")
    PAGE.write_text(table(known, left))


def main(arguments: Sequence[str] | None = None) -> int:
    """Try mutants; 0 if tests or a proof see each of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.rtl.killers", description=__doc__.partition("\n")[0])
    parser.add_argument("words", nargs="*", help="only mutants whose text has one of these")
    parser.add_argument("--part", default="1/1", help="every n-th only, e.g. 2/8")
    parser.add_argument("--suite", action="store_true", help="try survivors of the testbenches against `make test`")
    parser.add_argument("--minutes", type=float, default=150, help="begin no further mutant after so long")
    parser.add_argument("--write", action="store_true", help="write docs/results/mutants.json and mutants.md")
    chosen = parser.parse_args(arguments)
    # Many faults make a testbench wait for ever; and one case that fails is enough.
    os.environ.setdefault("KHHW_TIME_LIMIT", "240")
    os.environ.setdefault("COCOTB_MAX_FAILURES", "1")
    benches, end = find_testbenches(str(ROOT / "testbenches")), time.monotonic() + chosen.minutes * 60
    mutants = [mutant for mutant in part_of(all_mutants(), chosen.part) if not chosen.words or any(
        word in f"{mutant.breaks} {mutant.module} {mutant.what}" for word in chosen.words)]
    outcomes: dict[Mutant, Outcome | None] = {}
    # All against their testbenches, before any against the suite, which takes many times longer and both cores.
    for workers, minutes in ((2, None), (1, 30.0)) if chosen.suite else ((2, None),):
        with ProcessPoolExecutor(workers) as pool:
            running = [pool.submit(in_time, mutant, benches, minutes, end) for mutant in mutants]
            for mutant, future in zip(mutants, running, strict=True):
                before, found = outcomes.get(mutant), future.result()
                outcomes[mutant] = found
                if found and found != before:
                    print(f"{found.killer or 'SURVIVES':<60} {found.mutant} ({found.seconds:.0f} s)", flush=True)
    if chosen.write:
        write(benches)
    ordered = [found for mutant in mutants if (found := outcomes[mutant])]
    if len(ordered) < len(mutants):
        print(f"{len(mutants) - len(ordered)} mutants are left for the next run: the time is over")
        return 1
    unseen = [outcome for mutant, outcome in zip(mutants, ordered, strict=True)
              if not outcome.killer and mutant.finder is Finder.TESTBENCH]
    print(f"{sum(bool(outcome.killer) for outcome in ordered)} of {len(ordered)} mutants seen by tests, "
          f"{len(unseen)} that a testbench must see are not")
    return 1 if unseen or not mutants else 0


if __name__ == "__main__":
    sys.exit(main())
