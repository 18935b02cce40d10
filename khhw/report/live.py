"""A run as it happens: transcript, results and progress on the terminal; plain lines where there is none."""

import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from khhw.build.progress import Begun
from khhw.machine.results import RunRecord
from khhw.node.commands import list_ranks, prompt
from khhw.report.progress import BuildProgress, RunProgress, build_in_words
from khhw.report.registry import find_report
from khhw.report.show import show
from khhw.visible import shell_command, visible

__all__ = ["LiveView"]

_PLAIN_SECONDS = 10.0
"""Between two progress lines where there is no terminal."""
_PLAIN_BUILD_SECONDS = 30.0
"""The same, while it is built."""
_LOOK_SECONDS = 0.5
"""Between two looks at a build: the compiler does not say how far it is."""


class LiveView:
    """Shows what :meth:`khhw.machine.machine.Machine.run` reports; a context manager.

    Parameters
    ----------
    nodes : int
        Of the machine.
    console : rich.console.Console
        Where to.
    kind : str
        Names runs that are alike, see :class:`~khhw.report.progress.RunProgress`.
    modules : Path, optional
        Where measurements of one's own are looked for, see :func:`khhw.report.registry.reports`.
    """

    def __init__(self, nodes: int, console: Console, kind: str, modules: Path | None = None) -> None:
        self._built = threading.Event()
        self._building = False
        self._run = RunProgress(kind)
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
                TextColumn("{task.fields[left]}", markup=False), console=self._console, transient=True)
            self._bar.start()
            self._task = self._bar.add_task("starting", total=None, left="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._built.set()
        self._flush()
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, event: dict[str, Any]) -> None:
        """Show one report."""
        getattr(self, f"_on_{event['kind']}", self._ignore)(event)

    def _ignore(self, _event: dict[str, Any]) -> None:
        """A kind this view has no use for."""

    def _on_converting(self, _event: dict[str, Any]) -> None:
        self._describe("converting the RTL, unless that was done before")

    def _on_building(self, event: dict[str, Any]) -> None:
        begun = Begun(Path(event["folder"]), event["build"], event["size"])
        self._building, self._began = True, time.monotonic()
        self._line(build_in_words(begun))
        self._describe("building the RTL", plain=False)
        threading.Thread(target=self._follow_build, args=(BuildProgress(begun),), daemon=True).start()

    def _follow_build(self, build: BuildProgress) -> None:
        while not self._built.wait(_LOOK_SECONDS):
            left = build.look()
            if self._bar is not None and self._task is not None:
                self._bar.update(self._task, total=1.0, completed=build.share, left=str(left or ""))
            elif left is not None and time.monotonic() - self._plain_at >= _PLAIN_BUILD_SECONDS:
                self._plain_at = time.monotonic()
                self._line(f"building for {self._plain_at - self._began:.0f} s, {left}")

    def _on_built(self, _event: dict[str, Any]) -> None:
        how = self._end_of_build()
        self._run.begin()
        self._line(f"{how}; {self._nodes} nodes of RTL are running")
        self._describe("booting", plain=False)

    def _end_of_build(self) -> str:
        """It is built; when, in words."""
        self._built.set()
        now = time.monotonic()
        how = f"built in {now - self._began:.0f} s" if self._building else "built before"
        self._began = self._plain_at = now
        return how

    def _on_phase(self, event: dict[str, Any]) -> None:
        self._run.phase(event["cycle"])
        self._phase, self._phases, self._ended = event["index"], event["phases"], 0
        self._line(f"phase {event['index'] + 1} of {event['phases']}: {event['name']}")
        self._describe(event["name"], plain=False)

    def _on_progress(self, event: dict[str, Any]) -> None:
        now = time.monotonic()
        left = self._run.look(event["cycles"])
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, left=str(left or ""))
            self._update()
        elif now - self._plain_at >= _PLAIN_SECONDS:
            self._plain_at = now
            text = f"{event['cycles']:,} cycles in {event['wall_seconds']:.0f} s"
            self._line(text if left is None else f"{text}, {left}")

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

    def _on_debugger(self, event: dict[str, Any]) -> None:
        """The terminal is the debugger's while somebody types."""
        if self._bar is not None:
            if event["stopped"]:
                self._bar.stop()
            else:
                self._bar.start()

    def _on_waves(self, event: dict[str, Any]) -> None:
        waves = event["waves"]
        size = Path(waves).stat().st_size / 1e6
        held = f"{event['held']}, " if event["held"] else ""
        note = "" if waves.endswith(".fst") else "; VCD: FST needs apt-get install liblz4-dev zlib1g-dev"
        gtkwave, surfer = (shell_command([viewer]) for viewer in event["viewers"])
        self._line(f"waves: {waves} ({held}{size:.1f} MB{note})\n"
                   f"  open them with gtkwave {gtkwave} or surfer -c {surfer}")

    def ended(self, cycle: int) -> None:
        """The run came to its end, in this cycle: how long it took is kept for the next one."""
        self._run.ended(cycle)

    def _fraction(self) -> float:
        if self._run.share is not None:
            return self._run.share
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
