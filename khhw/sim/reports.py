"""What a simulator process says while it runs, and how results reach a file whole."""

import json
import os
import sys
from pathlib import Path
from typing import Any

__all__ = ["parse", "report", "write_json"]

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
