"""The scale engine as what measures points."""

from khhw.build.cache import digest, file_digest
from khhw.build.design import convert
from khhw.build.engine import CORE, build_engine
from khhw.traffic.point import Build

__all__ = ["identify", "prepare"]


def identify(build: Build) -> str:
    """16 hexadecimal digits that differ where the node's Verilog or the engine's sources do.

    The hardware is converted, or found converted; nothing is compiled.

    Raises
    ------
    BuildError
        If it cannot be converted.
    """
    values, path = build.node.as_dict(), build.folders
    designs = [convert("rtl.cell:NodeCell", {**values, "parts": dict(build.parts)}, path=path),
               convert("rtl.cell:RootCell", values, path=path)]
    files = [*(source for design in designs for source in design.sources), *sorted(CORE.glob("*.[ch]*"))]
    return digest([(file.name, file_digest(file)) for file in files])


def prepare(build: Build) -> None:
    """Compile the engine, or find it compiled.

    Raises
    ------
    RequestError
        If a tool is missing.
    BuildError
        If a tool fails.
    """
    build_engine(build.node.as_dict(), dict(build.parts), path=build.folders)

