"""What reports say of one measurement."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console

from khhw.machine.results import Results, RunRecord
from khhw.report.show import show

# A module with a measurement and its report is imported by simulators too, which draw nothing.
if TYPE_CHECKING:
    from khhw.report.change import Change, Judgement
    from khhw.report.compare.pair import Pair
    from khhw.report.picture import Picture

__all__ = ["MeasurementReport"]


class MeasurementReport:
    """What reports say of one measurement; a method that is left as it is says nothing.

    Every method is called for every run, also for one that did not measure this.
    """

    title = ""
    """Heads the section on the page."""
    short = ""
    """Heads what two runs did differently on the terminal; without it the title."""
    headed = False
    """Whether pictures have their titles above them."""
    narrow = False
    """Whether pictures are narrow; these have titles always."""

    def measured(self, phase: str, record: RunRecord) -> str:
        """A line for the terminal when a phase has been measured; `record` is the run's so far."""
        return ""

    def verdict(self, results: Results) -> list[str]:
        """What went well, as parts of a sentence at the head of the page."""
        return []

    def pictures(self, results: Results) -> "list[Picture]":
        """Pictures with their numbers, for the section and for files beside the page."""
        return []

    def section(self, results: Results, figures: Sequence[str]) -> list[str]:
        """Blocks of HTML that make up the section; none, no section.

        Parameters
        ----------
        results : Results
        figures : sequence of str
            HTML of the pictures.
        """
        return list(figures)

    def lines(self, results: Results) -> list[str]:
        """Lines for the terminal when a run has ended."""
        return []

    def print(self, console: Console, results: Results) -> None:
        """Print the summary on the terminal; without anything of its own, :meth:`lines`."""
        if texts := self.lines(results):
            console.print()
            for text in texts:
                show(console, text)

    def changes(self, pair: "Pair") -> "list[Change]":
        """Numbers that both runs measured."""
        return []

    def assumed(self, pair: "Pair") -> list[str]:
        """What the intervals of :meth:`changes` take for granted, each as a clause after *if*."""
        return []

    def facts(self, pair: "Pair") -> Any:
        """What only one of the runs observed, as values of JSON, where it is no number: cells of a matrix."""
        return None

    def words(self, pair: "Pair", judged: "Sequence[Judgement]") -> list[str]:
        """What the second run measured differently, in sentences.

        Parameters
        ----------
        pair : Pair
        judged : sequence of Judgement
            The numbers of :meth:`changes` with their intervals. A number whose intervals have something in common, or
            that has none, is called no difference.
        """
        return []

    def compared_pictures(self, pair: "Pair") -> "list[Picture]":
        """Pictures with both runs in them; their names begin with ``compare_``."""
        return []
