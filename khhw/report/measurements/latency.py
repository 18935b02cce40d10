"""Message latency: a picture, and what two runs timed differently."""

from collections.abc import Sequence

from khhw.machine.results import Results, RunRecord
from khhw.report.change import Change, Judgement
from khhw.report.compare.latency import latency_changes, latency_words
from khhw.report.compare.latency_pictures import latency_pictures
from khhw.report.compare.pair import Pair
from khhw.report.latency import latency_caption, latency_picture
from khhw.report.measurement import MeasurementReport
from khhw.report.picture import Picture

__all__ = ["LatencyReport"]


class LatencyReport(MeasurementReport):
    """Messages timed from doorbell to interrupt."""

    title = "Message latency"
    short = "latency"

    def measured(self, phase: str, record: RunRecord) -> str:
        """How many."""
        return f"{len(record.latency)} messages timed"

    def pictures(self, results: Results) -> list[Picture]:
        """Over distance and over size."""
        return [latency_picture(results)] if results.results.latency else []

    def lines(self, results: Results) -> list[str]:
        """What the picture's caption says."""
        return [latency_caption(results)] if results.results.latency else []

    def changes(self, pair: Pair) -> list[Change]:
        """Medians."""
        return latency_changes(pair)

    def assumed(self, pair: Pair) -> list[str]:
        """A source sends a message after the answer to the one before."""
        return ["messages do not depend on each other"]

    def words(self, pair: Pair, judged: Sequence[Judgement]) -> list[str]:
        """The nearest and the farthest, the smallest and the largest."""
        return latency_words(judged)

    def compared_pictures(self, pair: Pair) -> list[Picture]:
        """Medians of both."""
        return latency_pictures(pair)
