"""Run cocotb testbenches on converted RTL.

A testbench is a module test_BLOCK.py with a line  DUT = "module:Name". Without a BLOCK all of the folder
testbenches run. The variables WAVES=1 and SEED=N do what --waves and --seed do. With --coverage the report says which
lines, toggles and functional bins the runs have covered together.
"""

import argparse
import json
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from khhw.build.results import CaseResult, RunResult
    from khhw.build.testbench import Options, Testbench
    from khhw.coverage.collect import Collection

__all__ = ["add_arguments", "failure_text", "repeat_command", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``khhw test``."""
    parser.add_argument("block", nargs="*", help="block, test module or folder of test modules; all blocks without")
    parser.add_argument("-k", dest="case", metavar="CASE", help="only cases whose name contains this")
    parser.add_argument("--variant", metavar="ID", help="only this entry of PARAMETERS, by the name shown in brackets")
    parser.add_argument("--seed", type=int, help="of all random choices (default: $SEED, else 1)")
    parser.add_argument("--waves", action="store_true", help="write waveforms")
    parser.add_argument("-o", dest="folder", metavar="DIR", type=Path,
                        help="folder for results, logs and waves: one in it for each testbench and variant, which its "
                        "next run replaces (default: runs in the build folder, see `khhw cache list`); "
                        "and the report of --coverage (default: out/coverage)")
    parser.add_argument("--stock", action="store_true", help="cocotb's own runner instead of the lean one")
    parser.add_argument("--sim", choices=("verilator", "icarus"), default="verilator", help="simulator (%(default)s)")
    parser.add_argument("--coverage", action="store_true", help="count lines, toggles and functional bins, and report")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(arguments: argparse.Namespace) -> int:
    """Run what was asked for; 0 if all of it passed."""
    from khhw.build.testbench import choose_variants, find_testbenches
    from khhw.commands.output import report

    options = _options(arguments)
    runs = [(bench, values) for where in arguments.block or [None] for bench in find_testbenches(where)
            if arguments.block or options.simulator in bench.simulators
            for values in choose_variants(bench, arguments.variant)]
    asked, runs = runs, [(bench, values) for bench, values in runs if bench.may_have(options.case)]
    if not runs:
        raise _no_case([bench for bench, _ in asked], options.case)
    collection = _collection(arguments, options, runs) if arguments.coverage else None
    results = [found for bench, values in runs
               if (found := _run_one(bench, values, options, collection, show=not arguments.json)) is not None]
    if not results:
        raise _no_case([bench for bench, _ in asked], options.case)
    covered = collection.report() if collection else None
    # Before anything is printed: who reads that may stop.
    page = collection.write(covered, _folder(arguments)) if collection and covered else None
    if arguments.json:
        build = "stock" if options.stock else options.variant
        print(json.dumps(report(results, seed=options.seed, build=build) | {"simulator": options.simulator}
                         | ({"coverage": covered} if covered else {}), indent=1, default=str))
    elif len(results) > 1:
        print(f"{sum(result['passed'] for result in results)} of {len(results)} runs passed")
    if page and covered and not arguments.json:
        _show_coverage(covered, page)
    sound = not (covered and covered["faults"])
    return 0 if results and all(result["passed"] for result in results) and sound else 1


def _no_case(benches: "Sequence[Testbench]", case: str | None) -> Exception:
    from khhw.errors import RequestError

    if len({bench.file for bench in benches}) != 1:
        return RequestError(f"no case of these testbenches has {case!r} in its name; `khhw test BLOCK -k {case}` names "
                            "those of a block")
    return RequestError(f"no case of {benches[0].block} has {case!r} in its name; its cases are "
                        f"{', '.join(benches[0].cases)}")


def _folder(arguments: argparse.Namespace) -> Path:
    """Of the report on coverage."""
    return (arguments.folder or Path("out")) / "coverage"


def _collection(
    arguments: argparse.Namespace, options: "Options", runs: "Sequence[tuple[Testbench, Mapping[str, Any]]]",
) -> "Collection":
    from khhw.commands.output import report
    from khhw.coverage.collect import Collection
    from khhw.files import writable_folder
    from khhw.visible import shell_command

    # What is wrong with the request shows before anything runs.
    writable_folder(_folder(arguments))
    words = [*_own_command(), "test", *arguments.block]
    words += ["-k", options.case] if options.case else []
    words += ["--variant", arguments.variant] if arguments.variant else []
    words += ["--seed", str(options.seed), "--coverage"]
    words += ["-o", str(arguments.folder)] if arguments.folder is not None else []
    head = report(None, seed=options.seed, also=["testbenches"])
    made = {key: head[key] for key in ("version", "provenance", "seed")}
    return Collection(made | {"command": shell_command(words, "utf-8")}, {bench.file.parent for bench, _ in runs},
                      whole=not (options.case or arguments.variant))


def _show_coverage(covered: dict[str, Any], page: Path) -> None:
    from khhw.coverage.show import coverage_text

    print(f"\n{coverage_text(covered)}\n\nreport  {page}")


def _run_one(
    bench: "Testbench", values: Mapping[str, Any], options: "Options", collection: "Collection | None", *, show: bool,
) -> dict[str, Any] | None:
    """What a run came to; None if it had no case of the name that was asked for."""
    from khhw.build.results import NO_CASE
    from khhw.build.testbench import run_testbench, variant_id
    from khhw.errors import BuildError

    if show:
        print(f"{bench.block} [{variant_id(values)}]", flush=True)
    try:
        result = run_testbench(bench, values, options)
    except BuildError as error:
        print(f"khhw: {error}", file=sys.stderr)
        if collection:
            collection.add(bench, values, None)
        return {"block": bench.block, "parameters": dict(values), "passed": False, "error": str(error), "cases": []}
    if options.case is not None and result.error == NO_CASE:
        if show:
            print(f"  no case with {options.case!r} in its name")
        return None
    if collection:
        collection.add(bench, values, result)
    if show:
        _print_result(bench, values, result, options)
    return {"block": bench.block, "parameters": dict(values), "passed": result.passed, "error": result.error,
            "folder": str(result.folder), "log": str(result.log), "waves": str(result.waves) if result.waves else None,
            "cases": [asdict(case) for case in result.cases]}


def _options(arguments: argparse.Namespace) -> "Options":
    from dataclasses import replace

    from khhw.build.testbench import environment_options
    from khhw.errors import RequestError
    from khhw.files import writable_folder

    if arguments.stock and arguments.sim != "verilator":
        raise RequestError("--stock means cocotb's Verilator runner; leave out --sim or --stock")
    if arguments.coverage and (arguments.stock or arguments.sim != "verilator"):
        raise RequestError("--coverage needs a Verilator build of its own; leave out --stock and --sim")
    if arguments.folder is not None:
        writable_folder(arguments.folder)
    options = environment_options(case=arguments.case, stock=arguments.stock, simulator=arguments.sim,
                                  folder=arguments.folder)
    return replace(options, seed=options.seed if arguments.seed is None else arguments.seed,
                   variant="coverage" if arguments.coverage else options.variant,
                   waves=arguments.waves or options.waves)


def _print_result(bench: "Testbench", values: Mapping[str, Any], result: "RunResult", options: "Options") -> None:
    for case in result.cases:
        if not case.skipped:
            mark = "passed" if case.passed else "FAILED"
            print(f"  {mark}  {case.name:<56} {case.simulated_ns:>12,.0f} ns {case.seconds:>8.2f} s")
    if not result.passed:
        print(textwrap.indent(failure_text(bench, values, result, options), "  "))
    if options.folder is not None:
        print(f"  results and log: {result.folder}")
    if options.waves:
        print(f"  waves: {_waves_text(result)}")


def failure_text(bench: "Testbench", values: Mapping[str, Any], result: "RunResult", options: "Options") -> str:
    """What somebody needs who has to find a failure: why, where the packets were, how to see it."""
    from khhw.build.testbench import last_packets
    from khhw.errors import BuildError

    failures = [case for case in result.cases if not case.passed]
    lines = []
    for case in failures:
        own, message = _own_lines(case), case.message or "failed"
        # The traceback ends with the whole message.
        lines += [f"{case.name}: {message.partition(chr(10))[0] if own else message}", *own]
    if result.error:
        lines.append(str(BuildError(result.error, result.log)))
    if packets := last_packets(result):
        lines += ["the last packets:", *("    " + packet for packet in packets)]
    name = failures[0].name if failures else options.case
    lines += [f"log: {result.log}", f"to repeat it with waves: {repeat_command(bench, values, name, options)}"]
    return "\n".join(lines)


def repeat_command(bench: "Testbench", values: Mapping[str, Any], case: str | None, options: "Options") -> str:
    """The exact command that repeats one case with waves."""
    from khhw.build.cache import checkout
    from khhw.build.testbench import variant_id
    from khhw.visible import shell_command

    root = checkout()
    own = root is not None and bench.file.parent == root / "testbenches"
    words = [*_own_command(), "test", bench.block if own else str(bench.file)]
    words += ["-k", case] if case else []
    words += ["--variant", variant_id(values)] if len(bench.parameters) > 1 else []
    words += ["--seed", str(options.seed), "--waves"]
    words += ["-o", str(options.folder)] if options.folder is not None else []
    words += ["--stock"] if options.stock else []
    words += ["--sim", options.simulator] if options.simulator != "verilator" else []
    return shell_command(words)


def _own_command() -> list[str]:
    """How this Python's ``khhw`` is called from the current folder."""
    script = Path(sys.executable).parent / "khhw"
    if not script.is_file():
        return [sys.executable, "-m", "khhw"]
    if shutil.which("khhw") == str(script):
        return ["khhw"]
    return [str(script.relative_to(Path.cwd()) if script.is_relative_to(Path.cwd()) else script)]


def _own_lines(case: "CaseResult") -> list[str]:
    """The traceback, without the lines of cocotb and of khhw."""
    from khhw.tracebacks import own_lines

    return textwrap.indent(own_lines(case.detail), "    ").splitlines()


def _waves_text(result: "RunResult") -> str:
    if result.waves is None:
        return "none were written"
    note = "" if result.waves.suffix == ".fst" else " (VCD: FST needs apt-get install liblz4-dev zlib1g-dev)"
    return f"{result.waves}{note}"
