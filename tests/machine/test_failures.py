"""What fails in code of the user's is said with their file and line, on both engines; and pdb works there."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from khhw.cli import main
from khhw.errors import RequestError
from khhw.machine.machine import EngineName, Machine
from khhw.machine.results import OwnRecord, Results
from tests.machine.machines import ROOT, domains, matrix_of, phase, said, write_machine, write_pair
from tests.report.synthetic import synthetic_results

OWN = '{ nodes = [0], kernel = "knocks.py" }'
MAY = domains("own", matrix_of(["0", "1", "2", "3", "4", "5", "6", "7"]))
MEASURE = """
from khhw.machine.measurements.measurement import Measurement, own

async def measure(observer):
    return odd(observer.phase.name)

def odd(name):
    raise ValueError(f"an odd phase, {name}")

RAISES = Measurement(check=lambda phase, machine: None, measure=measure, keep=own(), report="absent:Report")
"""
ROUTER = """
from rtl.torus.router import Router

class Odd(Router):
    def elaborate(self, platform):
        return self.choose(super().elaborate(platform))

    def choose(self, m):
        return m.d.nonsense[3]
"""


@pytest.mark.parametrize("engine", ["native", pytest.param("cocotb", marks=pytest.mark.rare)])
def test_a_kernel_that_fails(tmp_path: Path, engine: EngineName) -> None:
    file = write_machine(tmp_path, MAY + phase("hello", OWN, domains="own"), "knocks.py")
    command = [sys.executable, "-m", "khhw", "run", str(file), "--engine", engine, "-o", str(tmp_path / "out")]
    typed = "p node.rank\np [_ for _ in range(2)]\nw\nc\n"
    done = subprocess.run(command, cwd=ROOT, input=typed, capture_output=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stderr) == (1, "")
    # The debugger speaks with the terminal of the command.
    assert f"> {tmp_path}/knocks.py(19)main()\n-> await node.console.print(look_up(" in done.stdout
    assert "(Pdb) 0\n(Pdb) [0, 1]\n" in done.stdout
    results = Results.read(tmp_path / "out" / "results.json")
    assert said(results, 0)[-2:] == [
        "the guard refused to send 2 packets to node 1 (ROW)",
        "error: kernel knocks failed: KeyError: 'a key', in knocks line 10"]
    first, second, *lines = results.message.splitlines()
    assert "ConsoleError: node 0 said" in first
    assert second == "kernel knocks failed on node 0:"
    frames = [line.strip() for line in lines if line.startswith("  File")]
    file_name = f'File "{tmp_path}/knocks.py"'
    assert frames == [f"{file_name}, line 19, in main", f"{file_name}, line 10, in look_up"]
    assert "return TABLE[key]" in results.message and lines[-1] == "KeyError: 'a key'"
    # Waiting tasks are for runs that came to no end, and all of it is said once.
    assert "waits for" not in done.stdout
    assert done.stdout.count("in look_up") == 1


@pytest.mark.parametrize("engine", ["native", "cocotb"])
def test_steps_stay_in_the_kernel(tmp_path: Path, engine: EngineName) -> None:
    file = write_pair(tmp_path, phase("steps", '{ nodes = [0], kernel = "steps.py" }'), "steps.py")
    command = [sys.executable, "-m", "khhw", "run", str(file), "--engine", engine, "-o", str(tmp_path / "out")]
    # Over a wait, then a change of a variable there, then out of the function and over the end of the kernel.
    typed = "n\nnumber = 7\nn\nn\nn\nn\n"
    done = subprocess.run(command, cwd=ROOT, input=typed, capture_output=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stderr) == (0, "")
    stops = [line for line in done.stdout.replace("(Pdb) ", "").splitlines() if line.startswith("> ")]
    kernel = tmp_path / "steps.py"
    assert [stop.removeprefix(f"> {kernel}") for stop in stops] == [
        "(9)count()", "(10)count()", "(11)count()", "(16)main()", "(17)main()"]
    assert "counted to 8" in said(Results.read(tmp_path / "out" / "results.json"), 0)


def test_an_own_measurement_that_raises(tmp_path: Path) -> None:
    (tmp_path / "own_measure.py").write_text(MEASURE)
    (tmp_path / "absent.py").write_text("class Report: pass\n")
    file = write_machine(tmp_path, phase("odd", '{ kernel = "greet.py" }', measure="own_measure:RAISES"), "greet.py")
    results = Machine.load(file, engine="native").run(tmp_path / "out")
    assert results.state == "failed"
    assert f'File "{tmp_path}/own_measure.py", line 5, in measure' in results.message
    assert f'File "{tmp_path}/own_measure.py", line 8, in odd' in results.message
    assert results.message.splitlines()[-1].strip() == "ValueError: an odd phase, odd"
    assert "khhw/machine" not in results.message and "waits for" not in results.message


def test_a_part_whose_method_raises(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "odd_router.py").write_text(ROUTER)
    file = write_machine(tmp_path, "[parts]\nrouter = 'odd_router:Odd'\n")
    assert main(["run", str(file), "--engine", "native", "-o", str(tmp_path / "out")]) == 1
    told = capsys.readouterr().err
    assert f'File "{tmp_path}/odd_router.py", line 6, in elaborate' in told
    assert f'File "{tmp_path}/odd_router.py", line 9, in choose' in told
    assert "site-packages" not in told and "rtl/node.py" not in told


@pytest.mark.parametrize(("code", "words"), [
    ("class Odd:\n    def __init__(self, parameters):\n        1 / 0\n", "it is no amaranth.lib.wiring.Component"),
    ("from rtl.torus.router import Router\nclass Odd(Router):\n    def __init__(self, p):\n        1 / 0\n",
     'odd_part.py", line 4, in __init__'),
    ("import nowhere_at_all\n", 'odd_part.py", line 1, in <module>'),
    ("class Odd(:\n", 'odd_part.py", line 1'),
])
def test_a_part_that_cannot_be_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, code: str, words: str,
) -> None:
    monkeypatch.delitem(sys.modules, "odd_part", raising=False)
    monkeypatch.setattr(sys, "path", sys.path[:])
    (tmp_path / "odd_part.py").write_text(code)
    file = write_machine(tmp_path, "[parts]\nrouter = 'odd_part:Odd'\n")
    assert main(["run", str(file), "-o", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert "parts.router: " in told and words in told
    assert "khhw/machine" not in told and "rtl/node.py" not in told


def test_a_main_that_is_no_coroutine_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    (tmp_path / "plain.py").write_text("\n\ndef main(node, arguments):\n    pass\n")
    file = write_machine(tmp_path, phase("a", '{ kernel = "plain.py" }'))
    with pytest.raises(RequestError, match=rf"machine\.toml:7: .* {tmp_path}/plain\.py:3: main of kernel plain is no "):
        Machine.load(file)


RUNS = """
import os, sys
from khhw.build.runners import run_followed
from khhw.errors import BuildError
code = "import os\\nbreakpoint()\\nprint('went on', flush=True)\\nos.system('sleep 60')"
stops = []
try:
    run_followed([sys.executable, "-c", code], ".", dict(os.environ), None, time_limit=3.0, on_stop=stops.append,
                 on_line=lambda line: print("line:", line, flush=True))
