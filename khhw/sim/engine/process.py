"""A machine on the native engine, in a process of its own."""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from khhw.build.engine import EngineBuild
from khhw.build.runners import run_followed
from khhw.errors import BuildError

__all__ = ["NativeMachine"]

_SEEDS = 2**31 - 1
"""Of Verilator's random values; 0 means none."""


@dataclass(frozen=True)
class NativeMachine:
    """What :func:`khhw.sim.process.run` runs on the engine.

    Parameters
    ----------
    build : EngineBuild
        The compiled node.
    shape : tuple of int
        Nodes in x, y and z.
    random : bool
        Registers and memories without an initial value begin with random bits, from the seed of the run.
    """

    build: EngineBuild
    shape: tuple[int, int, int]
    random: bool = False

    @property
    def folder(self) -> Path:
        """Of the build."""
        return self.build.folder

    def run(
        self, *, seed: int, path: Sequence[Path], env: Mapping[str, str], folder: Path,
        on_line: Callable[[str], None], on_stop: Callable[[bool], None],
    ) -> str:
        """Run what the environment `env` asks for; say what went wrong with the process itself, or nothing."""
        asked = {"folder": str(self.build.folder), "memory_bytes": self.build.memory_bytes,
                 "evaluator": self.build.evaluator, "shape": self.shape,
                 "random": seed % _SEEDS + 1 if self.random else 0}
        search = [str(entry.absolute()) for entry in path] + [entry or os.getcwd() for entry in sys.path]
        environment = {**os.environ, **env, "KHHW_ENGINE": json.dumps(asked), "PYTHONPATH": os.pathsep.join(search)}
        with (folder / "simulator.log").open("w", encoding="utf-8") as log:
            try:
                run_followed([sys.executable, "-m", "khhw.sim.engine.main"], folder, environment, log, on_line=on_line,
                             on_stop=on_stop)
            except BuildError as error:
                return str(error)
        return ""
