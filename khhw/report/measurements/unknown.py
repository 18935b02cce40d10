"""A measurement of somebody's own whose module is not at hand: what was recorded, as it is."""

import json
from collections.abc import Sequence

from khhw.machine.results import Results
from khhw.report.html import escape
from khhw.report.measurement import MeasurementReport

__all__ = ["UnknownReport"]


class UnknownReport(MeasurementReport):
    """Everything that a measurement recorded.

    Parameters
    ----------
    name : str
        The measurement's.
    why : str
        Why there is no report of its own.
    """

    def __init__(self, name: str, why: str) -> None:
        self.name = name
        self.title = name
        self._why = why

    def section(self, results: Results, figures: Sequence[str]) -> list[str]:
        """Why there is no more, and the records."""
        found = {each.phase: each.found for each in results.results.own if each.measurement == self.name}
        text = json.dumps(found, indent=1, ensure_ascii=False)
        return [f"<p>{escape(f'Shown as recorded: {self._why}.')}</p>", f"<pre>{escape(text)}</pre>"] if found else []
