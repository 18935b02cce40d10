"""What a lease has used of a node: the difference of the readings with which the node came to it and left."""

from collections.abc import Iterable
from dataclasses import dataclass

from khhw.cloud.models import Reading

__all__ = ["Stay", "stays"]


@dataclass(frozen=True)
class Stay:
    """A node in a lease, in one boot of the machine.

    Parameters
    ----------
    begin : Reading
        With which it came.
    end : Reading or None
        With which it left, or the last one of the boot if the machine was switched off, or one taken now. None while
        nobody has read it, and if the boot ended in a power cut.
    """

    begin: Reading
    end: Reading | None = None

    @property
    def used(self) -> dict[str, int] | None:
        """What was counted meanwhile, by the names of :data:`khhw.cloud.counters.NAMES`; None without an end."""
        if self.end is None:
            return None
        return {name: count - self.begin.counters[name] for name, count in self.end.counters.items()}


def stays(readings: Iterable[Reading]) -> list[Stay]:
    """Those of one lease, in the order in which nodes came.

    Parameters
    ----------
    readings : iterable of Reading
        Of the lease, in the order of their tags. A node that loses what is in it, and stays in the lease, has another
        reading of its begin; what it counted before was the lease's as well.
    """
    found: list[Stay] = []
    there: dict[tuple[int, int], int] = {}
    for reading in readings:
        node = (reading.rank, reading.boot)
        if reading.moment != "begin":
            at = there[node]
            found[at] = Stay(found[at].begin, reading)
            # What was to be switched off, and runs on, may have a later end.
            if reading.moment == "end":
                del there[node]
        elif node not in there:
            there[node] = len(found)
            found.append(Stay(reading))
    return found
