"""Converting, building, caching, running: on a small project of its own."""

import json
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from khhw.build import BuildError, Design, RequestError, Simulation, convert, toolchain
from khhw.build import design as design_module
from khhw.build.backends import control_file
from khhw.build.cache import build_once, build_root, claim_folder
from khhw.build.results import CaseResult, RunResult, read_results
from khhw.build.testbench import Options, find_testbenches, last_packets, read_testbench, run_testbench, variant_id

PROJECT = Path(__file__).parent / "projects" / "running_sum"
TESTBENCH = PROJECT / "test_running_sum.py"


def khhw(*arguments: object, cwd: Path = PROJECT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    root = str(Path(__file__).parents[2])
    return subprocess.run(
        [sys.executable, "-m", "khhw", *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": root, **environment})


def write_testbench(folder: Path, body: str) -> Path:
    """A testbench for the running sum with one case."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(PROJECT / "running_sum.py", folder)
    file = folder / "test_own.py"
    body = "\n".join("    " + line for line in body.splitlines())
    file.write_text(f'import cocotb\nfrom cocotb.triggers import Timer\nDUT = "running_sum:RunningSum"\n\n'
                    f"@cocotb.test()\nasync def test_it(dut):\n{body}\n")
    return file


class TestConvert:
    def test_describes_ports_and_public_signals(self):
        design = convert("running_sum:RunningSum", {"width": 8}, path=[PROJECT], strict=True)
        assert design.top == "running_sum"
        assert {port.name: (port.width, port.is_input) for port in design.ports} == {
            "clk": (1, True), "rst": (1, True), "i__valid": (1, True), "i__ready": (1, False), "i__payload": (8, True),
            "o__valid": (1, False), "o__ready": (1, True), "o__payload": (8, False)}
        assert 'public_flat_rw -module "running_sum.history" -var "words"' in control_file(design)

    def test_extra_modules_are_files_of_their_own(self):
        design = convert("running_sum:Two", path=[PROJECT], strict=True)
        assert [source.name for source in design.sources] == ["two.v", "summer.v"]
        assert "module summer" not in design.sources[0].read_text()
        assert 'no_inline -module "summer"' in control_file(design)

    def test_only_what_may_be_written_is_an_input(self):
        """Logic behind what may be written is evaluated again and again; inputs of instances are kept apart, too."""
        lines = control_file(convert("running_sum:Two", path=[PROJECT], strict=True)).splitlines()
        kinds = {tuple(re.findall(r'"(.*?)"', line)): line.split()[0] for line in lines if "-var" in line}
        assert {kinds["two", name] for name in ("clk", "rst", "i__valid", "i__payload", "o__ready")} == {
            "public_flat_rw"}
        assert {kinds["two", name] for name in ("i__ready", "o__valid", "o__payload")} == {"public_flat_rd"}
        assert {kinds["summer", name] for name in ("i__valid", "i__payload", "o__ready")} == {"public_flat_rd"}
        assert kinds["summer", "o__payload"] == "public_flat_rw", "it is among public_signals"

    def test_converts_again_only_when_a_source_changed(self, tmp_path, monkeypatch):
        source = tmp_path / "own_sum.py"
        shutil.copy(PROJECT / "running_sum.py", source)
        first = convert("own_sum:RunningSum", path=[tmp_path])
        monkeypatch.setattr(design_module, "_converter", pytest.fail)
        assert convert("own_sum:RunningSum", path=[tmp_path]) == first
        monkeypatch.undo()
        source.write_text(source.read_text().replace("payload + self.i", "payload - self.i"))
        second = convert("own_sum:RunningSum", path=[tmp_path])
        assert second.sources[0].read_text() != first.sources[0].read_text()

    @pytest.mark.parametrize(("target", "values", "message"), [
        ("running_sum", {}, "named as 'module:Name'"),
        ("running_som:RunningSum", {}, "no module 'running_som'"),
        ("running_sum:RunningSom", {}, "has no 'RunningSom'"),
        ("running_sum:unsigned", {"width": 3}, r"makes a Shape, not an amaranth\.lib"),
        ("running_sum:RunningSum", {"breadth": 3}, "breadth.*it takes width, limit"),
        ("rtl.torus.router:Router", {"lanes": 7}, "lanes must be an integer from 1 to 6, not 7"),
    ])
    def test_refuses(self, target, values, message):
        with pytest.raises(RequestError, match=message):
            convert(target, values, path=[PROJECT])

    def test_shows_where_elaboration_failed(self):
        with pytest.raises(BuildError, match=r"running_sum.py.*(?s:.*)width must be at least 8, not 4"):
            convert("running_sum:RunningSum", {"width": 4}, path=[PROJECT])

    def test_names_a_public_signal_that_is_not_there(self, tmp_path):
        text = (PROJECT / "running_sum.py").read_text().replace('"words"),)', '"werds"),)')
        (tmp_path / "typo_sum.py").write_text(text)
        with pytest.raises(RequestError, match=r"'werds' of module 'running_sum.history'"):
            convert("typo_sum:RunningSum", path=[tmp_path])


def append_slowly(folder: Path) -> None:
    """A build long enough for others to come by meanwhile."""
    time.sleep(1)
    (folder / "made").write_text("once")
    with open(folder.parent / "count", "a") as count:
        count.write("x")


class TestCache:
    def test_parallel_processes_build_once(self, tmp_path):
        context = multiprocessing.get_context("spawn")
        processes = [context.Process(target=build_once, args=(tmp_path / "it-1", {}, append_slowly)) for _ in range(4)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0, 0, 0, 0]
        assert (tmp_path / "count").read_text() == "x"

    def test_interrupted_build_starts_afresh(self, tmp_path):
        def interrupted(folder: Path) -> None:
            (folder / "half").touch()
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            build_once(tmp_path / "it-1", {}, interrupted)
        build_once(tmp_path / "it-1", {}, append_slowly)
        assert not (tmp_path / "it-1" / "half").exists()
        assert (tmp_path / "it-1" / "made").exists()

    def test_what_nothing_used_for_long_goes(self, tmp_path):
        # By a process that has ended: its own builds a process keeps.
        old = tmp_path / "it-1"
        process = multiprocessing.get_context("spawn").Process(target=build_once, args=(old, {}, append_slowly))
        process.start()
        process.join()
        os.utime(old / "complete.json", (0, 0))
        build_once(tmp_path / "other-1", {}, append_slowly)
        assert old.exists()
        build_once(tmp_path / "it-2", {}, append_slowly)
        assert not old.exists()

    def test_runs_with_one_label_do_not_share_a_folder(self, tmp_path):
        with claim_folder(tmp_path, "run") as first, claim_folder(tmp_path, "run") as second:
            assert (first.name, second.name) == ("run", "run-2")
        with claim_folder(tmp_path, "run") as again:
            assert again == first

    def test_build_folder(self, tmp_path, monkeypatch):
        monkeypatch.setenv("KHHW_BUILD", str(tmp_path / "elsewhere"))
        assert build_root() == tmp_path / "elsewhere"
        (tmp_path / "file").touch()
        monkeypatch.setenv("KHHW_BUILD", str(tmp_path / "file" / "below"))
        with pytest.raises(RequestError, match="set KHHW_BUILD"):
            build_root()


class TestRun:
    def test_all_variants_on_the_lean_build(self):
        (bench,) = find_testbenches(str(TESTBENCH))
        for values in bench.parameters:
            result = run_testbench(bench, values, Options(strict=True))
            assert result.passed, result
            assert [case.name for case in result.cases] == [
                "test_sums/ready_probability=0.2", "test_sums/ready_probability=1.0", "test_history_is_visible"]

    @pytest.mark.rare
    def test_lean_build_shows_only_what_was_asked_for(self, tmp_path):
        bench = read_testbench(write_testbench(tmp_path, "print(dut.history.words)\nprint(dut.history.rst)"))
        lean, stock = run_testbench(bench, {}, Options()), run_testbench(bench, {}, Options(stock=True))
        assert not lean.passed
        assert "no child object named rst" in lean.cases[0].message
        assert stock.passed

    def test_clones_share_a_module(self, tmp_path):
        body = "assert int(dut.first.o__payload.value) == int(dut.second.o__payload.value) == 0"
        file = write_testbench(tmp_path, body)
        file.write_text(file.read_text().replace("running_sum:RunningSum", "running_sum:Two"))
        result = run_testbench(read_testbench(file), {}, Options())
        assert result.passed, result

    def test_assertions_count_in_the_debug_build_only(self, tmp_path):
        body = ("dut.rst.value = 0\ndut.i__payload.value = 200\ndut.i__valid.value = dut.o__ready.value = 1\n"
                "for edge in range(18):\n    dut.clk.value = edge % 2\n    await Timer(1, 'ns')")
        bench = read_testbench(write_testbench(tmp_path, body))
        debug = run_testbench(bench, {"limit": 900}, Options(variant="debug"))
        fast = run_testbench(bench, {"limit": 900}, Options(variant="fast"))
        assert not debug.passed
        assert "ended with code" in debug.error
        assert fast.passed, fast

    @pytest.mark.parametrize(("code", "error"), [(0, "without writing results"), (3, "running_sum ended with code 3")])
    def test_a_simulator_that_just_ends_has_failed(self, tmp_path, code, error):
        result = run_testbench(read_testbench(write_testbench(tmp_path, f"import os; os._exit({code})")), {}, Options())
        assert not result.passed
        assert error in result.error

    def test_passing_cases_do_not_excuse_the_simulator(self, tmp_path):
        cases = (CaseResult(name="test_it", passed=True),)
        facts = {"folder": tmp_path, "log": tmp_path / "log", "seed": 1}
        assert RunResult(cases=cases, error="", **facts).passed
        assert not RunResult(cases=cases, error="it ended with code 1", **facts).passed
        assert not RunResult(cases=(), error="", **facts).passed

    def test_a_time_limit_ends_it(self, tmp_path, monkeypatch):
        monkeypatch.setenv("KHHW_TIME_LIMIT", "4")
        bench = read_testbench(write_testbench(tmp_path, "while True:\n    await Timer(1, 'ns')"))
        result = run_testbench(bench, {}, Options())
        assert not result.passed
        assert "took longer than 4 s" in result.error

    def test_output_can_be_followed(self, tmp_path):
        bench = read_testbench(write_testbench(tmp_path, "dut._log.info('packet: here')"))
        lines: list[str] = []
        build = Simulation(design=convert(bench.dut, path=bench.path), variant="debug").build()
        result = build.run(bench.module, path=bench.path, folder=tmp_path / "run", on_line=lines.append)
        assert result.passed
        assert result.log.read_text().splitlines() == lines
        assert sum("packet: here" in line for line in lines) == 1

    def test_waves(self):
        (bench,) = find_testbenches(str(TESTBENCH))
        result = run_testbench(bench, {}, Options(waves=True, case="history"))
        assert result.passed
        assert result.waves is not None
        assert result.waves.name == ("dump.fst" if toolchain.has_fst_headers() else "dump.vcd")
        assert result.waves.stat().st_size > 500

    def test_packets_are_found_in_the_log(self):
        (bench,) = find_testbenches(str(TESTBENCH))
        result = run_testbench(bench, {}, Options(case="sums"))
        assert len(last_packets(result)) == 8
        assert last_packets(result)[-1].startswith("packet: number ")

    def test_icarus(self):
        (bench,) = find_testbenches(str(TESTBENCH))
        if shutil.which("iverilog"):
            assert run_testbench(bench, {}, Options(simulator="icarus")).passed
        else:
            with pytest.raises(RequestError, match="apt-get install iverilog"):
                run_testbench(bench, {}, Options(simulator="icarus"))


class TestTestbenchFiles:
    def test_reads_constants_without_running(self, tmp_path):
        file = tmp_path / "test_x.py"
        file.write_text("import nothing_like_it\nDUT: str = 'a:B'\n"
                        "PARAMETERS = [{'lanes': 1}]\nSIMULATORS = ['icarus']")
        bench = read_testbench(file)
        assert (bench.block, bench.dut, bench.parameters) == ("x", "a:B", ({"lanes": 1},))
        assert bench.simulators == ("icarus",)

    @pytest.mark.parametrize(("text", "message"), [
        ("", 'needs a line like  DUT = "'),
        ("DUT = 'router'", 'needs a line like  DUT = "'),
        ("DUT = 'a:B'\nPARAMETERS = {}", "must be a list of dicts"),
        ("DUT = 'a:B'\nN = 3\nPARAMETERS = [{'n': N}]", r"test_x.py:3: PARAMETERS must be a plain value"),
        ("DUT = ", "cannot read"),
    ])
    def test_refuses(self, tmp_path, text, message):
        (tmp_path / "test_x.py").write_text(text)
        with pytest.raises(RequestError, match=message):
            read_testbench(tmp_path / "test_x.py")

    def test_module_of_a_package(self, tmp_path):
        (tmp_path / "a" / "b").mkdir(parents=True)
        for folder in ("a", "a/b"):
            (tmp_path / folder / "__init__.py").touch()
        (tmp_path / "a" / "b" / "test_x.py").write_text("DUT = 'a:B'")
        bench = read_testbench(tmp_path / "a" / "b" / "test_x.py")
        assert (bench.module, bench.path[0]) == ("a.b.test_x", tmp_path)

    def test_variant_names_fit_file_names(self):
        assert variant_id({}) == "default"
        assert variant_id({"lanes": 2, "shape": [2, 2, 1]}) == "lanes_2-shape__2_2_1"

    def test_missing_and_broken_results(self, tmp_path):
        assert read_results(tmp_path / "none.xml") == ((), "the simulator ended without writing results")
        (tmp_path / "half.xml").write_text("<testsuites><testsuite>")
        assert "while writing results" in read_results(tmp_path / "half.xml")[1]


class TestCommand:
    def test_passing(self):
        done = khhw("test", TESTBENCH, "--variant", "default", "-k", "history")
        assert (done.returncode, done.stderr) == (0, "")
        assert "passed  test_history_is_visible" in done.stdout

    def test_failing_says_how_to_see_it(self, tmp_path):
        file = write_testbench(tmp_path, "dut._log.info('packet: at node 3')\nassert 1 == 2, 'no'")
        done = khhw("test", file, "--seed", 7, cwd=tmp_path)
        assert done.returncode == 1
        assert "test_it: AssertionError: no" in done.stdout
        assert [line.strip() for line in done.stdout.splitlines()].count("assert 1 == 2") == 1
        assert f'"{file}", line 8' in done.stdout
        assert "packet: at node 3" in done.stdout
        repeat = done.stdout.rpartition("to repeat it with waves: ")[2]
        assert repeat.split()[-7:] == ["test", str(file), "-k", "test_it", "--seed", "7", "--waves"]

    def test_json_is_all_there_is(self):
        done = khhw("test", TESTBENCH, "--json", "-k", "history", SEED="5")
        report = json.loads(done.stdout)
        assert (done.returncode, report["seed"], report["build"]) == (0, 5, "debug")
        assert [run["parameters"] for run in report["results"]] == [{}, {"width": 8}]
        assert all(run["passed"] for run in report["results"])

    @pytest.mark.parametrize(("arguments", "code", "message"), [
        (("test", "nonesuch"), 2, "no testbench 'nonesuch'; blocks: "),
        (("test", str(TESTBENCH), "--variant", "width_9"), 2, "there are default, width_8"),
        (("test", str(TESTBENCH), "--stock", "--sim", "icarus"), 2, "--stock means"),
        (("test", str(TESTBENCH), "-k", "nonesuch"), 2, "its cases are test_sums"),
        (("nonesuch",), 2, "invalid choice"),
    ])
    def test_exit_codes(self, arguments, code, message):
        done = khhw(*arguments)
        assert done.returncode == code
        assert message in done.stderr

    def test_version(self):
        assert khhw("--version").stdout.startswith("khhw ")


def test_simulation_refuses_unknown_choices():
    nothing = Design(top="x", sources=())
    with pytest.raises(RequestError, match="no build variant 'quick'; there are fast, debug"):
        Simulation(design=nothing, variant="quick")
    with pytest.raises(RequestError, match="no simulator 'questa'"):
        Simulation(design=nothing, simulator="questa")
