"""Building the native engine: one node, verilated and compiled once for machines of any size."""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from khhw.build import toolchain
from khhw.build.backends import VARIANTS, VERILATOR_OPTIONS, control_file
from khhw.build.cache import build_once, build_root, digest, file_digest, refuse_full_disk
from khhw.build.design import Design, convert
from khhw.build.errors import BuildError, RequestError
from khhw.build.places import write_formats, write_places
from khhw.build.simulator import BuildTime, timed

__all__ = ["EngineBuild", "build_engine"]

CORE = Path(__file__).parents[1] / "sim" / "engine" / "core"
LIBRARY = "engine.so"
_DIGEST = "engine.sha256"
_MAKE_JOBS = 2
_COMPILER = ("-std=c++20", "-O2", "-fPIC", "-Wall", "-Wextra")


@dataclass(frozen=True, kw_only=True)
class EngineBuild:
    """A compiled engine.

    Parameters
    ----------
    folder : Path
        Where it lies; read only from now on.
    """

    folder: Path

    @property
    def library(self) -> Path:
        """The shared library."""
        return self.folder / LIBRARY

    @property
    def time(self) -> BuildTime | None:
        """How long it took when it was made."""
        return BuildTime.of(self.folder)

    def check(self) -> None:
        """Refuse a library that is not what was built.

        Raises
        ------
        RequestError
            Says what to remove.
        """
        kept = self.folder / _DIGEST
        if not kept.is_file() or kept.read_text().strip() != file_digest(self.library):
            raise RequestError(
                f"the compiled engine {self.library} is damaged: remove {self.folder}, and it is built again")


@dataclass(frozen=True)
class _Recipe:
    """Everything an engine is made of."""

    cell: Design
    root: Design
    variant: str
    verilator: toolchain.Verilator
    sources: tuple[Path, ...] = field(default_factory=lambda: tuple(sorted(CORE.glob("*.[ch]*"))))

    def facts(self) -> dict[str, Any]:
        designs = [[file_digest(source) for source in design.sources] for design in (self.cell, self.root)]
        return {
            "designs": designs, "control": control_file(self.cell), "variant": self.variant,
            "verilator": [str(self.verilator.executable), self.verilator.version, self.verilator.make_variables()],
            "compiler": [toolchain.gxx_version(), _COMPILER], "core": [file_digest(source) for source in self.sources],
            "recipe": [file_digest(Path(__file__)), file_digest(Path(__file__).with_name("places.py"))],
        }

    def make(self, folder: Path) -> None:
        """Fill a build folder, and leave only the library in it."""
        for design in (self.cell, self.root):
            self._verilate(design, folder / design.top)
        generated = folder / self.cell.top
        write_places(folder / "places.inc", generated, f"V{self.cell.top}", self.cell.public)
        write_formats(folder / "formats.h")
        simple = all(_one_clock(folder / design.top, design.top) for design in (self.cell, self.root))
        plain = () if simple else ("-DKHHW_PLAIN_EVAL",)
        objects = [self._compile(source, folder, plain) for source in self.sources if source.suffix == ".cpp"]
        archives = [str(path) for path in sorted(folder.glob("*/*.a"))]
        _run(["g++", "-shared", "-o", str(folder / LIBRARY), *objects, *archives, "-pthread", "-latomic"], folder)
        (folder / _DIGEST).write_text(file_digest(folder / LIBRARY) + "\n")
        _keep(folder, {LIBRARY, _DIGEST, "build.log"})

    def _verilate(self, design: Design, folder: Path) -> None:
        folder.mkdir()
        control = folder / "public.vlt"
        control.write_text(_flat(design))
        environment = {**os.environ, **self.verilator.environment()}
        variant = VARIANTS[self.variant]
        _run([str(self.verilator.executable), "--cc", str(control), *map(str, design.sources),
              "--top-module", design.top, "--prefix", f"V{design.top}", "--Mdir", str(folder), *variant.options,
              *VERILATOR_OPTIONS, "-CFLAGS", "-fPIC"], folder.parent, environment)
        _run(["make", "-C", str(folder), "-f", f"V{design.top}.mk", "-j", str(_MAKE_JOBS), *variant.make,
              *self.verilator.make_variables(), "OPT_GLOBAL=-O2", f"V{design.top}__ALL.a",
              *(["libverilated.a"] if design is self.cell else [])], folder.parent, environment)

    def _compile(self, source: Path, folder: Path, options: Sequence[str]) -> str:
        compiled = folder / f"{source.stem}.o"
        root = _verilator_root(folder / self.cell.top / f"V{self.cell.top}.mk")
        includes = [f"-I{path}" for path in (CORE, folder, folder / self.cell.top, folder / self.root.top)]
        # Verilator's own headers are not ours to warn of.
        system = [word for path in (root / "include", root / "include" / "vltstd") for word in ("-isystem", str(path))]
        _run(["g++", *_COMPILER, *options, *includes, *system, "-c", str(source), "-o", str(compiled)], folder)
        return str(compiled)


