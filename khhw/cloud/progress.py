"""What the machine is at now: not in the store, since nobody needs it after a restart."""

from dataclasses import dataclass

__all__ = ["Progress"]


@dataclass
class Progress:
    """What the machine is at.

    Attributes
    ----------
    running : range
        Numbers of the revisions that it carries out; empty if none.
    """

    running: range = range(0)
