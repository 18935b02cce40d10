"""What a sweep tells while it runs."""

from dataclasses import dataclass
from typing import Protocol

from khhw.estimate import Left

__all__ = ["Progress", "View"]


@dataclass(frozen=True)
class Progress:
    """How far a sweep is.

    Parameters
    ----------
    done, expected : int
        Points. Of those that a search may need some may turn out not to be needed.
    again : int
        Of those that are done, how many are measured again, for longer.
    left : Left or None
        What is left until the end, from how long points took so far; None before there are some.
    """

    done: int
    expected: int
    again: int
    left: Left | None


class View(Protocol):
    """Who watches a sweep."""

    def note(self, text: str) -> None:
        """Something has happened."""

    def stage(self, text: str) -> None:
        """Something has begun that takes a while."""

    def progress(self, progress: Progress) -> None:
        """Points are being measured; told twice a second or so."""
