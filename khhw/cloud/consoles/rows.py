"""Rows of a terminal: every one of them begins with what the service wrote, whatever a node prints."""

import unicodedata

from khhw.visible import visible

__all__ = ["Rows"]

_TAB = 8
_LEAST = 8
"""Columns that are left for text beside a stamp, in however narrow a terminal."""


class Rows:
    """Lays lines out so that no text reaches the first column but the stamps.

    A terminal goes on in the first column of its next row where a line is too long, and there a node could write what
    looks like another node's stamp. So long lines are folded here, below their own text.

    Parameters
    ----------
    width : int or None
        Columns of the terminal; None: there is none, and nothing is folded.
    """

    def __init__(self, width: int | None = None) -> None:
        self._width = width

    def laid_out(self, stamp: str, text: str) -> str:
        """A line behind its stamp, as rows that each end with a newline.

        Parameters
        ----------
        stamp : str
            Who says it; the service's own. It begins with no blank, as further rows do.
        text : str
            Anything; what a terminal would obey is written out.
        """
        shown = visible(text)
        if self._width is None:
            return f"{stamp}{shown}\n"
        indent = max(1, min(len(stamp), self._width - _LEAST - 1))
        # The last column stays free: terminals differ in where they go from there.
        first, *others = _folded(shown.expandtabs(_TAB), self._width - 1 - len(stamp), self._width - 1 - indent)
        return "".join([f"{stamp}{first}\n", *(f"{' ' * indent}{row}\n" for row in others)])


def _columns(character: str) -> int:
    """Columns that a character takes in a terminal, at most: terminals differ in marks, emoji and ambiguous ones."""
    return 2 if not character.isascii() and unicodedata.east_asian_width(character) in "WFA" else 1


def _folded(text: str, first: int, others: int) -> list[str]:
    """The text in pieces of so many columns at most, and of one character at least."""
    rows, row, columns, limit = list[str](), list[str](), 0, first
    for character in text:
        wide = _columns(character)
        if row and columns + wide > limit and not unicodedata.combining(character):
            rows.append("".join(row))
            row, columns, limit = [], 0, others
        row.append(character)
        columns += wide
    return [*rows, "".join(row)]
