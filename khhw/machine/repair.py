"""A document without what is wrong in it, so that the rest of it can be checked in the same run."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

__all__ = ["Faults", "Place", "StandIns", "repaired"]

Place = tuple[str | int, ...]
"""Where in a document, as keys and list positions from the top."""
StandIns = Mapping[tuple[str | None, ...], Any]
"""By place, None for any position of a list: what stands for a value that must be there."""


class Faults:
    """What of a repaired document is not what its file says, so that nothing can be concluded from it.

    Parameters
    ----------
    wrong : iterable of Place
        In the file.
    kept : mapping of Place to list of int, optional
        By list from which something was taken, in the file: the positions of what is left.
    """

    def __init__(self, wrong: Iterable[Place] = (), kept: Mapping[Place, list[int]] | None = None) -> None:
        self._wrong = set(wrong)
        self._kept = kept or {}

    def add(self, *place: str | int) -> None:
        """Something else was found to be wrong."""
        self._wrong.add(self.in_file(place))

    def unknown(self, *place: str | int) -> bool:
        """Whether the value there, or a table or list that it is in, is not the file's."""
        there = self.in_file(place)
        return any(there[:length] in self._wrong for length in range(len(there) + 1))

    def touch(self, *place: str | int) -> bool:
        """Whether it is unknown, or something in it."""
        there = self.in_file(place)
        return self.unknown(*place) or any(wrong[:len(there)] == there for wrong in self._wrong)

    def cut(self, *place: str | int) -> bool:
        """Whether it is unknown, or a list from which entries were taken."""
        return self.unknown(*place) or self.in_file(place) in self._kept

    def in_file(self, place: Place) -> Place:
        """Where in the file a place of the repaired document is."""
        there: Place = ()
        for step in place:
            kept = self._kept.get(there)
            there = (*there, kept[step] if kept and isinstance(step, int) and step < len(kept) else step)
        return there


def repaired(
    document: dict[str, Any], wrong: set[Place], absent: set[Place], stand_ins: StandIns,
) -> tuple[dict[str, Any], Faults] | None:
    """A copy without the values at places that are wrong; something harmless is put where a value must be.

    Parameters
    ----------
    document : dict
        As the file has it.
    wrong : set of Place
        Also of what is missing.
    absent : set of Place
        What may be left out, but is in the file by another name.
    stand_ins : mapping
        What is put where a value must be. A table or list that lacks a value, and has no other, is taken out.

    Returns
    -------
    (dict, Faults) or None
        None if nothing is left.
    """
    places = set(wrong)
    for place in wrong:
        while place and not _is_there(document, place) and _pattern(place) not in stand_ins:
            place = place[:-1]
            places.add(place)
    if () in places:
        return None
    kept: dict[Place, list[int]] = {}
    return _without(document, places, stand_ins, kept, ()), Faults(places | absent, kept)


def _without(value: Any, wrong: set[Place], stand_ins: StandIns, kept: dict[Place, list[int]], place: Place) -> Any:
    if isinstance(value, list):
        left = [index for index in range(len(value)) if (*place, index) not in wrong]
        if len(left) < len(value):
            kept[place] = left
        return [_without(value[index], wrong, stand_ins, kept, (*place, index)) for index in left]
    if not isinstance(value, dict):
        return value
    found = {key: _without(inner, wrong, stand_ins, kept, (*place, key)) for key, inner in value.items()
             if (*place, key) not in wrong}
    for here in wrong:
        if here[:-1] == place and here and _pattern(here) in stand_ins:
            found[str(here[-1])] = deepcopy(stand_ins[_pattern(here)])
    return found


def _pattern(place: Place) -> tuple[str | None, ...]:
    return tuple(None if isinstance(step, int) else step for step in place)


def _is_there(document: Any, place: Place) -> bool:
    for step in place:
        if not (step in document if isinstance(document, dict) else
                isinstance(document, list) and isinstance(step, int) and step < len(document)):
            return False
        document = document[step]
    return True
