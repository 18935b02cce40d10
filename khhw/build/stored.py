"""What the build folder holds, and removing it: all but what somebody uses."""

import fnmatch
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from khhw.build.cache import COMPLETE, build_root, lock, lock_of, remove, unused
from khhw.build.conversions import forget

__all__ = ["Stored", "clean", "stored"]

_INDEX = "index"
"""In the folder of Verilog: which conversion gave which folder."""


@dataclass(frozen=True)
class Stored:
    """A folder in the build folder.

    Parameters
    ----------
    folder : Path
    kind : str
        ``verilog``, ``sim``, ``engine``, ``runs`` (what testbenches leave) and so on: the folder it is in.
    size_bytes : int
        On the disk.
    made, used : float
        When it was made, and last used, in seconds since the epoch.
    in_use : bool
        Somebody builds it, or uses it, now.
    """

    folder: Path
    kind: str
    size_bytes: int
    made: float
    used: float
    in_use: bool

    @property
    def name(self) -> str:
        """Of a build: the top module, how it is built, and a hash of what it is made of."""
        return self.folder.name

    @classmethod
    def of(cls, folder: Path) -> "Stored":
        """What is known of a folder."""
        stamp = folder / COMPLETE
        status = [file.lstat() for file in folder.rglob("*") if not file.is_dir()]
        # Looking at a file changes no time of it; finding a build touches its stamp and what it was asked for.
        times = [each.st_mtime for each in status] or [folder.stat().st_mtime]
        with unused(folder) as free:
            return cls(folder, folder.parent.name, sum(512 * each.st_blocks for each in status), min(times),
                       stamp.stat().st_mtime if stamp.is_file() else max(times), not free)


def stored() -> list[Stored]:
    """Everything that can be removed, what was used last at the end."""
    found = []
    for folder in _folders():
        try:
            found.append(Stored.of(folder))
        except OSError:
            # Somebody has just removed it.
            continue
    return sorted(found, key=lambda each: each.used)


def _folders() -> Iterator[Path]:
    """What is built by :func:`~khhw.build.cache.build_once`, or claimed for a run: both have a lock.

    Somebody may have chosen a build folder that holds more. What lies behind a link is elsewhere, and a lock that says
    something, as those of package managers do, is none of khhw's.
    """
    for folder in sorted(build_root().glob("*/*")):
        linked = folder.is_symlink() or folder.parent.is_symlink()
        if folder.is_dir() and not linked and _is_empty(lock_of(folder)):
            yield folder


def _is_empty(file: Path) -> bool:
    return file.is_file() and not file.stat().st_size


def clean(
    names: Sequence[str] = (), *, unused_days: float = 0.0, dry_run: bool = False,
) -> tuple[list[Stored], list[Stored]]:
    """Remove what is in the build folder, but nothing that somebody uses.

    Parameters
    ----------
    names : sequence of str
        Only folders with such a name: all of it, all but the hash, the top module, or a pattern with ``*`` and ``?``.
        Without any: all. No folder has an empty one.
    unused_days : float
        Only what was not used for so many days.
    dry_run : bool
        Remove nothing.

    Returns
    -------
    (list of Stored, list of Stored)
        What was, or would be, removed; and what was asked for, but is in use, or could not be removed.
    """
    limit = time.time() - unused_days * 86400
    chosen = [each for each in stored() if each.used <= limit and (
        not names or any(_means(name, each.name) for name in names))]
    gone: list[Stored] = []
    kept: list[Stored] = []
    for each in chosen:
        if not each.in_use if dry_run else remove(each.folder):
            gone.append(each)
        else:
            with unused(each.folder) as free:
                kept.append(replace(each, in_use=not free))
    if not dry_run:
        _forget(build_root() / "verilog")
    return gone, kept


def _means(pattern: str, name: str) -> bool:
    """Whether a name given by a person is that of a folder."""
    return pattern != "" and (fnmatch.fnmatchcase(name, pattern)
                              or pattern in (name.rpartition("-")[0], name.partition("-")[0]))


def _forget(verilog: Path) -> None:
    """Remove what leads to Verilog that is gone."""
    for index in (verilog / _INDEX).glob("*.json"):
        with lock(index):
            forget(index, verilog)
