"""How a native engine is made: nodes' evaluators differ, the rest of the library does not."""

import os
import re
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from khhw.build import toolchain
from khhw.build.backends import VARIANTS, VERILATOR_OPTIONS, control_file
from khhw.build.cache import file_digest, refuse_full_disk
from khhw.build.code_facts import code_of
from khhw.build.design import Design
from khhw.build.signal_offsets import formats_text
from khhw.errors import BuildError

__all__ = ["CORE", "LIBRARY", "LIBRARY_DIGEST", "Recipe", "run_logged", "verilator_root"]

CORE = Path(__file__).parents[1] / "sim" / "engine" / "core"
LIBRARY = "engine.so"
LIBRARY_DIGEST = "engine.sha256"
_MAKE_JOBS = 2
_COMPILER = ("-std=c++20", "-O2", "-fPIC", "-Wall", "-Wextra")


@dataclass(frozen=True)
class Recipe(ABC):
    """Everything an engine is made of.

    Parameters
    ----------
    cell, root : Design
        A node, and the owner's port above the tree's root, as cells.
    variant : str
        Of the build.
    verilator : toolchain.Verilator
        Makes at least the root.
    """

    cell: Design
    root: Design
    variant: str
    verilator: toolchain.Verilator

    @property
    @abstractmethod
    def verilated(self) -> tuple[Design, ...]:
        """Designs that Verilator evaluates."""

    @property
    @abstractmethod
    def sources(self) -> tuple[Path, ...]:
        """The C++ that is compiled, headers included."""

    @property
    @abstractmethod
    def steps(self) -> tuple[Callable[..., Any] | Path, ...]:
        """Functions and files of its own whose change makes another library."""

    @property
    def options(self) -> tuple[str, ...]:
        """Further options of the compiler."""
        return ()

    @property
    def libraries(self) -> tuple[str, ...]:
        """Further options of the linker."""
        return ()

    @property
    def tools(self) -> Mapping[str, str]:
        """Further tools and their versions."""
        return {}

    def control(self, design: Design) -> str:
        """Verilator control file of one node: what is public, but no ports. Nothing in it is shared."""
        return control_file(replace(design, ports=(), shared={}))

    @abstractmethod
    def prepare(self, folder: Path) -> Sequence[str]:
        """Write what the C++ needs of the node into `folder`, and return object files that belong to it."""

    def facts(self) -> dict[str, Any]:
        """What the result depends on."""
        designs = [[file_digest(source) for source in design.sources] for design in (self.cell, self.root)]
        return {
            "designs": designs, "control": [self.control(design) for design in (self.cell, self.root)],
            "variant": [self.variant, VARIANTS[self.variant].options, VARIANTS[self.variant].make],
            "verilator": [self.verilator.identity, VERILATOR_OPTIONS],
            "compiler": [toolchain.gxx_version(), _COMPILER, self.options, self.libraries], "tools": dict(self.tools),
            "core": [file_digest(source) for source in self.sources],
            "recipe": [code_of(step) for step in (*_common_steps(), *self.steps)], "formats": formats_text(),
        }

    def make(self, folder: Path) -> None:
        """Fill a build folder, and leave only the library in it."""
        for design in self.verilated:
            self._verilate(design, folder / design.top)
        (folder / "formats.h").write_text(formats_text())
        objects = [*self.prepare(folder)]
        simple = all(_one_clock(folder / design.top, design.top) for design in self.verilated)
        plain = () if simple else ("-DKHHW_PLAIN_EVAL",)
        objects += [self.compile(source, folder, plain) for source in self.sources if source.suffix == ".cpp"]
        archives = [str(path) for path in sorted(folder.glob("*/*.a"))]
        run_logged(["g++", "-shared", "-o", str(folder / LIBRARY), *objects, *archives, "-pthread", "-latomic",
                    *self.libraries], folder)
        (folder / LIBRARY_DIGEST).write_text(file_digest(folder / LIBRARY) + "\n")
        _keep(folder, {LIBRARY, LIBRARY_DIGEST, "build.log"})

    def _verilate(self, design: Design, folder: Path) -> None:
        folder.mkdir()
        control = folder / "public.vlt"
        control.write_text(self.control(design))
        environment = {**os.environ, **self.verilator.environment()}
        variant = VARIANTS[self.variant]
        run_logged([str(self.verilator.executable), "--cc", str(control), *map(str, design.sources),
                    "--top-module", design.top, "--prefix", f"V{design.top}", "--Mdir", str(folder), *variant.options,
                    *VERILATOR_OPTIONS, "-CFLAGS", "-fPIC"], folder.parent, environment)
        runtime = ["libverilated.a"] if design is self.verilated[0] else []
        run_logged(["make", "-C", str(folder), "-f", f"V{design.top}.mk", "-j", str(_MAKE_JOBS), *variant.make,
                    *self.verilator.make_variables(), "OPT_GLOBAL=-O2", f"V{design.top}__ALL.a", *runtime],
                   folder.parent, environment)

    def compile(self, source: Path, folder: Path, options: Sequence[str] = ()) -> str:
        """Compile a source into `folder`, with the headers of what was verilated there; returns the object file."""
        compiled = folder / f"{source.stem}.o"
        top = self.verilated[0].top
        root = verilator_root(folder / top / f"V{top}.mk")
        # The evaluator's own headers first: core includes its torus.h.
        own = {file.parent: None for file in reversed(self.sources)}
        includes = [f"-I{path}" for path in (*own, folder, *(folder / design.top for design in self.verilated))]
        # Verilator's own headers are not ours to warn of.
        system = [word for path in (root / "include", root / "include" / "vltstd") for word in ("-isystem", str(path))]
        run_logged(["g++", *_COMPILER, *self.options, *options, *includes, *system, "-c", str(source),
                    "-o", str(compiled)], folder)
        return str(compiled)


def _common_steps() -> tuple[Callable[..., Any], ...]:
    """Of every recipe. What :meth:`Recipe.control` and the formats come to is a fact of its own."""
    return Recipe.make, Recipe._verilate, Recipe.compile, _one_clock, verilator_root, _keep


def run_logged(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> None:
    """Run a command in `folder`; what it says is appended to ``build.log``.

    Raises
    ------
    BuildError
        If it fails.
    """
    log = folder / "build.log"
    with log.open("a") as output:
        output.write(f"$ {' '.join(command)}\n")
        output.flush()
        done = subprocess.run(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        refuse_full_disk(folder)
        raise BuildError(f"{Path(command[0]).name} ended with code {done.returncode}", log)


def _one_clock(folder: Path, top: str) -> bool:
    """Whether one pass over the clocked logic is all there is at an edge, as the core takes it to be."""
    text = "".join(file.read_text() for file in folder.glob(f"V{top}___024root__*.cpp"))
    body = re.search(r"___eval_nba\(\w+\* vlSelf\) \{(.*?)\n\}", text, re.DOTALL)
    conditions = set(re.findall(r"if \((.*)\) \{", body[1])) if body else set()
    return conditions == {"(1ULL & vlSelfRef.__VnbaTriggered[0U])"}


def verilator_root(makefile: Path) -> Path:
    """Where the Verilator that wrote a makefile has its headers."""
    found = re.search(r"^VERILATOR_ROOT = (.*)$", makefile.read_text(), re.MULTILINE)
    if found is None:
        raise BuildError(f"{makefile.name} does not say where Verilator is")
    return Path(found[1])


def _keep(folder: Path, names: set[str]) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            path.rmdir()
        elif path.name not in names:
            path.unlink()
