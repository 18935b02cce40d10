"""The comparison of cocotb and the native engine: what runs come to, and that they must be the same."""

from pathlib import Path

import pytest

from benchmarks.two_engines import measure, same, summary
from khhw.machine.results import Results
from tests.machine.machines import PROBE, domains, matrix_of, phase, write_machine

KEPT = Path(__file__).parents[2] / "docs" / "results" / "talk.json"


def test_medians_ranges_and_ratios() -> None:
    found = summary({"cocotb": [(30.0, 40.0), (10.0, 90.0), (20.0, 50.0)], "native": [(8.0, 9.0)] * 3})
    cocotb, native = found["results"]
    assert cocotb == {"engine": "cocotb", "samples": 3, "cpu_seconds": {"median": 20.0, "min": 10.0, "max": 30.0},
                      "wall_seconds": {"median": 50.0, "min": 40.0, "max": 90.0}}
    assert native["cpu_seconds"] == {"median": 8.0, "min": 8.0, "max": 8.0}
    assert found["ratio"] == {"cpu_seconds": 2.5, "wall_seconds": 5.56}


def test_runs_that_differ_are_refused() -> None:
    first = Results.read(KEPT)
    assert first.engine == "native"
    same(first, first.model_copy(update={"engine": "cocotb", "wall_seconds": 1.0}))
    with pytest.raises(RuntimeError, match=r"results\.cycles: "):
        same(first, first.model_copy(update={"cycles": 1}))
    with pytest.raises(RuntimeError, match=r"results\.signature: "):
        same(first, first.model_copy(update={"signature": "0" * 128}))
    with pytest.raises(RuntimeError, match="ended as deadlocked"):
        same(first, first.model_copy(update={"state": "deadlocked"}))


@pytest.mark.rare
def test_a_machine_on_both(tmp_path: Path) -> None:
    everybody = matrix_of(["01234567"] * 8)
    found = measure(write_machine(tmp_path, domains("all", everybody) + phase("all", PROBE, domains="all")), repeat=1)
    assert [row["engine"] for row in found["results"]] == ["cocotb", "native"]
    assert all(row["cpu_seconds"]["min"] > 0 for row in found["results"]) and found["cycles"] > 1000
