"""A short round of the campaign of torn reads: concurrent readers and writers by both paths, on a store that evicts."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.torn_reads import campaign, machine_text

CYCLES = 30_000
"""Of each of the six phases; long enough for some reads to be torn where nobody checks."""


def round_of(folder: Path, *, unchecked: bool) -> dict[str, Any]:
    file = folder / "machine.toml"
    file.write_text(machine_text(unchecked=unchecked, measure_cycles=CYCLES), encoding="utf-8")
    return campaign(file, 1, 1)


@pytest.mark.rare
@pytest.mark.parametrize("unchecked", [False, True], ids=["checked", "unchecked"])
def test_versions_keep_torn_values_out(tmp_path: Path, unchecked: bool) -> None:
    counts = round_of(tmp_path, unchecked=unchecked)
    assert counts["reads"] > 1000 and counts["writes"] > 500 and counts["evictions"] > 200
    assert counts["retried"] > 100, "nobody ever met a writer"
    assert (counts["wrong"] > 0) == unchecked, counts["complaints"]
