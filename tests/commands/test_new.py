"""``khhw new``: what it writes runs as it is, under any name, and nothing of somebody's is overwritten."""

import json
from pathlib import Path

import pytest

from khhw.cli import main
from khhw.commands.new import KINDS, write_skeleton
from khhw.machine.results import Results
from tests.machine.machines import said


def run(file: Path) -> Results:
    """Run a machine file as its reader would."""
    folder = file.with_suffix("")
    assert main(["run", str(file), "-o", str(folder), "--json"]) == 0
    return Results.read(folder / "results.json")


def test_a_testbench_runs_and_can_fail(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", "testbench", "my_adder"]) == 0
    assert capfd.readouterr().out.splitlines()[-1] == "run it  khhw test test_my_adder.py"
    assert main(["test", "test_my_adder.py", "--variant", "width_8"]) == 0
    printed = capfd.readouterr().out
    assert "passed  test_adds_what_is_enabled" in printed and "passed  test_starts_at_zero" in printed
    design = Path("my_adder.py")
    assert "class MyAdder(wiring.Component)" in design.read_text()
    design.write_text(design.read_text().replace("self.total + self.value", "self.total + 1"))
    assert main(["test", "test_my_adder.py", "--variant", "width_8", "-k", "enabled"]) == 1


def test_a_kernel_is_a_ping_of_twenty_lines(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    kernel, machine = write_skeleton("kernel", "knock", tmp_path)
    assert len(kernel.read_text().splitlines()) <= 20
    results = run(machine)
    assert any("knock: 'pong hello' after " in line for line in said(results, 0)), said(results, 0)
    assert "kernel knock done" in said(results, 1)


def test_a_machine_shows_its_domains(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (machine,) = write_skeleton("machine", "couple", tmp_path)
    results = run(machine)
    assert results.passed and results.name == "couple"
    assert results.matrix("isolated", "observed").astype(int).tolist() == [[1, 0], [0, 1]]
    assert results.matrix("one_way", "observed").astype(int).tolist() == [[1, 1], [0, 1]]
    assert set(results.latency()[:, 3]) == {8, 240, 2048}


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_overwritten(tmp_path: Path, kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    written = write_skeleton(kind, "mine", tmp_path)
    last = written[-1]
    last.write_text("precious")
    for file in written[:-1]:
        file.unlink()
    assert main(["new", kind, "mine", "-o", str(tmp_path)]) == 2
    assert f"{last} is there already" in capfd.readouterr().err
    assert sorted(tmp_path.iterdir()) == [last]
    assert last.read_text() == "precious"


@pytest.mark.parametrize("name", ["Upper", "two words", "1st", "class", "../up", ""])
def test_bad_names_are_refused(tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "kernel", name, "-o", str(tmp_path)]) == 2
    assert "cannot be a name" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_design_hides_no_module(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "testbench", "random", "-o", str(tmp_path)]) == 2
    assert "there is a Python module 'random' already" in capfd.readouterr().err


def test_json_names_the_files_and_the_command(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "kernel", "ping", "-o", str(tmp_path), "--json"]) == 0
    printed = json.loads(capfd.readouterr().out)["results"]
    assert printed == {"files": [str(tmp_path / "ping.py"), str(tmp_path / "ping.toml")],
                       "command": f"khhw run {tmp_path}/ping.toml"}
