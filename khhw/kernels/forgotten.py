"""Coroutines that a kernel has made and not awaited: what they should have done did not happen, without any error."""

from collections import Counter

from khhw.node.commands import shortened

__all__ = ["Forgotten"]

_MOST_PLACES = 8
"""Places that are named; code may drop coroutines on as many lines as it likes."""


class Forgotten:
    """Where coroutines were dropped, of one kernel that runs."""

    def __init__(self) -> None:
        self._places: Counter[tuple[str, int]] = Counter()
        self._others = 0

    def note(self, module: str, line: int) -> None:
        """A coroutine was dropped in this line."""
        place = module, line
        if place in self._places or len(self._places) < _MOST_PLACES:
            self._places[place] += 1
        else:
            self._others += 1

    def __str__(self) -> str:
        """In one line, ``never awaited: 1 coroutine in hello line 5``; empty if there are none."""
        if not self._places:
            return ""
        named = [f"{_counted(number)} in {shortened(module)} line {line}"
                 for (module, line), number in self._places.items()]
        if self._others:
            named.append(f"{_counted(self._others)} elsewhere")
        return f"never awaited: {', '.join(named)}; what it calls does nothing without await"


def _counted(number: int) -> str:
    return f"{number} coroutine{'s' * (number > 1)}"
