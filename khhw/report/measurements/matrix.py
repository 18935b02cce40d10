"""isAllowed as it was observed: on the terminal, on the page, and of two runs."""

from collections.abc import Mapping, Sequence

from rich.columns import Columns
from rich.console import Console
from rich.table import Table
from rich.text import Text

from khhw.machine.results import Matrix, Results, RunRecord
from khhw.report.change import Judgement
from khhw.report.compare.matrix import matrix_changes, matrix_pictures, matrix_words
from khhw.report.compare.pair import Pair
from khhw.report.matrix import matrix_picture
from khhw.report.measurement import MeasurementReport
from khhw.report.picture import Picture
from khhw.report.show import plain
from khhw.report.words import count

__all__ = ["MatrixReport", "print_matrices"]

_MOST_NODES = 16
"""Larger matrices are left to the page."""


class MatrixReport(MeasurementReport):
    """Who may send to whom."""

    title = "Who may send to whom"
    short = "matrices"
    narrow = True

    def measured(self, phase: str, record: RunRecord) -> str:
        """Pairs between which something arrived."""
        matrix = record.matrix[phase]
        return (f"{sum(map(sum, matrix.observed))} of {len(matrix.configured) ** 2} ordered pairs delivered, read from "
                f"the destinations' memories; {len(matrix.differences())} cells differ from what is configured")

    def verdict(self, results: Results) -> list[str]:
        """How many matrices."""
        found = results.results.matrix
        return [f"{count(len(found), 'matrix', 'matrices')} observed as configured"] if found else []

    def pictures(self, results: Results) -> list[Picture]:
        """One a phase."""
        return [matrix_picture(phase, matrix) for phase, matrix in results.results.matrix.items()]

    def section(self, results: Results, figures: Sequence[str]) -> list[str]:
        """What a cell is, and the pictures."""
        text = ("<p>Every node tries to send to every node. A cell is observed where the source's token was found in "
                "the destination's memory.</p>")
        return [*([text] if results.results.matrix else []), *figures]

    def print(self, console: Console, results: Results) -> None:
        """Small matrices, configured and observed."""
        print_matrices(console, results.results.matrix)

    def facts(self, pair: Pair) -> dict[str, list[tuple[int, int]]]:
        """(source, destination) of cells that only one run observed, by phase."""
        return matrix_changes(pair)

    def words(self, pair: Pair, judged: Sequence[Judgement]) -> list[str]:
        """Cells that only one run observed."""
        return matrix_words(pair)

    def compared_pictures(self, pair: Pair) -> list[Picture]:
        """What both observed, one a phase."""
        return matrix_pictures(pair)


def print_matrices(console: Console, matrices: Mapping[str, Matrix]) -> None:
    """Print small matrices, configured and observed, with their names."""
    shown = {name: matrix for name, matrix in matrices.items() if len(matrix.configured) <= _MOST_NODES}
    if shown:
        console.print()
        console.print(Columns([_grid(name, matrix) for name, matrix in shown.items()], padding=(1, 6)))


def _grid(phase: str, matrix: Matrix) -> Table:
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
