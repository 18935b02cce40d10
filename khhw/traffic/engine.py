"""The scale engine as what measures points."""

from collections.abc import Sequence
from pathlib import Path

from khhw.build.cache import digest, file_digest
from khhw.build.code_facts import code_of
from khhw.build.design import convert
from khhw.build.engine import build_engine
from khhw.sim.engine.engine import evaluator_for
from khhw.traffic.point import Build

__all__ = ["identify", "prepare"]

_KHHW = Path(__file__).parents[1]
_SOURCES = ("build/engine.py", "build/recipe.py", "build/signal_offsets.py", "build/lanes/*", "sim/engine/**/*",
            "traffic/*.py")
"""What makes cycles and counts of a node's Verilog, below khhw."""


def identify(build: Build) -> str:
    """16 hexadecimal digits that differ where the node's Verilog, the engine's sources or the measurement's do.

    The hardware is converted, or found converted; nothing is compiled.

    Raises
    ------
    BuildError
        If it cannot be converted.
    """
    values, path = build.node.as_dict(), build.folders
    designs = [convert("rtl.cell:NodeCell", {**values, "parts": dict(build.parts)}, path=path),
               convert("rtl.cell:RootCell", values, path=path)]
    own = sorted(file for pattern in _SOURCES for file in _KHHW.glob(pattern)
                 if file.is_file() and file.suffix in (".py", ".h", ".cpp", ".v"))
    verilog = [(source.name, file_digest(source)) for design in designs for source in design.sources]
    return digest([*verilog, *((file.name, code_of(file)) for file in own)])


def prepare(build: Build, sizes: Sequence[int]) -> None:
    """Compile the engine for machines of so many nodes, or find it compiled.

    Raises
    ------
    RequestError
        If a tool is missing.
    BuildError
        If a tool fails.
    """
    for evaluator in dict.fromkeys(map(evaluator_for, sizes)):
        build_engine(build.node.as_dict(), dict(build.parts), path=build.folders, evaluator=evaluator)
