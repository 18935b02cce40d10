"""What a simulator process runs: a program on a fabric, with results in a file.

The environment says what: ``KHHW_ENTRY`` names a ``module:function``, ``KHHW_REQUEST`` a JSON file
(:class:`~khhw.sim.process.Request`), ``KHHW_RESULTS`` the file to write. Progress and what the program reports
go to standard output, one JSON object a line behind a mark.
"""

import gc
import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import cocotb
from cocotb.handle import HierarchyObject

from khhw.sim.bridge import drive
from khhw.sim.cpu import MODELS
from khhw.sim.host import Host
from khhw.sim.options import Options, Outcome
from khhw.sim.reports import report, write_json

__all__ = ["Program"]


class Program(Protocol):
    """What an entry function returns: tasks are spawned, and this is asked when they have ended."""

    def results(self, outcome: Outcome) -> dict[str, Any]:
        """Plain values for JSON. Also called when the run was stopped half-way."""

    def stuck(self, read: Callable[[str], int]) -> Sequence[str]:
        """Where packets are in a machine that came to no end; `read` reads a signal by its path."""


def _host(request: dict[str, Any]) -> Host:
    cpu = MODELS[request["cpu"]].scaled(request["cpu_scale"])
    return Host(request["nodes"], request["memory_bytes"], cpu=cpu, clock_hz=request["clock_hz"])


def _entry(name: str) -> Callable[[Host, dict[str, Any]], Program]:
    module, _, attribute = name.partition(":")
    function: Callable[[Host, dict[str, Any]], Program] = getattr(importlib.import_module(module), attribute)
    return function


@cocotb.test()
async def run(dut: HierarchyObject) -> None:
    """The whole run."""
    # What is there now stays; looking through it again and again cost a twentieth of a run.
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
    request = json.loads(Path(os.environ["KHHW_REQUEST"]).read_text())
    path = Path(os.environ["KHHW_RESULTS"])
    host = _host(request)

    def progress(cycles: int, seconds: float) -> None:
        report("progress", cycles=cycles, wall_seconds=round(seconds, 3), **host.figures())

    try:
        program = _entry(os.environ["KHHW_ENTRY"])(host, request["arguments"])
        outcome = await drive(dut, host, Options(**request["options"]), progress=progress, stuck=program.stuck)
        write_json(path, {"outcome": outcome.as_dict(), "results": program.results(outcome)})
    except Exception as error:
        traceback.print_exc(file=sys.stdout)
        write_json(path, {"error": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()})
        raise
