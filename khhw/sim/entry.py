"""What a simulator process runs, whatever the back end: a program, with its results in a file.

The environment says what: ``KHHW_ENTRY`` names a ``module:function``, ``KHHW_REQUEST`` a JSON file
(:class:`~khhw.sim.process.Request`), ``KHHW_RESULTS`` the file to write. Progress and what the program reports
go to standard output, one JSON object a line behind a mark.
"""

import gc
import importlib
import json
import os
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from khhw import debugger
from khhw.host.cpu import MODELS
from khhw.host.ports import Host
from khhw.sim.options import Options, Outcome
from khhw.sim.reports import keep_remarks_apart, remark, report, write_json
from khhw.tracebacks import with_traceback

__all__ = ["Program", "Work", "requested_work"]


class Program(Protocol):
    """What an entry function returns: tasks are spawned, and this is asked when they have ended."""

    def results(self, outcome: Outcome) -> dict[str, Any]:
        """Plain values for JSON. Also called when the run was stopped half-way."""

    def stuck(self, read: Callable[[str], int]) -> Sequence[str]:
        """Where packets are in a machine that came to no end; `read` reads a signal by its path."""


class Work:
    """A program that is ready to run.

    Parameters
    ----------
    request : dict
        A :class:`~khhw.sim.process.Request` as plain values.
    results : Path
        The file to write.
    """

    def __init__(self, request: dict[str, Any], results: Path) -> None:
        cpu = MODELS[request["cpu"]].scaled(request["cpu_scale"])
        self.request = request
        self.host = Host(request["nodes"], request["memory_bytes"], cpu=cpu, clock_hz=request["clock_hz"])
        self.options = Options(**request["options"])
        self.program = _entry(os.environ["KHHW_ENTRY"])(self.host, request["arguments"])
        self._results = results

    def progress(self, cycles: int, seconds: float) -> None:
        """Tell how far the run is."""
        report("progress", cycles=cycles, wall_seconds=round(seconds, 3), **self.host.figures())

    def finish(self, outcome: Outcome) -> None:
        """Write the results of the run; whoever asks meanwhile for an end gets them first."""
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self._write(outcome)
        finally:
            signal.signal(signal.SIGINT, before)

    def _write(self, outcome: Outcome) -> None:
        write_json(self._results, {"outcome": outcome.as_dict(), "results": self.program.results(outcome)})


@contextmanager
def requested_work() -> Iterator[Work]:
    """The program that the environment asks for; a failure while it is used is written where its results belong."""
    # What is there now stays; looking through it again and again cost a twentieth of a run.
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
    debugger.install()
    keep_remarks_apart()
    results = Path(os.environ["KHHW_RESULTS"])
    try:
        yield Work(json.loads(Path(os.environ["KHHW_REQUEST"]).read_text(encoding="utf-8")), results)
    except Exception as error:
        remark(traceback.format_exc())
        said = with_traceback(f"{type(error).__name__}: {error}", error)
        write_json(results, {"error": said, "traceback": traceback.format_exc()})
        raise


def _entry(name: str) -> Callable[[Host, dict[str, Any]], Program]:
    module, _, attribute = name.partition(":")
    function: Callable[[Host, dict[str, Any]], Program] = getattr(importlib.import_module(module), attribute)
    return function
