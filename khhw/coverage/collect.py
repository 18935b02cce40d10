"""Coverage of several runs: collected, compared with the waivers, written."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from khhw.build.results import RunResult
from khhw.build.simulator import COVERAGE
from khhw.build.testbench import BINS, Testbench, variant_id
from khhw.coverage.coverage import Coverage
from khhw.coverage.show import coverage_page
from khhw.coverage.summary import summary
from khhw.coverage.waivers import WAIVERS, Waived, apply_waivers, read_waivers

__all__ = ["PAGE", "REPORT", "Collection"]

PAGE, REPORT = "coverage.html", "coverage.json"


class Collection:
    """Runs of coverage builds, added up.

    Parameters
    ----------
    made : mapping
        What the report says of where it comes from: `version`, `provenance`, `seed`, and the `command` that makes it
        again.
    folders : iterable of pathlib.Path
        Of the testbenches; their waivers are read before anything runs.
    whole : bool
        Runs are of all variants and cases of their testbenches.

    Raises
    ------
    WaiverError
        If a file of waivers is wrong.
    """

    def __init__(self, made: Mapping[str, Any], folders: Iterable[Path] = (), *, whole: bool = True) -> None:
        self.blocks: dict[str, Coverage] = {}
        """What the runs of each testbench cover."""
        self.runs: list[dict[str, Any]] = []
        self._made = made
        self._whole = whole
        self._waivers = [read_waivers(file) for folder in sorted(set(folders)) for file in sorted(folder.glob(WAIVERS))]

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
        own = self.blocks.setdefault(bench.block, Coverage())
        if result is None or (locations := result.source_locations) is None:
            return
        if passed or (result.folder / COVERAGE).is_file():
            own.add(Coverage.of_run(result.folder / COVERAGE, locations, result.folder / BINS))

    def report(self) -> dict[str, Any]:
        """See :func:`~khhw.coverage.summary.summary`; with ``runs``, and what made it in front."""
        every = self._of(self.blocks)
        waived: Waived = {}
        faults: list[str] = []
        for known in self._waivers:
            here, wrong = apply_waivers(self._of(known.blocks), known.waivers)
            waived |= here
            faults += wrong if self._whole and set(known.blocks) <= set(self.blocks) else []
        return {**self._made, "runs": self.runs, **summary(every, waived, faults)}

    def _of(self, blocks: Iterable[str]) -> Coverage:
        """What some testbenches cover together."""
        together = Coverage()
        for block in blocks:
            together.add(self.blocks.get(block, Coverage()))
        return together

    @staticmethod
    def write(report: Mapping[str, Any], folder: Path) -> Path:
        """Write page and JSON into a folder, which is made if need be; the page."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / REPORT).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        (folder / PAGE).write_text(coverage_page(report, str(report["version"])), encoding="utf-8")
        return folder / PAGE
