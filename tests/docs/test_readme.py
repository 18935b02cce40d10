"""README: how long its first screen is, and that its figures are those that were measured."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FIRST_SCREEN = 130
"""Words before the picture, the heading among them; targets of links are none."""


def said(text: str) -> str:
    return " ".join(text.split())


def minutes(time: str) -> float:
    """``17 min 19 s`` in minutes."""
    units = {"h": 60.0, "min": 1.0, "s": 1 / 60}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.]+) (h|min|s)\b", time))


def test_the_first_screen_is_short() -> None:
    before = re.sub(r"\]\([^)]*\)", "]", README.partition("![")[0])
    assert len(re.findall(r"\w[\w'./-]*", before)) <= FIRST_SCREEN


def test_ranges_are_those_of_the_page_of_times() -> None:
    rows = re.findall(r"^\| `make test`, (.+?) \| (.+?) \|", (ROOT / "docs" / "times.md").read_text(encoding="utf-8"),
                      re.MULTILINE)
    taken = {state: [minutes(time) for kind, time in rows if kind == state] for state, _ in rows}
    states = ("clean clone", "everything built")
    clean, built = ((round(min(taken[state])), round(max(taken[state]))) for state in states)
    assert (f"`make test` takes {clean[0]} to {clean[1]} minutes in a clean clone and {built[0]} to {built[1]} once "
            "everything is built") in said(README)


def kept(name: str) -> Any:
    return json.loads((ROOT / "docs" / "results" / f"{name}.json").read_text(encoding="utf-8"))


def test_the_demo_takes_what_is_kept() -> None:
    (run,) = [run["cpu_seconds"] for run in kept("two-engines")["results"] if run["engine"] == "cocotb"]
    assert f"runs for {run['min']:.1f} to {run['max']:.1f} seconds of CPU time" in said(README)


def test_the_guard_takes_what_is_kept() -> None:
    found = kept("synthesis-guard")
    (run,) = [run for run in found["synthesis"] if run["family"] == "ecp5"]
    shape = found["parameters"]
    assert (shape["lanes"], shape["table_nodes"]) == (2, 64)
    assert ("the guard of a node with two [lanes](docs/glossary.md#lane) each way and tables for 64 nodes takes "
            f"{run['lut']:,} LUT4 and {run['flip_flops']:,} flip-flops") in said(README)


def test_the_campaign_did_what_is_kept() -> None:
    found = kept("attack")["results"]
    assert found["design"]["packets"] // 1_000_000 == 10 and not found["design"]["violations"]
    assert len(found["mutants"]) == 7 and all(each["found"] for each in found["mutants"])
    assert "try ten million packets, and finds seven [mutants]" in said(README)


@pytest.mark.parametrize(("text", "wrong"), [
    (README, []), ("26 seconds", ["26 seconds"]), ("less than two minutes each", ["two minutes"]),
    ("17 to 34 minutes and 9 to 15 once", []), ("1.8 minutes", ["1.8 minutes"]), ("25.5 to 26.5 s", []),
    ("takes 26,657 LUT4 and 76 DP16KD", ["26,657"])])
def test_what_is_measured_is_a_range_or_is_kept(text: str, wrong: list[str]) -> None:
    """Times are ranges; large figures are among those that the tests above compare, or numbers of nodes."""
    unit = r"(?:(?:milli|micro)?seconds?|minutes?|hours?|m?s|min|h)"
    number = r"(?:\d[\d.,]*|one|two|three|four|five|ten)"
    times = re.findall(rf"({number} to )?({number} {unit}\b)", said(text))
    guard = next(run for run in kept("synthesis-guard")["synthesis"] if run["family"] == "ecp5")
    known = {f"{value:,}" for value in (guard["lut"], guard["flip_flops"], 4096)}
    figures = [figure for figure in re.findall(r"(?<![\w.])\d{1,3}(?:,\d{3})+(?![\w.])", text) if figure not in known]
    assert [time for least, time in times if not least] + figures == wrong
