"""Every testbench: every variant of its block on Verilator, the first one on Icarus Verilog where that is installed.

``make test`` runs one variant of each block, and on Icarus Verilog what takes a second or two there; the rest is rare.
"""

import json
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
from tests.rtl.killers import RESULTS
from tests.rtl.usual import USUAL, usual_variants

SIMULATORS = ["verilator"] + (["icarus"] if shutil.which("iverilog") else [])

SLOW_ON_ICARUS = {"deposit", "guard", "guard_account", "guard_registers", "host_gate", "memory_gate", "ni", "ni_apart",
                  "ni_bounds", "ni_host", "ni_reception", "ni_remote", "router", "router_links", "traffic",
                  "traffic_checker", "tree", "tree_endpoint"}
"""Two seconds and more."""


def marks(bench, values, simulator):
    """``rare`` for what ``make test`` leaves out."""
    slow = bench.block in SLOW_ON_ICARUS if simulator == "icarus" else variant_id(values) not in usual_variants(bench)
    return [pytest.mark.rare] * slow


RUNS = [
    pytest.param(bench, values, simulator, id=f"{bench.block}-{variant_id(values)}-{simulator}",
                 marks=marks(bench, values, simulator))
    for bench in find_testbenches(str(checkout() / "testbenches"))
    for simulator in SIMULATORS
    if simulator in bench.simulators
    # Four states are for what no reset reaches; one variant shows it.
    for values in (bench.parameters if simulator == "verilator" else bench.parameters[:1])
]


@pytest.mark.parametrize(("bench", "values", "simulator"), RUNS)
def test_testbench(bench, values, simulator, record_property, monkeypatch):
    if simulator == "icarus":
        # It interprets: the longest testbench takes minutes where nothing else runs.
        monkeypatch.setenv("KHHW_TIME_LIMIT", "1800")
    options = environment_options(simulator=simulator, strict=True)
    record_property("seed", options.seed)
    result = run_testbench(bench, values, options)
    if not result.passed:
        pytest.fail(failure_text(bench, values, result, options), pytrace=False)


def test_what_sees_a_fault_is_not_rare():
    """Every fault that is on record as seen by a testbench is seen by a variant that ``make test`` runs."""
    usual = {f"{bench.block}-{name}" for bench in find_testbenches(str(checkout() / "testbenches"))
             for name in usual_variants(bench)}
    killers = [each["killer"] for each in json.loads(RESULTS.read_text())["results"]["outcomes"]]
    assert {killer.partition(": ")[0] for killer in killers if not killer.startswith("tests/")} - usual == set()


def test_each_block_has_a_run_that_is_not_rare():
    blocks = {run.values[0].block for run in RUNS}
    assert {run.values[0].block for run in RUNS if not run.marks} == blocks
    variants = {bench.block: set(map(variant_id, bench.parameters)) for bench, *_ in (run.values for run in RUNS)}
    assert all(names <= variants[block] for block, names in USUAL.items())


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
