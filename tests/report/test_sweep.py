"""The report of a sweep says what its points say: lines, intervals, saturation, failures."""

import csv
import io
import re

import pytest
from matplotlib.markers import CARETDOWN
from rich.console import Console

from khhw.cli import main
from khhw.estimate import Left
from khhw.report.sweep import SweepView, print_sweep, write_sweep
from khhw.report.sweep.lines import panels
from khhw.report.sweep.pictures import sweep_pictures
from khhw.report.sweep.write import write_results
from khhw.sweep.view import Progress
from tests.report.figures import faults
from tests.sweep.specs import SMALL
from tests.sweep.synthetic import SEEDS, swept


def by_label(results):
    (panel,) = panels(results)
    return {line.label: line for line in panel.lines}


class TestLines:
    def test_one_seed_has_intervals_of_batches(self, tmp_path):
        results = swept(tmp_path)
        line = by_label(results)["uniform"]
        rows = [row for row in results.results if row.pattern == "uniform"]
        assert [point.load for point in line.points] == sorted(row.load for row in rows)
        assert [point.latency.mean for point in line.points] == [row.latency_mean for row in rows]
        assert [point.latency.half for point in line.points] == [row.latency_mean_ci95 for row in rows]
        assert {point.saturated for point in line.points} == {False, True}
        assert all(point.latency.half is None if point.saturated else point.latency.half > 0 for point in line.points)
        assert line.searched == ()
        assert line.carried.half is None

    def test_several_seeds_have_intervals_over_seeds(self, tmp_path):
        results = swept(tmp_path, SEEDS)
        line = by_label(results)["tornado"]
        point = next(point for point in line.points if point.load == 0.5)
        values = [row.accepted for row in results.results if (row.pattern, row.load) == ("tornado", 0.5)]
        assert point.seeds == len(values) == 3
        assert point.accepted.mean == pytest.approx(sum(values) / 3)
        # Student's t of two degrees of freedom, and the deviation of three values.
        spread = (sum((value - point.accepted.mean) ** 2 for value in values) / 2) ** 0.5
        assert point.accepted.half == pytest.approx(4.302653 * spread / 3**0.5)
        found = [curve.carried for curve in results.saturation if curve.pattern == "tornado"]
        assert line.carried.mean == pytest.approx(sum(found) / 3)

    def test_loads_of_one_seed_are_no_points(self, tmp_path):
        results = swept(tmp_path, SEEDS.replace("tolerance = 0.05", "tolerance = 0.002"))
        for line in by_label(results).values():
            assert all(point.seeds == 3 for point in line.points)
            assert line.searched
            assert len(line.searched) + 3 * len(line.points) == sum(
                row.pattern == line.label for row in results.results)

    def test_many_lines_are_several_pictures(self, tmp_path):
        text = SMALL.replace("[[4, 4, 4]]", "[[4, 4, 4], [8, 4, 2]]") + "[grid.node]\nslots = [3, 4]\nlanes = [1, 2]\n"
        found = panels(swept(tmp_path, text))
        assert len(found) == len({panel.name for panel in found}) == 4
        assert sorted(len(panel.lines) for panel in found) == [4] * 4
        assert all(re.fullmatch(r"latency_load[\w-]*", panel.name) for panel in found)
        lines = [(panel.title, line.label) for panel in found for line in panel.lines]
        assert len(lines) == len(set(lines)) == 16

    def test_failed_points_leave_gaps(self, tmp_path):
        results = swept(tmp_path, fail={("uniform", 0.5)})
        line = by_label(results)["uniform"]
        assert 0.5 not in {point.load for point in line.points}
        assert line.carried is None
        assert "a point that the search needs failed" in print_of(results, tmp_path)


def print_of(results, folder):
    output = io.StringIO()
    print_sweep(results, folder / "report.html", console=Console(file=output, width=100))
    return output.getvalue()


