"""The summary at the end of a run."""

import io

from rich.console import Console

from khhw.report.latency import latency_caption
from khhw.report.terminal import print_summary
from tests.report.synthetic import synthetic_results


def summary(results, folder, **options):
    output = io.StringIO()
    print_summary(results, folder / "report.html", source="examples/talk.toml",
                  console=Console(file=output, width=118, **options))
    return output.getvalue()


def test_plain_lines(tmp_path):
    text = summary(synthetic_results(), tmp_path)
    assert "\x1b" not in text
    assert text.startswith("passed")
    assert "0 ■ · · ■ ■ · · ·    0 ■ · · ■ ■ · · ·" in text
    assert text.count(" held") == 7
    assert f"report  {tmp_path}/report.html" in text


def test_latency_is_told(tmp_path):
    results = synthetic_results()
    text = " ".join(summary(results, tmp_path).split())
    assert latency_caption(results) in text
    results.results.latency.clear()
    assert "doorbell" not in summary(results, tmp_path)


def test_three_next_commands(tmp_path):
    lines = summary(synthetic_results(), tmp_path).splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("next"))
    assert [line[8:].split()[0] for line in lines[start:]] == ["khhw"] * 3


def test_waves_that_are_there_are_to_be_traced(tmp_path):
    assert "--waves" in summary(synthetic_results(), tmp_path)
    (tmp_path / "dump.fst").touch()
    text = summary(synthetic_results(), tmp_path)
    assert f"khhw trace {tmp_path} " in text and "--waves" not in text


def test_differences_are_marked(tmp_path):
    results = synthetic_results()
    results.results.matrix["slide1"].observed[0][1] = 1
    text = summary(results, tmp_path)
    assert text.startswith("FAILED")
    assert "0 ■ · · ■ ■ · · ·    0 ■ ! · ■ ■ · · ·" in text
    assert "1 cell of slide1 is not as configured." in text


def test_colour_on_a_terminal(tmp_path):
    assert "\x1b[" in summary(synthetic_results(), tmp_path, force_terminal=True)
