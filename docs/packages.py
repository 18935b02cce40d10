"""The table of packages in ``docs/architecture.md``, from the layers that imports follow and the packages' docstrings.

Run it in the root of the checkout: ``python -m docs.packages`` writes the table; a test compares.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.structure.test_imports import HOST_CODE, LAYERS

__all__ = ["PAGE", "inserted", "table"]

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- table: python -m docs.packages -->\n", "<!-- end of table -->\n"


def table() -> str:
    """A row a package, in the order of the layers; sub-packages of ``rtl`` have rows of their own."""
    rows = [f"| `{name}` | {'any hardware' if name in HOST_CODE else ''} | {_purpose(name)} |" for name in _packages()]
    return "\n".join(["| package | runs on | what it is for |", "|---|---|---|", *rows]) + "\n"


def inserted(text: str) -> str:
    """A page with the table as it should be."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}"


def _packages() -> Iterator[str]:
    for name in LAYERS:
        yield name
        if name == "rtl":
            yield from (f"rtl.{file.parent.name}" for file in sorted((ROOT / "rtl").glob("*/__init__.py")))


def _purpose(name: str) -> str:
    """First paragraph of the docstring, with Markdown's backquotes."""
    path = ROOT.joinpath(*name.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return " ".join(text.partition("\n\n")[0].split()).replace("``", "`")


def main() -> None:
    PAGE.write_text(inserted(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
