"""The page of two runs: what may differ, the pictures of both, and every number with its change."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from khhw.report import html
from khhw.report.change import Change
from khhw.report.compare.pair import Pair, may_differ
from khhw.report.html import escape
from khhw.report.measurement import MeasurementReport
from khhw.report.memcached.phases import signed
from khhw.report.page import shortcomings
from khhw.report.registry import reports
from khhw.report.words import count, duration, listing

__all__ = ["command_of", "compared", "verdicts", "write_comparison"]


def command_of(folders: tuple[Path, Path], out: Path, file: str | None = None) -> str:
    """The command that draws the comparison again; `file` is the machine file, if it was named."""
    return shlex.join(["khhw", "report", *map(str, folders), "-o", str(out), *(["--file", file] if file else [])])


def verdicts(pair: Pair) -> list[str]:
    """Whether each run went well, and what differs between them that may."""
    texts = []
    for name, run in zip(pair.names, (pair.first, pair.second), strict=True):
        wrong = shortcomings(run)
        texts.append(f"{name} {'failed: ' + wrong[0] if wrong else 'passed.'}")
    found = [f"{key} ({one} and {other})" for key, one, other in may_differ(pair.first, pair.second)]
    texts.append(f"They differ in {listing(found)}." if found else "Same parts, same version.")
    return [*texts, f"Changes are those of {pair.names[1]} against {pair.names[0]}."]


def compared(pair: Pair, modules: Path | None = None) -> dict[str, MeasurementReport]:
    """Reports of what two runs measured, by the measurements' names: one's own first,
    then khhw's from the last on the page of a run to the first.

    Parameters
    ----------
    pair : Pair
    modules : Path, optional
        See :func:`khhw.report.registry.reports`.
    """
    return dict(reversed(reports((pair.first, pair.second), modules).items()))


def write_comparison(pair: Pair, folder: Path, *, command: str, modules: Path | None = None) -> Path:
    """Write ``report.html`` and, beside it, every picture of both runs as PNG with its numbers as CSV.

    Parameters
    ----------
    pair : Pair
        The runs.
    folder : Path
        Where to; made if it does not exist.
    command : str
        What draws it again.
    modules : Path, optional
        Where measurements of one's own are looked for, see :func:`khhw.report.registry.reports`.

    Returns
    -------
    Path
        The page.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sections = [_section(pair, each, folder) for each in compared(pair, modules).values()]
    sections.append(html.section("To make it again", f"<pre>{escape(command)}</pre>"))
    title = f"{pair.names[0]} and {pair.names[1]}"
    body = (f"<h1>{escape(title)}</h1>\n" + f"<p>{escape(' '.join(verdicts(pair)))}</p>"
            + f"\n{html.facts(_facts(pair))}\n{''.join(sections)}")
    path = folder / "report.html"
    path.write_text(html.document(title, body, pair.second.version), encoding="utf-8")
    return path


def _section(pair: Pair, each: MeasurementReport, folder: Path) -> str:
    figures = [html.figure(picture, picture.save(folder), heading=True, narrow=each.narrow)
               for picture in each.compared_pictures(pair)]
    return html.section(each.title, _items(each.words(pair)), *figures, _table(pair, each.changes(pair)))


def _facts(pair: Pair) -> list[tuple[str, str]]:
    shape = pair.first.parameters.get("torus", {}).get("shape", [])
    return [
        *([("torus", " x ".join(map(str, shape)))] if shape else []),
        *((f"cycles, {name}", f"{run.cycles:,} ({duration(run.cycles, run.clock_hz)})")
          for name, run in zip(pair.names, (pair.first, pair.second), strict=True)),
        ("software time", pair.first.cpu_model), ("seed", str(pair.first.seed))]


def _items(texts: Sequence[str]) -> str:
    return "<ul>\n" + "\n".join(f"<li>{escape(text)}</li>" for text in texts) + "\n</ul>" if texts else ""


def _table(pair: Pair, changes: Sequence[Change]) -> str:
    if not changes:
        return ""
    rows = [[escape(change.where), escape(change.quantity), f"{change.first:,.0f}", f"{change.second:,.0f}",
             _change(change)] for change in changes]
    table = html.table(["measurement", "quantity", *pair.names, "change"], rows, numbers=(2, 3, 4))
    return (f"<details><summary>{count(len(changes), 'number')} of both runs</summary>\n"
            f'<div class="wide">{table}</div>\n</details>')


def _change(change: Change) -> str:
    """In per cent, with a word where it is better or worse, and coloured besides."""
    text = signed(change.ratio)
    if text == "0 %":
        return text
    good = (change.ratio < 1) == (change.better == "less")
    return f"{html.verdict(good, 'better' if good else 'worse')} {escape(text)}"
