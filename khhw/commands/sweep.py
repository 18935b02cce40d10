"""Measure synthetic traffic over a grid of loads, patterns, sizes, seeds and parameters, on many cores.

SPEC is a sweep specification (docs/sweep.md). Points run on workers of Dask, on this computer unless --scheduler names
others. Every finished point is written at once: a sweep that is started again with the same folder continues. The
folder gets a table (sweep.parquet, sweep.csv), sweep.json and a report with latency over load and where it saturates.
The exit code is 0 only if every point was measured.
"""

import argparse
import json
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from khhw.sweep.cluster import Cluster
    from khhw.sweep.results import SweepResults
    from khhw.sweep.spec import SweepSpec

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``khhw sweep``."""
    parser.add_argument("file", metavar="SPEC", nargs="?", type=Path, help="sweep specification")
    parser.add_argument("-o", dest="folder", metavar="DIR", type=Path, help="folder to write to (default: out/NAME)")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask scheduler, as tcp://host:8786")
    parser.add_argument("--workers", metavar="N", type=int, help="processes on this computer (default: its cores)")
    parser.add_argument("--schema", action="store_true", help="print the JSON schema of a specification and stop")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(arguments: argparse.Namespace) -> int:
    """Sweep; 0 if every point was measured."""
    from khhw.errors import RequestError
    from khhw.files import refuse_file
    from khhw.sweep.cluster import check_installed
    from khhw.sweep.reading import load
    from khhw.sweep.spec import schema

    if arguments.schema:
        print(json.dumps(schema(), indent=1))
        return 0
    if arguments.file is None:
        raise RequestError("khhw sweep needs a specification, for example examples/sweep.toml")
    if arguments.workers is not None and (arguments.workers < 1 or arguments.scheduler):
        raise RequestError("--workers takes a number from 1, and not with --scheduler, whose workers are there already")
    spec = load(arguments.file)
    folder = arguments.folder or Path("out") / arguments.file.stem
    refuse_file(folder)
    check_installed()
    return _sweep(spec, folder, arguments)


def _sweep(spec: "SweepSpec", folder: Path, arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from khhw.build.toolchain import require_tools
    from khhw.commands.output import in_ascii
    from khhw.report.sweep import SweepView, print_sweep, write_sweep
    from khhw.report.sweep.write import write_results
    from khhw.sweep.cluster import cores, existing, local
    from khhw.sweep.run import Sweep

    if not arguments.scheduler:
        require_tools()
    # Standard output is for the object alone.
    console = Console(stderr=arguments.json, highlight=False)
    with SweepView(console) as view, ExitStack() as stack:
        # A scheduler that does not answer is found before anything is made.
        there = stack.enter_context(existing(arguments.scheduler)) if arguments.scheduler else None

        def cluster() -> "AbstractContextManager[Cluster]":
            return local(arguments.workers or cores()) if there is None else nullcontext(there)

        results = Sweep(spec, arguments.file, folder, cluster, view).run()
        view.stage("writing")
        write_results(results, folder)
        page = write_sweep(results, folder, source=results.source)
    if arguments.json:
        print(in_ascii(results.text()), end="")
    else:
        print_sweep(results, page)
    return _exit_code(results)


def _exit_code(results: "SweepResults") -> int:
    return {"done": 0, "failed": 1, "interrupted": 130}[results.state]
