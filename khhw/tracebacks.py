"""Where the user's own code failed: its lines of a traceback, without those of khhw and of libraries.

Kernels, parts, measurements and testbenches are the user's. What failed in them is said with their file and line.
"""

import os
import re
import sysconfig
import textwrap
import traceback
from functools import cache
from pathlib import Path

from khhw.visible import visible

__all__ = ["aborted_in", "is_own", "own_lines", "own_traceback", "with_traceback"]

_HERE = Path(__file__).resolve().parent
_OTHERS = tuple(str(folder) + os.sep for folder in (
    _HERE, _HERE.parent / "rtl",
    *(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib"))))
_LIBRARIES = frozenset(["site-packages", "dist-packages"])
_FRAME = re.compile(r'  File "(.*)", line \d+')
_ABORTED = "Fatal Python error: Aborted\n"
_DUMPED = re.compile(r'  File "(.*)", line (\d+) in (.*)')
"""A frame as :mod:`faulthandler` prints it, the most recent one first."""
_CODED = re.compile(r"\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")
_LONGEST = 20_000
"""Characters of a traceback; an exception may say anything."""
_DEEPEST = 20
"""Exceptions that led to one another; a kernel may make a chain that Python cannot print."""


def own_traceback(error: BaseException) -> str:
    """The traceback of an exception and of what led to it, as Python prints it, with the user's lines only.

    Returns
    -------
    str
        Without a newline at its end; empty if none of the user's lines took part, or the exception cannot be printed.
    """
    try:
        whole = traceback.TracebackException(type(error), error, error.__traceback__)
        if not _trim(whole):
            return ""
        text = "".join(whole.format()).rstrip("\n")
    except BaseException:
        # What an exception says of itself is code of its own.
        return ""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def with_traceback(sentence: str, error: BaseException) -> str:
    """A sentence about an exception, with :func:`own_traceback` on the lines below it."""
    found = own_traceback(error)
    return f"{sentence}\n{textwrap.indent(found, '    ')}" if found else sentence


def own_lines(text: str) -> str:
    """A traceback that another process has printed, with the user's lines only; as it is if there are none."""
    kept, own, found = [], True, False
    for line in text.splitlines():
        if frame := _FRAME.match(line):
            own = is_own(frame[1])
            found |= own
        elif not line.startswith("  "):
            own = True
        if own:
            kept.append(line)
    return "\n".join(kept) if found else text


def aborted_in(log: str) -> str:
    """The user's lines in which a Python process was when it was aborted, by what it has printed; else empty."""
    _, aborted, dump = log.rpartition(_ABORTED)
    frames = [(_decoded(frame[1]), frame[2], _decoded(frame[3])) for line in dump.splitlines()
              if aborted and (frame := _DUMPED.fullmatch(line)) is not None]
    return "\n".join(f'  File "{visible(file)}", line {line}, in {visible(name)}'
                     for file, line, name in reversed(frames) if is_own(file))


def _decoded(text: str) -> str:
    return _CODED.sub(lambda code: chr(int(code[0][2:], 16)), text)


def _trim(whole: traceback.TracebackException, depth: int = 0) -> bool:
    """Take away what is not the user's, also of the exceptions that led to it. Returns whether anything is left."""
    whole.stack = traceback.StackSummary.from_list([frame for frame in whole.stack if is_own(frame.filename)])
    found = bool(whole.stack) or is_own(str(getattr(whole, "filename", None) or ""))
    if depth == _DEEPEST:
        whole.__cause__ = whole.__context__ = whole.exceptions = None
    # What led to an exception that was raised from None is not printed.
    context = None if whole.__suppress_context__ else whole.__context__
    for other in (whole.__cause__, context, *(whole.exceptions or ())):
        found |= other is not None and _trim(other, depth + 1)
    return found


@cache
def is_own(filename: str) -> bool:
    """Whether a file is the user's; an image of a kernel whose file is not known counts too."""
    if filename.startswith("<"):
        return filename.startswith("<image ")
    path = os.path.realpath(filename)
    return bool(filename) and not path.startswith(_OTHERS) and _LIBRARIES.isdisjoint(Path(path).parts)
