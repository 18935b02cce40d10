"""A picture of the report: its file, what it shows in a sentence, and the numbers behind it."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Picture"]


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A drawn picture.

    Parameters
    ----------
    name : str
        File name without its ending.
    title : str
        A heading.
    caption : str
        What it shows, computed from the data.
    figure : matplotlib.figure.Figure
        The drawing.
    columns : sequence of str
        Names of the columns of the CSV file.
    rows : sequence
        Its lines.
    """

    name: str
    title: str
    caption: str
    figure: "Figure"
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]

    def save(self, folder: Path) -> Path:
        """Write ``name.png`` and ``name.csv``; the same data gives the same bytes. Returns the PNG."""
        # Who only names pictures need not import matplotlib.
        from khhw.report.style import styled

        path = folder / f"{self.name}.png"
        with styled():
            self.figure.savefig(path, metadata={"Software": None})
        with (folder / f"{self.name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(self.columns)
            writer.writerows(self.rows)
        return path
