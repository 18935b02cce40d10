"""Nodes of the machine, and those that nobody may have."""

import sqlite3

from khhw.cloud.callers import Caller
from khhw.cloud.errors import CloudError
from khhw.cloud.lease_views import SEEN
from khhw.cloud.ledger import Ledger, Transaction
from khhw.cloud.membership import interfaces_of
from khhw.cloud.models import Intent, Node
from khhw.cloud.plans import Plan, nodes_of
from khhw.cloud.progress import Progress
from khhw.cloud.relatives import name_of

__all__ = ["Nodes"]

_RUNNING = {"reserved": "configuring", "draining": "cleaning"}
"""What a state that waits becomes while the machine is at it."""


class Nodes:
    """Nodes of the machine.

    Parameters
    ----------
    ledger : Ledger
    progress : Progress
        What the machine is at.
    """

    def __init__(self, ledger: Ledger, progress: Progress) -> None:
        self._ledger = ledger
        self._progress = progress

    def all(self, caller: Caller) -> list[Node]:
        """All, by rank; whose they are only as far as the caller may see the lease."""
        with self._ledger.store.read() as db:
            return self._views(db, caller)

    def quarantine(self, caller: Caller, key: str | None, rank: int) -> Intent:
        """Let nobody have a node; a lease that has it loses it. By the owner of the machine."""
        def do(tx: Transaction) -> Intent:
            row, plan = _find(tx.db, caller, rank), Plan(tx)
            if row["state"] == "quarantined":
                raise CloudError.conflict(f"node {rank} is in quarantine already")
            holder = tx.db.execute("SELECT uuid FROM lease_node JOIN lease ON uuid = lease "
                                   "WHERE rank = ? AND gone IS NULL AND parent IS NULL", (rank, )).fetchone()
            if holder is not None and nodes_of(tx.db, holder["uuid"]) == [rank]:
                plan.end(holder["uuid"])
            elif holder is not None:
                plan.take(holder["uuid"], [rank])
            tx.db.execute("UPDATE node SET state = 'quarantined' WHERE rank = ?", (rank, ))
            return plan.finish("quarantine", lease=holder and holder["uuid"])

        return self._ledger.once(caller, key, "quarantine", {"rank": rank}, Intent, do)

    def restore(self, caller: Caller, key: str | None, rank: int) -> Node:
        """It may be leased again. By the owner of the machine."""
        def do(tx: Transaction) -> Node:
            row = _find(tx.db, caller, rank)
            if row["state"] != "quarantined":
                raise CloudError.conflict(f"node {rank} is not in quarantine")
            if tx.db.execute("SELECT 1 FROM hand_over WHERE rank = ? AND NOT done", (rank, )).fetchone():
                raise CloudError.conflict(f"node {rank} is still being taken from its lease; try again later")
            tx.db.execute("UPDATE node SET state = 'free' WHERE rank = ?", (rank, ))
            return self._views(tx.db, caller)[rank]

        return self._ledger.once(caller, key, "restore", {"rank": rank}, Node, do)

    def _views(self, db: sqlite3.Connection, caller: Caller) -> list[Node]:
        seen = {row["rank"]: row for row in db.execute(
            f"{SEEN} SELECT rank, channel, l.uuid, name, lessee FROM lease_node n JOIN lease l ON l.uuid = n.lease "
            "JOIN seen ON seen.uuid = n.lease WHERE gone IS NULL AND leaf", {"principal": caller.id})}
        interfaces = {uuid: interfaces_of(db, uuid) for uuid in {row["uuid"] for row in seen.values()}}
        views = []
        for row in db.execute("SELECT * FROM node ORDER BY rank").fetchall():
            rank, lease = row["rank"], seen.get(row["rank"])
            state = row["state"]
            if row["revision"] in self._progress.running:
                state = _RUNNING.get(state, state)
            views.append(Node(
                rank=rank, state=state, lease_uuid=lease and lease["uuid"], lease_name=lease and lease["name"],
                project=name_of(db, lease["lessee"]) if lease else None, console=lease and lease["channel"],
                networks=interfaces[lease["uuid"]].get(rank, []) if lease else []))
        return views


def _find(db: sqlite3.Connection, caller: Caller, rank: int) -> sqlite3.Row:
    if not caller.is_owner:
        raise CloudError.forbidden("only the owner of the machine puts nodes into quarantine")
    row: sqlite3.Row | None = db.execute("SELECT * FROM node WHERE rank = ?", (rank, )).fetchone()
    if row is None:
        total, = db.execute("SELECT count(*) FROM node").fetchone()
        raise CloudError.missing(f"there is no node {rank}; nodes are 0 to {total - 1}")
    return row
