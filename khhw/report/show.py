"""Printing with rich: nothing in a text is markup, an emoji's name, or the terminal's to obey."""

from rich.console import Console
from rich.text import Text

from khhw.visible import visible

__all__ = ["plain", "show"]


def plain(text: str, style: str = "") -> Text:
    """A text as rich is to print it, for a cell of a table or a part of a line."""
    return Text(visible(text, lines=True), style)


def show(console: Console, text: str | Text = "", style: str = "") -> None:
    """Print a line, or several; long ones are the terminal's to wrap.

    Parameters
    ----------
    console : rich.console.Console
    text : str or Text
        A ``Text`` is made of :func:`plain` parts.
    style : str
        Of all of it.
    """
    console.print(plain(text, style) if isinstance(text, str) else text, soft_wrap=True)
