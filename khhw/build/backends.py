"""The simulators: how each builds a design and runs test modules on it."""

import contextlib
import importlib.metadata
import os
import re
import shutil
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cocotb_tools.runner import Runner
from cocotb_tools.runner import Verilator as StockVerilator

from khhw.build import toolchain
from khhw.build.cache import build_once, build_root, digest, use
from khhw.build.code_facts import code_of
from khhw.build.design import Design
from khhw.build.runners import LeanVerilator, TimedIcarus, TimedRunner
from khhw.errors import BuildError, RequestError

__all__ = ["VARIANTS", "Backend", "IcarusBackend", "LeanBackend", "StockBackend", "Variant", "control_file"]

BUILD_SECONDS = 1800.0
TIMESCALE = ("1ns", "1ns")
"""Precision of the clock: cocotb crawls where it is finer."""


@dataclass(frozen=True)
class Variant:
    """How Verilator builds: its options, variables for make, options of a run (``{seed}`` is replaced)."""

    options: tuple[str, ...]
    make: tuple[str, ...]
    run: tuple[str, ...] = ()


_DEBUG = Variant(
    ("--assert", "--x-assign", "unique", "--x-initial", "unique"), ("OPT_FAST=-O1", "OPT_SLOW="),
    ("+verilator+rand+reset+2", "+verilator+seed+{seed}"))

VARIANTS: Mapping[str, Variant] = {
    # OPT_SLOW stays empty in all: it would optimise the symbol table, minutes of compilation for nothing.
    "fast": Variant(
        ("-O3", "--x-assign", "fast", "--x-initial", "fast", "--noassert"), ("OPT_FAST=-O3", "OPT_SLOW=")),
    "debug": _DEBUG,
    # For khhw.build.counted. The widest payloads count too: Verilator's own limit is 256 bits. Nothing starts random: a
    # run would begin with toggles that nobody made.
    "coverage": replace(_DEBUG, run=(), options=(
        *_DEBUG.options, "--coverage-line", "--coverage-toggle", "--coverage-max-width", "4096")),
}


def control_file(design: Design, waves: bool = False) -> str:
    """Verilator control file that makes the ports and the design's public signals visible."""
    # What may be written from outside is an input: logic behind it is evaluated whenever anything may have changed.
    visible = [(design.top, port.name, port.is_input) for port in design.ports]
    visible += [(signal.module, signal.name, signal.writable) for signal in design.public]
    # Instances share code only if nothing of what they are connected to is merged into one of them.
    visible += [(module, name, False) for module, inputs in design.shared.items() for name in inputs]
    lines = ["`verilator_config"]
    lines += [f'public_flat_{"rw" if writable else "rd"} -module "{module}" -var "{name}"'
              for module, name, writable in visible]
    if waves:
        lines += [f'tracing_off -scope "{scope}"' for scope in design.untraced]
    lines += [f'no_inline -module "{module}"' for module in design.shared]
    # What is no signal of the source, is constant, or is the same net as one that counts.
    lines += [f'coverage_off -file "*/{file}" -lines {first}-{last}'
              for file, where in design.source_of_lines.items() for first, last in where["uncounted"]]
    return "\n".join(lines) + "\n"


