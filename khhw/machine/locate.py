"""Where in a TOML text a key stands.

``tomllib`` keeps no positions, so errors found after parsing would name no line. This finds the line of
a key again, from the table headers and the keys at the beginnings of lines.
"""

import re
from collections.abc import Callable, Sequence

__all__ = ["line_of", "lines_of"]

Path = Sequence[str | int]

_HEADER = re.compile(r"^\s*(\[\[?)([^\[\]]+)\]\]?\s*(#.*)?$")
_KEY = re.compile(r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_TOKEN = re.compile(r"""
    \"{3}(?:\\.|[^\\])*?\"{3,5} | '{3}.*?'{3,5} | "(?:\\.|[^"\\\n])*" | '[^'\n]*' | \#[^\n]* | [\[\]{},\n]
    | [^\s\[\]{},"'\#]+""", re.VERBOSE | re.DOTALL)
"""Strings, comments, what a list or an inline table is made of, ends of lines, and all else."""


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
    """Line of every table header, key, and item of a list."""
    found: dict[tuple[str | int, ...], int] = {}
    table: tuple[str | int, ...] = ()
    entries: dict[tuple[str | int, ...], int] = {}
    start, number = 0, 1
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        line = text[start:end]
        if header := _HEADER.match(line):
            table = _enter(_split(header[2]), header[1] == "[[", entries)
            _define(found, table, number)
        elif key := _KEY.match(line):
            path = (*table, *_split(key[1]))
            _define(found, path, number)
            end, items = _value(text, start + key.end())
            found.update({(*path, index): number + further for index, further in enumerate(items)})
        number += text.count("\n", start, end)
        start = end
    return found


def _value(text: str, start: int) -> tuple[int, list[int]]:
    """Where the line ends on which a value ends, and how many lines below its first each item of a list is complete."""
    items: list[int] = []
    is_list: bool | None = None
    complete: int | None = None
    depth = below = 0
    for token in _TOKEN.finditer(text, start):
        word = token[0]
        if word == "\n":
            if depth == 0:
                return token.end(), items
        elif not word.startswith("#"):
            is_list = word == "[" if is_list is None else is_list
            depth -= word in ("]", "}")
            if is_list and (word, depth) in ((",", 1), ("]", 0)):
                items += [] if complete is None else [complete]
                complete = None
            elif depth:
                complete = below + word.count("\n")
            depth += word in ("[", "{")
        below += word.count("\n")
    return len(text), items


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
