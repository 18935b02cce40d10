"""Everything that two runs measured, judged together."""

from dataclasses import dataclass, field
from pathlib import Path

from khhw.report.change import Judgement, confidence_of, judge
from khhw.report.compare.pair import Pair
from khhw.report.measurement import MeasurementReport
from khhw.report.registry import reports

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True)
class Comparison:
    """Two runs with what is said of them.

    Parameters
    ----------
    pair : Pair
        The runs.
    reports : dict
        Reports of what they measured, by the measurements' names.
    confidence : float
        What the interval of each number holds with, so that all hold together with 1 - :data:`khhw.report.change.RATE`.
    judged : dict
        Numbers of both runs with their intervals, by the measurements' names.
    """

    pair: Pair
    reports: dict[str, MeasurementReport]
    confidence: float
    judged: dict[str, list[Judgement]] = field(default_factory=dict)

    @property
    def every(self) -> list[Judgement]:
        """All numbers."""
        return [judgement for found in self.judged.values() for judgement in found]

    def words(self, name: str) -> list[str]:
        """What one measurement says of both runs."""
        return self.reports[name].words(self.pair, self.judged[name])


def compare(pair: Pair, modules: Path | None = None) -> Comparison:
    """Judge everything that both runs measured.

    Parameters
    ----------
    pair : Pair
        The runs.
    modules : Path, optional
        Where measurements of one's own are looked for, see :func:`khhw.report.registry.reports`. Their reports come
        first, then khhw's from the last on the page of a run to the first.
    """
    found = dict(reversed(reports((pair.first, pair.second), modules).items()))
    changes = {name: each.changes(pair) for name, each in found.items()}
    confidence = confidence_of(change for each in changes.values() for change in each)
    return Comparison(pair, found, confidence, {name: judge(each, confidence) for name, each in changes.items()})
