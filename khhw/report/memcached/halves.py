"""Measurements taken with different programs beside them, for example without and with a noisy neighbour."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pydantic import TypeAdapter, ValidationError

from khhw.machine.file import KernelEntry, Phase
from khhw.machine.results import MemcachedPoint, Results
from khhw.report.memcached.sweep import measured
from khhw.report.style import grid, shortened
from khhw.report.words import count, listing

__all__ = ["Half", "beside", "halves", "panels"]

_MEASURED = ("memcached", "memcached_load")
"""Kernels that are the measurement itself."""
_MOST_NAMED = 8
_NAME = 26
"""Characters of a title for the name of a half."""


@dataclass(frozen=True)
class Half:
    """What was measured under the same conditions. Only such points are joined by lines.

    Parameters
    ----------
    name : str
        Its phases, for titles; empty where a run has one half only.
    beside : str
        What ran on the machine besides, in words; empty where a run has one half only.
    points : sequence of MemcachedPoint
        Those in which at least one operation succeeded.
    """

    name: str
    beside: str
    points: Sequence[MemcachedPoint]

    def titled(self, title: str) -> str:
        """The title of a panel that shows some of it."""
        name = shortened(self.name, _NAME)
        return f"{name}: {title}" if name and title else name or title

    def headed(self, title: str) -> str:
        """A title that needs a line of its own."""
        return f"{self.titled('')}\n{title}" if self.name else title


def halves(results: Results) -> list[Half]:
    """The measurements of a run by what ran beside them, in the order measured; none if it has none."""
    points = measured(results.results.memcached)
    conditions = _conditions(results)
    groups: dict[tuple[str, str], list[MemcachedPoint]] = {}
    for point in points:
        groups.setdefault(conditions.get(point.phase, ("", "")), []).append(point)
    if len(groups) < 2:
        return [Half("", "", points)] if points else []
    every_domain = len({domains for domains, _ in groups}) > 1
    return [Half(listing(dict.fromkeys(point.phase for point in group)),
                 f"{others or 'nothing'}{f' (domains {domains})' if every_domain else ''}", group)
            for (domains, others), group in groups.items()]


def beside(found: Sequence[Half]) -> list[str]:
    """A sentence that says what ran beside each half; none where a run has one."""
    texts = [f"{half.name}: beside {half.beside}" for half in found if half.name]
    return [f"{'; '.join(texts)}."] if texts else []


def panels(
    width: float, height: float, found: Sequence[object], columns: int, **options: Any,
) -> tuple[Figure, list[list[Axes]]]:
    """Axes for every half: a row each, or beside each other where each needs one panel only.

    Parameters
    ----------
    width, height : float
        Of a row, in inches.
    found : sequence
        The halves.
    columns : int
        Panels of a half.
    options
        Of :meth:`matplotlib.figure.Figure.subplots`.
    """
    if columns > 1:
        return grid(width, height, len(found), columns, **options)
    drawing, rows = grid(width, height, 1, len(found), **options)
    return drawing, [[axes] for axes in rows[0]]


def _conditions(results: Results) -> dict[str, tuple[str, str]]:
    """Domains in force in each phase, and what else it boots, in words; by phase."""
    found, domains = {}, ""
    for phase in _phases(results):
        domains = phase.domains or domains
        others = [_kernel(entry) for entry in phase.kernels if entry.kernel not in _MEASURED]
        found[phase.name] = domains, listing(others) if others else ""
    return found


def _phases(results: Results) -> list[Phase]:
    """The phases of a machine; none where the file of results holds something else."""
    try:
        return TypeAdapter(list[Phase]).validate_python(results.parameters.get("phases", []))
    except ValidationError:
        return []


def _kernel(entry: KernelEntry) -> str:
    """``flood on nodes 0 and 6 (to=6 hint=4)``."""
    arguments = f" ({entry.arguments})" if entry.arguments else ""
    if entry.nodes == "all":
        return f"{entry.kernel} on all nodes{arguments}"
    where = count(len(entry.nodes), "node") if len(entry.nodes) > _MOST_NAMED else (
        f"{'node' if len(entry.nodes) == 1 else 'nodes'} {listing(entry.nodes)}")
    return f"{entry.kernel} on {where}{arguments}"