class Backend(ABC):
    """A simulator for one design.

    Parameters
    ----------
    design : Design
        What is simulated.
    waves : bool
        Whether the build can write waves.
    """

    waves_name = "dump.vcd"

    def __init__(self, design: Design, waves: bool) -> None:
        self.design = design
        self.waves = waves

    def facts(self) -> object:
        """Everything but the design that makes one build differ from another, as JSON.

        Of this package the source of what builds, and nothing that only runs: a change there needs no new build.
        """
        recipe = [code_of(part) for part in (Backend._build, type(self).build)]
        return {"tool": self.tool(), "recipe": recipe, "timescale": TIMESCALE,
                "cocotb": importlib.metadata.version("cocotb")}

    @abstractmethod
    def tool(self) -> object:
        """The tools, and how they are called, as JSON."""

    @abstractmethod
    def runner(self) -> Runner:
        """A fresh runner."""

    @abstractmethod
    def build(self, folder: Path) -> None:
        """Fill a build folder."""

    def _build(self, runner: Runner, folder: Path, sources: Sequence[Path], options: Sequence[str]) -> None:
        log = folder / "build.log"
        try:
            runner.build(sources=sources, hdl_toplevel=self.design.top, build_dir=folder, build_args=list(options),
                         timescale=TIMESCALE, waves=self.waves, log_file=log)
        except (BuildError, RuntimeError) as error:
            raise BuildError(f"building {self.design.top} failed: {error}", log) from error

    def run(
        self, build: Path, folder: Path, *, results: Path, log: Path, modules: Sequence[str], case: str | None,
        seed: int, path: Sequence[Path], environment: Mapping[str, str], time_limit: float | None,
        on_line: Callable[[str], None] | None, on_stop: Callable[[bool], None] | None = None,
    ) -> str:
        """Run test modules; say what went wrong with the simulator itself, or nothing."""
        runner = self.runner()
        search = [str(entry.absolute()) for entry in path] + [entry or os.getcwd() for entry in sys.path]
        if isinstance(runner, TimedRunner):
            runner.time_limit, runner.on_line, runner.on_stop = time_limit, on_line, on_stop
        chosen = "|".join(map(re.escape, modules))
        try:
            with _import_path(search):
                runner.test(
                    modules, self.design.top, hdl_toplevel_lang="verilog", seed=seed, build_dir=build, test_dir=folder,
                    results_xml=str(results), log_file=log, waves=self.waves, timescale=TIMESCALE,
                    test_filter=None if case is None else rf"^({chosen})\..*{re.escape(case)}",
                    extra_env={"COCOTB_ANSI_OUTPUT": "0", **environment}, **self._run_options(folder, seed))
        except RuntimeError as error:
            return str(error)
        except SystemExit:
            # Under pytest the runner exits where a case failed; the results say so too.
            return ""
        return ""

    def _run_options(self, folder: Path, seed: int) -> dict[str, Any]:
        return {}


class LeanBackend(Backend):
    """Verilator with only the ports and what the design names visible.

    Parameters
    ----------
    variant : Variant
        How to build.
    fst : bool
        Waves as FST instead of VCD.
    """

    def __init__(self, design: Design, waves: bool, variant: Variant, fst: bool) -> None:
        super().__init__(design, waves)
        self.variant = variant
        self.fst = fst
        self.waves_name = "dump.fst" if fst else "dump.vcd"
        self.verilator = toolchain.require_tools()

    def tool(self) -> object:
        return [self._library(), self._options, self.variant.make,
                code_of(LeanVerilator._build_command)]

    @property
    def _options(self) -> Sequence[str]:
        return [*self.variant.options, *(SHARING if self.design.shared else ()), *VERILATOR_OPTIONS]

    def _library(self) -> object:
        """What Verilator's own library compiled to depends on: how waves are written, where they are."""
        return [self.verilator.identity, toolchain.gxx_version(), RUNTIME_OPTION, self.waves and self.waves_name]

    def runner(self) -> LeanVerilator:
        runner = LeanVerilator()
        runner.verilator = self.verilator
        runner.tool_environment = self.verilator.environment()
        runner.make_options = ()
        runner.make_variables = (*self.variant.make, RUNTIME_OPTION)
        runner.fst = self.fst
        runner.waves_wanted = self.waves
        return runner

    def build(self, folder: Path) -> None:
        control = folder / "public.vlt"
        control.write_text(control_file(self.design, self.waves))
        runner = self.runner()
        runner.time_limit = BUILD_SECONDS
        kept = self._runtime()
        if _is_there(kept):
            # Make would compile these again, because they depend on the makefile that is about to be written.
            objects = [shutil.copy2(compiled, folder) for compiled in sorted(kept.glob(RUNTIME))]
            runner.make_options = [f"--old-file={compiled.name}" for compiled in map(Path, objects)]
        self._build(runner, folder, [control, *self.design.sources], self._options)
        build_once(kept, self._library(), lambda kept: _copy_runtime(folder, kept))
        for left in (*folder.glob("*.gch"), *folder.glob("*.o")):
            # Nothing is compiled here again; a precompiled header alone takes 90 MB.
            left.unlink()

    def _runtime(self) -> Path:
        """Folder of what Verilator's own library compiled to; half the time of a small build, and always the same."""
        return build_root() / "sim" / f"runtime-{digest(self._library())}"

    def _run_options(self, folder: Path, seed: int) -> dict[str, Any]:
        return {"plusargs": [option.format(seed=seed % (2**31 - 1) + 1) for option in self.variant.run]}


