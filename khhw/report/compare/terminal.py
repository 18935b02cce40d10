"""Two runs on the terminal."""

from pathlib import Path

from rich.console import Console
from rich.text import Text

from khhw.report.compare.changes import matrix_words, words
from khhw.report.compare.pair import Pair
from khhw.report.compare.write import verdicts

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
        console.print(Text(text), soft_wrap=True)
    texts = words(pair)
    for title, lines in (("memcached", texts["memcached"]), ("latency", texts["latency"]),
                         ("matrices", matrix_words(pair))):
        if lines:
            console.print()
            console.print(Text(title, style="bold"))
            for line in lines:
                console.print(Text(f"  {line}"), soft_wrap=True)
    console.print()
    console.print(f"report  {page}", markup=False, soft_wrap=True)
