"""The folder of a sweep: one file a point, each whole or not there."""

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from khhw.errors import BuildError, RequestError
from khhw.files import writable_folder
from khhw.traffic.measurement import Measurement
from khhw.traffic.point import Point

__all__ = ["Record", "Store", "WriteError", "write_whole"]

_LOCK = ".lock"
_TEMPORARY = ".part-"


class WriteError(BuildError):
    """A file could not be written; the one before it, if any, is still there."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """What became of a point.

    Parameters
    ----------
    id : str
        Names the point, what it was built from and the version; see :meth:`khhw.traffic.point.Point.identity`.
    point : Point
        The point.
    build : str
        Identity of the build.
    version : str
        Of khhw.
    state : str
        ``done`` or ``failed``.
    reason : str
        Why it failed.
    measurement : Measurement or None
        None for a point that failed.
    worker : str
        Where it was measured.
    lost_workers : int
        Workers that were lost while they measured it.
    """

    id: str
    point: Point
    build: str
    version: str
    state: Literal["done", "failed"]
    reason: str = ""
    measurement: Measurement | None = None
    worker: str = ""
    lost_workers: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Plain values by name, for JSON."""
        return {"id": self.id, "state": self.state, "reason": self.reason, "version": self.version, "build": self.build,
                "worker": self.worker, "lost_workers": self.lost_workers, "point": self.point.as_dict(),
                "measurement": self.measurement.as_dict() if self.measurement else None}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Record":
        """What :meth:`as_dict` gave."""
        measurement = values["measurement"]
        return cls(**{**values, "point": Point.from_dict(values["point"]),
                      "measurement": Measurement.from_dict(measurement) if measurement else None})


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there whole or, if that fails, as it was before.

    Raises
    ------
    WriteError
        If it cannot be written; says why, and what to do.
    """
    temporary = ""
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=_TEMPORARY, delete=False) as file:
            temporary = file.name
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException as error:
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        if isinstance(error, OSError):
            raise WriteError(f"cannot write {path}: {error.strerror}; make room or choose another folder with -o, then "
                             f"start again: finished points are not measured again") from error
        raise


class Store:
    """The records of a sweep in its folder.

    Parameters
    ----------
    folder : Path
        Of the sweep.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._points = folder / "points"
        self.broken: list[Path] = []
        """Files that held no record and count as not there."""

    @contextlib.contextmanager
    def opened(self) -> Iterator["Store"]:
        """Make the folder if need be and keep others out of it.

        Raises
        ------
        RequestError
            If it cannot be made or written, or another sweep runs in it.
        """
        writable_folder(self.folder)
        writable_folder(self._points)
        with open(self.folder / _LOCK, "w", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RequestError(f"another sweep is running in {self.folder}; wait for it, or choose another folder "
                                   f"with -o") from None
            # What a killed sweep was writing.
            for folder in (self.folder, self._points):
                for left in folder.glob(f"{_TEMPORARY}*"):
                    shutil.rmtree(left) if left.is_dir() else left.unlink()
            yield self

    def __len__(self) -> int:
        return sum(1 for _ in self._points.glob("*.json"))

    def read(self, name: str) -> Record | None:
        """The record of this id; None if there is none that can be read."""
        path = self._points / f"{name}.json"
        try:
            record = Record.from_dict(json.loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            self.broken.append(path)
            return None
        if record.id != name:
            self.broken.append(path)
            return None
        return record

    def save(self, record: Record) -> None:
        """Put a record on disk, whole; see :func:`write_whole`."""
        text = json.dumps(record.as_dict(), indent=1) + "\n"
        write_whole(self._points / f"{record.id}.json", text.encode())
