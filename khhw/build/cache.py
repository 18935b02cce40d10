"""The build folder: who may write where, and how parallel processes share it.

Everything generated lies in folders named by a hash of what it was made from. A folder is complete when it
holds the file `COMPLETE`; it is written by one process that holds the folder's lock, and never again.
A process that has built or found a folder shares a lock on that file until it ends: nobody removes it meanwhile.
"""

import atexit
import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from khhw.errors import RequestError

__all__ = ["COMPLETE", "build_once", "build_root", "checkout", "claim_folder", "digest", "file_digest", "lock",
           "lock_of", "refuse_full_disk", "refuse_unbuildable", "remove", "unused", "use", "write_atomically"]

COMPLETE = "complete.json"
"""Marks a finished folder; holds the facts that made its name."""

_LITTLE = 1 << 20

_UNBUILDABLE = re.compile(r"[^\w@%+=,./~-]")
"""Characters that mean something to make or to its shell."""

UNUSED_DAYS = 14
"""A build folder that nothing used for this long is removed when a sibling is built."""

_used: dict[tuple[int, int], TextIO] = {}
"""Files by which this process says that it uses folders, by device and inode."""


def checkout() -> Path | None:
    """Root of the source checkout this package runs from, None when it is installed."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "sim_build" / ".gitignore").is_file() and (root / "testbenches").is_dir() else None


def build_root() -> Path:
    """The folder everything generated goes to; it exists.

    ``$KHHW_BUILD`` if set, else ``sim_build`` of a writable checkout, else ``khhw`` in the user's cache folder.

    Raises
    ------
    RequestError
        If the folder cannot be made or written, or has a name that make and Verilator cannot handle.
    """
    root = checkout()
    if chosen := os.environ.get("KHHW_BUILD"):
        folder = Path(chosen).expanduser().absolute()
    elif root is not None and os.access(root / "sim_build", os.W_OK):
        folder = root / "sim_build"
    else:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "khhw"
    refuse_unbuildable(folder, "the build folder", "set KHHW_BUILD to a folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"cannot make the build folder {folder}: {error.strerror}; set KHHW_BUILD") from error
    if not os.access(folder, os.W_OK):
        raise RequestError(f"the build folder {folder} is not writable; set KHHW_BUILD to one that is")
    return folder


def refuse_unbuildable(path: Path, what: str, remedy: str) -> None:
    """Refuse a path that make and Verilator take apart: with a blank, or another character that they or a shell obey.

    Parameters
    ----------
    path : Path
    what : str
        Begins the sentence.
    remedy : str
        Ends it, in front of "whose name has none".

    Raises
    ------
    RequestError
        Names the path and what is in it.
    """
    if found := _UNBUILDABLE.search(str(path)):
        wrong = "a blank" if found[0].isspace() else f"the character {found[0]!r}"
        raise RequestError(f"{what} {str(path)!r} has {wrong} in its name, which make and Verilator cannot handle; "
                           f"{remedy} whose name has none")


def digest(facts: object) -> str:
    """16 hexadecimal digits that name `facts`, any JSON value."""
    text = json.dumps(facts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes; empty if there is no such file."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold the lock that belongs to `path`, waiting for it. It ends with the process at the latest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(lock_of(path), "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def lock_of(path: Path) -> Path:
    """The file whose lock belongs to `path`; it stays, empty."""
    return path.with_name(path.name + ".lock")


def use(folder: Path) -> None:
    """Note that a finished folder is used now, and keep everybody from removing it until this process ends.

    Raises
    ------
    OSError
        If it is not finished, or not there.
    """
    stamp = folder / COMPLETE
    os.utime(stamp)
    file = open(stamp, encoding="utf-8")  # noqa: SIM115 It stays open.
    status = os.fstat(file.fileno())
    if (status.st_dev, status.st_ino) in _used:
        file.close()
        return
    fcntl.flock(file, fcntl.LOCK_SH)
    atexit.register(file.close)
    _used[status.st_dev, status.st_ino] = file


@contextlib.contextmanager
def unused(folder: Path) -> Iterator[bool]:
    """Whether nobody builds a folder, uses it or runs in it; if so nobody begins to in the block."""
    with contextlib.ExitStack() as stack:
        try:
            for path in (lock_of(folder), folder / COMPLETE):
                if path.is_file():
                    fcntl.flock(stack.enter_context(open(path, encoding="utf-8")), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            # Somebody has just removed it.
            pass
        except BlockingIOError:
            yield False
            return
        yield True


def remove(folder: Path) -> bool:
    """Remove a folder unless somebody uses it; whether it is gone."""
    with unused(folder) as free:
        if free:
            # Without its stamp it is no build any more, whatever keeps the rest from going.
            with contextlib.suppress(OSError):
                (folder / COMPLETE).unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
        return not folder.exists()


def build_once(folder: Path, facts: object, build: Callable[[Path], None]) -> Path:
    """Fill `folder` by calling `build` with it, unless a process has done so before.

    A `build` that raises leaves the folder for inspection but not marked complete: the next call starts afresh.
    """
    stamp = folder / COMPLETE
    with lock(folder):
        if not stamp.is_file():
            _prune(folder)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            try:
                build(folder)
                write_atomically(stamp, json.dumps(facts, indent=1, default=str) + "\n")
            except OSError:
                refuse_full_disk(folder)
                raise
        use(folder)
    return folder


def refuse_full_disk(folder: Path) -> None:
    """Say so where a build failed because there is no room left.

    Raises
    ------
    RequestError
        If there is less than a mebibyte left where `folder` is.
    """
    if shutil.disk_usage(folder).free < _LITTLE:
        raise RequestError(f"the disk with {folder} is full: make room, or set KHHW_BUILD to a folder on another one")


@contextlib.contextmanager
def claim_folder(parent: Path, name: str) -> Iterator[Path]:
    """An empty folder ``parent/name`` for one run; ``name-2`` and so on while others use it."""
    parent.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        folder = parent / (name if number == 1 else f"{name}-{number}")
        with open(lock_of(folder), "w", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                number += 1
                continue
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            yield folder
            return


def write_atomically(path: Path, text: str) -> None:
    """Write a file that other processes see whole or not at all."""
    with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        file.write(text)
    # Temporary files are for their owner alone; what is kept is for whoever may read the folder.
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


def _prune(folder: Path) -> None:
    family, _, _ = folder.name.rpartition("-")
    limit = time.time() - UNUSED_DAYS * 86400
    for stamp in folder.parent.glob(f"{family}-*/{COMPLETE}"):
        if stamp.stat().st_mtime < limit:
            remove(stamp.parent)
