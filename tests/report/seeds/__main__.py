"""Reports of one machine with two seeds, over many pairs of seeds, and of a router with one more stage.

``python -m tests.report.seeds`` writes ``docs/results/report-seeds.json``; ``tests/report/test_seeds.py`` runs it.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from khhw import Machine
from khhw.build.provenance import provenance
from khhw.machine.results import Results
from khhw.report.change import RATE
from khhw.report.compare.comparison import compare
from khhw.report.compare.pair import Pair

__all__ = ["LATER", "MACHINE", "PAIRS", "found", "most", "run"]

MACHINE = Path(__file__).with_name("machine.toml")
LATER = "one_more_stage:LaterRouter"
KEPT = Path(__file__).parents[3] / "docs" / "results" / "report-seeds.json"
PAIRS = 20


def run(seed: int, router: str | None = None) -> Results:
    """A run of the machine."""
    parts = {} if router is None else {"router": router}
    with tempfile.TemporaryDirectory() as folder:
        results = Machine.load(MACHINE, parts=parts, engine="native").run(Path(folder), seed=seed)
    if not results.passed:
        raise RuntimeError(f"seed {seed}: {results.state} {results.message} {results.results.judge()}")
    return results


def most(pairs: int) -> int:
    """Reports that find a difference, at most, if each does with :data:`RATE`: more would be so in 1 of 100 cases."""
    from scipy.stats import binom

    return int(binom.ppf(0.99, pairs, RATE))


def compared(first: Results, second: Results) -> dict[str, Any]:
    """What a report of two runs says."""
    comparison = compare(Pair(first, second, ("first", "second")))
    measured = [each for each in comparison.every if each.samples is not None]
    return {
        "seeds": [first.seed, second.seed], "confidence": comparison.confidence,
        "numbers": len(measured), "judged": sum(each.differs is not None for each in measured),
        "other_values": sum(each.change.first.value != each.change.second.value for each in measured),
        "differences": [f"{each.change.where}, {each.change.quantity}: {each.verdict}" for each in measured
                        if each.differs],
        "latency": comparison.words("latency")}


def found(pairs: int) -> Iterator[dict[str, Any]]:
    """Reports of pairs of seeds, 1 with 2, 3 with 4, ..., then of seeds 1 and 2 with one more stage in the second."""
    # Two at a time: each is a process of its own.
    with ThreadPoolExecutor(2) as pool:
        runs = pool.map(run, range(1, 2 * pairs + 1))
        later = pool.submit(run, 2, LATER)
        before = None
        for first in runs:
            second = next(runs)
            before = before or first
            yield {"router": "khhw's"} | compared(first, second)
        if before is not None:
            yield {"router": LATER} | compared(before, later.result())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("-o", dest="file", type=Path, default=KEPT)
    arguments = parser.parse_args()
    reports = []
    for report in found(arguments.pairs):
        reports.append(report)
        print(report["seeds"], report["judged"], report["differences"], flush=True)
    of = provenance(["tests/report/seeds"]).model_dump()
    kept = {"provenance": of, "rate": RATE, "most": most(arguments.pairs), "reports": reports}
    arguments.file.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
