"""A coverage report on the terminal, and as a page."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from khhw.coverage.summary import open_items
from khhw.report import html
from khhw.report.html import escape

__all__ = ["coverage_page", "coverage_text"]

_SHOWN = 12
"""Open items of each kind on the terminal; the page has all."""


def coverage_text(report: Mapping[str, Any]) -> str:
    """The table of modules and bins, and the first of what is open."""
    rows = [[each["module"], *_share(each["lines"]), *_share(each["toggles"])] for each in report["modules"]]
    total = [_sum(each[kind] for each in report["modules"]) for kind in ("lines", "toggles")]
    rows.append(["all", *_share(total[0]), *_share(total[1])])
    lines = _columns(["module", "lines", "", "waived", "toggles", "", "waived"], rows)
    if report["bins"]:
        lines += ["", *_columns(["bins", "hit", "", "waived"], [
            [f"{each['group']}: {each['point']}", *_share(each)] for each in report["bins"]])]
    lines += _open(report)
    return "\n".join([*lines, *report["faults"]])


def _open(report: Mapping[str, Any]) -> list[str]:
    left = report["uncovered"]
    kinds = {
        "lines that were never executed": [
            f"{file_and_line(each)}  {each['text']}{outcome(each)}" for each in left["lines"]],
        "signals that did not toggle": [
            f"{each['component']}  {signal(each)} never {each['never']}" for each in left["toggles"]],
        "bins that were missed": [f"{each['group']}  {each['point']}: {each['bin']}" for each in left["bins"]],
    }
    lines = []
    for head, items in kinds.items():
        if items:
            lines += ["", f"{head}:", *("  " + item for item in items[:_SHOWN])]
            lines += [f"  and {len(items) - _SHOWN} more"] if len(items) > _SHOWN else []
    return lines


def file_and_line(entry: Mapping[str, Any]) -> str:
    """``rtl/guard/egress.py:96``."""
    return f"{entry['module'].replace('.', '/')}.py:{entry['line']}"


def outcome(entry: Mapping[str, Any]) -> str:
    """Of a ``Mux``, what it was never."""
    return f"  (Mux never {entry['outcome']})" if entry["outcome"] else ""


def signal(entry: Mapping[str, Any]) -> str:
    """Name and bits."""
    return f"{entry['signal']}[{entry['bits']}]" if entry["bits"] else str(entry["signal"])


def coverage_page(report: Mapping[str, Any], version: str) -> str:
    """The whole page.

    Parameters
    ----------
    report : dict
        Of :func:`~khhw.coverage.summary.summary`, with ``command``, ``seed`` and ``runs``.
    version : str
        Of khhw.
    """
    left = open_items(report)
    failed = [run for run in report["runs"] if not run["passed"]]
    good = not (left or failed or report["faults"])
    words = [f"{left:,} lines, toggles and bins are neither covered nor waived."] if left else \
        ["Everything is covered or waived with a reason."]
    words += [f"{len(failed)} of {len(report['runs'])} runs failed."] if failed else []
    lines, toggles = (_sum(each[kind] for each in report["modules"]) for kind in ("lines", "toggles"))
    body = [
        "<h1>Coverage</h1>",
        f'<p class="verdict">{html.verdict(good, "Closed." if good else "Open.")} {escape(" ".join(words))}</p>',
        *(f"<p>{html.verdict(False, 'Waiver:')} {escape(fault)}</p>" for fault in report["faults"]),
        html.facts([
            ("lines", _percent(lines)), ("toggles", _percent(toggles)), ("bins", _percent(_sum(report["bins"]))),
            ("runs", str(len(report["runs"]))), ("seed", str(report["seed"]))]),
        html.section("Modules", _modules(report)),
        html.section("Functional bins", *_bins(report)),
        html.section("Not covered", *_items(report["uncovered"], reason=False)),
        html.section("Waived", *_items(report["waived"], reason=True)),
        html.section("To make it again", f"<pre>{escape(report['command'])}</pre>"),
    ]
    return html.document("Coverage", "\n".join(body), version)


def _modules(report: Mapping[str, Any]) -> str:
    rows = [[f"<code>{escape(each['module'])}</code>", *_share(each["lines"]), *_share(each["toggles"])]
            for each in report["modules"]]
    total = [_sum(each[kind] for each in report["modules"]) for kind in ("lines", "toggles")]
    return html.table(["module", "lines", "%", "waived", "toggles", "%", "waived"], rows, numbers=range(1, 7),
                      total=["all", *_share(total[0]), *_share(total[1])])


def _bins(report: Mapping[str, Any]) -> list[str]:
    blocks = []
    for each in report["bins"]:
        hits = ", ".join(f"{name} {count:,}" for name, count in each["hits"].items())
        head = f"{each['group']}: {each['point']}, {_percent(each)}"
        blocks.append(f"<details><summary>{escape(head)}</summary>\n<p>{escape(hits)}</p></details>")
    return blocks


def _items(left: Mapping[str, Sequence[Mapping[str, Any]]], *, reason: bool) -> list[str]:
    last = ["because"] if reason else []

    def rows(kind: str, *cells: Any) -> list[list[str]]:
        return [[*(escape(cell(each)) for cell in cells), *([escape(each["reason"])] if reason else [])]
                for each in left[kind]]

    tables = [
        (["line", "never executed"], rows("lines", file_and_line, lambda each: each["text"] + outcome(each))),
        (["component", "signal", "never", "declared"], rows(
            "toggles", lambda each: each["component"], signal, lambda each: each["never"], file_and_line)),
        (["covergroup", "point", "bin"], rows(
            "bins", lambda each: each["group"], lambda each: each["point"], lambda each: each["bin"])),
    ]
    return [html.table([*heads, *last], body) for heads, body in tables if body]


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    every = list(counts)
    return {name: sum(each[name] for each in every) for name in ("covered", "waived", "total")}


def _percent(counts: Mapping[str, int]) -> str:
    return f"{100 * counts['covered'] / counts['total']:.1f} %" if counts["total"] else "none"


def _share(counts: Mapping[str, int]) -> list[str]:
    return [f"{counts['covered']:,}/{counts['total']:,}", _percent(counts) if counts["total"] else "",
            f"{counts['waived']:,}" if counts["waived"] else ""]


def _columns(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    return ["  ".join(cell.ljust(width) if column == 0 else cell.rjust(width)
                      for column, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip()
            for row in (heads, *rows)]
