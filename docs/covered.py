"""The table in ``docs/coverage.md``, from the reports that are kept in ``docs/results``.

Run it in the root of the checkout: ``python -m docs.covered`` writes the table; a test compares.
"""

import json
from pathlib import Path
from typing import Any

__all__ = ["PAGE", "REPORTS", "inserted", "report"]

PAGE = Path(__file__).with_name("coverage.md")
REPORTS = {"guard": "coverage-guard", "network interface": "coverage-ni"}
BEGIN, END = "<!-- table: python -m docs.covered -->\n", "<!-- end of table -->\n"


def report(name: str) -> Any:
    """A report of ``khhw test --coverage`` that is kept."""
    return json.loads((PAGE.parent / "results" / f"{name}.json").read_text(encoding="utf-8"))


def inserted(text: str) -> str:
    """A page with the table as it should be."""
    before, _, rest = text.partition(BEGIN)
    rows = [_row(block, report(name)) for block, name in REPORTS.items()]
    head = ["| | lines | toggles | waived | bins | not covered |", "|---|---|---|---|---|---|"]
    return f"{before}{BEGIN}\n" + "\n".join([*head, *rows]) + f"\n\n{END}{rest.partition(END)[2]}"


def _row(block: str, found: Any) -> str:
    kinds = {"lines": [each["lines"] for each in found["modules"]],
             "toggles": [each["toggles"] for each in found["modules"]], "bins": found["bins"]}
    total = {kind: {key: sum(each[key] for each in counts) for key in ("covered", "waived", "total")}
             for kind, counts in kinds.items()}
    shares = {kind: f"{each['covered']:,} of {each['total']:,}" for kind, each in total.items()}
    waived = sum(each["waived"] for each in total.values())
    left = sum(each["total"] - each["covered"] - each["waived"] for each in total.values())
    return f"| {block} | {shares['lines']} | {shares['toggles']} | {waived:,} | {shares['bins']} | {left} |"


def main() -> None:
    PAGE.write_text(inserted(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