def build_engine(
    parameters: Mapping[str, Any], parts: Mapping[Any, str] | None = None, *, variant: str = "fast",
    path: Sequence[Path] = (),
) -> EngineBuild:
    """Convert, verilate and compile the engine for one set of node parameters, or find it built.

    Parameters
    ----------
    parameters : mapping
        Of ``rtl.parameters.Parameters``, as plain values.
    parts : mapping, optional
        Replacements of parts of the node, ``{"router": "module:Class"}``.
    variant : str
        ``fast`` or ``debug``, as for :class:`~khhw.build.simulator.Simulation`.
    path : sequence of Path
        Folders parts are imported from.

    Raises
    ------
    RequestError
        If a tool is missing, or a part cannot be used: its cables do not leave from registers.
    BuildError
        If a tool fails; the message holds the end of its output.
    """
    if variant not in VARIANTS:
        raise RequestError(f"no build variant {variant!r}; there are {', '.join(VARIANTS)}")
    verilator = toolchain.require_tools()
    cell = convert("rtl.cell:NodeCell", {**parameters, "parts": dict(parts or {})}, path=path)
    root = convert("rtl.cell:RootCell", dict(parameters), path=path)
    recipe = _Recipe(cell, root, variant, verilator)
    facts = recipe.facts()
    folder = build_root() / "engine" / f"{cell.top}-{variant}-{digest(facts)}"
    build_once(folder, facts, lambda empty: timed(recipe.make, empty))
    return EngineBuild(folder=folder)


def _flat(design: Design) -> str:
    """Control file for one node: what is public, but nothing kept apart. Its parts are not used twice."""
    lines = control_file(design).splitlines()
    left_out = "no_inline", f'public_flat_rw -module "{design.top}"'
    return "\n".join(line for line in lines if not line.startswith(left_out))


def _one_clock(folder: Path, top: str) -> bool:
    """Whether one pass over the clocked logic is all there is at an edge, as the core takes it to be."""
    text = "".join(file.read_text() for file in folder.glob(f"V{top}___024root__*.cpp"))
    body = re.search(r"___eval_nba\(\w+\* vlSelf\) \{(.*?)\n\}", text, re.DOTALL)
    conditions = set(re.findall(r"if \((.*)\) \{", body[1])) if body else set()
    return conditions == {"(1ULL & vlSelfRef.__VnbaTriggered[0U])"}


def _verilator_root(makefile: Path) -> Path:
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


def _run(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> None:
    log = folder / "build.log"
    with log.open("a") as output:
        output.write(f"$ {' '.join(command)}\n")
        output.flush()
        done = subprocess.run(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        refuse_full_disk(folder)
        raise BuildError(f"{Path(command[0]).name} ended with code {done.returncode}", log)

