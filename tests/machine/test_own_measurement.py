"""A module beside the machine file registers a measurement, and everything that khhw's go through takes it."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from khhw.cli import main
from khhw.machine.measurements import NAMES
from khhw.machine.reading import MachineFileError, load
from khhw.machine.results import OwnRecord, Results, RunRecord
from khhw.report.live import LiveView
from khhw.report.measurements.matrix import MatrixReport
from khhw.report.measurements.unknown import UnknownReport
from khhw.report.page import shortcomings
from khhw.report.registry import reports
from tests.report.synthetic import synthetic_results

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_measurement"
FILE = EXAMPLE / "machine.toml"
NAME = "jitter:MEASUREMENT"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run of the example leaves."""
    folder = tmp_path_factory.mktemp("own") / "run"
    assert main(["run", str(FILE), "--engine", "native", "-o", str(folder)]) == 0
    return folder


def test_the_example_is_small() -> None:
    assert len([line for line in (EXAMPLE / "jitter.py").read_text().splitlines() if line]) <= 60


def test_the_documentation_shows_the_example() -> None:
    code = (EXAMPLE.parents[1] / "docs" / "measurements.md").read_text().split("```toml\n")[1].split("```")[0]
    assert set(code.splitlines()) <= set(FILE.read_text().splitlines())


def test_what_it_found_is_recorded_by_phase(folder: Path) -> None:
    alone, beside = Results.read(folder / "results.json").results.own
    assert (alone.measurement, alone.phase, beside.phase) == (NAME, "alone", "beside_flood")
    assert alone.found == {"cycles": {"8": 0, "240": 0, "3840": 0}}
    assert max(beside.found["cycles"].values()) > 0


def test_it_has_its_section_and_picture_in_the_report(folder: Path) -> None:
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.count("<h2>Jitter</h2>") == 1
    assert "Numbers: <code>jitter.csv</code>" in page
    assert (folder / "jitter.csv").read_text().splitlines()[:2] == ["phase,bytes,cycles", "alone,8,0"]


def test_a_later_report_finds_the_module_beside_the_machine_file(folder: Path, tmp_path: Path) -> None:
    assert main(["report", str(folder), "-o", str(tmp_path / "again"), "--file", str(FILE)]) == 0
    assert (tmp_path / "again" / "jitter.png").read_bytes() == (folder / "jitter.png").read_bytes()


def test_names_in_results_are_not_imported_unless_the_machine_file_is_named(folder: Path, tmp_path: Path) -> None:
    assert main(["report", str(folder), "-o", str(tmp_path)]) == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert f"<h2>{NAME}</h2>" in page and "Shown as recorded" in page and "&quot;3840&quot;: " in page
    assert not (tmp_path / "jitter.png").exists()


def test_two_runs_are_compared(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = Results.read(folder / "results.json")
    other.results.own[1].found["cycles"]["3840"] = 16
    (tmp_path / "other").mkdir()
    other.write(tmp_path / "other" / "results.json")
    both = ["report", str(folder), str(tmp_path / "other"), "--file", str(FILE), "-o", str(tmp_path / "both")]
    assert main([*both, "--json"]) == 0
    found = {number["where"]: (number["what"], number["second"])
             for number in json.loads(capsys.readouterr().out)["results"]["numbers"]}
    assert found["beside_flood, 3840 bytes"] == (NAME, 16)
    assert "<h2>Jitter</h2>" in (tmp_path / "both" / "report.html").read_text(encoding="utf-8")


def test_its_shortcomings_fail_the_run() -> None:
    results = synthetic_results()
    assert results.passed
    results.results.own.append(OwnRecord(measurement=NAME, phase="a", found={}, shortcomings=["8 bytes are late."]))
    assert not results.passed
    assert shortcomings(results) == ["8 bytes are late."]


def test_results_from_before_there_were_any_are_read(tmp_path: Path) -> None:
    old = synthetic_results().model_dump(mode="json")
    del old["results"]["own"]
    (tmp_path / "results.json").write_text(json.dumps(old))
    assert Results.read(tmp_path / "results.json") == synthetic_results()


@pytest.mark.parametrize(("text", "words"), [
    ("nonsense", "no measurement 'nonsense'; khhw's are matrix, attacks, .* named \"module:NAME\""),
    ("nonsense_module:X", "no module 'nonsense_module'"),
    ("jitter:Jitter", "module 'jitter' has no measurement 'Jitter'"),
    ("jitter:", "does not name a measurement; write \"module:NAME\""),
    (NAME, "jitter needs the kernel latency: boot it"),
    ("careless:NO_REPORT", "module 'careless' has no class 'Absent'"),
    ("careless:RAISES", "careless:RAISES fails: KeyError: 'x'"),
])
def test_what_cannot_be_measured_is_refused_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: str,
) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    monkeypatch.delitem(sys.modules, "careless", raising=False)
    (tmp_path / "careless.py").write_text(
        "import dataclasses\nfrom jitter import MEASUREMENT\ndef check(phase, machine):\n    raise KeyError('x')\n"
        "NO_REPORT = dataclasses.replace(MEASUREMENT, report='careless:Absent')\n"
        "RAISES = dataclasses.replace(MEASUREMENT, check=check)\n")
    file = tmp_path / "machine.toml"
    file.write_text(f"[torus]\nshape = [2, 1, 1]\n[[phases]]\nname = 'a'\nmeasure = '{text}'\n")
    with pytest.raises(MachineFileError, match=words) as caught:
        load(file)
    assert caught.value.line == 5


def test_a_report_that_raises_does_not_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(self: MatrixReport, phase: str, record: RunRecord) -> str:
        raise ValueError("odd")

    monkeypatch.setattr(MatrixReport, "measured", raises)
    output = io.StringIO()
    with LiveView(8, Console(file=output, width=118), "a run") as view:
        view({"kind": "measured", "phase": "a", "what": "matrix", "record": RunRecord().model_dump(mode="json")})
    assert "a: measured matrix, whose report fails: ValueError: odd" in output.getvalue()


def test_every_measurement_has_a_report() -> None:
    found = reports()
    assert tuple(found) == NAMES
    assert not any(isinstance(each, UnknownReport) for each in found.values())


def test_simulators_import_nothing_that_draws() -> None:
    code = ("import sys, pathlib\nimport khhw.machine.program\nfrom khhw.machine.lookup import find_measurement\n"
            f"for name in {[*NAMES, NAME]!r}:\n    find_measurement(name, pathlib.Path({str(EXAMPLE)!r}))\n"
            "assert 'matplotlib' not in sys.modules")
    subprocess.run([sys.executable, "-c", code], check=True)
