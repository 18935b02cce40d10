"""The page of a sweep."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

from khhw.report import html
from khhw.report.html import escape
from khhw.report.picture import Picture
from khhw.report.words import count, listing
from khhw.sweep.results import CurveSaturation, Row, SweepResults
from rtl.parameters import Parameters

__all__ = ["sweep_page"]

_STATES = {"found": "found", "unclear": "cannot be told",
           "above": "the highest load is carried", "below": "the lowest load is saturated",
           "failed": "a point failed", "unfinished": "not ended"}
_ANSWERS = {True: "yes", False: "no", None: "?"}


def sweep_page(results: SweepResults, pictures: Sequence[tuple[Picture, Path]], command: str) -> str:
    """Text of the page.

    Parameters
    ----------
    results : SweepResults
        The sweep.
    pictures : sequence of (Picture, Path)
        With their PNG files.
    command : str
        What makes it again.
    """
    name = str(results.parameters.get("name", "sweep"))
    sections = [
        html.section("Latency over load", *(html.figure(picture, png, heading=True) for picture, png in pictures)),
        html.section("Saturation", *_saturation(results)),
        html.section("Points that failed", *_failed(results.failed)),
        html.section("All points", *_points(results.results)),
        html.section("To make it again", f"<pre>{escape(command)}</pre>", _parameters(results)),
    ]
    body = f"<h1>{escape(name)}</h1>\n{_verdict(results)}\n{html.facts(_facts(results))}\n{''.join(sections)}"
    return html.document(name, body, results.version)


def _verdict(results: SweepResults) -> str:
    words = {"done": "Complete.", "failed": "Incomplete.", "interrupted": "Interrupted."}
    measured = sum(row.state == "done" for row in results.results)
    text = f"{count(measured, 'point')} measured, {results.reused} of them before this run of the sweep."
    more = "".join(f" {each}." for each in (results.message, results.remedy) if each)
    good = results.state == "done" and not results.unclear
    words["done"] = "Complete." if good else "Complete, with loads that cannot be told."
    return (f'<p class="verdict">{html.verdict(good, words[results.state])} '
            f"{escape(text + more)}</p>")


def _facts(results: SweepResults) -> list[tuple[str, str]]:
    rows = results.results
    cycles = sum(row.simulated_cycles or 0 for row in rows)
    node_cycles = sum((row.simulated_cycles or 0) * math.prod(row.shape) for row in rows)
    return [
        ("points", f"{len(rows):,}"),
        ("failed", str(len(results.failed))),
        ("shapes", listing(dict.fromkeys("x".join(map(str, row.shape)) for row in rows))),
        ("seeds", listing(dict.fromkeys(row.seed for row in rows))),
        ("simulated", f"{cycles:,} cycles"),
        ("node cycles", f"{node_cycles / 1e6:,.0f} million"),
        ("simulators together", f"{sum(row.wall_seconds or 0.0 for row in rows):,.0f} s"),
        ("khhw", results.version)]


def _saturation(results: SweepResults) -> list[str]:
    if not results.saturation:
        return []
    rule = results.parameters["saturation"]
    text = (f"Load is in capacities: what an ideal torus of the shape accepts of uniform traffic. A load is saturated "
            f"if less than 95 % of it is accepted, if packets do not arrive in the time there is for it, or if the "
            f"mean latency is above {rule['latency']:g} times that at load {rule['zero_load']:g}; both with their 99 % "
            f"intervals. Bisection ends when a carried and a saturated load are within {rule['tolerance']:g}, or when "
            f"what lies between cannot be told.")
    rows = [[*_names(curve), str(curve.seed), _number(curve.zero_load_latency, 1), _number(curve.carried, 4),
             _number(curve.saturated, 4), _number(curve.accepted, 4), escape(_STATES[curve.state])]
            for curve in results.saturation]
    heads = ["torus", "pattern", "bytes", "node", "seed", "zero load, cycles", "carried", "saturated", "accepted", ""]
    return [f"<p>{escape(text)}</p>", html.table(heads, rows, numbers=range(4, 9))]


def _failed(rows: Sequence[Row]) -> list[str]:
    if not rows:
        return []
    return [html.table(["torus", "pattern", "bytes", "node", "seed", "load", "reason"],
                       [[*_names(row), str(row.seed), f"{row.load:g}", escape(row.reason)] for row in rows],
                       numbers=(4, 5), stack=True)]


def _points(rows: Sequence[Row]) -> list[str]:
    if not rows:
        return []
    heads = ["torus", "pattern", "bytes", "node", "seed", "load", "offered", "accepted", "mean", "p50", "p99",
             "longest", "packets", "saturated"]
    cells = [[*_names(row), str(row.seed), f"{row.load:.5g}", _number(row.offered, 4), _number(row.accepted, 4),
              _number(row.latency_mean, 1), _number(row.latency_p50, 1), _number(row.latency_p99, 1),
              _number(row.latency_max, 0), _number(row.packets, 0), _ANSWERS[row.saturated]]
             for row in rows if row.state == "done"]
    text = ("Loads in capacities, latencies in cycles. <code>sweep.parquet</code> and <code>sweep.csv</code> beside "
            "this page have all columns.")
    return [f"<p>{text}</p>", f"<details><summary>{count(len(cells), 'point')}</summary>\n"
            f'<div class="wide">{html.table(heads, cells, numbers=range(4, 13))}</div>\n</details>']


def _names(row: Row | CurveSaturation) -> list[str]:
    """Cells that say which curve this is."""
    usual = Parameters().as_dict()
    node = ", ".join(f"{name} {value}" for name, value in row.node.items()
                     if value != usual.get(name) and name != "traffic")
    parts = ", ".join(f"{part} {name}" for part, name in row.parts.items())
    return ["x".join(map(str, row.shape)), escape(row.pattern), "/".join(str(32 * length) for length in row.lengths),
            escape(", ".join(text for text in (node, parts) if text) or "as usual")]


def _number(value: float | None, digits: int) -> str:
    return "·" if value is None else f"{value:,.{digits}f}"


def _parameters(results: SweepResults) -> str:
    text = json.dumps(results.parameters, indent=1, ensure_ascii=False)
    return (f"<details><summary>The specification with all defaults</summary>\n<pre>{escape(text)}</pre>\n</details>")
