"""A run as it happens: transcript, results and progress on the terminal; plain lines where there is none."""

import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from khhw.machine.results import RunRecord
from khhw.node.commands import list_ranks, prompt
from khhw.report.registry import find_report
from khhw.report.show import show
from khhw.visible import visible

__all__ = ["LiveView"]

_PLAIN_SECONDS = 10.0
"""Between two progress lines where there is no terminal."""


class LiveView:
    """Shows what :meth:`khhw.machine.machine.Machine.run` reports; a context manager.

    Parameters
    ----------
    nodes : int
        Of the machine.
    console : rich.console.Console
        Where to.
    build_seconds : float
        How long a build is expected to take.
    modules : Path, optional
        Where measurements of one's own are looked for, see :func:`khhw.report.registry.reports`.

    Attributes
    ----------
    built_after : float
        Seconds the build took; 0 before it is there.
    """

    def __init__(self, nodes: int, console: Console, build_seconds: float, modules: Path | None = None) -> None:
        self.built_after = 0.0
        self._build_seconds = build_seconds
        self._nodes = nodes
        self._modules = modules
        self._console = console
        self._began = time.monotonic()
        self._plain_at = self._began
        self._said: tuple[str, int, list[int]] | None = None
        self._phase, self._phases, self._ended = 0, 1, 0
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar = Progress(
                SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn(),
                TextColumn("left"), TimeRemainingColumn(), console=self._console, transient=True)
            self._bar.start()
            self._task = self._bar.add_task("starting", total=None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flush()
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, event: dict[str, Any]) -> None:
        """Show one report."""
        getattr(self, f"_on_{event['kind']}", self._ignore)(event)

    def _ignore(self, _event: dict[str, Any]) -> None:
        """A kind this view has no use for."""

    def _on_building(self, _event: dict[str, Any]) -> None:
        self._describe(f"building the RTL, about {self._build_seconds:.0f} s unless it is cached")
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, total=self._build_seconds)
            threading.Thread(target=self._follow_build, daemon=True).start()

    def _follow_build(self) -> None:
        """The compiler does not say how far it is: the bar follows the clock."""
        while not self.built_after and self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=min(0.95 * self._build_seconds, time.monotonic() - self._began))
            time.sleep(0.5)

    def _on_built(self, _event: dict[str, Any]) -> None:
        now = time.monotonic()
        self.built_after = now - self._began
        self._began = self._plain_at = now
        self._line(f"built in {self.built_after:.0f} s; {self._nodes} nodes of RTL are running")
        self._describe("booting", plain=False)

    def _on_phase(self, event: dict[str, Any]) -> None:
        self._phase, self._phases, self._ended = event["index"], event["phases"], 0
        self._line(f"phase {event['index'] + 1} of {event['phases']}: {event['name']}")
        self._describe(event["name"], plain=False)

    def _on_progress(self, event: dict[str, Any]) -> None:
        now = time.monotonic()
        if self._bar is None and now - self._plain_at >= _PLAIN_SECONDS:
            self._plain_at = now
            done = self._fraction()
            left = f", about {(now - self._began) * (1 - done) / done:.0f} s left" if done else ""
            self._line(f"{event['cycles']:,} cycles in {event['wall_seconds']:.0f} s{left}")

    def _on_console(self, event: dict[str, Any]) -> None:
        """Lines that several nodes say one after the other are shown as one."""
        rank, text = event["node"], event["text"]
        if rank is not None:
            text = text.removeprefix(prompt(rank))
            self._ended += " done" in text
        said = self._said
        if said is not None and rank is not None and said[0] == text and said[2]:
            said[2].append(rank)
            return
        self._flush()
        self._said = (text, event["cycle"], [] if rank is None else [rank])
        self._update()

    def _flush(self) -> None:
        if self._said is None:
            return
        text, cycle, ranks = self._said
        self._said = None
        who = f"{'node' if len(ranks) == 1 else 'nodes'} {list_ranks(ranks)}>" if ranks else "outside<"
        self._line(f"  {cycle:>9,}  {who:<14} {visible(text)}", flush=False)

    def _on_measured(self, event: dict[str, Any]) -> None:
        record = RunRecord.model_validate(event["record"])
        try:
            text = find_report(event["what"], self._modules).measured(event["phase"], record)
        except Exception as error:
            # A report is anybody's code; the run goes on without its line.
            text = f"measured {event['what']}, whose report fails: {type(error).__name__}: {error}"
        if text:
            self._line(f"{event['phase']}: {text}")

    def _on_waves(self, event: dict[str, Any]) -> None:
        waves = event["waves"]
        size = Path(waves).stat().st_size / 1e6
        held = f"{event['held']}, " if event["held"] else ""
        note = "" if waves.endswith(".fst") else "; VCD: FST needs apt-get install liblz4-dev zlib1g-dev"
        gtkwave, surfer = event["viewers"]
        self._line(f"waves: {waves} ({held}{size:.1f} MB{note})\n"
                   f"  open them with gtkwave {gtkwave} or surfer -c {surfer}")

    def _fraction(self) -> float:
        return (self._phase + min(0.9, self._ended / self._nodes)) / self._phases

    def _update(self) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, total=1.0, completed=self._fraction())

    def _describe(self, text: str, *, plain: bool = True) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=visible(text))
            self._update()
        elif plain:
            self._line(text)

    def _line(self, text: str, *, flush: bool = True) -> None:
        if flush:
            self._flush()
        show(self._console, text)
