"""What need not be covered, each with the reason: a committed file, checked against what its testbenches cover.

A waiver that is no longer true is an error: of what is covered after all, or of what is not there any more.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from khhw.coverage.coverage import Bin, Coverage, Line, Toggle
from khhw.errors import RequestError
from khhw.machine.document import DocumentError, read_document

__all__ = ["WAIVERS", "Waived", "Waiver", "WaiverError", "WaiverFile", "apply_waivers", "read_waivers"]

WAIVERS = "coverage_*.toml"
"""Names of the files, beside the testbenches they are for."""

_RANGE = re.compile(r"\[(\d+)(?::(\d+))?\]$")

Item = Line | Toggle | Bin
Waived = dict[Item, str]
"""Reasons."""


class Waiver(BaseModel):
    """One entry ``[[waivers]]``: what of a module need not be covered.

    Parameters
    ----------
    module : str
        Python module, or of `toggles` one component of it; of bins their covergroup.
    lines : list of str
        Texts of source lines.
    toggles : list of str
        Signals as the report names them, ``*`` for any characters. Bits behind a name, ``[7]`` or ``[31:8]``, are those
        of a numbered signal; without, all.
    bins : list of str
        Bins of any cover point or cross of the group, ``*`` for any characters.
    only : str, optional
        Of `toggles` only ``rise`` or ``fall``; of `lines` with a ``Mux`` only that it was ``true`` or ``false``.
    reason : str
        Why.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    module: str
    lines: list[str] = []
    toggles: list[str] = []
    bins: list[str] = []
    only: Literal["rise", "fall", "true", "false"] | None = None
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=10)]

    def parts(self, coverage: Coverage) -> Iterator[tuple[str, Sequence[Item]]]:
        """Each thing that it is for, in words, and the items that are meant; nothing if the runs had no such module."""
        if self.module in coverage.modules or self.module in {each.component for each in coverage.toggles}:
            yield from ((f"line {text!r}", list(self._lines(text, coverage))) for text in self.lines)
            yield from ((f"toggle {name!r}", list(self._toggles(name, coverage))) for name in self.toggles)
        if self.module in {each.group for each in coverage.bins}:
            yield from ((f"bin {name!r}", list(self._bins(name, coverage))) for name in self.bins)

    def _lines(self, text: str, coverage: Coverage) -> Iterator[Line]:
        for each in coverage.lines:
            if each.module == self.module and coverage.text.get((each.module, each.number)) == text and \
                    self.only in (None, each.outcome):
                yield each

    def _bins(self, name: str, coverage: Coverage) -> Iterator[Bin]:
        wanted = _pattern(name)
        yield from (each for each in coverage.bins if each.group == self.module and wanted.fullmatch(each.name))

    def _toggles(self, name: str, coverage: Coverage) -> Iterator[Toggle]:
        bits = _RANGE.search(name)
        high, low = (int(bits[1]), int(bits[2] or bits[1])) if bits else (0, 0)
        wanted, whole = _pattern(name[:bits.start()] if bits else name), _pattern(name)
        for each in coverage.toggles:
            here = self.module in (each.module, each.component)
            if here and self.only in (None, "rise" if each.rising else "fall"):
                in_range = bits is not None and low <= each.bit <= high and wanted.fullmatch(each.signal)
                if in_range or whole.fullmatch(each.signal):
                    yield each


class WaiverFile(BaseModel):
    """A file of waivers.

    Parameters
    ----------
    blocks : list of str
        Testbenches that are judged together: only when all of them ran in full, a waiver can be found out of date.
    waivers : list of Waiver
        The entries.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    blocks: list[str] = Field(min_length=1)
    waivers: list[Waiver] = []


class WaiverError(DocumentError, RequestError):
    """A file of waivers that does not say what it must."""


def read_waivers(file: Path) -> WaiverFile:
    """Read a file of waivers.

    Raises
    ------
    WaiverError
        If it is wrong; names the line.
    """
    return read_document(file, WaiverFile, lambda *_: (), whole="the waivers", error=WaiverError)


def apply_waivers(coverage: Coverage, waivers: Sequence[Waiver]) -> tuple[Waived, list[str]]:
    """Which items are waived, and what is wrong with the waivers."""
    waived: Waived = {}
    faults = []
    hits: dict[Any, int] = {**coverage.lines, **coverage.toggles, **coverage.bins}
    for waiver in waivers:
        for what, found in waiver.parts(coverage):
            covered = [each for each in found if hits[each]]
            whose = f"{waiver.module}: the waiver of {what}"
            if not found:
                faults.append(f"{whose} is for nothing that is there: remove or correct it")
            elif covered:
                more = f" and {len(covered) - 1} more" if covered[1:] else ""
                faults.append(f"{whose} is for what is covered ({_name(covered[0])}{more}): remove or narrow it")
            waived |= dict.fromkeys((each for each in found if not hits[each]), waiver.reason)
    return waived, faults


def _name(item: Item) -> str:
    if isinstance(item, Line):
        return f"line {item.number}{f', {item.outcome}' if item.outcome else ''}"
    if isinstance(item, Toggle):
        return f"{item.name} {'rises' if item.rising else 'falls'}"
    return f"{item.point}: {item.name}"


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(re.escape(text).replace(r"\*", ".*"))
