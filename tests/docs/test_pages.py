"""Pages name what there is: links lead somewhere, files and names exist, what is generated is current."""

import ast
import re
from collections.abc import Iterable, Iterator
from itertools import combinations
from pathlib import Path

import pytest

from docs.images.overview import draw
from docs.packages import PAGE, inserted
from khhw.report.style import styled

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = {str(page.relative_to(ROOT)): page for page in (*ROOT.glob("*.md"), *DOCS.glob("*.md"))}

TERMS = ("rank", "node id", "domain", "epoch", "lane", "hint", "deposit", "owner", "stamp", "slot", "phase")
"""What a reader who knows networks does not know yet, or knows as something else."""
_LOOKED_UP = ("formats.md", "registers.md", "results.md", "machine-file.md", "cloud-scenario.md", "CHANGELOG.md",
              "glossary.md")
"""Pages that are not read from the top: their heads lead to the glossary, or they are the glossary."""

_LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
_NAME = re.compile(r"`([\w/]+\.py)::([\w.]+)`")


def prose(page: Path) -> str:
    """Text of a page without its code blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """What a link may name in a page, by the rule of forges and of Sphinx."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def unlinked(page: Path, terms: Iterable[str] = TERMS) -> list[str]:
    """Terms whose first use in a page's text does not lead to the glossary; code, headings and other links are none."""
    text = re.sub(r"<!-- (?:kept|table):.*?<!-- end of|`[^`]*`|^#.*?$|!\[[^\]]*\]", "", prose(page),
                  flags=re.DOTALL | re.MULTILINE)
    faults = []
    for term in terms:
        word = r"\s+".join(term.split())
        uses = re.finditer(rf"\[[^\]]*\]\(([^)]*)\)|(?<![\w-]){word}(?:s|es|ed|ped)?(?![\w-])", text, re.IGNORECASE)
        anchor = f"glossary.md#{term.replace(' ', '-')}"
        first = next((use for use in uses if use[1] is None or use[1].endswith(anchor)), None)
        if first is not None and first[1] is None:
            faults.append(f"{term}: ...{' '.join(text[max(0, first.start() - 40):first.end() + 20].split())}...")
    return faults


def names(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
    """Functions, classes and constants of a module, and methods with their class in front."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield prefix + node.name
            if isinstance(node, ast.ClassDef):
                yield from names(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (prefix + target.id for target in targets if isinstance(target, ast.Name))


def missing_names(text: str) -> list[str]:
    """What a text names as ``file.py::name`` and is not there."""
    faults = []
    for file, name in _NAME.findall(text):
        path = ROOT / file
        if not path.is_file() or name not in names(ast.parse(path.read_text(encoding="utf-8")).body):
            faults.append(f"{file}::{name}")
    return faults


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    page, faults = PAGES[name], []
    for file, anchor in _LINK.findall(prose(page)):
        target = (page.parent / file).resolve() if file else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            faults.append(f"{file}#{anchor}" if anchor else file)
    assert faults == []


@pytest.mark.parametrize("name", PAGES)
def test_what_is_named_is_there(name: str) -> None:
    assert missing_names(PAGES[name].read_text(encoding="utf-8")) == []


def test_the_way_of_a_packet_names_the_code() -> None:
    """The walks of the page name what they go through, and the check sees a name that is wrong."""
    assert len(_NAME.findall(PAGE.read_text(encoding="utf-8"))) > 50
    assert missing_names("`khhw/node/injection.py::InjectionRing.pushes`") == [
        "khhw/node/injection.py::InjectionRing.pushes"]


def test_the_table_of_packages_is_current() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == inserted(text), "write it again with: python -m docs.packages"


class TestGlossary:
    TEXT = (DOCS / "glossary.md").read_text(encoding="utf-8")
    ENTRIES = re.findall(r"^## (.+)$", TEXT, re.MULTILINE)

    def test_in_order(self) -> None:
        assert sorted(self.ENTRIES, key=str.lower) == self.ENTRIES

    def test_words_in_italics_have_an_entry(self) -> None:
        known = {word for entry in self.ENTRIES for word in (entry.lower(), f"{entry.lower()}s", f"{entry.lower()}ped")}
        used = {" ".join(word.lower().split()) for word in re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", self.TEXT)}
        assert used - known - {"italics"} == set()

    @pytest.mark.parametrize("name", [name for name in PAGES if not name.endswith(_LOOKED_UP)])
    def test_the_first_use_of_a_term_leads_there(self, name: str) -> None:
        assert unlinked(PAGES[name]) == []

    def test_the_check_sees_a_term_that_leads_nowhere(self, tmp_path: Path) -> None:
        page = tmp_path / "page.md"
        page.write_text("# Ranks\n`rank` [of one rank](x.md) by Node\nids, [ranks](glossary.md#rank), ranks\n")
        assert [fault.partition(":")[0] for fault in unlinked(page)] == ["node id"]


def test_nothing_overlaps_in_the_picture() -> None:
    with styled():
        figure = draw()
        figure.canvas.draw()
        boxes = [(text.get_text(), text.get_window_extent()) for text in figure.axes[0].texts]
    assert [(first, second) for (first, one), (second, other) in combinations(boxes, 2) if one.overlaps(other)] == []
    edge = figure.bbox
    assert [text for text, box in boxes if box.x0 < edge.x0 or box.x1 > edge.x1 or box.y1 > edge.y1] == []
