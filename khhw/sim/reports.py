"""What a simulator process says while it runs, and how results reach a file whole."""

import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any, TextIO

from khhw.tracebacks import own_traceback
from khhw.visible import visible

__all__ = ["keep_remarks_apart", "parse", "remark", "report", "write_json"]

_MARK = "khhw-report "


def report(kind: str, **values: Any) -> None:
    """Tell the process that started this one.

    Parameters
    ----------
    kind : str
        What it is about; ``progress`` is the back end's own.
    **values
        Plain values for JSON.
    """
    sys.stdout.write(_MARK + json.dumps({"kind": kind, **values}) + "\n")
    sys.stdout.flush()


def remark(text: str) -> None:
    """Print lines that no one takes for a report, whatever code of a kernel had to do with them."""
    for line in visible(text, lines=True).splitlines():
        print(f" {line}" if line.startswith(_MARK) else line)


def keep_remarks_apart() -> None:
    """Have :func:`remark` print what Python says by itself: warnings, and exceptions that nobody can catch.

    Both hold names and texts that kernels choose.
    """
    def warned(
        message: Warning | str, category: type[Warning], filename: str, lineno: int,
        file: TextIO | None = None, line: str | None = None,  # noqa: ARG001 (Python calls them so)
    ) -> None:
        remark(f"{filename}:{lineno}: {category.__name__}: {message}")

    def missed(what: "sys.UnraisableHookArgs") -> None:
        try:
            text = f"{what.err_msg or 'Exception ignored in'}: {what.object!r}: {what.exc_value!r}"
        except BaseException as error:
            # What an object says of itself is code of its own.
            text = f"Exception ignored, which cannot be told: {type(error).__name__}"
        found = "" if what.exc_value is None else own_traceback(what.exc_value)
        remark(f"{text}\n{found}")

    warnings.showwarning = warned
    sys.unraisablehook = missed


def parse(line: str) -> dict[str, Any] | None:
    """The object of a line that :func:`report` wrote; None for any other line."""
    if not line.startswith(_MARK):
        return None
    values: dict[str, Any] = json.loads(line.removeprefix(_MARK))
    return values


def write_json(path: Path, values: Any) -> None:
    """Write a JSON file that is never seen half-written.

    Parameters
    ----------
    path : Path
        Where.
    values : object
        Plain values.
    """
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    os.replace(part, path)
