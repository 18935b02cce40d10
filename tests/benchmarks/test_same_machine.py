"""What tells whether two runs of a machine are the same."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from benchmarks.same_machine import differences, kinds, main

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "docs" / "results" / "talk.json"
PAGE = (ROOT / "docs" / "same-machine.md").read_text(encoding="utf-8")


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


def test_every_kind_of_difference_is_told_with_its_path() -> None:
    before = {"a": [1, {"b": 2}], "c": 3, "version": "1"}
    after = {"a": [1, {"b": 4}, 5], "d": 3, "version": "2"}
    assert list(differences(before, after)) == [
        "results.a: 2 entries, and 3", "results.a[1].b: 2, and 4", "results.c: only in the first run",
        "results.d: only in the second run"]


def test_many_differences_are_all_counted_by_kind_and_listed_on_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    results = json.loads(KEPT.read_text(encoding="utf-8"))
    for line in results["results"]["console"]:
        line["cycle"] += 1
    other = tmp_path / "results.json"
    other.write_text(json.dumps(results))
    lines = len(results["results"]["console"])
    assert main([str(KEPT), str(other)]) == 1
    (kind, total) = capsys.readouterr().out.splitlines()
    assert kind.split(": ")[0].split() == [str(lines), "results.results.console[].cycle"]
    assert total.startswith(f"{lines} differences in ")
    assert main([str(KEPT), str(other), "--all"]) == 1
    assert len(capsys.readouterr().out.splitlines()) == lines + 1


def test_a_kind_is_a_path_whatever_its_indices() -> None:
    assert kinds(["a[0].b[1]: 1, and 2", "c: 3, and 4", "a[2].b[0]: 5: 6"]) == [
        "    2 a[].b[]: 1, and 2", "    1 c: 3, and 4"]


@pytest.mark.parametrize(("before", "after"), [
    ("83ef32a", "11e2381"), ("11e2381", "5b128cd"), ("5b128cd", "e64ef0a"), ("e64ef0a", "8149720")])
def test_the_page_says_what_changed(
    before: str, after: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    for commit in (before, after):
        shown = subprocess.run(["git", "show", f"{commit}:docs/results/talk.json"], cwd=ROOT, capture_output=True,
                               check=False)
        if shown.returncode:
            pytest.skip("without the history")
        (tmp_path / commit).write_bytes(shown.stdout)
    main([str(tmp_path / before), str(tmp_path / after), "--all"])
    listed = capsys.readouterr().out
    number, values = re.findall(r"^(\d+) differences in ([\d,]+) values", listed, re.MULTILINE)[0]
    row = f"| `{before}`, `{after}` | {int(number):,}"
    assert f"{row} in {values} |" in PAGE or f"{row} |" in PAGE
    section = PAGE.partition(f"## {before} to {after}\n")[2].partition("\n## ")[0]
    counts = re.findall(r"^\| ([\d, ]+) \|", section, re.MULTILINE)
    if section:
        assert sum(int(count.replace(",", "")) for cell in counts for count in cell.split(", ")) == int(number)
    if before == "83ef32a":
        assert listed == (ROOT / "docs" / "results" / "same-machine.txt").read_text(encoding="utf-8")
