"""Two runs on the terminal."""

from pathlib import Path

from rich.console import Console

from khhw.report.compare.comparison import compare
from khhw.report.compare.pair import Pair
from khhw.report.compare.write import verdicts
from khhw.report.show import show

__all__ = ["print_comparison"]


def print_comparison(pair: Pair, page: Path, *, console: Console | None = None, modules: Path | None = None) -> None:
    """Print what differs in words, and where the page is.

    Parameters
    ----------
    pair : Pair
        The runs; differences are the second's against the first's.
    page : Path
        The page that was written.
    console : rich.console.Console, optional
        Where to; standard output without.
    modules : Path, optional
        Where measurements of one's own are looked for, see :func:`khhw.report.registry.reports`.
    """
    console = console or Console(highlight=False)
    found = compare(pair, modules)
    for text in verdicts(found):
        show(console, text)
    for name, each in found.reports.items():
        if lines := found.words(name):
            show(console)
            show(console, each.short or each.title, "bold")
            for line in lines:
                show(console, f"  {line}")
    show(console)
    show(console, f"report  {page}")
