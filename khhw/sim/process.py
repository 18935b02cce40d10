"""A simulation is a process: start it, follow it, stop it, and collect what it leaves."""

import json
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from khhw.build.simulator import SimulationBuild
from khhw.host.cpu import CLOCK_HZ, IDEAL, MODELS
from khhw.sim.engine.process import NativeMachine
from khhw.sim.options import Options, State
from khhw.sim.reports import parse, write_json
from khhw.tracebacks import aborted_in

__all__ = ["ProcessResult", "Request", "Simulator", "run"]

Simulator = SimulationBuild | NativeMachine


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a simulator process is to run.

    Parameters
    ----------
    entry : str
        ``module:function``; called in the simulator with (``Host``, `arguments`) before cycle 0. It spawns the tasks
        and returns a ``Program``.
    arguments : mapping
        Plain values for it.
    nodes : int
        Of the fabric.
    memory_bytes : int
        Memory of a node.
    cpu : str
        CPU model.
    cpu_scale : str
        Factor on all software costs, as a fraction.
    clock_hz : int
        Frequency of the simulated clock.
    options : Options
        How to run.
    """

    entry: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    nodes: int
    memory_bytes: int
    cpu: str = IDEAL.name
    cpu_scale: str = "1"
    clock_hz: int = CLOCK_HZ
    options: Options = field(default_factory=Options)

    def __post_init__(self) -> None:
        if self.cpu not in MODELS:
            raise ValueError(f"cpu must be one of {', '.join(MODELS)}, not {self.cpu!r}")
        if ":" not in self.entry:
            raise ValueError(f"entry must be 'module:function', not {self.entry!r}")


@dataclass(frozen=True, kw_only=True)
class ProcessResult:
    """What a simulator process left.

    Parameters
    ----------
    state : str
        A ``State``, or ``crashed`` when there is no outcome and nobody has stopped it.
    message : str
        Why.
    outcome : dict
        The ``Outcome`` as plain values; empty if it crashed.
    results : dict
        What the program returned.
    path : Path
        The file all this was read from; it may be missing after a crash.
    log : Path
        What the simulator printed.
    waves : Path or None
        Waveform, if one was written.
    """

    state: str
    message: str
    outcome: dict[str, Any]
    results: dict[str, Any]
    path: Path
    log: Path
    waves: Path | None

    @property
    def finished(self) -> bool:
        """Whether all tasks came to their end."""
        return self.state == State.FINISHED


def run(
    simulator: Simulator,
    request: Request,
    folder: Path,
    *,
    seed: int = 1,
    path: Sequence[Path] = (),
    on_report: Callable[[dict[str, Any]], None] | None = None,
) -> ProcessResult:
    """Run a program on a machine, in a process of its own.

    An interrupt (Ctrl-C, SIGTERM) stops it in order: results are collected, and the state is ``interrupted``.

    Parameters
    ----------
    simulator : Simulator
        A built fabric, or a machine on the native engine.
    request : Request
        What to run.
    folder : Path
        Where request, log and results are written.
    seed : int
        Of random choices in the simulator.
    path : sequence of Path
        Folders the entry is imported from, before ``sys.path``.
    on_report : callable or None
        Called with what the process says: ``{"kind": "progress", "cycles": ..., "wall_seconds": ...}`` and what the
        program reports itself. ``{"kind": "debugger", "stopped": ...}`` when it stops in Python's debugger, before that
        prints anything, and when it goes on; in another thread.
    """
    folder.mkdir(parents=True, exist_ok=True)
    asked, results = (folder / f"{name}.json" for name in ("request", "run"))
    write_json(asked, _plain(request))
    results.unlink(missing_ok=True)
    environment = {
        "KHHW_ENTRY": request.entry,
        "KHHW_REQUEST": str(asked.absolute()),
        "KHHW_RESULTS": str(results.absolute()),
    }

    def on_line(line: str) -> None:
        if on_report is not None and (values := parse(line)) is not None:
            on_report(values)

    def on_stop(stopped: bool) -> None:
        if on_report is not None:
            on_report({"kind": "debugger", "stopped": stopped})

    waves, problem, lost = None, "", "crashed"
    with _terminated_as_interrupt():
        try:
            if isinstance(simulator, SimulationBuild):
                ran = simulator.run(
                    "khhw.sim.cocotb_main", seed=seed, path=path, env=environment, folder=folder, on_line=on_line,
                    on_stop=on_stop)
                waves, problem = ran.waves, ran.error
            else:
                problem = simulator.run(
                    seed=seed, path=path, env=environment, folder=folder, on_line=on_line, on_stop=on_stop)
                if isinstance(simulator, NativeMachine):
                    waves = simulator.waves_in(folder)
        except KeyboardInterrupt:
            problem, lost = "interrupted", str(State.INTERRUPTED)
    return _collect(results, folder / "simulator.log", waves, problem, lost)


def _plain(request: Request) -> dict[str, Any]:
    return {**vars(request), "arguments": dict(request.arguments), "options": vars(request.options)}


def _collect(results: Path, log: Path, waves: Path | None, problem: str, lost: str) -> ProcessResult:
    """What a process left; `lost` is the state of one that left nothing."""
    left = json.loads(results.read_text(encoding="utf-8")) if results.is_file() else {}
    outcome = left.get("outcome", {})
    if problem and not left and log.is_file() and (traceback := aborted_in(log.read_text(encoding="utf-8"))):
        problem = f"{problem}; it did not end by itself, and was killed where it ran\n{traceback}"
    return ProcessResult(
        state=outcome.get("state", lost),
        message=outcome.get("message") or left.get("error") or problem or "the simulator left no results",
        outcome=outcome, results=left.get("results", {}), path=results, log=log, waves=waves,
    )


@contextmanager
def _terminated_as_interrupt() -> Iterator[None]:
    """SIGTERM stops a run as Ctrl-C does, so that no simulator is left behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
