"""Whether a change of the sources has changed what the talk's machine does: two runs of it, number by number.

    khhw run examples/talk.toml --engine native -o out/talk
    python -m benchmarks.same_machine docs/results/talk.json out/talk/results.json

Compared is all that results hold, the signature of every node among it: results of another schema are read as this
version reads them. Not compared are wall times, version and provenance, and how the run was asked for. Few differences
are listed with their paths; many are counted by kind of path, each kind with its first one, and ``--all`` lists them
all. The exit code is 1 if there are any. ``--keep`` makes the second file the kept one: for a change that means to
change what the machine does. ``docs/same-machine.md`` says which changes have.
"""

import argparse
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from khhw.machine.results import Results

__all__ = ["EXCEPTIONS", "differences", "kinds", "main", "values"]

EXCEPTIONS = ("version", "provenance", "wall_seconds", "command")
"""Keys of results, at any depth, that do not say what the machine did."""
_LISTED = 20
_WIDTH = 160
"""Characters of a kind's first difference that are shown."""


def differences(before: Any, after: Any, path: str = "results") -> Iterator[str]:
    """Where two values of JSON differ, and how."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            if key in EXCEPTIONS:
                continue
            if key not in before or key not in after:
                yield f"{path}.{key}: only in the {'first' if key in before else 'second'} run"
            else:
                yield from differences(before[key], after[key], f"{path}.{key}")
    elif isinstance(before, list) and isinstance(after, list):
        if len(before) != len(after):
            yield f"{path}: {len(before)} entries, and {len(after)}"
        for index, pair in enumerate(zip(before, after, strict=False)):
            yield from differences(*pair, f"{path}[{index}]")
    elif before != after:
        yield f"{path}: {before!r}, and {after!r}"


def kinds(found: Iterable[str]) -> list[str]:
    """A line for each kind of path, that is for paths that differ in indices only: how many, and the first."""
    grouped: dict[str, list[str]] = {}
    for each in found:
        path, _, what = each.partition(": ")
        grouped.setdefault(re.sub(r"\[\d+\]", "[]", path), []).append(what)
    return [f"{len(each):5} {path}: {each[0] if len(each[0]) <= _WIDTH else f'{each[0][:_WIDTH]} ...'}"
            for path, each in grouped.items()]


def values(of: Any) -> int:
    """How many values a value of JSON holds that are neither list nor object, without the exceptions."""
    if isinstance(of, dict):
        return sum(values(value) for key, value in of.items() if key not in EXCEPTIONS)
    return sum(map(values, of)) if isinstance(of, list) else 1


def _read(path: Path) -> Any:
    return Results.read(path).model_dump(mode="json")


def main(arguments: list[str] | None = None) -> int:
    """Compare two files; exit code 1 if they differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=Path, help="results.json of one run")
    parser.add_argument("after", type=Path, help="results.json of the other")
    parser.add_argument("--all", action="store_true", help="list every difference, however many there are")
    parser.add_argument("--keep", action="store_true", help="copy the second over the first, after comparing")
    asked = parser.parse_args(arguments)
    before = _read(asked.before)
    found = list(differences(before, _read(asked.after)))
    lines = found if asked.all or len(found) <= _LISTED else kinds(found)
    print(*lines, sep="\n", end="\n" if lines else "")
    print(f"{len(found)} differences in {values(before):,} values; not compared: {', '.join(EXCEPTIONS)}")
    if asked.keep:
        shutil.copyfile(asked.after, asked.before)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
