"""Draw the report of a run or a sweep again, or compare two runs.

With one folder of khhw run or khhw sweep, its report.html, pictures and CSV files are written again. With two of khhw
run, a page with both is written, and the differences are printed in words and per cent. The two must have done the
same: only [parts], the name, the seed, the version and the build may differ.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from khhw.machine.results import Results
    from khhw.report.change import Judgement
    from khhw.report.compare.pair import Pair

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``khhw report``."""
    parser.add_argument("runs", metavar="DIR", nargs="+", type=Path,
                        help="one folder of khhw run or khhw sweep, or two runs to compare")
    parser.add_argument("-o", dest="folder", metavar="DIR", type=Path,
                        help="folder to write to (default: the run's own; for two runs out/FIRST-SECOND)")
    parser.add_argument("--file", metavar="FILE", help="machine file or specification, for the command on the "
                        "page that makes it again (default: machine.toml, or the sweep's own); modules of "
                        "measurements of your own are looked for beside it")
    parser.add_argument("--link", dest="links", metavar="PAGE", action="append", default=[],
                        help="another page that the report of one run links to, relative to it, as with khhw run")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(arguments: argparse.Namespace) -> int:
    """Draw it; 0 when the page is written."""
    from khhw.errors import RequestError

    if len(arguments.runs) > 2:
        raise RequestError(f"khhw report takes one folder, or two to compare; not {len(arguments.runs)}")
    sweep = any((path / "sweep.json").is_file() for path in arguments.runs)
    if arguments.links and (sweep or len(arguments.runs) > 1):
        raise RequestError("--link is for the report of one run; leave it out")
    if sweep:
        return _sweep(arguments)
    runs = [_read(path) for path in arguments.runs]
    if len(runs) == 1:
        return _one(runs[0], arguments)
    return _two(runs[0], runs[1], arguments)


def _read(path: Path) -> "Results":
    """Results of a folder, or of the file itself."""
    from pydantic import ValidationError

    from khhw.errors import RequestError
    from khhw.machine.results import Results
    from khhw.visible import shell_command

    file = path / "results.json" if path.is_dir() else path
    if not file.is_file():
        raise RequestError(f"{file} is not there; khhw run FILE.toml -o {shell_command([path])} writes it")
    try:
        return Results.read(file)
    except ValidationError as error:
        reason = error.errors()[0]
        key_path = ".".join(map(str, reason["loc"]))
        what = f"{key_path}: {reason['msg']}" if key_path else reason["msg"]
        raise RequestError(f"{file} holds no results of this khhw: {what}; run the machine again") from error


def _one(results: "Results", arguments: argparse.Namespace) -> int:
    from khhw.commands.output import report
    from khhw.files import writable_folder
    from khhw.report.terminal import print_summary
    from khhw.report.write import pictures, write_report

    given = arguments.runs[0]
    folder = writable_folder(arguments.folder or (given if given.is_dir() else given.parent))
    source = arguments.file or "machine.toml"
    modules = _modules(arguments)
    page = write_report(results, folder, source=source, modules=modules, links=arguments.links)
    if not arguments.json:
        print_summary(results, page, source=source, modules=modules)
        return 0
    said = [{"name": p.name, "title": p.title, "caption": p.caption} for p in pictures(results, modules)]
    print(json.dumps(report({"report": str(page), "passed": results.passed, "pictures": said}, seed=results.seed,
                            parameters=results.parameters, build=results.build, cpu_model=results.cpu_model), indent=1))
    return 0


def _modules(arguments: argparse.Namespace) -> Path | None:
    """Where measurements of one's own are looked for; nowhere, unless the user names the machine file."""
    return Path(arguments.file).parent if arguments.file else None


def _sweep(arguments: argparse.Namespace) -> int:
    from pydantic import ValidationError

    from khhw.commands.output import in_ascii
    from khhw.errors import RequestError
    from khhw.files import writable_folder
    from khhw.report.sweep import print_sweep, write_sweep
    from khhw.sweep.results import FILE, SweepResults
    from khhw.visible import shell_command

    if len(arguments.runs) > 1:
        raise RequestError("khhw report compares two runs of khhw run; name one folder of khhw sweep")
    given = arguments.runs[0]
    try:
        results = SweepResults.read(given / FILE)
    except ValidationError as error:
        raise RequestError(f"{given / FILE} holds no sweep of this khhw: {error}; sweep again with "
                           f"-o {shell_command([given])}") from error
    page = write_sweep(results, writable_folder(arguments.folder or given), source=arguments.file or results.source)
    if arguments.json:
        print(in_ascii(results.text()), end="")
    else:
        print_sweep(results, page)
    return 0


def _two(first: "Results", second: "Results", arguments: argparse.Namespace) -> int:
    from khhw.commands.output import report
    from khhw.errors import RequestError
    from khhw.files import writable_folder
    from khhw.report.compare.pair import MismatchError, Pair
    from khhw.report.compare.terminal import print_comparison
    from khhw.report.compare.write import command_of, write_comparison

    names = _names(*arguments.runs)
    try:
        pair = Pair(first, second, names)
    except MismatchError as error:
        raise RequestError(str(error)) from error
    folder = arguments.folder or Path("out") / f"{arguments.runs[0].resolve().name}-{arguments.runs[1].resolve().name}"
    modules = _modules(arguments)
    command = command_of((arguments.runs[0], arguments.runs[1]), folder, arguments.file)
    page = write_comparison(pair, writable_folder(folder), command=command, modules=modules)
    if arguments.json:
        print(json.dumps(report(_differences(pair, page, modules), seed=first.seed, parameters=first.parameters,
                                build=first.build, cpu_model=first.cpu_model), indent=1))
    else:
        print_comparison(pair, page, modules=modules)
    return 0


def _differences(pair: "Pair", page: Path, modules: Path | None) -> dict[str, Any]:
    """What differs, as numbers with their intervals and in words."""
    from khhw.report.compare.comparison import compare
    from khhw.report.compare.pair import may_differ
    from khhw.report.software import phase_software

    found = compare(pair, modules)
    return {"report": str(page), "runs": list(pair.names),
            "differ": [{"key": key, "first": one, "second": other}
                       for key, one, other in may_differ(pair.first, pair.second)],
            "phases": [{"name": name, "cpu_model": model, "cpu_scale": scale}
                       for name, model, scale in phase_software(pair.first)],
            "confidence": found.confidence,
            "facts": {name: facts for name, each in found.reports.items() if (facts := each.facts(pair)) is not None},
            "numbers": [_number(name, each) for name, judged in found.judged.items() for each in judged],
            "words": {name: found.words(name) for name in found.reports}}


def _number(what: str, judgement: "Judgement") -> dict[str, Any]:
    """A number of both runs; null for an interval that cannot be given, and for what it would decide."""
    change = judgement.change
    first, second = change.first, change.second
    return {"what": what, "where": change.where, "quantity": change.quantity, "first": first.value,
            "second": second.value, "first_samples": first.samples, "second_samples": second.samples,
            "first_interval": judgement.first, "second_interval": judgement.second,
            "difference": second.value - first.value, "difference_interval": judgement.difference,
            "per_cent": round(100 * (change.ratio - 1), 3) if first.value else None, "differs": judgement.differs}


def _names(first: Path, second: Path) -> tuple[str, str]:
    """Names of two runs: their folders', as short as they differ."""
    one, two = (path if path.is_dir() else path.parent for path in (first, second))
    if one.resolve().name != two.resolve().name:
        return one.resolve().name, two.resolve().name
    return (str(one), str(two)) if str(one) != str(two) else (f"{one} (first)", f"{two} (second)")
