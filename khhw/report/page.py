"""``report.html``: a page that needs nothing but itself."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from khhw.machine.results import ConsoleLine, RefusalRecord, Results
from khhw.report import html
from khhw.report.html import escape
from khhw.report.measurement import MeasurementReport
from khhw.report.picture import Picture
from khhw.report.software import software_words
from khhw.report.words import count, duration, listing, si

__all__ = ["page", "shortcomings", "transcript"]

Drawn = Sequence[tuple[MeasurementReport, Sequence[tuple[Picture, Path]]]]
"""Reports of measurements, each with its pictures and their PNG files."""

_NODE_COLOURS = ("#1d5b8f", "#9a4b00", "#1a6b3c", "#8a3a78", "#6b5a00", "#a02c2c", "#00687a", "#4a4a8a")
"""Dark enough to read on a pale ground; the rank is written beside them, so no colour carries it alone."""


def shortcomings(results: Results) -> list[str]:
    """What went wrong, most important first; empty for a run that passed."""
    found = [] if results.state == "done" else [_ending(results)]
    return found + results.results.judge()


def _ending(results: Results) -> str:
    """How a run ended that was not done; what follows the first line, such as a traceback, is on lines of its own."""
    first, newline, rest = results.message.partition("\n")
    return f"The run ended as {results.state.replace('_', ' ')}{f': {first}' if first else ''}.{newline}{rest}"


def page(results: Results, drawn: Drawn, command: str, links: Sequence[str] = ()) -> str:
    """Text of the page.

    Parameters
    ----------
    results : Results
        The run.
    drawn : sequence of (MeasurementReport, sequence of (Picture, Path))
        In the order of their sections, with their pictures' PNG files.
    command : str
        What makes it again.
    links : sequence of str
        Pages to link to, relative to this one.
    """
    record = results.results
    sections = [
        *(html.section(each.title, *each.section(results, [
            html.figure(picture, png, narrow=each.narrow, heading=each.headed) for picture, png in pictures]))
          for each, pictures in drawn),
        html.section("Refusals", *_refusals(record.refusals)),
        html.section("Console", *transcript(record.console)),
        html.section("To make it again", *_again(results, command)),
    ]
    said = [each for each, _ in drawn]
    body = (f"<h1>{escape(results.name)}</h1>\n{_verdict(results, said)}\n{html.facts(_facts(results))}\n"
            f"{html.links(links)}{''.join(sections)}")
    return html.document(results.name, body, results.version)


def _verdict(results: Results, said: Sequence[MeasurementReport]) -> str:
    wrong = shortcomings(results)
    if wrong:
        return (f'<p class="verdict">{html.verdict(False, "Failed.")} {escape(wrong[0])}</p>'
                + "".join(f"\n<p>{escape(line)}</p>" for line in wrong[1:]))
    parts = [part for each in said for part in each.verdict(results)]
    text = f"{listing(parts)}." if parts else "The run ended well."
    return f'<p class="verdict">{html.verdict(True, "Passed.")} {escape(text[0].upper() + text[1:])}</p>'


def _facts(results: Results) -> list[tuple[str, str]]:
    shape = results.parameters.get("torus", {}).get("shape", [])
    return [
        *([("torus", " x ".join(map(str, shape)))] if shape else []),
        ("cycles", f"{results.cycles:,}"),
        ("simulated", duration(results.cycles, results.clock_hz)),
        ("clock", si(results.clock_hz, "Hz")),
        ("software time", software_words(results)),
        ("simulator", f"{results.wall_seconds:.1f} s, {results.build} build"),
        ("seed", str(results.seed)),
        ("khhw", results.version),
    ]


def _refusals(refusals: Sequence[RefusalRecord]) -> list[str]:
    if not refusals:
        return []
    cells = Counter((refusal.node, refusal.reason) for refusal in refusals)
    by_reason = Counter(refusal.reason for refusal in refusals)
    reasons = [reason for reason, _ in sorted(by_reason.items(), key=lambda item: (-item[1], item[0]))]
    rows = []
    for node in sorted({refusal.node for refusal in refusals}):
        counts = [cells[node, reason] for reason in reasons]
        rows.append([f"node {node}", *(str(number or "·") for number in counts), str(sum(counts))])
    total = ["all", *(str(by_reason[reason]) for reason in reasons), str(len(refusals))]
    text = (f"{count(len(refusals), 'entry', 'entries')} in the guards' logs, by the node whose guard refused and the "
            f"reason. A guard whose log is full counts on without an entry.")
    return [f"<p>{escape(text)}</p>", html.table(["guard", *reasons, "all"], rows, numbers=range(1, len(reasons) + 2),
                                                 total=total)]


def transcript(lines: Sequence[ConsoleLine]) -> list[str]:
    """What was said on consoles, as blocks of HTML."""
    if not lines:
        return []
    nodes = {line.node for line in lines if line.node is not None}
    text = (f"{count(len(lines), 'line')} at the port above the tree's root, from {count(len(nodes), 'node')} and the "
            f"outside.")
    body = "\n".join(_console_line(line) for line in lines)
    return [f"<p>{escape(text)}</p>",
            f'<div class="transcript" tabindex="0" role="log" aria-label="console transcript">\n{body}\n</div>']


def _console_line(line: ConsoleLine) -> str:
    if line.node is None:
        who, style = "outside", ""
    else:
        who, style = f"node {line.node}", f' style="color:{_NODE_COLOURS[line.node % len(_NODE_COLOURS)]}"'
    return (f'<div><span class="cycle">{line.cycle:,}</span><span class="who"{style}>{who}</span>'
            f'<span class="text">{escape(line.text)}</span></div>')


def _again(results: Results, command: str) -> list[str]:
    parameters = json.dumps(results.parameters, indent=1, ensure_ascii=False)
    return [f"<pre>{escape(command)}</pre>",
            "<p>The same seed gives the same cycles. <code>results.json</code> beside this page holds everything shown "
            "here.</p>",
            "<details><summary>The machine file with all defaults</summary>\n"
            f"<pre>{escape(parameters)}</pre>\n</details>"]
