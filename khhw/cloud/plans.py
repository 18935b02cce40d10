"""A change of what the machine shall hold, while its transaction is made: which nodes change hands, and what follows.

The store says at once how it shall be; the machine follows. A node or a lease on its way bears the revision with which
it will have arrived.
"""

import datetime
import sqlite3
from collections.abc import Iterable, Sequence

import numpy as np

from khhw.cloud.errors import CloudError
from khhw.cloud.ledger import Transaction, new_uuid
from khhw.cloud.matrix import kept, relays, wanted
from khhw.cloud.membership import prune
from khhw.cloud.models import Intent, Relays
from khhw.cloud.relatives import name_of
from khhw.cloud.retention import forget_intents
from khhw.cloud.times import from_text
from khhw.cloud.tree_classes import assign_classes, classless

__all__ = ["Plan", "intent_view", "nodes_of", "settle", "subtree"]

_SUBTREE = """WITH RECURSIVE subtree (uuid, depth) AS (
    VALUES (:lease, 0) UNION
    SELECT l.uuid, depth + 1 FROM lease l JOIN subtree s ON l.parent = s.uuid WHERE l.live) """


class Plan:
    """What a transaction changes about nodes.

    Parameters
    ----------
    tx : Transaction

    Attributes
    ----------
    revision : int
        The number that it will have, if the machine has anything to do.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._db = tx.db
        self._before, = tx.db.execute("SELECT revision FROM meta").fetchone()
        self.revision = self._before + 1

    def give(self, lease: str, ranks: Iterable[int], lessor: str | None = None) -> None:
        """Free nodes come to a lease; or to a part of the lease `lessor`, which has them."""
        for rank in ranks:
            self._db.execute("UPDATE lease_node SET leaf = 0 WHERE lease = ? AND rank = ? AND gone IS NULL",
                             (lessor, rank))
            self._enter(lease, rank)
            self.hand_over(rank, lessor, lease, "reserved")

    def move(self, lease: str, heir: str) -> None:
        """All nodes of a lease come to another one, and it ends, and what of it is only offered; none is let on."""
        for rank in nodes_of(self._db, lease):
            self._leave(lease, rank)
            self._enter(heir, rank)
            self.hand_over(rank, lease, heir, "reserved")
        for each in subtree(self._db, lease):
            self._wait(each, "wait cancel")

    def take(self, lease: str, ranks: Iterable[int], status: str = "wait cancel") -> None:
        """Nodes of a lease leave it and all leases below; to the lease above it, or to nobody.

        Leases below that are left without nodes end (`status`); the lease itself does not.
        """
        db = self._db
        parent, = db.execute("SELECT parent FROM lease WHERE uuid = ?", (lease, )).fetchone()
        below = subtree(db, lease)
        for rank in ranks:
            holder, = db.execute("SELECT lease FROM lease_node WHERE rank = ? AND gone IS NULL AND leaf",
                                 (rank, )).fetchone()
            for each in below:
                self._leave(each, rank)
            db.execute("UPDATE lease_node SET leaf = 1 WHERE lease = ? AND rank = ? AND gone IS NULL", (parent, rank))
            self.hand_over(rank, holder, parent, "draining")
        for each in below[1:]:
            status, = db.execute("SELECT status FROM lease WHERE uuid = ?", (each, )).fetchone()
            if status != "created" and not nodes_of(db, each):
                self._wait(each, status)

    def end(self, lease: str, status: str = "wait cancel") -> None:
        """A lease ends, and all below it: by somebody's will, or because its time is over (``wait expire``)."""
        below = subtree(self._db, lease)
        self.take(lease, nodes_of(self._db, lease), status)
        for each in below:
            self._wait(each, status)

    def hand_over(self, rank: int, before: str | None, after: str | None, state: str | None) -> None:
        """A node changes hands, or loses all that is in it (`before` and `after` are one)."""
        self._db.execute("INSERT INTO hand_over (revision, rank, before, after) VALUES (?, ?, ?, ?)",
                         (self.revision, rank, before, after))
        self._db.execute("UPDATE node SET state = coalesce(?, state), revision = ? WHERE rank = ?",
                         (state, self.revision, rank))

    def finish(self, operation: str, *, lease: str | None = None, network: int | None = None,
               strict: bool = False, always: bool = False) -> Intent:
        """The intent: done, if the machine has nothing to do, and it is not to do that `always`.

        Raises
        ------
        CloudError
            CONFLICT if it opens relays and `strict` forbids that.
        """
        db, tx = self._db, self._tx
        prune(db)
        old = kept(db, self._before, tx.info)
        assign_classes(db, [kept(db, row["number"], tx.info) for row in db.execute(
            "SELECT number FROM revision, meta WHERE number >= applied").fetchall()])
        new = wanted(db, tx.info)
        opened = relays(old.allowed, new.allowed)
        if strict and opened.opened:
            raise CloudError.conflict(_refusal(opened))
        changed = (always or not np.array_equal(old.allowed, new.allowed)
                   or (old.keys, old.leases) != (new.keys, new.leases) or
                   db.execute("SELECT 1 FROM hand_over WHERE revision = ?", (self.revision, )).fetchone() is not None)
        if changed:
            new.keep(db, self.revision)
            db.execute("UPDATE meta SET revision = ?", (self.revision, ))
        else:
            settle(tx, self.revision, self.revision)
        made = new_uuid()
        db.execute(
            "INSERT INTO intent (id, operation, principal, revision, created_at, done_at, relays, lease, network) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (
                made, operation, tx.principal, self.revision if changed else None, tx.at, None if changed else tx.at,
                opened.model_dump_json(), lease, network))
        forget_intents(db, tx.principal)
        return intent_view(db, db.execute("SELECT * FROM intent WHERE id = ?", (made, )).fetchone())

    def _enter(self, lease: str, rank: int) -> None:
        channel, = self._tx.next("next_channel")
        self._db.execute("INSERT INTO lease_node (lease, rank, channel, since) VALUES (?, ?, ?, ?)",
                         (lease, rank, channel, self.revision))

    def _leave(self, lease: str, rank: int) -> None:
        self._db.execute("UPDATE lease_node SET gone = ?, leaf = 0 WHERE lease = ? AND rank = ? AND gone IS NULL",
                         (self.revision, lease, rank))
        self._db.execute("DELETE FROM interface WHERE lease = ? AND rank = ?", (lease, rank))

    def _wait(self, lease: str, status: str) -> None:
        self._db.execute(
            "UPDATE lease SET status = ?, revision = ?, transfer_to = NULL WHERE uuid = ? AND live",
            (status, self.revision, lease))
        self._db.execute("DELETE FROM console_share WHERE console IN (SELECT console FROM lease WHERE uuid = ? UNION "
                         "SELECT channel FROM lease_node WHERE lease = ?)", (lease, lease))


