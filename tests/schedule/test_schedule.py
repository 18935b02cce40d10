"""Order and groups of tests, recorded durations, and which items a CI run begins."""

import json
import time
from datetime import date

import pytest
from xdist.scheduler import LoadGroupScheduling

from khhw.estimate import Span
from tests.schedule import __main__ as schedule
from tests.schedule.builds import ROOT, used
from tests.schedule.durations import FILE, LITTLE, Durations, Took
from tests.schedule.items import Item, Pass, age, all_items, begins, in_order, load_passes, recorded, save_passes
from tests.schedule.order import groups, longest_first, mark
from tests.schedule.plugin import GROUP


def durations(**files):
    """Durations by file and test, wall only."""
    return Durations(tests={f"{name}.py": {test: Took(wall, wall) for test, wall in tests.items()}
                            for name, tests in files.items()})


class TestDurations:
    def test_what_is_written_is_read(self, tmp_path):
        kept = Durations({"cores": 2}, {"a.py": {"test_x[1]": Took(2.5, 1.0), "*": Took(0.3, 0.2)}}, {"item": 60.0},
                         [{"kind": "sim", "seconds": 4, "what": {}}])
        kept.save(tmp_path / "file.json")
        assert Durations.load(tmp_path / "file.json") == kept

    def test_quick_tests_are_one_entry(self):
        kept = Durations()
        kept.put({"a.py::test_long": Took(3, 2), "a.py::test_b": Took(0.1, 0.1), "a.py::test_c": Took(0.05, 0.1)})
        assert kept.tests["a.py"].keys() == {"test_long", "*"}
        assert kept.tests["a.py"]["*"].wall == pytest.approx(0.15)
        assert kept.of("a.py::test_long") == 3
        assert kept.of("a.py::test_b") < LITTLE

    def test_a_test_that_became_quick_has_no_entry_any_more(self):
        kept = durations(a={"test_x": 5, "test_y": 2})
        kept.put({"a.py::test_x": Took(0.1, 0.1)})
        assert kept.tests["a.py"].keys() == {"test_y", "*"}

    def test_a_file_never_seen_may_be_long(self):
        assert durations(a={}).of("b.py::test_x") >= 1

    def test_a_slow_machine_is_told_from_the_tests_that_are_recorded(self):
        kept = durations(a={"test_x": 5, "test_y": 15})
        assert kept.slower({"a.py::test_x": Took(10, 9), "a.py::test_y": Took(30, 30), "a.py::test_new": Took(99, 9),
                            "b.py::test_x": Took(99, 9)}) == 2
        assert kept.slower({"a.py::test_x": Took(1, 1)}) == kept.slower({}) == 1

    def test_what_is_committed_can_be_read(self):
        assert FILE.is_file()
        assert Durations.load().tests


class TestOrder:
    def test_the_longest_group_comes_first_and_keeps_its_order(self):
        kept = durations(a={"test_1": 20, "test_2": 1}, b={"test_1": 15, "test_2": 16})
        nodes = ["a.py::test_1", "a.py::test_2", "b.py::test_1", "b.py::test_2"]
        group = groups({node: ["machine"] if "b.py" in node else [] for node in nodes}, kept)
        assert longest_first(nodes, group, kept) == ["b.py::test_1", "b.py::test_2", "a.py::test_1", "a.py::test_2"]

    def test_tests_that_share_a_fixture_stay_together(self):
        kept = durations(a={f"test_{number}": 9 for number in range(5)})
        shares = {"a.py::test_0": {"x"}, "a.py::test_1": {"x", "y"}, "a.py::test_2": {"y"}, "a.py::test_3": {"z"},
                  "a.py::test_4": set()}
        group = groups(shares, kept)
        assert group["a.py::test_0"] == group["a.py::test_1"] == group["a.py::test_2"]
        assert len({group[f"a.py::test_{number}"] for number in (0, 3, 4)}) == 3

    def test_a_quick_file_is_one_group(self):
        kept = durations(a={"test_0": 3, "test_1": 2})
        assert set(groups({"a.py::test_0": {"x"}, "a.py::test_1": ()}, kept).values()) == {"a.py"}

    def test_quick_tests_of_a_long_file_are_one_group(self):
        kept = durations(a={"test_0": 30, "*": 1})
        group = groups({f"a.py::test_{number}": () for number in range(3)}, kept)
        assert group["a.py::test_1"] == group["a.py::test_2"] != group["a.py::test_0"]

    @pytest.mark.parametrize("name", ["a.py", "a.py:x[0]", "a.py::test_x[b@c]"])
    def test_xdist_keeps_a_group_together(self, request, name):
        if not hasattr(request.config, "workerinput"):
            pytest.skip("without workers there is one place to run")
        schedule = LoadGroupScheduling.__new__(LoadGroupScheduling)
        assert len({schedule._split_scope(f"{node}@{GROUP}{mark(name)}") for node in ("a.py::y", "a.py::z[0]")}) == 1
        assert f"@{GROUP}" in request.node.nodeid and schedule._split_scope(request.node.nodeid).startswith(GROUP)


