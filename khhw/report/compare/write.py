"""The page of two runs: what may differ, the pictures of both, and every number with its change."""

from collections.abc import Sequence
from pathlib import Path

from khhw.report import html
from khhw.report.change import RATE, Judgement
from khhw.report.compare.comparison import Comparison, compare
from khhw.report.compare.pair import Pair, may_differ
from khhw.report.estimate import Estimate
from khhw.report.html import escape
from khhw.report.page import shortcomings
from khhw.report.software import software_words
from khhw.report.words import count, duration, listing
from khhw.statistics import Interval
from khhw.visible import shell_command

__all__ = ["command_of", "verdicts", "write_comparison"]


def command_of(folders: tuple[Path, Path], out: Path, file: str | None = None) -> str:
    """The command that draws the comparison again; `file` is the machine file, if it was named."""
    return shell_command(["khhw", "report", *folders, "-o", out, *(["--file", file] if file else [])], "utf-8")


def verdicts(found: Comparison) -> list[str]:
    """Whether each run went well, what differs between them that may, and how differences are judged."""
    pair, texts = found.pair, []
    for name, run in zip(pair.names, (pair.first, pair.second), strict=True):
        wrong = shortcomings(run)
        texts.append(f"{name} {'failed: ' + wrong[0] if wrong else 'passed.'}")
    unlike = [f"{key} ({one} and {other})" for key, one, other in may_differ(pair.first, pair.second)]
    texts.append(f"They differ in {listing(unlike)}." if unlike else "Same parts, same seed, same version.")
    estimated = [each for each in found.every if not each.change.first.exact]
    differ, unknown = (sum(each.differs is answer for each in estimated) for answer in (True, None))
    few = sum(each.differs is None and each.samples is not None for each in estimated)
    return [*texts,
            f"Numbers that were measured: {len(estimated):,}. {differ:,} differ, and {unknown:,} cannot be judged"
            + (f", {few:,} of them for want of samples (repeat= of kernel latency, measure= of memcached_load)." if few
               else "."),
            f"Differences are those of {pair.names[1]} against {pair.names[0]}; two runs of one machine show any in "
            f"{100 * RATE:g} % of comparisons at most{_condition(found)}."]


def _condition(found: Comparison) -> str:
    """What has to hold for that: what the intervals that decide take for granted."""
    deciding = [name for name, judged in found.judged.items()
                if any(each.differs is not None and not each.change.first.exact for each in judged)]
    clauses = [clause for name in deciding for clause in found.reports[name].assumed(found.pair)]
    return f", if {listing(clauses)}" if clauses else ""


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
    found = compare(pair, modules)
    sections = [_section(found, name, folder) for name in found.reports]
    sections.append(html.section("To make it again", f"<pre>{escape(command)}</pre>"))
    title = f"{pair.names[0]} and {pair.names[1]}"
    body = (f"<h1>{escape(title)}</h1>\n" + f"<p>{escape(' '.join(verdicts(found)))}</p>"
            + f"\n{html.facts(_facts(pair))}\n{''.join(sections)}")
    path = folder / "report.html"
    path.write_text(html.document(title, body, pair.second.version), encoding="utf-8")
    return path


def _section(found: Comparison, name: str, folder: Path) -> str:
    each = found.reports[name]
    figures = [html.figure(picture, picture.save(folder), heading=True, narrow=each.narrow)
               for picture in each.compared_pictures(found.pair)]
    return html.section(each.title, _items(found.words(name)), *figures, _table(found.pair, found.judged[name]))


def _facts(pair: Pair) -> list[tuple[str, str]]:
    shape = pair.first.parameters.get("torus", {}).get("shape", [])
    seeds = dict.fromkeys(str(run.seed) for run in (pair.first, pair.second))
    return [
        *([("torus", " x ".join(map(str, shape)))] if shape else []),
        *((f"cycles, {name}", f"{run.cycles:,} ({duration(run.cycles, run.clock_hz)})")
          for name, run in zip(pair.names, (pair.first, pair.second), strict=True)),
        ("software time", software_words(pair.first)), ("seed" if len(seeds) == 1 else "seeds", listing(seeds))]


def _items(texts: Sequence[str]) -> str:
    return "<ul>\n" + "\n".join(f"<li>{escape(text)}</li>" for text in texts) + "\n</ul>" if texts else ""


def _table(pair: Pair, judged: Sequence[Judgement]) -> str:
    if not judged:
        return ""
    rows = [[escape(each.change.where), escape(each.change.quantity), _cell(each.change.first, each.first),
             _cell(each.change.second, each.second), _verdict(each)] for each in judged]
    table = html.table(["measurement", "quantity", *pair.names, "difference"], rows, numbers=(2, 3, 4))
    text = ("With samples (n) and intervals that hold together. A difference is called one where the intervals of the "
            "runs have nothing in common.")
    return (f"<details><summary>{count(len(judged), 'number')} of both runs</summary>\n<p>{text}</p>\n"
            f'<div class="wide">{table}</div>\n</details>')


def _cell(estimate: Estimate, interval: Interval | None) -> str:
    """A number, its interval, and how many samples it was made of."""
    parts = [f"{interval[0]:,.0f} to {interval[1]:,.0f}"] if interval is not None and not estimate.exact else []
    parts += [f"n={estimate.samples:,}"] if estimate.samples is not None else []
    return f"{estimate.value:,.0f}" + (f" ({'; '.join(parts)})" if parts else "")


def _verdict(judgement: Judgement) -> str:
    """In words, and coloured where it is better or worse."""
    change, text = judgement.change, escape(judgement.verdict)
    if not judgement.differs or not change.better:
        return text
    good = (change.second.value < change.first.value) == (change.better == "less")
    return f"{html.verdict(good, 'better' if good else 'worse')} {text}"
