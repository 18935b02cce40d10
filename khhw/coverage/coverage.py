"""What testbenches have covered: read from a run, added up over runs."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from khhw.coverage.counts import Point, read_counts

__all__ = ["Bin", "Coverage", "Line", "Toggle"]

_AGAIN = re.compile(r"\$\d+")
"""Behind the names of further signals of one name; which is which depends on the variant."""
_EDGE = re.compile(r"(?:\[(\d+)\])?:([01])->[01]$")


@dataclass(frozen=True, order=True)
class Line:
    """A line of the source that is executed on a condition.

    Parameters
    ----------
    module : str
        Python module.
    number : int
        Line in it.
    outcome : str
        Empty, or of a ``Mux`` which of its values was chosen: ``true`` or ``false``.
    """

    module: str
    number: int
    outcome: str = ""


@dataclass(frozen=True, order=True)
class Toggle:
    """A bit of a signal, in one direction.

    Parameters
    ----------
    component : str
        Module and class of the component that drives it, or whose input it is.
    signal : str
        Its name there, with that of the innermost field.
    bit : int
        In the field; -1 if it has one bit.
    rising : bool
        From 0 to 1, else back.
    """

    component: str
    signal: str
    bit: int
    rising: bool

    @property
    def module(self) -> str:
        """Python module of the component."""
        return self.component.rpartition(".")[0]

    @property
    def name(self) -> str:
        """Signal and bit."""
        return self.signal if self.bit < 0 else f"{self.signal}[{self.bit}]"


@dataclass(frozen=True, order=True)
class Bin:
    """A functional bin: covergroup, cover point or cross, and name."""

    group: str
    point: str
    name: str


@dataclass
class Coverage:
    """Hits of everything that can be covered.

    Parameters
    ----------
    lines, toggles, bins : dict to int
        Hits, by what it is.
    text : dict
        Of each line of a module the source text, as it was when it was built.
    declared_at : dict
        Of a component's signal the line it is declared in, or its component's.
    """

    lines: dict[Line, int] = field(default_factory=dict)
    toggles: dict[Toggle, int] = field(default_factory=dict)
    bins: dict[Bin, int] = field(default_factory=dict)
    text: dict[tuple[str, int], str] = field(default_factory=dict)
    declared_at: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)

    def add(self, other: "Coverage") -> None:
        """Add the hits of another one."""
        for mine, theirs in ((self.lines, other.lines), (self.toggles, other.toggles), (self.bins, other.bins)):
            _add(mine, theirs)
        self.text |= other.text
        self.declared_at |= other.declared_at

    @property
    def modules(self) -> list[str]:
        """Python modules of the source, sorted."""
        return sorted({each.module for each in self.lines} | {each.module for each in self.toggles})

    @classmethod
    def of_run(cls, counts: Path, source_locations: Path, bins: Path) -> "Coverage":
        """What one run covered.

        Parameters
        ----------
        counts : pathlib.Path
            Verilator's file.
        source_locations : pathlib.Path
            Of the design, see :class:`khhw.build.design.Design`.
        bins : pathlib.Path
            Functional bins, if there are any.

        Raises
        ------
        BuildError
            As :func:`~khhw.coverage.counts.read_counts`.
        """
        source = json.loads(source_locations.read_text(encoding="utf-8"))
        reader = _Reader(source["places"], source["files"])
        for point in read_counts(counts):
            reader.take(point)
        found = reader.coverage
        if bins.is_file():
            found.bins = dict(_bins(json.loads(bins.read_text(encoding="utf-8"))))
        return found


class _Reader:
    """Cover points of Verilog, as lines and signals of its source."""

    def __init__(self, locations: list[list[Any]], files: Mapping[str, Mapping[str, Any]]) -> None:
        self.coverage = Coverage()
        self._files = files
        self._lines = [(_module(file), line) for file, line, _ in locations]
        self.coverage.text = {line: text for line, (_, _, text) in zip(self._lines, locations, strict=True)}
        self._runs: dict[tuple[str, int], dict[int, tuple[str, int]]] = {}

    def take(self, point: Point) -> None:
        where = self._files.get(point.file)
        if where is None:
            return
        if point.kind == "toggle":
            self._toggle(point, where["wires"].get(str(point.line)))
        elif point.comment.startswith("cond_"):
            if (location := where["choices"].get(str(point.line))) is not None:
                outcome = "true" if point.comment == "cond_then" else "false"
                module, number = self._lines[location]
                self._line(Line(module, number, outcome), point.hits)
        elif point.lines:
            for location in where["branches"].get(str(point.lines[0]), ()):
                self._line(Line(*self._lines[location]), point.hits)

    def _line(self, line: Line, hits: int) -> None:
        # A line is several points: one for each signal, instance and lane that it is generated for.
        self.coverage.lines[line] = self.coverage.lines.get(line, 0) + hits

    def _toggle(self, point: Point, wire: list[Any] | None) -> None:
        edge = _EDGE.search(point.comment)
        if wire is None or edge is None:
            return
        component, location, runs = wire
        key = point.file, point.line
        if key not in self._runs:
            self._runs[key] = {first + step: (_AGAIN.sub("", name), -1 if number is None else number + step)
                               for first, bits, name, number in runs for step in range(bits)}
        named = self._runs[key].get(int(edge[1] or 0))
        if named is None:
            return
        toggle = Toggle(component, *named, edge[2] == "0")
        self.coverage.toggles[toggle] = self.coverage.toggles.get(toggle, 0) + point.hits
        if location is not None:
            self.coverage.declared_at[component, toggle.signal] = self._lines[location]


def _add(mine: dict[Any, int], theirs: Mapping[Any, int]) -> None:
    for key, hits in theirs.items():
        mine[key] = mine.get(key, 0) + hits


def _module(file: str) -> str:
    """``rtl.guard.egress`` of ``rtl/guard/egress.py``."""
    return file.removesuffix(".py").replace("/", ".")


def _bins(groups: Mapping[str, Mapping[str, Mapping[str, int]]]) -> Iterator[tuple[Bin, int]]:
    for group, points in groups.items():
        for point, bins in points.items():
            yield from ((Bin(group, point, name), hits) for name, hits in bins.items())
