"""What the store keeps of what is over, where that could be without end.

Leases, their nodes and their readings are kept: a bill is made of them. The audit is kept, here or in archives
(:mod:`khhw.cloud.archive`). Answers by idempotency keys, and changes that are done, are kept for a while. A key whose
answer is gone stays known, in 16 bytes: it never does anything a second time, and never gets another answer.
"""

import hashlib
import sqlite3

from khhw.cloud.errors import CloudError

__all__ = ["ANSWERS", "INTENTS", "check_unspent", "forget_answers", "forget_intents", "forget_principal"]

ANSWERS = 1000
"""Answers that are kept for each principal, the last ones."""
INTENTS = 1000
"""The same of changes that are done."""
_DIGEST_BYTES = 16


def check_unspent(db: sqlite3.Connection, principal: str, key: str) -> None:
    """CONFLICT if a key without an answer had one."""
    if db.execute("SELECT 1 FROM spent WHERE key = ?", (_digest(principal, key), )).fetchone():
        raise CloudError.conflict(
            f"the idempotency key {key} was used before, and its answer is gone: of each principal the last "
            f"{ANSWERS:,} are kept; nothing was done again: see what came of it, and take a new key for something new")


def forget_answers(db: sqlite3.Connection, principal: str) -> None:
    """Those behind the last :data:`ANSWERS`; their keys stay known."""
    old = db.execute("SELECT serial, key FROM answer WHERE principal = ? ORDER BY serial DESC LIMIT -1 OFFSET ?",
                     (principal, ANSWERS)).fetchall()
    db.executemany("INSERT INTO spent VALUES (?)", [(_digest(principal, row["key"]), ) for row in old])
    db.executemany("DELETE FROM answer WHERE serial = ?", [(row["serial"], ) for row in old])


def forget_intents(db: sqlite3.Connection, principal: str | None) -> None:
    """Those that are done, behind the last :data:`INTENTS`; None: the service's own."""
    db.execute("DELETE FROM intent WHERE done_at IS NOT NULL AND serial IN (SELECT serial FROM intent "
               "WHERE principal IS ? ORDER BY serial DESC LIMIT -1 OFFSET ?)", (principal, INTENTS))


def forget_principal(db: sqlite3.Connection, principal: str) -> None:
    """What only somebody could ask for who is deleted, and never comes again."""
    db.execute("DELETE FROM answer WHERE principal = ?", (principal, ))
    db.execute("DELETE FROM intent WHERE principal = ? AND done_at IS NOT NULL", (principal, ))


def _digest(principal: str, key: str) -> bytes:
    """So many bytes that nobody finds a second key of the same; who looked for one would find his own only."""
    return hashlib.sha256(f"{principal} {key}".encode()).digest()[:_DIGEST_BYTES]
