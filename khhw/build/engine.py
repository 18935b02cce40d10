"""Building the native engine: one node, made evaluable once for machines of any size."""

import json
from collections.abc import Mapping, Sequence
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
from khhw.build.recipe import CORE, LIBRARY, LIBRARY_DIGEST, Recipe
from khhw.build.signal_offsets import write_offsets
from khhw.build.simulator import REQUEST, BuildTime, timed
from khhw.errors import RequestError
from rtl.parameters import Parameters

__all__ = ["CORE", "EVALUATORS", "LIBRARY", "EngineBuild", "VerilatedRecipe", "build_engine"]


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
    """

    folder: Path
    memory_bytes: int
    evaluator: str = "verilated"

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
    def modules(self) -> tuple[Path, ...]:
        """What writes parts of the C++."""
        return Path(__file__), Path(__file__).with_name("signal_offsets.py")

    def prepare(self, folder: Path) -> Sequence[str]:
        """Say where registers and memories of a node are."""
        write_offsets(folder / "signal_offsets.inc", folder / self.cell.top, f"V{self.cell.top}", self.cell.public)
        return ()


_RECIPES: dict[str, type[Recipe]] = {"verilated": VerilatedRecipe, "lanes": LanesRecipe}
EVALUATORS = tuple(_RECIPES)
"""How nodes are evaluated: one after the other by Verilator's code, or 512 side by side."""


def build_engine(
    parameters: Mapping[str, Any], parts: Mapping[Any, str] | None = None, *, variant: str = "fast",
    path: Sequence[Path] = (), evaluator: str = "verilated", on_begin: OnBegin | None = None,
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
    verilator = toolchain.require_tools()
    cell = convert("rtl.cell:NodeCell", {**parameters, "parts": dict(parts or {})}, path=path)
    root = convert("rtl.cell:RootCell", dict(parameters), path=path)
    recipe = _RECIPES[evaluator](cell, root, variant, verilator)
    facts = {**recipe.facts(), "evaluator": evaluator}
    folder = build_root() / "engine" / f"{cell.top}-{evaluator}-{variant}-{digest(facts)}"
    begun = Begun.of(folder, f"engine-{evaluator}-{variant}", (*cell.sources, *root.sources))
    build_once(folder, facts, lambda _: timed(recipe.make, begun, on_begin))
    asked = {"parameters": dict(parameters), "parts": {str(part): cls for part, cls in (parts or {}).items()},
             "variant": variant,
             "path": [str(entry) for entry in path], "evaluator": evaluator}
    write_atomically(folder / REQUEST, json.dumps(asked) + "\n")
    return EngineBuild(
        folder=folder, memory_bytes=Parameters(**parameters).memory_bytes, evaluator=evaluator)
