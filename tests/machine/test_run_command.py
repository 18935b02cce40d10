"""``khhw run`` as people and scripts use it: what it prints, what it leaves, how it ends."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from khhw.cli import main
from khhw.machine.results import Results
from tests.machine.machines import ROOT, phase, write_pair

GREET = phase("hello", '{ nodes = [1], kernel = "greet.py", arguments = "seed {seed}" }')


def run(file: Path, *options: str) -> tuple[int, Results]:
    """Exit code, and what is in the file it leaves."""
    folder = file.parent / "out"
    code = main(["run", str(file), "-o", str(folder), *options])
    return code, Results.read(folder / "results.json")


def test_json_is_one_object_and_nothing_else(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, written = run(write_pair(tmp_path, GREET, "greet.py"), "--json", "--seed", "77")
    printed, errors = capfd.readouterr()
    assert (code, errors) == (0, "")
    assert Results.model_validate(json.loads(printed)) == written
    assert (written.state, written.seed) == ("done", 77)
    assert "node 1> greetings, seed 77" in [line.text for line in written.results.console]


def test_a_bad_machine_file_is_refused_before_anything_is_done(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = write_pair(tmp_path, "lane = 2\n")
    assert main(["run", str(file), "-o", str(tmp_path / "out")]) == 2
    printed, errors = capfd.readouterr()
    assert printed == ""
    assert f"{file}:5: node.lane: unknown key; keys here are " in errors
    assert not (tmp_path / "out").exists()


def test_a_kernel_that_fails_fails_the_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = write_pair(tmp_path, phase("hello", '{ nodes = [1], kernel = "broken.py" }'), "broken.py")
    code, results = run(file)
    assert (code, results.state) == (1, "failed")
    message = "node 1> error: kernel broken failed: KeyError: 'nothing there'"
    assert message in results.message
    assert message in capfd.readouterr().out
    assert message in (tmp_path / "out" / "report.html").read_text().replace("&#x27;", "'").replace("&gt;", ">")


def test_a_run_out_of_cycles_fails(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = write_pair(tmp_path, "[host]\nmax_cycles = 2000\n" + phase("long", '{ kernel = "busy.py" }'), "busy.py")
    code, results = run(file)
    assert (code, results.state, results.cycles) == (1, "out_of_cycles", 2000)
    assert "owner" in results.message
    assert "out of cycles" in capfd.readouterr().out


def test_an_interrupted_run_leaves_valid_files_and_no_process(tmp_path: Path) -> None:
    file = write_pair(tmp_path, phase("long", '{ kernel = "busy.py" }'), "busy.py")
    folder = tmp_path / "out"
    # A shell that runs the tests in the background lets them ignore interrupts; the command shall not inherit that.
    command = ("import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
               "from khhw.cli import main; sys.exit(main())")
    with subprocess.Popen(
        [sys.executable, "-c", command, "run", str(file), "-o", str(folder)], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:
        try:
            assert process.stdout is not None
            assert any("phase 1 of 1" in line for line in process.stdout)
            process.send_signal(signal.SIGINT)
            printed, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130, printed + errors
    assert "interrupted" in printed
    assert errors == ""
    results = Results.read(folder / "results.json")
    assert results.state == "interrupted"
    assert sum(line.text.endswith("ready, type help") for line in results.results.console) == 2
    assert (folder / "report.html").read_text().rstrip().endswith("</html>")
    assert not list(folder.glob("*.part"))
    assert folder not in working_folders()


def working_folders() -> list[Path]:
    """Of all processes that may be looked at; a simulator works in the folder of its run."""
    found = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        try:
            found.append(link.readlink())
        except OSError:
            continue
    return found
