"""The files of a sweep's report, each whole."""

import os
import tempfile
from pathlib import Path

from khhw.report.sweep.page import sweep_page
from khhw.report.sweep.pictures import sweep_pictures
from khhw.sweep.results import FILE, SweepResults
from khhw.sweep.store import WriteError, write_whole
from khhw.sweep.table import write_tables
from khhw.visible import shell_command

__all__ = ["sweep_command", "write_results", "write_sweep"]


def sweep_command(source: str, folder: Path | str, encoding: str | None = None) -> str:
    """The command that makes a sweep again, or goes on with it; `encoding` as of :func:`khhw.visible.shell_command`."""
    return shell_command(["khhw", "sweep", source, "-o", folder], encoding)


def write_results(results: SweepResults, folder: Path) -> None:
    """Write ``sweep.json`` and the tables.

    Raises
    ------
    WriteError
        If one cannot be written.
    """
    write_whole(folder / FILE, results.text().encode())
    write_tables(results.results, folder)


def write_sweep(results: SweepResults, folder: Path, *, source: str) -> Path:
    """Write ``report.html`` and, beside it, every picture as PNG with its numbers as CSV.

    Parameters
    ----------
    results : SweepResults
        The sweep.
    folder : Path
        Where to; made if it does not exist.
    source : str
        The specification as the user gave it.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    WriteError
        If a file cannot be written; none of them is there in part.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".part-") as scratch:
            drawn = [(picture, picture.save(Path(scratch))) for picture in sweep_pictures(results)]
            page = sweep_page(results, drawn, sweep_command(source, folder, "utf-8"))
            (Path(scratch) / "report.html").write_text(page, encoding="utf-8")
            for made in sorted(Path(scratch).iterdir()):
                os.replace(made, folder / made.name)
    except OSError as error:
        raise WriteError(f"cannot write the report to {folder}: {error.strerror}; make room, then "
                         f"{shell_command(['khhw', 'report', folder])}") from error
    return folder / "report.html"
