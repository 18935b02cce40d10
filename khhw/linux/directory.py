"""Machines whose nodes run Linux, by name: who runs one, and where its namespaces are. For one user of a computer."""

import fcntl
import json
import os
import re
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from khhw.errors import RequestError
from khhw.patterns import IN_WORDS, NAME

__all__ = ["INSIDE", "RunningMachine", "claimed", "find", "running"]

INSIDE = "KHHW_NET"
"""Variable of the environment of a node's programs: the folder of their machine."""
_STATE, _LOCK = "machine.json", "lock"
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class RunningMachine:
    """A machine that is up.

    Parameters
    ----------
    name : str
    folder : str
        Where it keeps what others must know.
    file : str
        Its machine file.
    process : int
        Who runs it.
    init : int
        The first process in its namespaces.
    namespaces : mapping
        By rank as text, descriptors of that process, by kind.
    nodes : list of dict
        :meth:`khhw.linux.plan.Plan.as_dict`.
    """

    name: str
    folder: str
    file: str
    process: int
    init: int
    namespaces: Mapping[str, Mapping[str, int]]
    nodes: list[dict[str, Any]]

    def announce(self) -> None:
        """Let others find it."""
        path = Path(self.folder) / _STATE
        scratch = path.with_suffix(".new")
        scratch.write_text(json.dumps(asdict(self)), encoding="utf-8")
        scratch.replace(path)

    def ended(self, seconds: float) -> bool:
        """Wait until nobody runs it any more, so many seconds at most; whether that is so."""
        end = time.monotonic() + seconds
        while _is_claimed(Path(self.folder)):
            if time.monotonic() >= end:
                return False
            time.sleep(_POLL_SECONDS)
        return True


def _root() -> Path:
    """The folder of all machines of this user, made if there is none; nobody else may write to it."""
    base = os.environ.get("XDG_RUNTIME_DIR") or ""
    root = Path(base) / "khhw" if base and Path(base).is_dir() else Path("/tmp") / f"khhw-{os.geteuid()}"
    root.mkdir(mode=0o700, exist_ok=True)
    found = root.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise RequestError(f"{root} is not a folder of this user alone; remove it, or set XDG_RUNTIME_DIR to another")
    return root


@contextmanager
def claimed(name: str) -> Iterator[Path]:
    """Be the one who runs the machine of this name; its folder, which is empty at first.

    Raises
    ------
    RequestError
        If the name cannot be one, or somebody else runs it.
    """
    if re.fullmatch(NAME, name) is None:
        raise RequestError(f"a machine's name is {IN_WORDS[NAME]}, not {name!r}; give it one with --name")
    folder = _root() / name
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / _LOCK).open("a", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RequestError(f"a machine {name} is up already; end it with `khhw net down {name}`, or give this one "
                               "another name with --name") from None
        _empty(folder)
        try:
            yield folder
        finally:
            _empty(folder)


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name != _LOCK:
            path.unlink()


def _is_claimed(folder: Path) -> bool:
    try:
        with (folder / _LOCK).open("a", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _machine(folder: Path) -> RunningMachine | None:
    """What a folder says of its machine, if that is up."""
    try:
        said = json.loads((folder / _STATE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return RunningMachine(**said) if _is_claimed(folder) else None


def running() -> list[RunningMachine]:
    """All machines of this user that are up, by name."""
    return [machine for folder in sorted(_root().iterdir()) if (machine := _machine(folder)) is not None]


def find(name: str | None) -> RunningMachine:
    """The machine of this name; without one the only one there is, or the one whose node this process runs on.

    Raises
    ------
    RequestError
        If there is none, or there are several; says which.
    """
    inside = os.environ.get(INSIDE)
    machines = running() if inside is None else [m for m in [_machine(Path(inside))] if m is not None]
    known = ", ".join(machine.name for machine in machines)
    if name is None:
        if len(machines) == 1:
            return machines[0]
        raise RequestError(f"several machines are up: {known}; name one with --name" if machines else
                           "no machine is up; start one with `khhw net up FILE`")
    for machine in machines:
        if machine.name == name:
            return machine
    raise RequestError(f"no machine {name} is up; " + (f"there are {known}" if known else
                                                       "start it with `khhw net up FILE`"))
