"""Building the native engine: one node, made evaluable once for machines of any size."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from khhw.build import toolchain
from khhw.build.backends import VARIANTS
from khhw.build.cache import build_once, build_root, digest, file_digest, write_atomically
from khhw.build.design import Design, convert
from khhw.build.lanes.demands import require_lanes
from khhw.build.lanes.recipe import LanesRecipe
from khhw.build.progress import Begun, OnBegin
from khhw.build.recipe import CORE, LIBRARY, LIBRARY_DIGEST, Recipe, verilator_root
from khhw.build.signal_offsets import write_offsets
from khhw.build.simulator import REQUEST, BuildTime, timed
from khhw.build.waves import named_signals, waves_name, write_table, writer
from khhw.errors import RequestError
from rtl.parameters import Parameters

__all__ = ["CORE", "EVALUATORS", "LIBRARY", "EngineBuild", "VerilatedRecipe", "WavesRecipe", "build_engine"]

_WAVES = CORE.with_name("waves")


@dataclass(frozen=True, kw_only=True)
class EngineBuild:
    """A compiled engine.

    Parameters
    ----------
    folder : Path
        Where it lies; read only from now on.
    memory_bytes : int
        Of a node.
    evaluator : str
        One of :data:`EVALUATORS`.
    waves : str
        Name of the file it can write waves to; empty if it cannot.
    """

    folder: Path
    memory_bytes: int
    evaluator: str = "verilated"
    waves: str = ""

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
        kept = self.folder / LIBRARY_DIGEST
        if not kept.is_file() or kept.read_text().strip() != file_digest(self.library):
            raise RequestError(
                f"the compiled engine {self.library} is damaged: remove {self.folder}, and it is built again")


@dataclass(frozen=True)
class VerilatedRecipe(Recipe):
    """An engine whose nodes are verilated."""

    @property
    def verilated(self) -> tuple[Design, ...]:
        """Everything."""
        return (self.cell, self.root)

    @property
    def sources(self) -> tuple[Path, ...]:
        """The core."""
        return tuple(sorted(CORE.glob("*.[ch]*")))

    @property
    def steps(self) -> tuple[Callable[..., Any] | Path, ...]:
        """What writes parts of the C++."""
        return VerilatedRecipe.prepare, Path(__file__).with_name("signal_offsets.py")

    def prepare(self, folder: Path) -> Sequence[str]:
        """Say where registers and memories of a node are."""
        write_offsets(folder / "signal_offsets.inc", folder / self.cell.top, f"V{self.cell.top}", self.cell.public)
        return ()


@dataclass(frozen=True)
class WavesRecipe(VerilatedRecipe):
    """An engine whose nodes are verilated, and keep what has a name for waves."""

    @property
    def sources(self) -> tuple[Path, ...]:
        """The core, and what writes waves."""
        return (*super().sources, *sorted(_WAVES.glob("*.[ch]*")))

    @property
    def steps(self) -> tuple[Callable[..., Any] | Path, ...]:
        """What chooses signals too."""
        return *super().steps, WavesRecipe.prepare, Path(__file__).with_name("waves.py")

    @property
    def options(self) -> tuple[str, ...]:
        """With waves, and in which format."""
        return ("-DKHHW_WAVES", *(("-DKHHW_FST",) if self._fst else ()))

    @property
    def libraries(self) -> tuple[str, ...]:
        """What the writer of FST files compresses with."""
        return ("-llz4", "-lz") if self._fst else ()

    @property
    def _fst(self) -> bool:
        return waves_name().endswith(".fst")

    def control(self, design: Design) -> str:
        """All that has a name in a node and its blocks can be seen."""
        lines = [super().control(design)]
        if design is self.cell:
            lines += [f'public_flat_rd -module "{signal.module}" -var "{signal.name}"'
                      for signal in named_signals(design)]
        return "\n".join(lines)

    def prepare(self, folder: Path) -> Sequence[str]:
        """Say where these signals are, and compile what writes files."""
        top = self.cell.top
        write_table(folder / "wave_signals.inc", folder / top, f"V{top}", named_signals(self.cell))
        include = verilator_root(folder / top / f"V{top}.mk") / "include"
        return (*super().prepare(folder), self.compile(writer(include, waves_name()), folder))


_RECIPES: dict[str, type[Recipe]] = {"verilated": VerilatedRecipe, "lanes": LanesRecipe}
EVALUATORS = tuple(_RECIPES)
"""How nodes are evaluated: one after the other by Verilator's code, or 512 side by side."""


def build_engine(
    parameters: Mapping[str, Any], parts: Mapping[Any, str] | None = None, *, variant: str = "fast",
    path: Sequence[Path] = (), evaluator: str = "verilated", waves: bool = False, on_begin: OnBegin | None = None,
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
    evaluator : str
        One of :data:`EVALUATORS`. ``lanes`` needs Yosys and a processor with AVX-512, and takes a minute or two to
        build; it pays for many nodes. It has no ``debug`` variant.
    waves : bool
        Able to write waves; slower. A build of its own, of the evaluator ``verilated``.
    on_begin : callable, optional
        Told of the build if it is not there yet.

    Raises
    ------
    RequestError
        If a tool is missing, or a part cannot be used: its cables do not leave from registers.
    BuildError
        If a tool fails; the message holds the end of its output.
    """
    if variant not in VARIANTS:
        raise RequestError(f"no build variant {variant!r}; there are {', '.join(VARIANTS)}")
    if evaluator not in EVALUATORS:
        raise RequestError(f"no evaluator {evaluator!r}; there are {', '.join(EVALUATORS)}")
    if evaluator == "lanes":
        require_lanes()
        if variant != "fast":
            raise RequestError(f"nodes in lanes have no variant {variant!r}; the evaluator 'verilated' has")
    if waves and evaluator != "verilated":
        raise RequestError(f"nodes of the evaluator {evaluator!r} write no waves; those of 'verilated' do")
    verilator = toolchain.require_tools()
    cell = convert("rtl.cell:NodeCell", {**parameters, "parts": dict(parts or {})}, path=path)
    root = convert("rtl.cell:RootCell", dict(parameters), path=path)
    recipe = (WavesRecipe if waves else _RECIPES[evaluator])(cell, root, variant, verilator)
    facts = {**recipe.facts(), "evaluator": evaluator}
    kind = "-".join([evaluator, variant, *(["waves"] if waves else [])])
    folder = build_root() / "engine" / f"{cell.top}-{kind}-{digest(facts)}"
    begun = Begun.of(folder, f"engine-{kind}", (*cell.sources, *root.sources))
    build_once(folder, facts, lambda _: timed(recipe.make, begun, on_begin))
    asked = {"parameters": dict(parameters), "parts": {str(part): cls for part, cls in (parts or {}).items()},
             "variant": variant,
             "path": [str(entry) for entry in path], "evaluator": evaluator, "waves": waves}
    write_atomically(folder / REQUEST, json.dumps(asked) + "\n")
    return EngineBuild(
        folder=folder, memory_bytes=Parameters(**parameters).memory_bytes, evaluator=evaluator,
        waves=waves_name() if waves else "")