class TestPage:
    def test_files(self, tmp_path):
        results = swept(tmp_path)
        page = write_sweep(results, tmp_path / "out", source="sweep.toml")
        assert {path.name for path in page.parent.iterdir()} == {"report.html", "latency_load.png", "latency_load.csv"}
        text = page.read_text(encoding="utf-8")
        assert not re.findall(r"""(?:src|href)=["']?(?!data:)[^"'>\s]+""", text)
        assert "Complete." in text
        assert "khhw sweep sweep.toml -o" in text
        for curve in results.saturation:
            assert f"{curve.carried:,.4f}" in text
        assert text.count("<tr>") == 2 + len(results.saturation) + len(results.results)

    def test_same_results_give_the_same_bytes(self, tmp_path):
        results = swept(tmp_path)
        for name in ("a", "b"):
            write_sweep(results, tmp_path / name, source="sweep.toml")
        for path in (tmp_path / "a").iterdir():
            old, new = path.read_bytes(), (tmp_path / "b" / path.name).read_bytes()
            assert old.replace(bytes(tmp_path / "a"), b"") == new.replace(bytes(tmp_path / "b"), b""), path.name

    def test_failures_are_named(self, tmp_path):
        results = swept(tmp_path, fail={("uniform", 0.5)})
        text = write_sweep(results, tmp_path / "out", source="s.toml").read_text(encoding="utf-8")
        assert "Incomplete." in text
        assert "Points that failed" in text
        assert "&lt;told&gt; to" in text
        assert "<told>" not in text

    def test_numbers_behind_the_picture(self, tmp_path):
        results = swept(tmp_path)
        write_sweep(results, tmp_path / "out", source="s.toml")
        with (tmp_path / "out" / "latency_load.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == len(results.results)
        assert float(rows[0]["latency_mean"]) == pytest.approx(results.results[0].latency_mean, abs=1e-4)

    def test_what_cannot_be_told_is_drawn_neither_carried_nor_saturated(self, tmp_path):
        results = swept(tmp_path)
        row = next(row for row in results.results if not row.saturated)
        row.saturated = None
        axes = sweep_pictures(results)[0].figure.axes[0]
        half = [line for line in axes.lines if line.get_fillstyle() == "left" and len(line.get_xdata())]
        assert [list(line.get_xdata()) for line in half] == [[row.load]]
        assert {line.get_markerfacecoloralt() for line in half} == {"white"}
        keys = [text.get_text() for text in axes.figure.legends[0].get_texts()]
        assert "cannot be told" in keys and "saturated" in keys
        row.saturated = False
        keys = [text.get_text() for text in sweep_pictures(results)[0].figure.legends[0].get_texts()]
        assert "cannot be told" not in keys

    def test_drawn_again_by_report(self, tmp_path, capsys):
        results = swept(tmp_path)
        folder = tmp_path / "out"
        folder.mkdir()
        write_results(results, folder)
        assert main(["report", str(folder), "--file", "mine.toml"]) == 0
        assert "carries up to" in capsys.readouterr().out
        assert "khhw sweep mine.toml" in (folder / "report.html").read_text(encoding="utf-8")
        assert main(["report", str(folder)]) == 0
        assert "khhw sweep small.toml" in (folder / "report.html").read_text(encoding="utf-8")
        assert main(["report", str(folder), str(folder)]) == 2
        (folder / "sweep.json").write_text("{}")
        assert main(["report", str(folder)]) == 2
        assert "holds no sweep of this khhw" in capsys.readouterr().err


def test_summary_says_what_lines_say(tmp_path):
    text = print_of(swept(tmp_path, SEEDS), tmp_path)
    assert "uniform: 61 cycles without load; carries up to 0." in text
    assert "(mean of 3 seeds, each found to 0.05)" in text
    assert text.startswith("done  Small: ")


class TestProgress:
    def test_plain_lines_are_few(self):
        output = io.StringIO()
        with SweepView(Console(file=output, width=100)) as view:
            view.stage("building")
            view.stage("building")
            for done in range(50):
                view.progress(Progress(done, 50, 0, Left(2.0, 4.0)))
            view.note("worker x was lost")
        assert output.getvalue() == "building\nworker x was lost\n"

    def test_on_a_terminal_time_is_left(self):
        output = io.StringIO()
        with SweepView(Console(file=output, width=100, force_terminal=True)) as view:
            view.progress(Progress(3, 50, 2, Left(2900.0, 4000.0)))
        assert "3 of 50 points, 2 of them measured again" in output.getvalue()
        assert "48 to 67 min left" in output.getvalue()


def uncertain(results, times):
    """The same sweep, with intervals that are so many times the means to each side."""
    rows = [row.model_copy(update={"latency_mean_ci95": times * row.latency_mean,
                                   "accepted_ci95": times * row.accepted}) for row in results.results]
    return results.model_copy(update={"results": rows})


class TestIntervals:
    @pytest.mark.parametrize("times", [0.99, 1.0, 1.5, 40.0])
    def test_are_in_the_frame(self, tmp_path, times):
        """Also those that reach below 0, where an axis of latencies has no place."""
        (picture,) = sweep_pictures(uncertain(swept(tmp_path), times))
        assert faults(picture) == []
        arrows = [line for line in picture.figure.axes[0].lines if line.get_marker() == CARETDOWN
                  and len(line.get_xdata())]
        assert bool(arrows) == (times >= 1)
        low, _ = picture.figure.axes[1].get_ylim()
        assert low == 0

    def test_latencies_above_saturation_have_none(self, tmp_path):
        (panel,) = panels(uncertain(swept(tmp_path), 0.1))
        points = [point for line in panel.lines for point in line.points]
        assert {point.saturated for point in points} == {False, True}
        assert all((point.latency.half is None) == point.saturated for point in points)
        assert all(point.accepted.half for point in points)

    def test_nor_do_they_over_seeds(self, tmp_path):
        points = [point for line in by_label(swept(tmp_path, SEEDS)).values() for point in line.points]
        assert all((point.latency.half is None) == point.saturated for point in points)
