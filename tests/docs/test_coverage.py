"""What ``docs/coverage.md`` says of guard and network interface is what was measured, and all of it is closed."""

import pytest

from docs.covered import PAGE, REPORTS, inserted, report
from khhw.build.cache import checkout
from khhw.build.testbench import find_testbenches, variant_id
from khhw.coverage.summary import open_items
from khhw.coverage.waivers import read_waivers


def test_the_table_is_current() -> None:
    assert inserted(PAGE.read_text(encoding="utf-8")) == PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", REPORTS.values())
def test_everything_is_covered_or_waived(name: str) -> None:
    found = report(name)
    assert open_items(found) == 0
    assert found["faults"] == []
    assert all(run["passed"] for run in found["runs"])


@pytest.mark.parametrize("name", REPORTS.values())
def test_what_was_measured_is_what_there_is(name: str) -> None:
    root = checkout()
    assert root is not None
    known = read_waivers(root / "testbenches" / f"{name.replace('-', '_')}.toml")
    runs = [(run["block"], run["variant"]) for run in report(name)["runs"]]
    measured = {block for block, _ in runs}
    benches = [bench for bench in find_testbenches(str(root / "testbenches")) if bench.block in measured]
    assert measured >= set(known.blocks)
    assert sorted(runs) == sorted((bench.block, variant_id(values)) for bench in benches for values in bench.parameters)
    reasons = {waiver.reason for waiver in known.waivers}
    assert {each["reason"] for kind in report(name)["waived"].values() for each in kind} == reasons