except BuildError as error:
    print(error, stops)
"""


@pytest.mark.rare
def test_time_that_the_debugger_takes_does_not_count() -> None:
    with subprocess.Popen([sys.executable, "-c", RUNS], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          encoding="utf-8") as process:
        assert process.stdin is not None and process.stdout is not None
        assert "<string>(3)<module>()" in process.stdout.readline()
        # The limit, and the patience with which a process is ended after that.
        time.sleep(9.0)
        assert process.poll() is None, "it was ended while somebody typed"
        process.stdin.write("c\n")
        process.stdin.close()
        rest = process.stdout.read()
    assert "line: went on" in rest
    assert "took longer than 3 s [True, False]" in rest


SPINS = "async def main(node, arguments):\n    while True:\n        pass\n"
CLINGS = """async def main(node, arguments):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
"""
COUNTS = """def many():
    return sum(range(10 ** 15))

async def main(node, arguments):
    many()
"""
KILLED = "interrupted; it did not end by itself, and was killed where it ran"


@pytest.mark.parametrize(("engine", "code", "cycles", "message"), [
    pytest.param("native", SPINS, True, r"stopped by SIGINT\nkernel endless failed on node 0:\nTraceback .*\n  File "
     r'"FILE", line [23], in main\n.*\nkhhw.sim.pace.EndlessError: still running, without an await, .*',
                 marks=pytest.mark.rare),
    pytest.param("cocotb", CLINGS, False, rf'{KILLED}\n  File "FILE", line \d, in main', marks=pytest.mark.rare),
    pytest.param("native", COUNTS, False, rf'{KILLED}\n  File "FILE", line 5, in main\n  File "FILE", line 2, in many',
                 marks=pytest.mark.rare),
], ids=["loop", "catches", "call"])
def test_where_an_endless_kernel_was_interrupted(
    tmp_path: Path, engine: EngineName, code: str, cycles: bool, message: str,
) -> None:
    kernel, out = tmp_path / "endless.py", tmp_path / "out"
    kernel.write_text(code, encoding="utf-8")
    file = write_pair(tmp_path, phase("a", '{ nodes = [0], kernel = "endless.py" }'))
    command = ("import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
               "from khhw.cli import main; sys.exit(main(sys.argv[1:]))")
    with subprocess.Popen([sys.executable, "-c", command, "run", str(file), "--engine", engine, "-o", str(out)],
                          cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdout is not None
        assert any("  crc: " in line for line in process.stdout)
        # From the checked image to the kernel it takes some hundred cycles.
        time.sleep(2.0)
        process.send_signal(signal.SIGINT)
        process.communicate()
        assert process.returncode == 130
    results = Results.read(out / "results.json")
    assert (results.state, results.cycles > 0) == ("interrupted", cycles)
    assert re.fullmatch(message.replace("FILE", re.escape(str(kernel))), results.message, re.DOTALL), results.message


REPORT = """
from jitter import MEASUREMENT, JitterReport

class Report(JitterReport):
    def pictures(self, results):
        return 1 / 0
"""


def test_a_report_that_raises_is_told_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "examples" / "own_measurement"))
    (tmp_path / "odd_report.py").write_text(
        f"import dataclasses\n{REPORT}\nODD = dataclasses.replace(MEASUREMENT, report='odd_report:Report')\n")
    results = synthetic_results()
    results.results.own.append(OwnRecord(measurement="odd_report:ODD", phase="a", found={"cycles": {}}))
    results.write(tmp_path / "results.json")
    assert main(["report", str(tmp_path), "--file", str(tmp_path / "machine.toml")]) == 1
    told = capsys.readouterr().err
    assert told.startswith("khhw: ZeroDivisionError: division by zero\n")
    assert f'File "{tmp_path}/odd_report.py", line 7, in pictures' in told
    assert "khhw/report" not in told
