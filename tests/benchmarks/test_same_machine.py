"""What tells whether two runs of a machine are the same."""

import json
from pathlib import Path

import pytest

from benchmarks.same_machine import differences, main

KEPT = Path(__file__).parents[2] / "docs" / "results" / "talk.json"


def test_a_run_is_the_same_as_itself_whatever_the_clock_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    other = tmp_path / "results.json"
    other.write_text(json.dumps({**json.loads(KEPT.read_text()), "wall_seconds": 1.0, "version": "9"}))
    assert main([str(KEPT), str(other)]) == 0
    assert capsys.readouterr().out.startswith("0 differences")


def test_a_signature_that_differs_is_found_and_kept_if_it_is_meant(tmp_path: Path) -> None:
    kept, other = tmp_path / "kept.json", tmp_path / "results.json"
    kept.write_text(KEPT.read_text())
    other.write_text(json.dumps({**json.loads(KEPT.read_text()), "signature": "0" * 128}))
    assert main([str(kept), str(other), "--keep"]) == 1
    assert main([str(kept), str(other)]) == 0


def test_every_kind_of_difference_is_told_with_its_place() -> None:
    before = {"a": [1, {"b": 2}], "c": 3, "version": "1"}
    after = {"a": [1, {"b": 4}, 5], "d": 3, "version": "2"}
    assert list(differences(before, after)) == [
        "results.a: 2 entries, and 3", "results.a[1].b: 2, and 4", "results.c: only in the first run",
        "results.d: only in the second run"]
