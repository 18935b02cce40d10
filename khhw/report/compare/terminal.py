"""Two runs on the terminal."""

from pathlib import Path

from rich.console import Console

from khhw.report.compare.changes import matrix_words, words
from khhw.report.compare.pair import Pair
from khhw.report.compare.write import verdicts
from khhw.report.show import show

__all__ = ["print_comparison"]


def print_comparison(pair: Pair, page: Path, *, console: Console | None = None) -> None:
    """Print what differs in words, and where the page is.

    Parameters
    ----------
    pair : Pair
        The runs; per cent are the second's against the first's.
    page : Path
        The page that was written.
    console : rich.console.Console, optional
        Where to; standard output without.
    """
    console = console or Console(highlight=False)
    for text in verdicts(pair):
        show(console, text)
    texts = words(pair)
    for title, lines in (("memcached", texts["memcached"]), ("latency", texts["latency"]),
                         ("matrices", matrix_words(pair))):
        if lines:
            show(console)
            show(console, title, "bold")
            for line in lines:
                show(console, f"  {line}")
    show(console)
    show(console, f"report  {page}")