class StockBackend(Backend):
    """Verilator through cocotb's own runner, everything visible: to tell a fault of the lean build from others."""

    def __init__(self, design: Design, waves: bool) -> None:
        super().__init__(design, waves)
        self.verilator = toolchain.require_tools()

    def tool(self) -> object:
        # cocotb's runner ties its build to the environment it was made in.
        return [self.verilator.identity, toolchain.gxx_version(), VERILATOR_OPTIONS, sys.prefix]

    def runner(self) -> StockVerilator:
        return StockVerilator()

    def build(self, folder: Path) -> None:
        variables = " ".join(self.verilator.make_variables())
        with _environment({**self.verilator.environment(), "MAKEFLAGS": variables}):
            self._build(self.runner(), folder, self.design.sources, VERILATOR_OPTIONS)


class IcarusBackend(Backend):
    """Icarus Verilog: four-state, so that what no reset reaches shows."""

    waves_name = "dump.fst"

    def tool(self) -> object:
        version = toolchain.run_for_version("iverilog", "-V")
        if not version:
            raise RequestError("cannot run Icarus Verilog: there is no iverilog (apt-get install iverilog)")
        return version

    def runner(self) -> TimedIcarus:
        runner = TimedIcarus()
        runner.waves_wanted = self.waves
        return runner

    def build(self, folder: Path) -> None:
        runner = self.runner()
        runner.time_limit = BUILD_SECONDS
        # Later standards do not run ``always @*`` at time 0 for what Yosys starts there: it would stay unknown.
        self._build(runner, folder, self.design.sources, ("-g2005",))

    def _run_options(self, folder: Path, seed: int) -> dict[str, Any]:
        return {"plusargs": [f"+dumpfile_path={folder / self.waves_name}"] if self.waves else []}


VERILATOR_OPTIONS = ("-Wno-fatal", "-Wno-lint", "-Wno-style", "-CFLAGS", "-std=c++20")
"""Converted Verilog is linted where it is released, not at each build."""


SHARING = ("-fno-dfg-scoped", "-fno-table")
"""Without these, instances of a module share no code: wires of one are merged into another, and look-up tables have
numbers of their own in each. ``benchmarks/sharing.py`` measures what that is worth."""


RUNTIME = "verilated*.o"
RUNTIME_OPTION = "OPT_GLOBAL=-O2"
"""Verilator's library serves every access of a testbench; its default optimises for size."""


def _is_there(folder: Path) -> bool:
    """Whether a folder is complete; then nobody removes it any more."""
    try:
        use(folder)
    except OSError:
        return False
    return True


def _copy_runtime(build: Path, kept: Path) -> None:
    for compiled in build.glob(RUNTIME):
        shutil.copy2(compiled, kept)


@contextlib.contextmanager
def _import_path(entries: Sequence[str]) -> Iterator[None]:
    """Runners hand ``sys.path`` to the simulator's Python."""
    before = sys.path[:]
    sys.path[:] = entries
    try:
        yield
    finally:
        sys.path[:] = before


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
