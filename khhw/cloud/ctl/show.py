"""What commands show: tables for people, objects for programs; nothing in it is obeyed by a terminal."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from khhw.visible import visible

__all__ = ["Shown", "as_json", "checked", "fields", "listed", "relays", "table", "warned"]


@dataclass(frozen=True)
class Shown:
    """What came of a command.

    Parameters
    ----------
    data : object
        For ``--json``.
    text : str
        For people, on standard output.
    notes : str
        For people, on standard error.
    """

    data: Any
    text: str
    notes: str = ""


def as_json(data: Any) -> str:
    """JSON in printable ASCII."""
    return json.dumps(data, indent=1).replace("\x7f", "\\u007f") + "\n"


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, nothing: str) -> str:
    """Columns with blanks between; `nothing` where there are no rows."""
    cells = [[_cell(value) for value in row] for row in rows]
    if not cells:
        return f"{nothing}\n"
    widths = [max(len(row[column]) for row in (headings, *cells)) for column in range(len(headings))]
    return "".join("  ".join(f"{value:<{width}}" for value, width in zip(row, widths, strict=True)).rstrip() + "\n"
                   for row in (headings, *cells))


def fields(pairs: Iterable[tuple[str, object]]) -> str:
    """One a line."""
    found = [(name, _cell(value)) for name, value in pairs]
    width = max(len(name) for name, _ in found)
    return "".join(f"{name:<{width}}  {value}\n" for name, value in found)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        # Machine seconds: all digits of a long time, and no more than a thousandth of one.
        return f"{value:.3f}".rstrip("0").rstrip(".")
    return visible(str(value))


def checked(found: dict[str, Any], unasked: str) -> str:
    """What a check has found, each in a line, and what was looked at.

    Parameters
    ----------
    found : dict
        A :class:`~khhw.cloud.models.Check`.
    unasked : str
        Why the machine was not asked, if it was not.
    """
    archived = (f", {found['archived_entries']} more in archives ({found['archives']} looked at)"
                if found["archived_entries"] else "")
    asked = "the machine agrees" if found["clean"] else "the machine was asked, too"
    return "".join(f"{finding['what']}\n" for finding in found["findings"]) + (
        f"{'clean' if found['clean'] else 'not clean'}: {found['leases']} leases, revision {found['revision']}, "
        f"{found['audit_entries']} entries of the audit log{archived}; {asked if found['machine'] else unasked}\n")


def listed(values: Iterable[object]) -> str:
    """With commas, or ``-``."""
    return ",".join(map(str, values)) or "-"


def relays(intent: dict[str, Any]) -> str:
    """What a change does to who reaches whom through software of others; nothing if nothing."""
    found = intent["relays"]
    if not found["opened"] and not found["evaded"]:
        return ""
    lines = []
    if found["opened"]:
        lines.append(f"relays: {_pairs(found['opened'])} that could not talk at all can now, if nodes between forward")
    if found["evaded"]:
        lines.append(f"relays: {_pairs(found['evaded'])} may talk no longer, but still can, if nodes between forward")
    lines += [f"  {one['source']} -> {one['destination']} through {listed(one['through'])}" for one in found["shown"]]
    left = found["opened"] + found["evaded"] - len(found["shown"])
    return "".join(f"{line}\n" for line in (*lines, *([f"  and {left} more"] if left > 0 else [])))


def warned(intent: dict[str, Any]) -> str:
    """What the lease that a change is about lacks; nothing if nothing."""
    return f"warning: {visible(intent['warning'])}\n" if intent["warning"] else ""


def _pairs(number: int) -> str:
    return "1 pair of nodes" if number == 1 else f"{number} pairs of nodes"
