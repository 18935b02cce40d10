"""Recordings of a console, as asciicast version 2 (https://docs.asciinema.org/manual/asciicast/v2/) with cycles.

A file has a header, a JSON object, on its first line. Every other line is an event ``[SECONDS, CODE, DATA]``. In front
of what a node said stands a marker (code ``m``) whose data is ``boot B cycle C``: when the machine said it. Players
that know no cycles show it, and play what was seen.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from khhw.errors import RequestError

__all__ = ["Event", "Moment", "Recording", "events"]

_VERSION = 2
_MOMENT = re.compile(r"boot ([0-9]{1,10}) cycle ([0-9]{1,20})")
_LONGEST = 1 << 20
"""Characters of a line of a file that are read."""
_LATEST = 1e12
"""Seconds after which no event is read: numbers of JSON can be larger than those that can be computed with."""


@dataclass(frozen=True)
class Moment:
    """When the machine did something.

    Parameters
    ----------
    boot : int
        How often the machine has been switched on; cycles of each boot are counted from 0.
    cycle : int
    """

    boot: int
    cycle: int

    def __str__(self) -> str:
        return f"boot {self.boot} cycle {self.cycle}"

    @classmethod
    def parse(cls, text: str) -> "Moment | None":
        """A marker's data; None for a marker of somebody else."""
        found = _MOMENT.fullmatch(text)
        return None if found is None else cls(int(found[1]), int(found[2]))


class Recording:
    """A recording being made; every line is on its way to the file when its method returns.

    Parameters
    ----------
    path : Path
        A file that is not there yet.
    title : str
    columns, rows : int
        Of the terminal whose picture is recorded.
    clock : callable
        Seconds that never go back.

    Raises
    ------
    RequestError
        If the file is there already, or cannot be written.
    """

    def __init__(
        self, path: Path, title: str, *, columns: int, rows: int, clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._began = clock()
        self._file: TextIO = _opened(path)
        self._put({"version": _VERSION, "width": columns, "height": rows, "timestamp": int(time.time()),
                   "title": title})

    def __enter__(self) -> "Recording":
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def show(self, rows: str, moment: Moment | None = None) -> None:
        """Record what was shown.

        Parameters
        ----------
        rows : str
            Visible text; rows end with a newline.
        moment : Moment or None
            When a node said it.
        """
        if moment is not None:
            self._event("m", str(moment))
        self._event("o", rows.replace("\n", "\r\n"))

    def _event(self, code: str, data: str) -> None:
        self._put([round(self._clock() - self._began, 6), code, data])

    def _put(self, value: Any) -> None:
        # Whole lines: what is killed leaves at most one that is torn, the last.
        self._file.write(f"{json.dumps(value)}\n")


def _opened(path: Path) -> TextIO:
    try:
        return path.open("x", encoding="utf-8", buffering=1)
    except FileExistsError:
        raise RequestError(f"{path} is there already, and a recording replaces nothing; name another file") from None
    except OSError as error:
        raise RequestError(f"{path} cannot be recorded to: {error.strerror}; name another file") from error


@dataclass(frozen=True)
class Event:
    """What a recording shows at a time.

    Parameters
    ----------
    seconds : float
        Since it began.
    text : str
        What was printed, as it stands in the file: anything.
    moment : Moment or None
        When the machine said it.
    """

    seconds: float
    text: str
    moment: Moment | None = None


def events(path: Path) -> Iterator[Event]:
    """What a recording shows, event by event; those that show nothing (keys, sizes, markers of others) are left out.

    Raises
    ------
    RequestError
        If it cannot be read or is no recording; names the line. A last line that is torn is left out.
    """
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            _check_header(path, file.readline(_LONGEST))
            yield from _shown(path, file)
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror}") from error


def _shown(path: Path, file: TextIO) -> Iterator[Event]:
    number, last, moment = 1, 0.0, None
    while line := file.readline(_LONGEST):
        number += 1
        if not line.endswith("\n") and len(line) < _LONGEST:
            return
        match _parsed(line):
            case [int() | float() as seconds, str(code), str(data)] if last <= seconds <= _LATEST:
                last = seconds
            case _:
                raise RequestError(f"{path}, line {number}: an event is [SECONDS, CODE, DATA], and none is earlier "
                                   "than the one before it")
        if code == "m":
            moment = Moment.parse(data)
        elif code == "o":
            yield Event(seconds, data, moment)
            moment = None


def _check_header(path: Path, line: str) -> None:
    header = _parsed(line)
    if not isinstance(header, dict) or "version" not in header:
        raise RequestError(f"{path} is no recording: its first line is no header of an asciicast")
    if header["version"] != _VERSION:
        raise RequestError(f"{path} is an asciicast of version {header['version']!r}; khhw reads version {_VERSION} "
                           "(`asciinema convert` writes it)")


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
