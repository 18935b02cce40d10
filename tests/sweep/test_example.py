"""The example specification, and a tiny form of it on real hardware in the scale engine."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from khhw.build.provenance import provenance
from khhw.cli import main
from khhw.sweep.grid import curves
from khhw.sweep.reading import load
from khhw.sweep.results import SweepResults
from khhw.sweep.spec import SweepSpec
from khhw.sweep.table import flat, write_tables
from tests.sweep.synthetic import swept

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "sweep.toml"
DOCS = EXAMPLE.parents[1] / "docs" / "sweep.md"

TINY = {
    "loads = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8]": "loads = [0.2, 0.9]", "shapes = [[4, 4, 4]]": "shapes = [[3, 1, 1]]",
    'patterns = ["uniform", "transpose", "tornado"]': 'patterns = ["uniform", "neighbour"]', "seeds = [1, 2, 3]":
    "seeds = [1]", "warmup = 2000": "warmup = 300", "cycles = 8000": "cycles = 2000", "[saturation]":
    "[saturation]\nsearch = false"}


def test_example_is_right():
    spec = load(EXAMPLE)
    assert len(curves(spec, EXAMPLE.parent)) == 9


def test_tiny_form_runs(tmp_path, capfd):
    text = EXAMPLE.read_text()
    for long, short in TINY.items():
        assert long in text
        text = text.replace(long, short)
    (tmp_path / "tiny.toml").write_text(text)
    assert main(["sweep", str(tmp_path / "tiny.toml"), "-o", str(tmp_path / "out"), "--workers", "1"]) == 0
    assert "done" in capfd.readouterr().out
    results = SweepResults.read(tmp_path / "out" / "sweep.json")
    assert results.provenance == provenance()
    rows = {(row.pattern, row.load): row for row in results.results}
    assert set(rows) == {(pattern, load) for pattern in ("uniform", "neighbour") for load in (0.2, 0.9)}
    for row in rows.values():
        assert (row.errors, row.drained) == (0, True)
        # 2,000 cycles of three nodes are few packets: what is offered differs from what is asked for.
        assert row.offered == pytest.approx(row.load, rel=0.3)
        assert 20 < row.latency_mean < row.latency_max
    for pattern in ("uniform", "neighbour"):
        low, high = rows[pattern, 0.2], rows[pattern, 0.9]
        assert low.accepted == pytest.approx(low.offered, rel=0.1)
        assert high.accepted > 2 * low.accepted
        assert high.latency_mean > low.latency_mean


def test_every_key_is_documented():
    text = DOCS.read_text(encoding="utf-8")
    for table, section in SweepSpec.model_fields.items():
        keys = getattr(section.annotation, "model_fields", None)
        for name in [f"{table}.{key}" for key in keys] if keys else [table]:
            assert f"`{name}`" in text, name


def test_every_column_is_documented(tmp_path):
    text = DOCS.read_text(encoding="utf-8")
    results = swept(tmp_path)
    for column in flat(results.results[0]):
        assert f"`{column}`" in text or column.startswith("node_"), column


def test_specification_in_the_documentation_is_right(tmp_path):
    text = DOCS.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    (tmp_path / "sweep.toml").write_text(text)
    assert len(curves(load(tmp_path / "sweep.toml"), tmp_path)) * 6 == 6 * 2 * 3 * 2 * 3 * 3


def test_table_is_read_as_documented(tmp_path):
    code = DOCS.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    folder = tmp_path / "out" / "sweep"
    folder.mkdir(parents=True)
    write_tables(swept(tmp_path).results, folder)
    printed = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "latency_mean: double" in printed.stdout


def test_kept_result_is_the_documented_one():
    folder = DOCS.parent / "results"
    results = SweepResults.read(folder / "sweep-8x8x8.json")
    assert results.state == "done"
    spec = load(folder / "sweep-8x8x8.toml")
    assert results.parameters == spec.model_dump(mode="json")
    text = DOCS.read_text(encoding="utf-8")
    for found in results.saturation:
        assert re.search(rf"\| {found.pattern.replace('_', ' ')}[^|]*\| {found.zero_load_latency:.0f} \| "
                         rf"{found.carried:.3f} \| {found.saturated:.4f}".rstrip("0"), text), found.pattern
