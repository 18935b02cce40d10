"""The audit: who has changed what, in a chain of hashes, so that an entry that is changed later shows."""

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["append", "breaks"]

_BEGINNING = "0" * 64


def append(db: sqlite3.Connection, *, at: str, cycle: int, principal: str | None, operation: str,
           arguments: Mapping[str, Any], result: str) -> None:
    """Add an entry, in the transaction whose change it tells of.

    Parameters
    ----------
    db : sqlite3.Connection
    at : str
        Time of the wall, as the store keeps it.
    cycle : int
        Machine time.
    principal : str or None
        Id of who did it; None for the service.
    operation : str
    arguments : mapping
        Values of JSON, without secrets.
    result : str
    """
    last = db.execute("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1").fetchone()
    number, before = (last["number"] + 1, last["hash"]) if last else (1, _BEGINNING)
    fields = (number, at, cycle, principal, operation, json.dumps(arguments, sort_keys=True), result)
    db.execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*fields, _hash(before, fields)))


def breaks(db: sqlite3.Connection) -> Iterator[str]:
    """Where the chain is broken, in words."""
    before, expected = _BEGINNING, 1
    for row in db.execute("SELECT * FROM audit ORDER BY number"):
        *fields, found = tuple(row)
        if row["number"] != expected:
            yield f"audit: there is no entry {expected}; it was taken out"
        elif _hash(before, tuple(fields)) != found:
            yield f"audit: entry {row['number']} is not as it was written"
        before, expected = found, row["number"] + 1


def _hash(before: str, fields: tuple[Any, ...]) -> str:
    return hashlib.sha256(json.dumps([before, *fields]).encode()).hexdigest()
