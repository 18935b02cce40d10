"""The end of a run on the terminal."""

from collections.abc import Sequence
from pathlib import Path

from rich.columns import Columns
from rich.console import Console
from rich.table import Table
from rich.text import Text

from khhw.machine.results import Attack, Matrix, Results
from khhw.report.memcached.lines import print_memcached
from khhw.report.page import shortcomings
from khhw.report.show import plain, show
from khhw.report.words import count, duration
from khhw.report.write import run_command
from khhw.visible import visible

__all__ = ["next_commands", "print_summary"]

_PLAIN_WIDTH = 118
"""Columns where there is no terminal to ask."""
_MOST_NODES = 16
"""Larger matrices are left to the page."""


def next_commands(results: Results, source: str, folder: Path) -> list[tuple[str, str]]:
    """Three commands to try, each with what it does."""
    again = run_command(results, source, folder)
    first = (again + " --waves", "the same run, with waveforms") if results.engine == "cocotb" else \
        (again, "the same run again, to the cycle")
    return [
        first,
        ("khhw test guard", "the guard alone, in its testbench"),
        ("khhw verilog -o out/verilog --top node", "the node as Verilog, with headers"),
    ]


def print_summary(
    results: Results, report: Path, *, source: str = "machine.toml", console: Console | None = None,
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
    """
    console = console or _console()
    _print_verdict(console, results)
    shown = {phase: matrix for phase, matrix in results.results.matrix.items() if len(matrix.configured) <= _MOST_NODES}
    if shown:
        console.print()
        console.print(Columns([_matrix(phase, matrix) for phase, matrix in shown.items()], padding=(1, 6)))
    if results.results.attacks:
        console.print()
        console.print(_attacks(results.results.attacks))
    if results.results.memcached:
        console.print()
        print_memcached(console, results)
    console.print()
    show(console, f"report  {report}")
    for index, (command, meaning) in enumerate(next_commands(results, source, report.parent)):
        line = plain(("next    " if index == 0 else "        ") + command)
        line.append(f"   {meaning}", style="dim")
        show(console, line)


def _console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PLAIN_WIDTH)


def _print_verdict(console: Console, results: Results) -> None:
    wrong = shortcomings(results)
    line = Text()
    line.append("FAILED" if wrong else "passed", style="bold red" if wrong else "bold green")
    line.append(f"  {visible(results.name)}: {count(results.cycles, 'cycle')} "
                f"({duration(results.cycles, results.clock_hz)} at {results.clock_hz / 1e6:g} MHz) "
                f"in {results.wall_seconds:.1f} s, {results.build} build, seed {results.seed}")
    show(console, line)
    for text in wrong:
        show(console, f"        {text}")


def _matrix(phase: str, matrix: Matrix) -> Table:
    """Configured and observed side by side; a cell that differs is an exclamation mark."""
    ranks = range(len(matrix.configured))
    width = len(str(max(ranks)))
    grid = Table.grid(padding=(0, 3, 0, 0))
    head = " " * (width + 1) + " ".join(f"{rank:>{width}}" for rank in ranks)
    grid.add_row(plain(f"{phase}, configured", "bold"), Text("observed", style="bold"))
    grid.add_row(Text(head, style="dim"), Text(head, style="dim"))
    for source in ranks:
        wanted, seen = matrix.configured[source], matrix.observed[source]
        grid.add_row(_row(source, wanted, wanted, width), _row(source, wanted, seen, width))
    return grid


def _row(source: int, wanted: Sequence[int], seen: Sequence[int], width: int) -> Text:
    line = Text()
    line.append(f"{source:>{width}} ", style="dim")
    for index, (want, see) in enumerate(zip(wanted, seen, strict=True)):
        mark, style = ("!", "bold red") if want != see else ("■", "blue") if see else ("·", "dim")
        line.append((" " if index else "") + f"{mark:>{width}}", style=style)
    return line


def _attacks(attacks: Sequence[Attack]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("attack")
    for name in ("tried", "refused", "delivered"):
        table.add_column(name, justify="right")
    table.add_column("where and why")
    table.add_column("")
    for attack in attacks:
        where = "; ".join(part for part in (attack.where, attack.expected) if part)
        result = Text("held", style="green") if attack.passed else Text("NOT HELD", style="bold red")
        table.add_row(plain(attack.name), str(attack.tried), str(attack.refused), str(attack.delivered), plain(where),
                      result)
    return table
