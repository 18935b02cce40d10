"""A document without what is wrong in it, so that the rest of it can be checked in the same run."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

__all__ = ["Faults", "KeyPath", "StandIns", "repaired"]

KeyPath = tuple[str | int, ...]
"""Where in a document, as keys and list positions from the top."""
StandIns = Mapping[tuple[str | None, ...], Any]
"""By path, None for any position of a list: what stands for a value that must be there."""


class Faults:
    """What of a repaired document is not what its file says, so that nothing can be concluded from it.

    Parameters
    ----------
    wrong : iterable of KeyPath
        In the file.
    kept : mapping of KeyPath to list of int, optional
        By list from which something was taken, in the file: the positions of what is left.
    """

    def __init__(self, wrong: Iterable[KeyPath] = (), kept: Mapping[KeyPath, list[int]] | None = None) -> None:
        self._wrong = set(wrong)
        self._kept = kept or {}

    def add(self, *path: str | int) -> None:
        """Something else was found to be wrong."""
        self._wrong.add(self.in_file(path))

    def unknown(self, *path: str | int) -> bool:
        """Whether the value there, or a table or list that it is in, is not the file's."""
        there = self.in_file(path)
        return any(there[:length] in self._wrong for length in range(len(there) + 1))

    def touch(self, *path: str | int) -> bool:
        """Whether it is unknown, or something in it."""
        there = self.in_file(path)
        return self.unknown(*path) or any(wrong[:len(there)] == there for wrong in self._wrong)

    def cut(self, *path: str | int) -> bool:
        """Whether it is unknown, or a list from which entries were taken."""
        return self.unknown(*path) or self.in_file(path) in self._kept

    def in_file(self, path: KeyPath) -> KeyPath:
        """Where in the file a path of the repaired document leads."""
        there: KeyPath = ()
        for step in path:
            kept = self._kept.get(there)
            there = (*there, kept[step] if kept and isinstance(step, int) and step < len(kept) else step)
        return there


def repaired(
    document: dict[str, Any], wrong: set[KeyPath], absent: set[KeyPath], stand_ins: StandIns,
) -> tuple[dict[str, Any], Faults] | None:
    """A copy without the values at paths that are wrong; something harmless is put where a value must be.

    Parameters
    ----------
    document : dict
        As the file has it.
    wrong : set of KeyPath
        Also of what is missing.
    absent : set of KeyPath
        What may be left out, but is in the file by another name.
    stand_ins : mapping
        What is put where a value must be. A table or list that lacks a value, and has no other, is taken out.

    Returns
    -------
    (dict, Faults) or None
        None if nothing is left.
    """
    removed = set(wrong)
    for path in wrong:
        while path and not _is_there(document, path) and _pattern(path) not in stand_ins:
            path = path[:-1]
            removed.add(path)
    if () in removed:
        return None
    kept: dict[KeyPath, list[int]] = {}
    return _without(document, removed, stand_ins, kept, ()), Faults(removed | absent, kept)


def _without(
    value: Any, wrong: set[KeyPath], stand_ins: StandIns, kept: dict[KeyPath, list[int]], path: KeyPath,
) -> Any:
    if isinstance(value, list):
        left = [index for index in range(len(value)) if (*path, index) not in wrong]
        if len(left) < len(value):
            kept[path] = left
        return [_without(value[index], wrong, stand_ins, kept, (*path, index)) for index in left]
    if not isinstance(value, dict):
        return value
    found = {key: _without(inner, wrong, stand_ins, kept, (*path, key)) for key, inner in value.items()
             if (*path, key) not in wrong}
    for here in wrong:
        if here[:-1] == path and here and _pattern(here) in stand_ins:
            found[str(here[-1])] = deepcopy(stand_ins[_pattern(here)])
    return found


def _pattern(path: KeyPath) -> tuple[str | None, ...]:
    return tuple(None if isinstance(step, int) else step for step in path)


def _is_there(document: Any, path: KeyPath) -> bool:
    for step in path:
        if not (step in document if isinstance(document, dict) else
                isinstance(document, list) and isinstance(step, int) and step < len(document)):
            return False
        document = document[step]
    return True
