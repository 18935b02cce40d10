"""Which testbenches a fault is tried against, and what is kept of it; ``make mutants`` tries them all."""

import pytest

from khhw.build.testbench import find_testbenches
from khhw.mutants import Mutant
from tests.rtl import killers
from tests.rtl.killers import Outcome, all_mutants, benches_of, in_time, likely, part_of, table, tried

BENCHES = find_testbenches(str(killers.ROOT / "testbenches"))


def mutant(module="rtl.guard.drain", breaks="guard_account.case"):
    return Mutant(breaks, "something", module, "old", "new")


def test_every_fault_reaches_a_testbench():
    assert [each.what for each in all_mutants() if not benches_of(each, BENCHES)] == []
    assert len(all_mutants()) > 150


def test_the_bench_it_was_made_for_comes_first_then_small_designs():
    blocks = [bench.block for bench in benches_of(mutant(), BENCHES)]
    assert blocks[0] == "guard_account"
    assert {"guard", "guard_registers"} <= set(blocks)
    assert "ni" not in blocks
    blocks = [bench.block for bench in benches_of(mutant("rtl.torus.deposit", "x"), BENCHES)]
    assert blocks[0] == "deposit_scheduler"
    assert blocks[-1] == "torus"


def test_what_saw_it_last_is_tried_before_all_others(monkeypatch, apart):
    reached = benches_of(mutant(breaks="guard_account.commits_are_counted"), BENCHES)
    saw = "guard-default: random_traffic/pauses=never/shape=0"
    runs = likely(mutant(breaks="guard_account.commits_are_counted"), reached, saw)
    assert [(run.bench.block, run.case) for run in runs] == [
        ("guard", "random_traffic/pauses=never/shape=0"), ("guard_account", "commits_are_counted")]
    # What is no case, or is none any more, is not run.
    for last in ("guard-default: guard took longer than 240 s", "guard-old: random_traffic", "tests/a.py::test_x", ""):
        assert likely(mutant(breaks="egress-row"), reached, last) == []
    asked = []
    monkeypatch.setattr(killers, "killer_among", lambda _one, _benches, last: asked.append(last) or saw)
    tried(mutant(), BENCHES, None)
    monkeypatch.setattr(killers, "_verilog", lambda block: (block, "changed"))
    tried(mutant(), BENCHES, None)
    assert asked == ["", saw]


def test_parts_are_all():
    numbers = list(range(19))
    assert sorted(number for part in range(1, 5) for number in part_of(numbers, f"{part}/4")) == numbers


@pytest.fixture
def apart(monkeypatch, tmp_path):
    """A build folder with nothing in it, and Verilog that costs no conversion."""
    monkeypatch.setenv("KHHW_BUILD", str(tmp_path))
    monkeypatch.setattr(killers, "_verilog", lambda block: (block,))


def test_a_run_goes_on_where_it_was(monkeypatch, tmp_path, apart):
    asked = []

    def killer(one, _benches, _last):
        asked.append(one)
        return ""

    monkeypatch.setattr(killers, "killer_among", killer)
    monkeypatch.setattr(killers, "killer_in_suite", lambda *_: "tests/a.py::test_x")
    assert tried(mutant(), BENCHES, None).killer == ""
    assert tried(mutant(), BENCHES, None).stage == "benches"
    assert tried(mutant(), BENCHES, 1.0).killer == "tests/a.py::test_x"
    assert tried(mutant(), BENCHES, None).stage == "suite"
    assert len(asked) == 1
    # When the time is over, only what needs no work is told.
    assert in_time(mutant(), BENCHES, 1.0, 0.0).killer == "tests/a.py::test_x"
    assert in_time(mutant("rtl.guard.gate"), BENCHES, 1.0, 0.0) is None
    # What was committed counts on another machine.
    found = tried(mutant(), BENCHES, None)
    monkeypatch.setattr(killers, "_committed", lambda: {(found.module, found.mutant, found.expected): found})
    monkeypatch.setenv("KHHW_BUILD", str(tmp_path / "another"))
    assert tried(mutant(), BENCHES, None) == found
    # With another text of the bench it is tried again.
    monkeypatch.setattr(killers, "file_digest", lambda _: "changed")
    assert tried(mutant(), BENCHES, None).killer == ""


def test_what_saw_a_fault_counts_until_that_testbench_or_what_it_tests_changes(monkeypatch, apart):
    (judge,) = [bench for bench in BENCHES if bench.block == "guard_account"]
    saw = "guard_account-default: a_case"
    monkeypatch.setattr(killers, "file_digest", str)
    monkeypatch.setattr(killers, "killer_among", lambda *_: saw)
    before = tried(mutant(), BENCHES, None)
    other = next(bench.file for bench in BENCHES if bench.block == "guard_registers")
    monkeypatch.setattr(killers, "killer_among", lambda *_: "")
    monkeypatch.setattr(killers, "file_digest", lambda each: "changed" if each == other else str(each))
    assert tried(mutant(), BENCHES, None) == before
    monkeypatch.setattr(killers, "file_digest", lambda each: "changed" if each == judge.file else str(each))
    assert tried(mutant(), BENCHES, None).killer == ""
    monkeypatch.setattr(killers, "file_digest", str)
    monkeypatch.setattr(killers, "killer_among", lambda *_: saw)
    before = tried(mutant(), BENCHES, None)
    monkeypatch.setattr(killers, "killer_among", lambda *_: "")
    monkeypatch.setattr(killers, "_verilog", lambda block: (block + "!" * (block == "guard_registers"),))
    assert tried(mutant(), BENCHES, None) == before
    monkeypatch.setattr(killers, "_verilog", lambda block: (block + "!" * (block == judge.block),))
    assert tried(mutant(), BENCHES, None).killer == ""


@pytest.mark.rare
def test_a_fault_is_seen_and_one_that_changes_nothing_is_not():
    (seen,) = [each for each in all_mutants() if each.what == "a write from before hold is acknowledged in it"]
    assert killers.killer_among(seen, benches_of(seen, BENCHES)).startswith("memory_gate-memory_bytes_1024: ")


def test_survivors_stand_out_in_the_table():
    page = table([Outcome("a", "rtl.x", "case", "benches", "guard: case", 60, "k"),
                  Outcome("b", "rtl.y", "p", "suite", "", 60, "l")], left=3)
    assert "| a | `rtl.x` | `case` | guard: case |" in page
    assert "| b | `rtl.y` | `p` | **survives** |" in page
    assert "1 of 2 are seen by tests, in 2 minutes of one core each. 3 more have not been tried since" in page
