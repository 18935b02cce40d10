"""The report says what the results say, and nothing else."""

import csv
import hashlib
import re

import pytest

from khhw.machine.results import Attack, RunRecord
from khhw.report.matrix import matrix_caption
from khhw.report.page import shortcomings
from khhw.report.write import write_report
from tests.report.synthetic import synthetic_results


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return write_report(synthetic_results(), tmp_path_factory.mktemp("report"), source="examples/talk.toml")


@pytest.fixture
def page(report):
    return report.read_text(encoding="utf-8")


def with_difference(source, destination):
    results = synthetic_results()
    observed = results.results.matrix["slide2"].observed
    observed[source][destination] = 1 - observed[source][destination]
    return results


class TestFiles:
    def test_every_picture_has_its_numbers(self, report):
        names = {path.name for path in report.parent.iterdir()}
        pictures = ("matrix_slide1", "matrix_slide2", "latency", "console_load")
        assert names == {"report.html", *(f"{p}.png" for p in pictures), *(f"{p}.csv" for p in pictures)}

    def test_same_results_give_the_same_bytes(self, report, tmp_path):
        again = write_report(synthetic_results(), tmp_path, source="examples/talk.toml")
        for path in report.parent.iterdir():
            old, new = path.read_bytes(), (tmp_path / path.name).read_bytes()
            if path == report:
                old, new = old.replace(str(report.parent).encode(), b""), new.replace(str(again.parent).encode(), b"")
            assert hashlib.sha256(old).digest() == hashlib.sha256(new).digest(), path.name

    def test_latency_numbers(self, report):
        results = synthetic_results()
        with (report.parent / "latency.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert [int(row["cycles"]) for row in rows] == [sample.cycles for sample in results.results.latency]
        assert float(rows[0]["nanoseconds"]) == pytest.approx(int(rows[0]["cycles"]) * 1e9 / results.clock_hz, abs=0.1)

    def test_matrix_numbers(self, tmp_path):
        write_report(with_difference(0, 1), tmp_path)
        with (tmp_path / "matrix_slide2.csv").open(encoding="utf-8") as file:
            differing = [row for row in csv.DictReader(file) if row["configured"] != row["observed"]]
        assert [(row["source"], row["destination"]) for row in differing] == [("0", "1")]


class TestPage:
    def test_needs_nothing_but_itself(self, page):
        assert not re.findall(r"""(?:src|href)=["']?(?!data:)[^"'>\s]+""", page)
        assert "url(" not in page
        assert "<script" not in page
        assert page.count('src="data:image/png;base64,') == 4

    def test_says_what_was_seen(self, page):
        results = synthetic_results()
        for attack in results.results.attacks:
            assert attack.name.replace("'", "&#x27;") in page
        assert "boot 1000 5a17c0de &lt;probe&gt; &amp; count=1" in page
        assert f"{len(results.results.refusals)} entries" in page
        assert "Passed." in page
        assert "7 attacks held" in page
        assert "7 of 7 attacks held: 152 attempts, 147 refused, 5 made harmless, 0 delivered where none may be." in page
        assert "khhw run examples/talk.toml" in page
        assert "--seed 1" in page

    def test_results_are_escaped(self, tmp_path):
        text = write_report(synthetic_results(name="<script>alert(1)</script>"), tmp_path).read_text(encoding="utf-8")
        assert "<script" not in text

    def test_another_page_is_linked(self, page, tmp_path):
        text = write_report(synthetic_results(), tmp_path, links=["cloud/report.html", 'a"b<c>']).read_text("utf-8")
        assert '<a href="cloud/report.html">cloud/report.html</a>, <a href="a%22b%3Cc%3E">a&quot;b&lt;c&gt;</a>' in text
        assert "See also" not in page

    def test_refusals_add_up(self, page):
        refusals = synthetic_results().results.refusals
        total = re.search(r"<tfoot>(.*?)</tfoot>", page)[1]
        numbers = [int(number) for number in re.findall(r">(\d+)<", total)]
        assert sum(numbers[:-1]) == numbers[-1] == len(refusals)

    def test_failure_comes_first(self, tmp_path):
        results = with_difference(0, 1)
        results.results.attacks[0].passed = False
        text = write_report(results, tmp_path).read_text(encoding="utf-8")
        assert "Passed." not in text
        assert text.index("Failed.") < text.index("1 cell of slide2 is not as configured") < text.index("Who may send")
        assert "not held" in text

    @pytest.mark.parametrize("state", ["failed", "interrupted", "out_of_cycles", "deadlocked"])
    def test_a_run_that_ended_early(self, state, tmp_path):
        results = synthetic_results(state=state, message="node 3 waits", results=RunRecord())
        text = write_report(results, tmp_path).read_text(encoding="utf-8")
        assert f"The run ended as {state.replace('_', ' ')}: node 3 waits." in text
        assert [path.name for path in tmp_path.iterdir()] == ["report.html"]

    def test_sparse_measurements(self, tmp_path):
        record = synthetic_results().results
        results = synthetic_results(results=RunRecord(latency=record.latency[:1], load=record.load[:1]))
        write_report(results, tmp_path)
        assert {path.suffix for path in tmp_path.iterdir()} == {".html", ".png", ".csv"}


class TestWords:
    def test_matrix_as_configured(self):
        text = matrix_caption(synthetic_results().results.matrix["slide1"])
        assert text.startswith("30 of 64 ordered pairs are allowed; 30 were observed")
        assert text.endswith("Every cell is as configured.")

    def test_leak_and_loss_are_told_apart(self):
        matrix = with_difference(0, 1).results.matrix["slide2"]
        matrix.observed[4][3] = 0
        assert matrix.differences() == [(0, 1), (4, 3)]
        text = matrix_caption(matrix)
        assert "1 pair got through that must not (0→1)" in text
        assert "1 pair did not get through (4→3)" in text

    def test_shortcomings_agree_with_passed(self):
        assert synthetic_results().passed
        assert not shortcomings(synthetic_results())
        for results in (with_difference(0, 1), synthetic_results(state="interrupted")):
            assert not results.passed
            assert shortcomings(results)
        results = synthetic_results()
        results.results.attacks.append(Attack(name="n", tried=1, delivered=1, refused=0, where="w", passed=False))
        assert not results.passed
        assert shortcomings(results) == ["Not held: n."]
