"""The audit: who has changed what, in a chain of hashes, so that an entry that is changed later shows.

The hash of an entry is the SHA-256 of the JSON list of the hash before it (64 zeros before the first), its number, time
of the wall, cycle, principal, operation, arguments (as a text) and result, in ASCII, with ", " between. The first
entries may be in archives (:mod:`khhw.cloud.archive`); then the chain goes on from the last of those.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["BEGINNING", "Links", "append", "archived", "breaks"]

BEGINNING = 0, "0" * 64
"""Number and hash before the first entry."""


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
    number, before = tuple(last) if last else archived(db)
    fields = (number + 1, at, cycle, principal, operation, json.dumps(arguments, sort_keys=True), result)
    db.execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*fields, _hash(before, fields)))


def archived(db: sqlite3.Connection) -> tuple[int, str]:
    """Number and hash of the last entry that is in an archive; :data:`BEGINNING` if none is."""
    last = db.execute("SELECT last, hash FROM archive ORDER BY last DESC LIMIT 1").fetchone()
    return tuple(last) if last else BEGINNING


def breaks(db: sqlite3.Connection) -> Iterator[str]:
    """Where the chain is broken, in words, as far as it is in the store."""
    links = Links(*archived(db))
    for row in db.execute("SELECT * FROM audit ORDER BY number"):
        yield from links.breaks(tuple(row))


class Links:
    """Looks at a chain, entry after entry.

    Parameters
    ----------
    number : int
        Of the entry before the first.
    before : str
        Hash of that.
    """

    def __init__(self, number: int, before: str) -> None:
        self.number, self.before = number, before

    def breaks(self, entry: tuple[Any, ...]) -> Iterator[str]:
        """What is wrong with the next entry, given as its columns, in words."""
        *fields, found = entry
        if fields[0] != self.number + 1:
            yield f"audit: there is no entry {self.number + 1}; it was taken out"
        elif _hash(self.before, tuple(fields)) != found:
            yield f"audit: entry {fields[0]} is not as it was written"
        self.number, self.before = fields[0], found


def _hash(before: str, fields: tuple[Any, ...]) -> str:
    return hashlib.sha256(json.dumps([before, *fields]).encode()).hexdigest()
