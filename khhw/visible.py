"""Text from untrusted sources, escaped so that a terminal or a page shows it and never obeys it."""

import os
import shlex
import sys
import unicodedata
from collections.abc import Iterable

__all__ = ["shell_command", "visible"]

_HIDDEN = frozenset(["Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"])
"""Categories whose characters steer a terminal, turn the direction of text, are for nothing to see, or break UTF-8."""
_INVISIBLE = frozenset("\u115f\u1160\u17b4\u17b5\u3164\uffa0")
"""Letters that look like nothing."""
_MOST_MARKS = 4
"""Marks that may stand above and below one letter."""


def visible(text: str, *, lines: bool = False) -> str:
    """The same text with everything that is no plain character written as Python writes it, as in ``\\x1b``.

    That is: control characters of both kinds, formats (such as those that turn the direction of what follows),
    separators, surrogates, characters that Unicode has not assigned, and marks that have no letter of this text to
    stand on, or are too many. Bytes that are no UTF-8, as ``os.fsdecode`` keeps them, are written as bytes. Tabs stay.
    What is already visible stays as it is.

    Parameters
    ----------
    text : str
    lines : bool
        Newlines stay: the text may have several lines.
    """
    if text.isascii() and text.isprintable():
        return text
    shown = []
    marks = _MOST_MARKS
    for character in text:
        if character == "\t" or (lines and character == "\n"):
            marks = _MOST_MARKS
        elif character in _INVISIBLE or unicodedata.category(character) in _HIDDEN:
            character, marks = _escaped(character), _MOST_MARKS
        elif _is_mark(character):
            marks += 1
            if marks > _MOST_MARKS:
                character = _escaped(character)
        else:
            marks = 0
        shown.append(character)
    return "".join(shown)


def shell_command(words: Iterable[object], encoding: str | None = None) -> str:
    """A command to copy into a shell, however its words are shown.

    Words of plain characters are quoted as :func:`shlex.quote` does. A word with one that is not plain, see
    :func:`visible`, or that the encoding lacks, is written in bytes as bash, zsh and ksh read them:
    ``$'o_\\xc3\\xbc'``.

    Parameters
    ----------
    words : iterable of object
        A path is a word.
    encoding : str, optional
        Of what shows the command; of standard output without it.
    """
    shown_in = encoding or getattr(sys.stdout, "encoding", None) or "utf-8"
    return " ".join(_shell_word(str(word), shown_in) for word in words)


def _shell_word(word: str, encoding: str) -> str:
    if visible(word) == word and "\t" not in word:
        try:
            word.encode(encoding)
            return shlex.quote(word)
        except UnicodeEncodeError:
            pass
    try:
        data = os.fsencode(word)
    except UnicodeEncodeError:
        data = word.encode("utf-8", "surrogatepass")
    return "$'" + "".join(chr(byte) if 32 <= byte < 127 and byte not in b"'\\" else f"\\x{byte:02x}"
                          for byte in data) + "'"


def _is_mark(character: str) -> bool:
    """Whether it joins what is in front of it: marks, and the vowels and finals of Hangul syllables in parts."""
    return unicodedata.category(character)[0] == "M" or \
        "\u1161" <= character <= "\u11ff" or "\ud7b0" <= character <= "\ud7fb"


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code < 0xDD00 else character.encode("unicode_escape").decode()
