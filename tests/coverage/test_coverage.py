"""``khhw test --coverage`` on a small design: what is reported uncovered, merged, waived."""

import json
from pathlib import Path

import pytest

from khhw.build.design import convert
from khhw.build.testbench import Options, read_testbench, run_testbench
from khhw.cli import main
from khhw.coverage.collect import Collection
from khhw.coverage.counts import read_counts
from khhw.coverage.coverage import Bin, Coverage, Line, Toggle
from khhw.coverage.summary import bit_ranges, open_items
from khhw.errors import BuildError

DESIGN = '''
from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out


class Part(wiring.Component):
    step: In(1)
    back: In(1)
    position: Out(data.StructLayout({"low": 2, "high": 2}))

    def elaborate(self, platform):
        m = Module()
        value = self.position.as_value()
        with m.If(self.step & self.back):
            m.d.sync += value.eq(value - 1)
        with m.Elif(self.step):
            m.d.sync += value.eq(value + 1)
            with m.If(value == 11):
                m.d.sync += value.eq(0)  # never reached
        return m


class Steps(wiring.Component):
    step: In(1)
    back: In(1)
    odd: Out(4)
    state: Out(1)
    wide: Out(80)

    def elaborate(self, platform):
        m = Module()
        m.submodules.part = part = Part()
        m.d.comb += [part.step.eq(self.step), part.back.eq(self.back)]
        m.d.sync += self.wide.eq(self.wide + 1)
        m.d.comb += self.odd.eq(Mux(self.back, part.position.as_value(), 3))
        with m.FSM():
            with m.State("FIRST"):
                with m.If(self.step):
                    m.next = "SECOND"
            with m.State("SECOND"):
                m.d.comb += self.state.eq(1)
                with m.If(self.back & ~self.step):
                    m.next = "FIRST"
        return m
'''

BENCH = '''
import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles

from testbenches.kit.coverage import Covergroup

DUT = "steps:Steps"
PARAMETERS = [{}]
WAY = Covergroup("steps.way", way=("on", "back", "still"), count=(1, 5))
WAY.cross("way", "count", illegal=lambda way, count: way == "still")


async def walk(dut, way, count):
    dut.rst.value, dut.step.value, dut.back.value = 1, 0, 0
    Clock(dut.clk, 2, "ns").start()
    await ClockCycles(dut.clk, 2)
    dut.rst.value, dut.step.value, dut.back.value = 0, 1, way == "back"
    await ClockCycles(dut.clk, count)
    WAY.sample(way=way, count=count)


@cocotb.test()
async def on(dut):
    await walk(dut, "on", 5)


@cocotb.test()
async def back(dut):
    await walk(dut, "back", 5)
'''


