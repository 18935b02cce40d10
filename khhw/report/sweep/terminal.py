"""A sweep on the terminal: as it runs, and at its end; plain lines where there is no terminal."""

import time
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.text import Text

from khhw.report.show import show
from khhw.report.sweep.lines import panels
from khhw.report.sweep.pictures import words_of_line
from khhw.report.words import count
from khhw.sweep.results import SweepResults
from khhw.sweep.view import Progress
from khhw.visible import visible

__all__ = ["SweepView", "print_sweep"]

_PLAIN_SECONDS = 10.0
"""Between two progress lines where there is no terminal."""


class SweepView:
    """Shows what a sweep tells; a context manager and a :class:`khhw.sweep.view.View`.

    Parameters
    ----------
    console : rich.console.Console
        Where to.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._plain_at = time.monotonic()
        self._plain_text = ""
        self._stage = ""
        self._bar: Bar | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar = Bar(
                SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn(),
                TextColumn("{task.fields[left]}", markup=False), console=self._console, transient=True)
            self._bar.start()
            self._task = self._bar.add_task("starting", total=None, left="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def note(self, text: str) -> None:
        """Something has happened."""
        show(self._console, text)

    def stage(self, text: str) -> None:
        """Something has begun that takes a while."""
        if text == self._stage:
            return
        self._stage = text
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=visible(text))
        else:
            self.note(text)

    def progress(self, progress: Progress) -> None:
        """Points are being measured."""
        left = str(progress.left or "")
        text = f"{progress.done} of {progress.expected} points"
        text += f", {progress.again} of them measured again" if progress.again else ""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=text, total=progress.expected, completed=progress.done, left=left)
        elif time.monotonic() - self._plain_at >= _PLAIN_SECONDS and text != self._plain_text:
            self._plain_at, self._plain_text = time.monotonic(), text
            self.note(f"{text}; {left}" if left else text)


def print_sweep(results: SweepResults, page: Path, *, console: Console | None = None) -> None:
    """Print what a sweep came to, and where its files are.

    Parameters
    ----------
    results : SweepResults
        The sweep.
    page : Path
        Its page.
    console : rich.console.Console, optional
        Where to; standard output without.
    """
    console = console or Console(highlight=False)
    line = Text()
    style = "bold red" if results.state != "done" else "bold yellow" if results.unclear else "bold green"
    line.append("FAILED" if results.state == "failed" else results.state, style=style)
    line.append(f"  {visible(str(results.parameters.get('name', 'sweep')))}: {count(len(results.results), 'point')}, "
                f"{results.reused} of them from before, in {_time(results.wall_seconds)}")
    show(console, line)
    for text in (results.message, results.remedy):
        if text:
            show(console, f"        {text}")
    for panel in panels(results):
        show(console)
        show(console, panel.title, "bold")
        for each in panel.lines:
            show(console, f"  {words_of_line(each)}")
    show(console)
    show(console, f"table   {page.parent / 'sweep.parquet'}, sweep.csv")
    show(console, f"report  {page}")


def _time(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3 h 20 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
