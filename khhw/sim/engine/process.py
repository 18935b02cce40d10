"""A machine on the native engine, in a process of its own."""

import contextlib
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from khhw.build.engine import EngineBuild
from khhw.build.runners import run_followed
from khhw.errors import BuildError
from khhw.node.commands import list_ranks
from khhw.sim.engine.wave_writer import NEVER

__all__ = ["NativeMachine", "WavesWanted"]

_SEEDS = 2**31 - 1
"""Of Verilator's random values; 0 means none."""


@dataclass(frozen=True)
class WavesWanted:
    """Which waves a run writes.

    Parameters
    ----------
    ranks : tuple of int
        Nodes.
    first, end : int
        The first cycle, and the one behind the last.
    """

    ranks: tuple[int, ...]
    first: int = 0
    end: int = NEVER

    def missed(self, cycles: int) -> str:
        """Why a run that ended in cycle `cycles` left no waves, in words; empty if it left some."""
        if cycles >= self.first:
            return ""
        return (f"the run ended in cycle {cycles}, before the window from cycle {self.first} on: it left no waves, but "
                "all its other results")

    def held(self, cycles: int) -> str:
        """What waves of a run that ended in cycle `cycles` show, in words."""
        last = min(cycles, self.end - 1)
        early = f", where the run ended before the window from {self.first} to {self.end}" \
            if self.end != NEVER and last < self.end - 1 else ""
        nodes = "node" if len(self.ranks) == 1 else "nodes"
        return f"{nodes} {list_ranks(self.ranks)}, cycles {self.first} to {last}{early}"


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
    waves : WavesWanted or None
        The waves to write; needs a build for waves.
    """

    build: EngineBuild
    shape: tuple[int, int, int]
    random: bool = False
    waves: WavesWanted | None = None

    @property
    def folder(self) -> Path:
        """Of the build."""
        return self.build.folder

    def waves_in(self, folder: Path) -> Path | None:
        """What a run in `folder` wrote waves to, if it did."""
        file = folder / self.build.waves
        return file if self.waves is not None and file.is_file() else None

    def run(
        self, *, seed: int, path: Sequence[Path], env: Mapping[str, str], folder: Path,
        on_line: Callable[[str], None], on_stop: Callable[[bool], None],
    ) -> str:
        """Run what the environment `env` asks for; say what went wrong with the process itself, or nothing.

        Waves are written into `folder`, to the file the build names.
        """
        asked = {"folder": str(self.build.folder), "memory_bytes": self.build.memory_bytes,
                 "evaluator": self.build.evaluator, "shape": self.shape, "waves_file": self.build.waves,
                 "waves": self.waves and asdict(self.waves),
                 "random": seed % _SEEDS + 1 if self.random else 0}
        search = [str(entry.absolute()) for entry in path] + [entry or os.getcwd() for entry in sys.path]
        environment = {**os.environ, **env, "KHHW_ENGINE": json.dumps(asked), "PYTHONPATH": os.pathsep.join(search)}
        if self.waves is not None:
            (folder / self.build.waves).unlink(missing_ok=True)
        log = (folder / "simulator.log").open("w", encoding="utf-8")
        try:
            run_followed([sys.executable, "-m", "khhw.sim.engine.main"], folder, environment, log, on_line=on_line,
                         on_stop=on_stop)
        except BuildError as error:
            return str(error)
        finally:
            # What it still holds may not find room.
            with contextlib.suppress(OSError):
                log.close()
        return ""