class TestBuilds:
    def folder(self, root, name, path):
        folder = root / "sim" / name
        folder.mkdir(parents=True)
        (folder / "complete.json").touch()
        (folder / "build-time.json").write_text(json.dumps({"wall_seconds": 9, "cpu_seconds": len(name)}))
        (folder / "request.json").write_text(json.dumps(
            {"design": {"target": "a:B", "values": {}, "path": [str(path)], "strict": True}, "variant": "debug"}))
        return folder

    def test_the_longest_comes_first_by_folders_of_the_checkout(self, tmp_path):
        self.folder(tmp_path, "abc", ROOT / "testbenches")
        self.folder(tmp_path, "abcdef", ROOT)
        found = used(0, tmp_path)
        assert [build["seconds"] for build in found] == [6, 3]
        assert [build["what"]["design"]["path"] for build in found] == [["."], ["testbenches"]]

    def test_designs_of_a_test_and_what_nothing_used_are_left_out(self, tmp_path):
        kept = self.folder(tmp_path, "abc", tmp_path)
        assert used(0, tmp_path) == []
        self.folder(tmp_path, "abcd", ROOT)
        assert used(kept.stat().st_mtime + 60, tmp_path) == []


ITEMS = [Item(name, ("-c", "pass")) for name in "abcd"]


class TestItems:
    def test_one_for_each_file_family_of_proofs_and_part_of_the_mutants(self):
        items = all_items(["a.py::x", "a.py::y", "b.py::z"], ["egress-row", "egress-all", "get-x"])
        names = [item.name for item in items]
        assert names[:4] == ["a.py", "b.py", "proofs of egress", "proofs of get"]
        assert sum(name.startswith("mutants") for name in names) == 8
        assert len(set(names)) == len(names)

    def test_what_never_passed_comes_first_then_the_oldest(self):
        passes = {"a": Pass("1", "2026-11-03"), "b": Pass("1", "2026-11-01"), "c": Pass("1", "2026-11-02")}
        assert [item.name for item in in_order(ITEMS, passes, "commit")] == ["d", "b", "c", "a"]

    def test_equal_ages_are_in_an_order_of_the_commit(self):
        orders = {tuple(item.name for item in in_order(ITEMS, {}, str(number))) for number in range(40)}
        assert len(orders) > 10
        assert {order[0] for order in orders} == set("abcd")
        assert in_order(ITEMS, {}, "x") == in_order(ITEMS[::-1], {}, "x")

    @pytest.mark.parametrize(("elapsed", "limit", "does"), [
        (0, 60, True), (30, 60, True), (31, 60, False), (99, 60, False), (99, None, True)])
    def test_one_begins_only_if_it_ends_in_time(self, elapsed, limit, does):
        assert begins(30, elapsed, limit) is does

    def test_one_never_timed_is_taken_to_be_long(self):
        assert not begins(None, 0, 599)
        assert begins(None, 0, 600)

    def test_the_time_of_a_file_is_that_of_its_rare_tests_and_of_a_build(self):
        kept = durations(a={"test_x": 40, "test_quick": 7}, b={"test_z": 5})
        a, b = all_items(["a.py::test_x", "b.py::test_z"], [])[:2]
        assert recorded(a, kept) == 40
        kept.builds = [{"kind": "sim", "seconds": 90, "what": {}}, {"kind": "sim", "seconds": 20, "what": {}}]
        assert recorded(a, kept) == 130
        kept.items["b.py"] = 12.0
        assert recorded(b, kept) == 12

    def test_no_time_is_made_up_where_none_is_recorded(self):
        kept = durations(a={"test_x": 40})
        assert recorded(Item("b.py", (), ("b.py::test_y",)), kept) is None
        assert recorded(Item("proofs of egress", ()), kept) is None

    def test_every_item_that_has_passed_has_a_time(self):
        known = Durations.load()
        rare = [f"{name}::{test}" for name, tests in known.tests.items() for test in tests]
        items = {item.name: item for item in all_items(rare, [])}
        assert [name for name in load_passes() if recorded(items.get(name, Item(name, ())), known) is None] == []

    def test_one_that_was_quick_here_may_take_as_long_as_recorded(self, monkeypatch, capsys):
        monkeypatch.setattr(schedule, "find_items", lambda: ITEMS[:1])
        monkeypatch.setattr(Durations, "load", lambda: Durations(items={"a": 300.0}))
        monkeypatch.setattr(schedule.history, "known", lambda _: Span(1.0, 2.0))
        assert schedule.run_items([], 4, time.time(), False) == 0
        assert "left out: a (never passed; 300 s recorded; took a few seconds here)" in capsys.readouterr().out

    def test_ages_are_told(self):
        passes = {"a": Pass("0123456789abcdef", "2026-11-27"), "b": Pass("1", "2026-11-28")}
        today = date(2026, 11, 28)
        assert age(ITEMS[0], passes, today) == "passed 1 day ago at 0123456789"
        assert age(ITEMS[1], passes, today) == "passed 0 days ago at 1"
        assert age(ITEMS[2], passes, today) == "never passed"

    def test_passes_are_kept_of_items_there_are(self, tmp_path):
        passes = {"a": Pass("1", "2026-11-27"), "gone": Pass("1", "2026-11-27")}
        save_passes(passes, ITEMS, tmp_path / "passes.json")
        assert load_passes(tmp_path / "passes.json") == {"a": passes["a"]}
        assert load_passes(tmp_path / "none.json") == {}
