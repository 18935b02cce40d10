"""Small machines through RTL: repeatable, true to any matrix, and deaf to what happens to a kernel's file."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from khhw.build.provenance import provenance
from khhw.machine.machine import Machine
from khhw.machine.results import Results
from tests.machine.machines import NODES, PROBE, ROOT, domains, matrix_of, phase, said, write_machine

RING = matrix_of(["01", "12", "23", "34", "45", "56", "67", "7"])
SILENT = np.zeros((NODES, NODES), dtype=bool)


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    """Probes, then a kernel of one's own that says which tokens they left, twice."""
    own = '{ kernel = "tokens.py" }'
    return write_machine(
        tmp_path, domains("ring", RING) + phase("ring", PROBE, domains="ring", measure="matrix")
        + phase("first", own) + phase("second", own), "tokens.py")


def expected_tokens(seed: int) -> list[str]:
    """What the kernel says on each node."""
    return ["tokens " + " ".join(f"{seed}:{source}" for source in np.flatnonzero(RING[:, node]))
            for node in range(NODES)]


def spoken(results: Results, text: str) -> list[list[str]]:
    """By node, the lines that begin so."""
    return [[line for line in said(results, node) if line.startswith(text)] for node in range(NODES)]


def test_the_same_seed_gives_the_same_results(
    tokens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []
    for number, seed in enumerate((5, 5, 6)):
        monkeypatch.setenv("PYTHONHASHSEED", str(number + 1))
        results = Machine.load(tokens, engine="native").run(tmp_path / f"run{number}", seed=seed)
        assert results.passed, results.message
        assert Results.read(tmp_path / f"run{number}" / "results.json") == results
        assert results.provenance == provenance()
        assert [lines[0] for lines in spoken(results, "tokens")] == expected_tokens(seed)
        runs.append(results.model_dump(exclude={"wall_seconds", "provenance"}))
    first, again, other = runs
    assert first == again
    assert first["results"]["matrix"] == other["results"]["matrix"]
    assert (first["seed"], other["seed"]) == (5, 6)


def test_a_kernel_is_what_was_loaded_not_its_file(tokens: Path, tmp_path: Path) -> None:
    kernel = tmp_path / "tokens.py"
    done: list[str] = []

    def on_report(values: dict[str, Any]) -> None:
        """Change the file when the first phase begins, remove it when that is over."""
        if values["kind"] == "phase" and not done:
            kernel.write_text(kernel.read_text().replace("> tokens", "> changed"))
            done.append("changed")
        elif values["kind"] == "measured":
            kernel.unlink()
            done.append("removed")

    results = Machine.load(tokens, engine="native").run(tmp_path / "run", on_report=on_report)
    assert results.passed, results.message
    assert done == ["changed", "removed"]
    assert spoken(results, "tokens") == [[line, line] for line in expected_tokens(results.seed)]
    assert not any(spoken(results, "changed"))


def random_matrices(seed: int) -> list[npt.NDArray[np.bool_]]:
    """Full, empty, and random ones: dense, sparse, with silent sources, deaf destinations, no diagonal."""
    rng = np.random.default_rng(seed)
    shape = (NODES, NODES)
    dense, sparse = rng.random(shape) < 0.5, rng.random(shape) < 0.15
    silent = rng.random(shape) < 0.6
    silent[rng.choice(NODES, 3, replace=False)] = False
    deaf = rng.random(shape) < 0.6
    deaf[:, rng.choice(NODES, 3, replace=False)] = False
    others = ~np.eye(NODES, dtype=bool) & (rng.random(shape) < 0.7)
    return [~SILENT, dense, SILENT, silent, sparse, deaf, others]


def test_any_matrix_is_enforced_and_only_the_owner_changes_it(tmp_path: Path, seed: int) -> None:
    matrices = random_matrices(seed)
    text = "".join(domains(f"m{number}", matrix) for number, matrix in enumerate(matrices))
    for number in range(len(matrices)):
        text += phase(f"m{number}", PROBE, domains=f"m{number}", measure="matrix")
    text += phase("vandals", '{ kernel = "vandal.py" }') + phase("after", PROBE, measure="matrix")
    results = Machine.load(write_machine(tmp_path, text, "vandal.py"), engine="native").run(tmp_path / "run", seed=seed)
    assert results.state == "done", results.message
    for number, matrix in enumerate(matrices):
        np.testing.assert_array_equal(results.matrix(f"m{number}", "configured"), matrix)
        np.testing.assert_array_equal(results.matrix(f"m{number}", "observed"), matrix, err_msg=f"matrix {number}")
    (lines,) = {tuple(lines) for lines in spoken(results, "vandal:")}
    refused, _, tried = lines[0].removeprefix("vandal: ").split()[:3]
    assert refused == tried
    assert int(tried) > 300
    np.testing.assert_array_equal(results.matrix("after", "observed"), matrices[-1])


@pytest.mark.parametrize("file", sorted(
    file for file in (ROOT / "examples").rglob("*.toml") if "[torus]" in file.read_text()), ids=lambda file: file.name)
def test_examples_load(file: Path) -> None:
    loaded = Machine.load(file).file
    # The machine of a cloud runs what its tenants load.
    assert loaded.phases or loaded.networks or file.name.startswith("lease")
