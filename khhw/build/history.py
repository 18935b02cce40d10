"""How long jobs took on this machine: kept in the build folder, to say how long the next one of their kind takes."""

import itertools
import json
import math
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from khhw.build.cache import build_root, digest, lock, write_atomically
from khhw.build.provenance import processor
from khhw.estimate import Span

__all__ = ["FOLDER", "Took", "earlier", "known", "note", "this_machine"]

FOLDER = "times"
"""In the build folder: a file a kind of job."""
_KEPT = 40
_LIKE = 8
"""Jobs that an estimate is made of, those nearest in size."""
_FARTHEST = 3.0
"""Times as large, or as small, that a job may be to say something of another one."""
_WIDER = 1.25
"""A range is so much wider than what was seen: other work on a machine varies."""


@dataclass(frozen=True)
class Took:
    """A job that has ended.

    Parameters
    ----------
    machine : str
        Where; see :func:`this_machine`.
    seconds : float
        Of wall.
    size : float
        In a unit of its kind.
    steps : tuple of (float, float)
        Seconds of each of its parts, and its size.
    """

    machine: str
    seconds: float
    size: float = 1.0
    steps: tuple[tuple[float, float], ...] = ()


def this_machine() -> str:
    """The processor and how many of its cores may be used: folders are copied, and shared, between machines."""
    here = processor()
    return f"{here.model or os.uname().machine}, {here.cores} cores"


def note(kind: str, seconds: float, size: float = 1.0, steps: Sequence[tuple[float, float]] = ()) -> None:
    """Keep what a job took: of each kind the last few."""
    file = _file(kind)
    with lock(file):
        kept = [*_read(file), Took(this_machine(), round(seconds, 2), size, tuple(steps))][-_KEPT:]
        write_atomically(file, json.dumps([asdict(took) for took in kept]) + "\n")


def earlier(kind: str) -> list[Took]:
    """Jobs of a kind on this machine, the last one last."""
    here = this_machine()
    return [took for took in _read(_file(kind)) if took.machine == here]


def known(kind: str, size: float = 1.0) -> Span | None:
    """How long a job takes, by those of its kind and about its size that this machine has done; None without any."""
    near = [took for took in earlier(kind) if size / _FARTHEST <= took.size <= size * _FARTHEST]
    near.sort(key=lambda took: max(took.size / size, size / took.size))
    scaled = [took.seconds * size / took.size for took in near[:_LIKE]]
    return Span(min(scaled) / _WIDER, max(scaled) * _WIDER) if scaled else None


def _file(kind: str) -> Path:
    return build_root() / FOLDER / f"{re.sub(r'[^A-Za-z0-9_-]+', '_', kind)[:60]}-{digest(kind)}.json"


def _read(file: Path) -> list[Took]:
    """What a file holds, but for jobs that took no time; nothing if it is none of these."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        kept = [Took(str(each["machine"]), float(each["seconds"]), float(each["size"]),
                     tuple((float(seconds), float(size)) for seconds, size in each["steps"])) for each in found]
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return []
    return [took for took in kept if took.seconds > 0 and took.size > 0 and all(
        0 <= number < math.inf for number in (took.seconds, took.size, *itertools.chain.from_iterable(took.steps)))]
