"""README: how long its first screen is, and that its times are those that were measured."""

import json
import math
import re
from pathlib import Path

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


def test_the_demo_takes_what_is_kept() -> None:
    kept = {name: json.loads((ROOT / "docs" / "results" / f"{name}.json").read_text(encoding="utf-8"))
            for name in ("bench-cosim", "two-engines")}
    build = kept["bench-cosim"]["build_seconds"]["lean"]["cpu_seconds"] / 60
    (runs,) = [run["cpu_seconds"] for run in kept["two-engines"]["results"] if run["engine"] == "cocotb"]
    assert (f"`make demo` builds for {build:.1f} minutes of CPU time, once, and runs for {math.floor(runs['min'])} to "
            f"{math.ceil(runs['max'])} seconds of it") in said(README)
