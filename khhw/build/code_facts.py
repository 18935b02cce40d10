"""What of khhw's own code a build depends on: the functions and files that make it, without their docstrings."""

import ast
import inspect
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["code_of", "without_docstrings"]

_PARSING = threading.Lock()
"""CPython 3.11 counts the depth of a tree for all threads together: two that parse at once may raise SystemError."""


def code_of(part: Callable[..., Any] | Path) -> str:
    """Source of a function, or text of a file, as it counts in the key of a build.

    Parameters
    ----------
    part : callable or Path
        What builds, and nothing that only runs: a change of the latter needs no new build. A file of another language
        than Python counts as it is.
    """
    if not isinstance(part, Path):
        return without_docstrings(inspect.getsource(part))
    text = part.read_text(encoding="utf-8")
    return without_docstrings(text) if part.suffix == ".py" else text


def without_docstrings(source: str) -> str:
    """Source without docstrings and texts below attributes, which change nothing; the rest as it is written.

    Parameters
    ----------
    source : str
        Of a module, or of one function at any indentation.
    """
    lines = source.splitlines(keepends=True)
    with _PARSING:
        tree = ast.parse(textwrap.dedent(source))
    for node in ast.walk(tree):
        for statement in getattr(node, "body", ()) if isinstance(getattr(node, "body", ()), list) else ():
            match statement:
                case ast.Expr(value=ast.Constant(value=str()), lineno=first, end_lineno=int(last)):
                    lines[first - 1:last] = [""] * (last - first + 1)
    return "".join(lines)
