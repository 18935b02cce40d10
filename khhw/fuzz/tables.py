"""A campaign's results as tables in Markdown, for the documentation and for a terminal."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["summary", "tables"]


def tables(report: Mapping[str, Any]) -> str:
    """What is kept of a campaign, as Markdown.

    Parameters
    ----------
    report : mapping
        What ``khhw attack --json`` prints.
    """
    design, mutants = report["results"]["design"], report["results"]["mutants"]
    parts = [summary(report, design)]
    parts.append("\n".join(_table(("tried", "number"), design["tried"].items())))
    parts.append("\n".join(_table(("refused, at any node, by reason", "packets"), design["refused"].items())))
    parts.append("\n".join(_table(
        ("end", "reason", "ways that led there", "packets or accesses"), _ends(design["cover"]))))
    if mutants:
        parts.append("\n".join(_table(
            ("mutant", "found", "packets to discovery", "rounds", "tried", "refused", "cover points",
             "first sign"),
            [_bug(one) for one in mutants])))
    return "\n\n".join(parts) + "\n"


def summary(report: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """What was attacked, and what came of it, in a few sentences."""
    lanes = report["parameters"]["lanes"]
    return (f"{found['packets']:,} packets of hostile nodes in {found['rounds']:,} rounds on {found['machines']:,} "
            f"machines of {lanes} lanes, {found['cycles']:,} cycles, seed {report['seed']}: "
            f"{len(found['violations'])} leaks. "
            f"{found['cover_points']:,} cover points were reached, and {found['kept']:,} rounds kept because they "
            f"reached a new one. It took {found['seconds']:,.0f} s, {found['packets_per_second']:,} packets a second.")


def _table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterable[str]:
    yield _row(heads)
    yield _row(["---"] * len(heads))
    for row in rows:
        yield _row([f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row])


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _ends(cover: Mapping[str, int]) -> list[tuple[str, str, int, int]]:
    """Cover points without their ways: how many ways there are, and all hits."""
    ways, hits = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for point, count in cover.items():
        _, _, rest = point.partition(": ")
        end, _, reason = rest.partition(", ")
        ways[end, reason] += 1
        hits[end, reason] += count
    return [(end, reason, ways[end, reason], hits[end, reason]) for end, reason in sorted(ways)]


def _bug(bug: Mapping[str, Any]) -> tuple[Any, ...]:
    found = bug["findings"]
    seen = found["violations"][0] if found["violations"] else None
    return (bug["what"], "yes" if bug["found"] else "no", found["packets"], found["rounds"],
            sum(found["tried"].values()), sum(found["refused"].values()), found["cover_points"],
            f"{seen['check']}: {seen['detail']}" if seen else "nothing")
