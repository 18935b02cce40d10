"""Who is above whom: principals are a tree, with the owner of the machine at its root.

Whoever made a principal, and whoever is above, disposes of his quota, his secrets and his leases. Who may talk to his
nodes, and read them, is his own affair.
"""

import sqlite3

from khhw.cloud.callers import Caller
from khhw.cloud.errors import CloudError

__all__ = ["ABOVE", "BELOW", "acts_for", "is_above", "line_of", "name_of", "named_principal", "principal_for"]

BELOW = """WITH RECURSIVE below (id) AS (
    VALUES (:principal) UNION SELECT p.id FROM principal p JOIN below ON p.parent = below.id) """
"""Beginning of a statement: `below` are the principal and all below it."""
ABOVE = """WITH RECURSIVE above (id, depth) AS (
    VALUES (:principal, 0) UNION
    SELECT p.parent, depth + 1 FROM principal p JOIN above ON p.id = above.id WHERE p.parent IS NOT NULL) """
"""Beginning of a statement: `above` are the principal and all above it, up to the owner."""


def line_of(db: sqlite3.Connection, principal: str) -> list[sqlite3.Row]:
    """Rows of a principal and of all above him, himself first."""
    return db.execute(f"{ABOVE} SELECT p.* FROM above JOIN principal p USING (id) ORDER BY depth",
                      {"principal": principal}).fetchall()


def acts_for(db: sqlite3.Connection, caller: Caller, principal: str) -> bool:
    """Whether the caller is this principal, or above him."""
    return caller.is_owner or is_above(db, caller.id, principal)


def is_above(db: sqlite3.Connection, above: str, principal: str) -> bool:
    """Whether a principal is above another one, or is it."""
    return any(row["id"] == above for row in line_of(db, principal))


def named_principal(db: sqlite3.Connection, name: str) -> sqlite3.Row:
    """The row of the principal with a name; NOT_FOUND if there is none."""
    row: sqlite3.Row | None = db.execute("SELECT * FROM principal WHERE name = ? AND NOT deleted", (name, )).fetchone()
    if row is None:
        raise _unknown(name)
    return row


def principal_for(db: sqlite3.Connection, caller: Caller, name: str) -> sqlite3.Row:
    """The same, of somebody whom the caller may act for; NOT_FOUND, in the same words, for all others."""
    row = named_principal(db, name)
    if not acts_for(db, caller, row["id"]):
        raise _unknown(name)
    return row


def _unknown(name: str) -> CloudError:
    return CloudError.missing(f"there is no principal {name}; khhw ctl principal list shows yourself and those below "
                              "you, and others tell you what they are called")


def name_of(db: sqlite3.Connection, principal: str | None) -> str | None:
    """The name that belongs to an id."""
    row = db.execute("SELECT name FROM principal WHERE id = ?", (principal, )).fetchone()
    return row and str(row["name"])
