"""Building a simulation once and running it many times."""

import json
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from khhw.build import toolchain
from khhw.build.backends import VARIANTS, Backend, IcarusBackend, LeanBackend, StockBackend, control_file
from khhw.build.cache import build_once, build_root, claim_folder, digest, file_digest, write_atomically
from khhw.build.counted import CountedBackend
from khhw.build.design import Design
from khhw.build.progress import Begun, OnBegin
from khhw.build.results import RunResult, read_results
from khhw.errors import RequestError

__all__ = ["COVERAGE", "REQUEST", "SIMULATORS", "BuildTime", "Simulation", "SimulationBuild", "timed"]

SIMULATORS = ("verilator", "icarus")
_TIME = "build-time.json"
COVERAGE = "coverage.dat"
"""What Verilator writes at the end of a run of a ``coverage`` build."""
REQUEST = "request.json"
"""In a build folder: what it was last made or found for, as arguments to make it again."""


@dataclass(frozen=True, kw_only=True)
class BuildTime:
    """How long a build took: `wall_seconds`, and `cpu_seconds` of all its processes together."""

    wall_seconds: float
    cpu_seconds: float

    @classmethod
    def of(cls, folder: Path) -> "BuildTime | None":
        """What a build folder took when it was made; None for what an older version made."""
        file = folder / _TIME
        return cls(**json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else None


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """What to build.

    Parameters
    ----------
    design : Design
        Verilog and what is public.
    variant : str
        ``fast`` (no assertions, optimised), ``debug`` (assertions, what has no initial value starts random) or
        ``coverage``, for a traced design: as ``debug``, and a run leaves :data:`COVERAGE` in its folder.
    waves : bool
        Able to write waves; slower.
    simulator : str
        ``verilator`` or ``icarus``.
    stock : bool
        cocotb's own Verilator runner with its own options instead of the lean one.
    """

    design: Design
    variant: str = "fast"
    waves: bool = False
    simulator: str = "verilator"
    stock: bool = False

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise RequestError(f"no build variant {self.variant!r}; there are {', '.join(VARIANTS)}")
        if self.simulator not in SIMULATORS:
            raise RequestError(f"no simulator {self.simulator!r}; there are {', '.join(SIMULATORS)}")

    def build(self, on_begin: OnBegin | None = None) -> "SimulationBuild":
        """Build it, or find it built.

        Parameters
        ----------
        on_begin : callable, optional
            Told of the build if it is not there yet.

        Raises
        ------
        RequestError
            If a tool is missing.
        BuildError
            If a tool fails; the message holds the end of its output.
        """
        tool = self.backend()
        facts = self.facts(tool)
        kind = "stock" if self.stock else self.variant
        name = f"{self.design.top}-{self.simulator}-{kind}{'-waves' if self.waves else ''}-{digest(facts)}"
        folder = build_root() / "sim" / name
        begun = Begun.of(folder, f"{self.simulator}-{kind}{'-waves' if self.waves else ''}", self.design.sources)
        build_once(folder, facts, lambda _: timed(tool.build, begun, on_begin))
        if self.design.request:
            asked = {"design": self.design.request.plain(), "variant": self.variant, "waves": self.waves,
                     "simulator": self.simulator, "stock": self.stock}
            write_atomically(folder / REQUEST, json.dumps(asked) + "\n")
        return SimulationBuild(simulation=self, folder=folder)

    def facts(self, tool: Backend) -> dict[str, Any]:
        """What the build depends on, and only that: builds are shared by all that run in any environment."""
        return {
            "sources": [file_digest(source) for source in self.design.sources],
            "control": control_file(self.design, self.waves), "variant": self.variant, "waves": self.waves,
            "stock": self.stock, "tool": tool.facts(),
        }

    def backend(self) -> Backend:
        """What drives the simulator."""
        if self.simulator == "icarus":
            return IcarusBackend(self.design, self.waves)
        if self.stock:
            return StockBackend(self.design, self.waves)
        if self.variant == "coverage":
            return CountedBackend(self.design, self.waves, self.fst)
        return LeanBackend(self.design, self.waves, VARIANTS[self.variant], self.fst)

    @property
    def fst(self) -> bool:
        """Whether waves are FST; VCD otherwise."""
        return self.simulator == "icarus" or (not self.stock and toolchain.has_fst_headers())


@dataclass(frozen=True, kw_only=True)
class SimulationBuild:
    """A finished build.

    Parameters
    ----------
    simulation : Simulation
        What was built.
    folder : pathlib.Path
        Where it lies; read only from now on.
    """

    simulation: Simulation
    folder: Path

    @property
    def time(self) -> BuildTime | None:
        """How long it took when it was made; None for what an older version made."""
        return BuildTime.of(self.folder)

    def run(
        self, test_module: str | Sequence[str], *, case: str | None = None, seed: int = 1,
        path: Sequence[Path] = (), env: Mapping[str, str] | None = None, folder: Path | None = None,
        label: str | None = None, time_limit: float | None = None, on_line: Callable[[str], None] | None = None,
        on_stop: Callable[[bool], None] | None = None,
    ) -> RunResult:
        """Run cocotb test modules on it, in a process of its own.

        Parameters
        ----------
        test_module : str or sequence of str
            Modules to import in the simulator.
        case : str, optional
            Run only cases whose name contains this.
        seed : int
            Of all random choices.
        path : sequence of pathlib.Path
            Folders to import from, before ``sys.path``.
        env : mapping, optional
            Further environment variables.
        folder : pathlib.Path, optional
            Working directory, made if need be. Without one an own folder below the build folder is used, named
            `label`, which the next run with that label replaces.
        time_limit : float, optional
            Seconds after which the run is ended and counts as failed.
        on_line : callable, optional
            Called with each line the simulator prints.
        on_stop : callable, optional
            Called with True when the simulator stops in Python's debugger, and with False when it goes on.
        """
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            return self._run(folder.absolute(), test_module, case, seed, path, env, time_limit, on_line,
                             on_stop)
        with claim_folder(build_root() / "runs", label or self.simulation.design.top) as claimed:
            return self._run(claimed, test_module, case, seed, path, env, time_limit, on_line, on_stop)

    def _run(
        self, folder: Path, test_module: str | Sequence[str], case: str | None, seed: int, path: Sequence[Path],
        env: Mapping[str, str] | None, time_limit: float | None, on_line: Callable[[str], None] | None,
        on_stop: Callable[[bool], None] | None,
    ) -> RunResult:
        tool = self.simulation.backend()
        results, log = folder / "results.xml", folder / "simulator.log"
        # What a run before has left is none of this one's, whatever becomes of it.
        for left in (results, log, folder / tool.waves_name):
            left.unlink(missing_ok=True)
        modules = [test_module] if isinstance(test_module, str) else list(test_module)
        error = tool.run(
            self.folder, folder, results=results, log=log, modules=modules, case=case, seed=seed,
            path=path, environment=env or {}, time_limit=time_limit, on_line=on_line, on_stop=on_stop)
        cases, missing = read_results(results)
        waves = folder / tool.waves_name if self.simulation.waves else None
        return RunResult(cases=cases, error="; ".join(filter(None, (missing, error))), folder=folder, log=log,
                         seed=seed, waves=waves if waves and waves.is_file() else None)


def timed(build: Callable[[Path], None], begun: Begun, on_begin: OnBegin | None = None) -> None:
    """Fill a build folder, say so before, leave in it how long that took, and note that for the next builds."""
    if on_begin is not None:
        on_begin(begun)
    wall, cpu = time.monotonic(), _children_cpu()
    build(begun.folder)
    taken = {"wall_seconds": round(time.monotonic() - wall, 2), "cpu_seconds": round(_children_cpu() - cpu, 2)}
    (begun.folder / _TIME).write_text(json.dumps(taken) + "\n", encoding="utf-8")
    begun.note(taken["wall_seconds"])


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
