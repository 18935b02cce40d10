"""Every testbench: every variant of its block on Verilator, the first one on Icarus Verilog where that is installed."""

import re
import shutil

import pytest

from khhw.build.cache import checkout
from khhw.build.testbench import (
    Options,
    environment_options,
    find_testbenches,
    read_testbench,
    run_testbench,
    variant_id,
)
from khhw.commands.test import failure_text

SIMULATORS = ["verilator"] + (["icarus"] if shutil.which("iverilog") else [])

RUNS = [
    pytest.param(bench, values, simulator, id=f"{bench.block}-{variant_id(values)}-{simulator}")
    for bench in find_testbenches(str(checkout() / "testbenches"))
    for simulator in SIMULATORS
    if simulator in bench.simulators
    # Four states are for what no reset reaches; one variant shows it.
    for values in (bench.parameters if simulator == "verilator" else bench.parameters[:1])
]


@pytest.mark.parametrize(("bench", "values", "simulator"), RUNS)
def test_testbench(bench, values, simulator, record_property):
    options = environment_options(simulator=simulator, strict=True)
    record_property("seed", options.seed)
    result = run_testbench(bench, values, options)
    if not result.passed:
        pytest.fail(failure_text(bench, values, result, options), pytrace=False)


class TestDocumented:
    """The example of ``docs/testbench.md``."""

    PAGE = checkout() / "docs" / "testbench.md"

    @pytest.fixture
    def code(self):
        (code,) = re.findall(r"```python\n(.*?)```", self.PAGE.read_text(), re.DOTALL)
        return code

    def run(self, folder, code):
        (folder / "test_memory.py").write_text(code)
        bench = read_testbench(folder / "test_memory.py")
        return [run_testbench(bench, values, Options(strict=True)) for values in bench.parameters]

    def test_works_in_thirty_lines(self, tmp_path, code):
        assert len(code.splitlines()) <= 30
        results = self.run(tmp_path, code)
        assert [result.passed for result in results] == [True, True]
        shown = re.findall(r"^  passed  (\S+) +(\d+) ns ", self.PAGE.read_text(), re.MULTILINE)
        assert [(case.name, f"{case.simulated_ns:.0f}") for result in results for case in result.cases] == shown

    def test_fails_where_the_memory_is_wrong(self, tmp_path, code):
        results = self.run(tmp_path, code.replace("(2**32 - 1)", "(2**31 - 1)"))
        assert [result.passed for result in results] == [False, False]
