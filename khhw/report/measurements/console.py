"""Images loaded over the multicast console."""

from khhw.machine.results import Results, RunRecord
from khhw.report.console import load_picture
from khhw.report.measurement import MeasurementReport
from khhw.report.picture import Picture

__all__ = ["ConsoleReport"]


class ConsoleReport(MeasurementReport):
    """How long images took, by listeners and by size."""

    title = "Console load time"

    def measured(self, phase: str, record: RunRecord) -> str:
        """How many, since the run began."""
        return f"{len(record.load)} images loaded"

    def pictures(self, results: Results) -> list[Picture]:
        """Over listeners and over size."""
        return [load_picture(results)] if results.results.load else []
