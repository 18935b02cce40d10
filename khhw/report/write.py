"""The report of a run: pictures, their numbers, and a page."""

from collections.abc import Sequence
from pathlib import Path

from khhw.machine.results import Results
from khhw.report.page import page
from khhw.report.picture import Picture
from khhw.report.registry import reports
from khhw.visible import shell_command

__all__ = ["pictures", "run_command", "write_report"]


def pictures(results: Results, modules: Path | None = None) -> list[Picture]:
    """The pictures of what a run measured; none for what it did not.

    Parameters
    ----------
    results : Results
    modules : Path, optional
        See :func:`khhw.report.registry.reports`.
    """
    return [picture for each in reports([results], modules).values() for picture in each.pictures(results)]


def run_command(results: Results, source: str, folder: Path | str, encoding: str | None = None) -> str:
    """The command that makes a run again; `encoding` as of :func:`khhw.visible.shell_command`."""
    engine = [] if results.engine == "cocotb" else ["--engine", results.engine]
    return shell_command(["khhw", results.command, source, *engine, "-o", folder, "--seed", results.seed], encoding)


def write_report(
    results: Results, folder: Path, *, source: str = "machine.toml", modules: Path | None = None,
    links: Sequence[str] = (),
) -> Path:
    """Write ``report.html`` and, beside it, every picture as PNG with its numbers as CSV.

    The same results give the same bytes.

    Parameters
    ----------
    results : Results
        The run; one that ended early is reported as far as it came.
    folder : Path
        Where to; made if it does not exist.
    source : str
        The machine file as the user gave it, for the command that makes the run again.
    modules : Path, optional
        Where measurements of one's own are looked for, see :func:`khhw.report.registry.reports`.
    links : sequence of str
        Pages to link to, relative to `folder`.

    Returns
    -------
    Path
        The page.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = [(each, [(picture, picture.save(folder)) for picture in each.pictures(results)])
             for each in reports([results], modules).values()]
    path = folder / "report.html"
    path.write_text(page(results, drawn, run_command(results, source, folder, "utf-8"), links), encoding="utf-8")
    return path