def settle(tx: Transaction, first: int, last: int) -> None:
    """Nodes and leases that were on their way have arrived: the machine holds these revisions, or had nothing to do."""
    db, now, span = tx.db, tx.cycle, (first, last)
    db.execute("UPDATE node SET state = CASE WHEN rank IN (SELECT rank FROM lease_node WHERE gone IS NULL) "
               "THEN 'ready' ELSE 'free' END WHERE state IN ('reserved', 'draining') AND revision BETWEEN ? AND ?",
               span)
    # Its time runs from here on: nobody pays for the time that the change took.
    db.execute("UPDATE lease SET fulfill_cycle = :now, end_cycle = coalesce(min(:now + length, coalesce("
               "(SELECT p.end_cycle FROM lease p WHERE p.uuid = lease.parent), :now + length)), end_cycle) "
               "WHERE fulfill_cycle IS NULL AND uuid IN ("
               "SELECT after FROM hand_over WHERE revision BETWEEN :first AND :last)",
               {"now": now, "first": first, "last": last})
    db.execute("UPDATE lease SET status = 'active' WHERE status = 'wait fulfill' AND revision BETWEEN ? AND ?", span)
    db.execute("UPDATE lease SET status = CASE status WHEN 'wait cancel' THEN 'deleted' ELSE 'expired' END, "
               "expire_cycle = ? WHERE status IN ('wait cancel', 'wait expire') AND revision BETWEEN ? AND ?",
               (now, *span))


def subtree(db: sqlite3.Connection, lease: str) -> list[str]:
    """A lease and all live ones below it, itself first."""
    return [row["uuid"] for row in db.execute(f"{_SUBTREE} SELECT uuid FROM subtree ORDER BY depth", {"lease": lease})]


def nodes_of(db: sqlite3.Connection, lease: str, *, leaf: bool = False) -> list[int]:
    """Ranks that a lease has now; with `leaf` only those that are not let on."""
    return [row["rank"] for row in db.execute(
        "SELECT rank FROM lease_node WHERE lease = ? AND gone IS NULL AND leaf >= ? ORDER BY rank", (lease, leaf))]


def intent_view(db: sqlite3.Connection, row: sqlite3.Row, running: Sequence[int] = ()) -> Intent:
    """An intent's row as others see it; `running` are the revisions that the machine is at."""
    done = row["done_at"] is not None
    return Intent(
        id=row["id"], operation=row["operation"], revision=row["revision"], error=row["error"],
        state="done" if done else "running" if row["revision"] in running else "queued",
        principal=name_of(db, row["principal"]) or "-", created_at=datetime.datetime.fromisoformat(row["created_at"]),
        done_at=from_text(row["done_at"]), relays=Relays.model_validate_json(row["relays"]), lease_uuid=row["lease"],
        network=row["network"], warning=classless(db, row["lease"]))


def _refusal(opened: Relays) -> str:
    relay = opened.shown[0]
    return (f"this would open {opened.opened} relays, which --strict refuses: node {relay.source} could reach node "
            f"{relay.destination} through {', '.join(map(str, relay.through))}, for example")
