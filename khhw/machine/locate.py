"""Where in a TOML text a key stands.

``tomllib`` keeps no positions, so errors found after parsing would name no line. This finds the line of
a key again, from the table headers and the keys at the beginnings of lines.
"""

import re
import tomllib
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["line_of", "lines_of"]

Path = Sequence[str | int]

_HEADER = re.compile(r"^\s*(\[\[?)([^\[\]]+)\]\]?\s*(#.*)?$")
_KEY = re.compile(r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")


def line_of(text: str, path: Path) -> int:
    """The line (from 1) that defines `path`, or the nearest enclosing thing that has a line.

    Parameters
    ----------
    text : str
        A TOML document that parses.
    path : sequence of str or int
        Keys and list positions from the top, as in ``("phases", 0, "domains")``.
    """
    return lines_of(text)(path)


def lines_of(text: str) -> Callable[[Path], int]:
    """:func:`line_of` for many paths of one text."""
    positions = _positions(text)

    def line_of_path(path: Path) -> int:
        known = (positions.get(tuple(path[:length])) for length in range(len(path), 0, -1))
        return next((line for line in known if line is not None), 1)

    return line_of_path


def _positions(text: str) -> dict[tuple[str | int, ...], int]:
    """Line of every table header, key, and item of a list written over several lines."""
    found: dict[tuple[str | int, ...], int] = {}
    table: tuple[str | int, ...] = ()
    entries: dict[tuple[str | int, ...], int] = {}
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        line = lines[number]
        if header := _HEADER.match(line):
            table = _enter(_split(header[2]), header[1] == "[[", entries)
            _define(found, table, number + 1)
        elif key := _KEY.match(line):
            path = (*table, *_split(key[1]))
            _define(found, path, number + 1)
            last = _last_line(lines, number)
            found.update(_items(lines, number, last, path))
            number = last
        number += 1
    return found


def _define(found: dict[tuple[str | int, ...], int], path: tuple[str | int, ...], line: int) -> None:
    """Note the line of a path, and of the tables it is in where it is the first that names them."""
    for length in range(1, len(path) + 1):
        found.setdefault(path[:length], line)


def _split(dotted: str) -> list[str]:
    parts = re.findall(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""", dotted)
    return [part.strip("\"'") for part in parts]


def _enter(keys: list[str], array: bool, entries: dict[tuple[str | int, ...], int]) -> tuple[str | int, ...]:
    """The path a table header stands for: arrays of tables it passes are at their newest entry."""
    path: tuple[str | int, ...] = ()
    for depth, key in enumerate(keys):
        path = (*path, key)
        if array and depth == len(keys) - 1:
            entries[path] = entries.get(path, -1) + 1
        if path in entries:
            path = (*path, entries[path])
    return path


def _last_line(lines: list[str], first: int) -> int:
    """Index of the line a ``key = value`` that begins on line `first` ends on."""
    for last in range(first, len(lines)):
        try:
            tomllib.loads("\n".join(lines[first:last + 1]))
        except tomllib.TOMLDecodeError:
            continue
        return last
    return first


def _items(lines: list[str], first: int, last: int, path: tuple[str | int, ...]) -> dict[tuple[str | int, ...], int]:
    """Lines of the items of a list written over several lines: an item is on the line it is complete on."""
    found: dict[tuple[str | int, ...], int] = {}
    done = 0
    for number in range(first, last + 1):
        piece = "\n".join(lines[first:number + 1]) + ("\n]" if number < last else "")
        try:
            value = _innermost(tomllib.loads(piece))
        except tomllib.TOMLDecodeError:
            continue
        if not isinstance(value, list):
            return {}
        found.update({(*path, index): number + 1 for index in range(done, len(value))})
        done = len(value)
    return found


def _innermost(document: dict[str, Any]) -> Any:
    """The value of the one key, dotted or not, of a document."""
    value: Any = document
    while isinstance(value, dict) and len(value) == 1:
        (value,) = value.values()
    return value
