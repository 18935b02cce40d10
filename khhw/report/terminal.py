"""The end of a run on the terminal."""

import math
import textwrap
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from khhw.machine.results import Results
from khhw.machine.waves import MOST_NODES, WAVES_NAMES
from khhw.report.page import shortcomings
from khhw.report.registry import reports
from khhw.report.show import plain, show
from khhw.report.words import count, duration
from khhw.report.write import run_command
from khhw.visible import shell_command, visible

__all__ = ["next_commands", "print_summary", "print_verdict", "summary_console"]

_PLAIN_WIDTH = 118
"""Columns where there is no terminal to ask."""


def next_commands(results: Results, source: str, folder: Path) -> list[tuple[str, str]]:
    """Three commands to try, each with what it does."""
    again = run_command(results, source, folder)
    nodes = math.prod(results.parameters["torus"]["shape"])
    chosen = " --waves-nodes 0,1" if results.engine == "native" and nodes > MOST_NODES else ""
    waves = any((folder / name).is_file() for name in WAVES_NAMES)
    return [
        (shell_command(["khhw", "trace", folder]), "its packets, and one through every block with --packet") if waves
        else (f"{again} --waves{chosen}", "the same run, with waveforms"),
        ("khhw test guard", "the guard alone, in its testbench"),
        ("khhw verilog -o out/verilog --top node", "the node as Verilog, with headers"),
    ]


def print_summary(
    results: Results, report: Path, *, source: str = "machine.toml", console: Console | None = None,
    modules: Path | None = None,
) -> None:
    """Print what a run came to, where its report is, and what to do next.

    Plain lines without colour where the output is no terminal.

    Parameters
    ----------
    results : Results
        The run.
    report : Path
        Its page, see :func:`khhw.report.write.write_report`.
    source : str
        The machine file as the user gave it.
    console : rich.console.Console, optional
        Where to; standard output without.
    modules : Path, optional
        Where measurements of one's own are looked for, see :func:`khhw.report.registry.reports`.
    """
    console = console or summary_console()
    _print_verdict(console, results)
    for each in reports([results], modules).values():
        each.print(console, results)
    console.print()
    show(console, f"report  {report}")
    for index, (command, meaning) in enumerate(next_commands(results, source, report.parent)):
        line = plain(("next    " if index == 0 else "        ") + command)
        line.append(f"   {meaning}", style="dim")
        show(console, line)


def summary_console() -> Console:
    """Standard output; wide where there is no terminal."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PLAIN_WIDTH)


def print_verdict(console: Console, text: str, *, passed: bool, below: Iterable[str]) -> None:
    """Whether all was as it should be, of what, and sentences about it."""
    line = Text()
    line.append("passed" if passed else "FAILED", style="bold green" if passed else "bold red")
    line.append(f"  {text}")
    show(console, line)
    for sentence in below:
        show(console, textwrap.indent(sentence, "        "))


def _print_verdict(console: Console, results: Results) -> None:
    wrong = shortcomings(results)
    print_verdict(
        console, f"{visible(results.name)}: {count(results.cycles, 'cycle')} "
        f"({duration(results.cycles, results.clock_hz)} at {results.clock_hz / 1e6:g} MHz) "
        f"in {results.wall_seconds:.1f} s, {results.build} build, seed {results.seed}", passed=not wrong, below=wrong)
