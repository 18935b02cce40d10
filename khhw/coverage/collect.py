"""Coverage of several runs: collected, compared with the waivers, written."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from khhw._version import __version__
from khhw.build.results import RunResult
from khhw.build.simulator import COVERAGE
from khhw.build.testbench import BINS, Testbench, variant_id
from khhw.coverage.coverage import Coverage
from khhw.coverage.show import coverage_page
from khhw.coverage.summary import summary
from khhw.coverage.waivers import WAIVERS, apply_waivers, read_waivers

__all__ = ["PAGE", "REPORT", "Collection"]

PAGE, REPORT = "coverage.html", "coverage.json"


class Collection:
    """Runs of coverage builds, added up.

    Parameters
    ----------
    seed : int
        Of the runs.
    command : str
        What makes it again.
    """

    def __init__(self, seed: int, command: str) -> None:
        self.coverage = Coverage()
        self.runs: list[dict[str, Any]] = []
        self._facts = {"version": __version__, "seed": seed, "command": command}
        self._waivers: dict[Path, None] = {}

    def add(self, bench: Testbench, values: Mapping[str, Any], result: RunResult | None) -> None:
        """Add a run; None for one that was not built.

        A run that was ended before its end counts nothing, and has failed anyway.

        Raises
        ------
        BuildError
            If a run that passed left no coverage.
        """
        passed = result is not None and result.passed
        self.runs.append({"block": bench.block, "variant": variant_id(values), "passed": passed})
        self._waivers[bench.file.parent / WAIVERS] = None
        if result is not None and result.places is not None and (passed or (result.folder / COVERAGE).is_file()):
            self.coverage.add(Coverage.of_run(result.folder / COVERAGE, result.places, result.folder / BINS))

    def report(self) -> dict[str, Any]:
        """See :func:`~khhw.coverage.summary.summary`; with ``version``, ``seed``, ``command`` and ``runs``.

        Raises
        ------
        WaiverError
            If a file of waivers is wrong.
        """
        waivers = [waiver for file in self._waivers for waiver in read_waivers(file)]
        waived, faults = apply_waivers(self.coverage, waivers)
        return {**self._facts, "runs": self.runs, **summary(self.coverage, waived, faults)}

    @staticmethod
    def write(report: Mapping[str, Any], folder: Path) -> Path:
        """Write page and JSON into a folder, which is made if need be; the page."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / REPORT).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        (folder / PAGE).write_text(coverage_page(report, str(report["version"])), encoding="utf-8")
        return folder / PAGE