def line_of(text: str) -> int:
    """Line of the design with a text."""
    (number,) = [number for number, line in enumerate(DESIGN.splitlines(), 1) if text in line]
    return number


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The testbench, beside its design."""
    folder = tmp_path_factory.mktemp("steps")
    (folder / "steps.py").write_text(DESIGN)
    (folder / "test_steps.py").write_text(BENCH)
    return folder / "test_steps.py"


def covered(file: Path, case: str | None) -> Coverage:
    """What some cases cover."""
    bench = read_testbench(file)
    result = run_testbench(bench, {}, Options(case=case, variant="coverage", strict=True))
    collection = Collection({})
    collection.add(bench, {}, result)
    assert result.passed
    return collection.blocks["steps"]


@pytest.fixture(scope="module")
def runs(bench: Path) -> tuple[Coverage, Coverage]:
    """A run of each case."""
    return covered(bench, "on"), covered(bench, "back")


def uncovered(coverage: Coverage) -> set[int]:
    return {line.number for line, hits in coverage.lines.items() if not hits}


def test_a_branch_that_is_never_taken_is_uncovered_at_its_line(runs: tuple[Coverage, Coverage]) -> None:
    on, back = runs
    never, forward, backward = (line_of(text) for text in ("# never reached", "value + 1", "value - 1"))
    leaves, returns = line_of('m.next = "SECOND"'), line_of('m.next = "FIRST"')
    mux = line_of("Mux(")
    assert uncovered(on) == {never, backward, returns, mux}
    assert uncovered(back) == {never, forward, returns}
    assert on.lines[Line("steps", mux, "true")] == 0 < on.lines[Line("steps", mux, "false")]
    assert on.lines[Line("steps", leaves)] > 0 < on.lines[Line("steps", line_of("self.state.eq(1)"))]
    assert on.text["steps", never] == "m.d.sync += value.eq(0)  # never reached"


def test_each_bit_of_a_wide_signal_counts_for_itself(runs: tuple[Coverage, Coverage]) -> None:
    rising = [runs[0].toggles[Toggle("steps.Steps", "wide", bit, True)] for bit in range(80)]
    assert rising == [3, 1, 1] + 77 * [0]


def test_toggles_are_named_as_in_the_source_and_count_once(runs: tuple[Coverage, Coverage]) -> None:
    on, back = runs
    assert {(toggle.component, toggle.name) for toggle in on.toggles} == {
        ("steps.Part", f"position.{field}[{bit}]") for field in ("low", "high") for bit in range(2)} | {
        ("steps.Steps", name) for name in ("step", "back", "odd[0]", "odd[1]", "odd[2]", "odd[3]", "state")} | {
        ("steps.Steps", f"wide[{bit}]") for bit in range(80)} | {
        ("steps.Steps", "fsm_state")} - {("steps.Steps", "state")}
    # Five steps from 0 on: bit 0 rises and falls, bit 2 rises; nothing is above.
    rising = {name: on.toggles[Toggle("steps.Part", *name, True)] for name in (("low", 0), ("high", 0), ("high", 1))
              for name in [(f"position.{name[0]}", name[1])]}
    assert rising == {("position.low", 0): 3, ("position.high", 0): 1, ("position.high", 1): 0}
    assert back.toggles[Toggle("steps.Part", "position.high", 1, True)] == 1
    assert on.declared_at["steps.Part", "position.low"][0] == "steps"


def test_runs_add_up(runs: tuple[Coverage, Coverage]) -> None:
    both = Coverage()
    for run in runs:
        both.add(run)
    assert uncovered(both) == {line_of("# never reached"), line_of('m.next = "FIRST"')}
    for kind in ("lines", "toggles", "bins"):
        first, second, together = (getattr(coverage, kind) for coverage in (*runs, both))
        assert together == {each: first.get(each, 0) + second.get(each, 0) for each in {*first, *second}}
    assert both.bins[Bin("steps.way", "count", "5")] == 2


def test_bins_that_were_missed_are_listed(bench: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["test", str(bench), "--coverage", "-o", str(tmp_path)]) == 0
    printed = capfd.readouterr().out
    report = json.loads((tmp_path / "coverage" / "coverage.json").read_text())
    assert report["command"].endswith(f"--coverage -o {tmp_path}")
    missed = [f"{each['point']}: {each['bin']}" for each in report["uncovered"]["bins"]]
    assert missed == ["count: 1", "way: still", "way x count: back x 1", "way x count: on x 1"]
    assert all(f"steps.way  {each}" in printed for each in missed)
    assert f"steps.py:{line_of('# never reached')}  m.d.sync += value.eq(0)  # never reached" in printed
    (module,) = report["modules"]
    assert (module["module"], module["lines"]["covered"], module["lines"]["total"]) == ("steps", 6, 8)
    page = (tmp_path / "coverage" / "coverage.html").read_text()
    assert "never reached" in page and "way x count" in page and "Open." in page


def waived(file: Path, folder: Path, text: str, *words: str) -> tuple[int, dict[str, object]]:
    """Exit code and report with a file of waivers."""
    waivers = file.with_name("coverage_steps.toml")
    waivers.write_text('blocks = ["steps"]\n' + text)
    try:
        return main(["test", str(file), *words, "--coverage", "-o", str(folder)]), json.loads(
            found.read_text()) if (found := folder / "coverage" / "coverage.json").is_file() else {}
    finally:
        waivers.unlink()


def test_what_is_waived_is_not_open(bench: Path, tmp_path: Path) -> None:
    code, report = waived(bench, tmp_path, '''
        [[waivers]]
        module = "steps"
        lines = ["m.d.sync += value.eq(0)  # never reached", 'm.next = "FIRST"']
        toggles = ["odd[3]"]
        only = "fall"
        reason = "only to be seen as waived"
        [[waivers]]
        module = "steps.way"
        bins = ["still", "1", "* x 1"]
        reason = "nobody takes one step"
        [[waivers]]
        module = "other"
        lines = ["of a block that did not run"]
        reason = "says nothing of these runs"
        ''')
    # "only" is about toggles here, so the lines, which have no such outcome, are not found.
    assert code == 1 and len(report["faults"]) == 2
    code, report = waived(bench, tmp_path, '''
        [[waivers]]
        module = "steps"
        lines = ["m.d.sync += value.eq(0)  # never reached", 'm.next = "FIRST"']
        reason = "only to be seen as waived"
        [[waivers]]
        module = "steps.way"
        bins = ["still", "1", "* x 1"]
        reason = "nobody takes one step"
        [[waivers]]
        module = "steps.Part"
        toggles = ["position.high[1]"]
        only = "fall"
        reason = "a component by its name"
        ''')
    assert code == 0 and report["faults"] == []
    assert report["uncovered"]["lines"] == report["uncovered"]["bins"] == []
    assert [each["reason"] for each in report["waived"]["lines"]] == ["only to be seen as waived"] * 2
    (module,) = report["modules"]
    assert module["toggles"]["waived"] == 1
    assert open_items(report) == module["toggles"]["total"] - module["toggles"]["covered"] - 1


@pytest.mark.parametrize(("entry", "fault"), [
    ('module = "steps"\nlines = ["m.d.sync += value.eq(value + 1)"]', "is for what is covered (line 18)"),
    ('module = "steps"\ntoggles = ["position.low[1:0]"]', "is for what is covered (position.low[0]"),
    ('module = "steps"\ntoggles = ["gone"]', "is for nothing that is there"),
    ('module = "steps.way"\nbins = ["*"]', "is for what is covered (way: on and "),
])
def test_a_stale_waiver_is_an_error(
    bench: Path, tmp_path: Path, entry: str, fault: str, capfd: pytest.CaptureFixture[str]
) -> None:
    text = f'[[waivers]]\n{entry}\nreason = "long out of date"\n'
    # One case alone cannot tell.
    code, report = waived(bench, tmp_path, text, "-k", "on")
    assert code == 0 and report["faults"] == []
    code, report = waived(bench, tmp_path, text)
    assert code == 1
    assert fault in report["faults"][0]
    assert fault in capfd.readouterr().out


def test_a_wrong_file_of_waivers_names_its_line(
    bench: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, _ = waived(bench, tmp_path, '[[waivers]]\nmodule = "steps"\nline = "x"\nreason = "a wrong key"\n')
    assert code == 2
    printed = capfd.readouterr()
    assert "coverage_steps.toml:4:" in printed.err
    assert printed.out == "", "nothing ran in vain"


def test_a_blank_reason_is_none(bench: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, _ = waived(bench, tmp_path, f'[[waivers]]\nmodule = "steps"\nlines = ["x"]\nreason = "{" " * 20}"\n')
    assert code == 2 and "coverage_steps.toml:5:" in capfd.readouterr().err


def test_who_stops_reading_leaves_a_report(bench: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_words: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("khhw.commands.test.print", gone, raising=False)
    assert main(["test", str(bench), "--coverage", "--json", "-o", str(tmp_path)]) == 130
    assert (tmp_path / "coverage" / "coverage.json").is_file()


def test_a_folder_that_cannot_be_made_is_said_before_anything_runs(
    bench: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["test", str(bench), "--coverage", "-o", str(tmp_path / "file" / "below")]) == 2
    printed = capfd.readouterr()
    assert "cannot write to" in printed.err and printed.out == ""


@pytest.mark.parametrize(("words", "message"), [
    (["--coverage", "--stock"], "leave out --stock and --sim"), (["--coverage", "--sim", "icarus"], "leave out"),
])
def test_what_does_not_go_together(words: list[str], message: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["test", "memory", *words]) == 2
    assert message in capfd.readouterr().err


def test_what_is_measured_is_the_usual_verilog(bench: Path) -> None:
    path = read_testbench(bench).path
    usual, traced = (convert("steps:Steps", path=path, traced=traced) for traced in (False, True))
    assert usual.source_locations is None and traced.source_locations is not None and usual.sources != traced.sources
    assert [file.read_text() for file in usual.sources] == [file.read_text() for file in traced.sources]


def test_a_damaged_file_of_counts_is_refused(tmp_path: Path) -> None:
    for text in ("", "nonsense\n", "# SystemC::Coverage-3\nC nonsense\n"):
        (tmp_path / "coverage.dat").write_text(text)
        with pytest.raises(BuildError, match="coverage"):
            list(read_counts(tmp_path / "coverage.dat"))
    with pytest.raises(BuildError, match="left no coverage"):
        list(read_counts(tmp_path / "none.dat"))


def test_bits_are_written_as_ranges() -> None:
    assert bit_ranges([0, 3, 1, 7, 8, 9]) == "9:7, 3, 1:0"
    assert bit_ranges([-1]) == ""
