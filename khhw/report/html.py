"""Pieces of HTML: everything that comes from a run is escaped here."""

import base64
import html
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from urllib.parse import quote

from khhw.report.picture import Picture
from khhw.visible import visible

__all__ = ["document", "escape", "facts", "figure", "links", "section", "table", "verdict"]


def escape(text: str) -> str:
    """Plain text as HTML: shown, never obeyed, by the browser or by a reader's eyes."""
    return html.escape(visible(text, lines=True))


def document(title: str, body: str, version: str) -> str:
    """A whole page that needs nothing but itself.

    Parameters
    ----------
    title : str
        Plain text.
    body : str
        HTML.
    version : str
        Of khhw.
    """
    css = resources.files("khhw.report").joinpath("page.css").read_text(encoding="utf-8")
    return (f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape(title)} · khhw</title>\n<style>\n{css}</style>\n</head>\n<body>\n<main>\n"
            f"{body}<footer>Written by khhw {escape(version)}.</footer>\n</main>\n</body>\n</html>\n")


def section(title: str, *blocks: str) -> str:
    """A headed section; empty if it has no blocks."""
    inside = "\n".join(block for block in blocks if block)
    return f"<section>\n<h2>{escape(title)}</h2>\n{inside}\n</section>\n" if inside else ""


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Named values side by side."""
    items = "\n".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in pairs)
    return f'<dl class="facts">\n{items}\n</dl>'


def links(pages: Sequence[str]) -> str:
    """Other pages, by their paths relative to this one; nothing if there are none."""
    named = ", ".join(f'<a href="{html.escape(quote(page))}">{escape(page)}</a>' for page in pages)
    return f"<p>See also: {named}.</p>\n" if named else ""


def verdict(good: bool, text: str) -> str:
    """A word that says by itself whether it is good, coloured besides."""
    return f'<span class="{"good" if good else "bad"}">{escape(text)}</span>'


def figure(picture: Picture, png: Path, *, narrow: bool = False, heading: bool = False) -> str:
    """A picture inside the page, with its caption and its numbers' file; `narrow` ones always have a heading."""
    data = base64.b64encode(png.read_bytes()).decode("ascii")
    head = f"<h3>{escape(picture.title)}</h3>\n" if narrow or heading else ""
    return (f'{head}<figure{" class=narrow" if narrow else ""}>\n'
            f'<div class="scroll"><img alt="{escape(picture.title)}: {escape(picture.caption)}" '
            f'src="data:image/png;base64,{data}"></div>\n'
            f"<figcaption>{escape(picture.caption)} Numbers: <code>{escape(picture.name)}.csv</code>.</figcaption>\n"
            f"</figure>")


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Iterable[int] = (),
          total: Sequence[str] = (), stack: bool = False) -> str:
    """A table of cells that are HTML already.

    Parameters
    ----------
    heads : sequence of str
        Plain text.
    rows : iterable of sequences
        HTML.
    numbers : iterable of int
        Columns set flush right.
    total : sequence of str
        A last row.
    stack : bool
        On a narrow screen put the cells of a row below each other, named.
    """
    right = set(numbers)

    def cell(index: int, inside: str, tag: str) -> str:
        attributes = " class=number" if index in right else ""
        if stack and tag == "td" and index:
            attributes += f' data-label="{escape(heads[index])}"'
        return f"<{tag}{attributes}>{inside}</{tag}>"

    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(cell(index, inside, tag) for index, inside in enumerate(cells)) + "</tr>"

    body = "\n".join(line(row, "td") for row in rows)
    foot = f"\n<tfoot>{line(total, 'td')}</tfoot>" if total else ""
    head = line([escape(head) for head in heads], "th")
    return (f'<div class="scroll"><table{" class=stack" if stack else ""}>\n'
            f"<thead>{head}</thead>\n<tbody>\n{body}\n</tbody>{foot}\n</table></div>")
