"""Functional coverage: what a testbench has seen of what it should see, in named bins.

A covergroup is declared where the monitors are, once a process; names are those of SystemVerilog. ``khhw test
--coverage`` adds up the bins of all runs and lists those that were missed. Without it bins are counted as well, and
forgotten.
"""

import atexit
import itertools
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path

__all__ = ["Covergroup"]

_GROUPS: dict[str, "Covergroup"] = {}


class Covergroup:
    """Cover points, each with its bins, and crosses of them.

    Parameters
    ----------
    name : str
        Unique in a process, as ``"guard.refusals"``. Groups of one name in several testbenches are added up.
    points : iterables of str or int
        Bins of each cover point, by its name.

    Examples
    --------
    >>> group = Covergroup("example", side=["in", "out"], size=range(2))
    >>> group.cross("side", "size", illegal=lambda side, size: side == "out" and size == "1")
    >>> group.sample(side="in", size=1)
    >>> group.hits["side x size"]
    {'in x 0': 0, 'in x 1': 1, 'out x 0': 0}
    """

    def __init__(self, name: str, **points: Iterable[str | int]) -> None:
        if name in _GROUPS:
            raise ValueError(f"covergroup {name!r} is declared twice")
        self.hits: dict[str, dict[str, int]] = {
            point: dict.fromkeys(map(str, bins), 0) for point, bins in points.items()}
        """Samples, by cover point or cross and by bin; of a cross the bins' names are joined by ``" x "``."""
        self.name = name
        self._crosses: dict[str, tuple[str, ...]] = {}
        _GROUPS[name] = self

    def cross(self, *points: str, illegal: Callable[..., bool] | None = None) -> None:
        """Count combinations of bins too.

        Parameters
        ----------
        points : str
            Names of two or more cover points.
        illegal : function of one str for each of `points`
            Whether a combination cannot happen: it has no bin, and sampling it is an error.
        """
        name = " x ".join(points)
        combinations = itertools.product(*(self.hits[point] for point in points))
        self.hits[name] = {" x ".join(bins): 0 for bins in combinations if illegal is None or not illegal(*bins)}
        self._crosses[name] = points

    def sample(self, **values: str | int) -> None:
        """Count one observation.

        Parameters
        ----------
        values : str or int
            A bin for each cover point; those left out, and crosses with them, are not counted.

        Raises
        ------
        ValueError
            If there is no such bin, or an illegal combination was seen. Nothing is counted then.
        """
        bins = {point: str(value) for point, value in values.items()}
        bins |= {name: " x ".join(bins[point] for point in points) for name, points in self._crosses.items()
                 if all(point in bins for point in points)}
        for point, chosen in bins.items():
            if chosen not in self.hits.get(point, ()):
                raise ValueError(f"covergroup {self.name!r}: {point} has no bin {chosen!r}")
        for point, chosen in bins.items():
            self.hits[point][chosen] += 1


def _write() -> None:
    if file := os.environ.get("KHHW_BINS"):
        Path(file).write_text(json.dumps({name: group.hits for name, group in _GROUPS.items()}) + "\n")


atexit.register(_write)
