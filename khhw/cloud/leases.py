"""Leases: nodes that somebody has, for a time."""

import datetime
import sqlite3
import threading
from collections.abc import Callable, Mapping
from typing import Any

from khhw.cloud.acquiring import acquire, check_whole, fulfil, move, named, pick
from khhw.cloud.callers import Caller
from khhw.cloud.errors import CloudError
from khhw.cloud.lease_views import SEEN, called, find_lease, find_offer, lease_view, live_lease, own_lease
from khhw.cloud.ledger import Ledger, Transaction
from khhw.cloud.machine import Machine
from khhw.cloud.membership import common, interfaces_of, join
from khhw.cloud.models import Acquire, Connection, Intent, Lease, LeaseChange, Reading
from khhw.cloud.plans import Plan, nodes_of
from khhw.cloud.quotas import check_quota
from khhw.cloud.readings import kept_readings, readings_until_now
from khhw.cloud.relatives import acts_for, is_above, named_principal
from khhw.cloud.terms import cut_below, is_later, lengthen
from khhw.cloud.times import as_text
from khhw.cloud.words import check_name, check_text

__all__ = ["Leases"]

_PURPOSE = 200
_MOST_QUESTIONS, _QUESTION_SECONDS = 4, 5.0
"""To the machine at a time: they wait for a change that it is at, each in a thread. And how long one waits its turn."""


class Leases:
    """Nodes that somebody has. A lease is named by its UUID, or by its name among those that the caller has or is
    offered.

    Parameters
    ----------
    ledger : Ledger
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._questions = threading.BoundedSemaphore(_MOST_QUESTIONS)

    def acquire(self, caller: Caller, key: str | None, wish: Acquire) -> Intent:
        """Rent nodes, or let own ones on (`parent_lease_uuid`).

        What is let on to somebody who is not below the caller is an offer (status ``created``; the intent is ``done``)
        until he accepts it.
        """
        if wish.purpose is not None:
            check_text(wish.purpose, "a purpose", least=0, most=_PURPOSE)
        return self._ledger.once(caller, key, "acquire", wish.model_dump(mode="json"), Intent,
                                 lambda tx: acquire(tx, caller, wish))

    def release(self, caller: Caller, key: str | None, lease: str, *, strict: bool = False) -> Intent:
        """End a lease, and all below it: by its lessee, or by who lets it."""
        def do(tx: Transaction) -> Intent:
            row = live_lease(tx.db, caller, lease)
            plan = Plan(tx)
            plan.end(row["uuid"])
            return plan.finish("release", lease=row["uuid"], strict=strict)

        return self._once(caller, key, "release", lease, {"strict": strict}, do)

    def add(self, caller: Caller, key: str | None, lease: str, more: LeaseChange) -> Intent:
        """More nodes. They join what all nodes of the lease are in.

        Those of a part of a lease are added by who lets it, to somebody below him.
        """
        def do(tx: Transaction) -> Intent:
            row = live_lease(tx.db, caller, lease)
            if row["parent"] is not None and not (
                    acts_for(tx.db, caller, row["lessor"]) and is_above(tx.db, row["lessor"], row["lessee"])):
                raise CloudError.forbidden(f"{called(row)} is let on; further nodes are let on with a lease of their "
                                           "own")
            has = nodes_of(tx.db, row["uuid"])
            check_quota(tx, row["lessee"], more.nodes or more.count or 1, row["lessor"])
            plan = Plan(tx)
            ranks = pick(tx.db, more.count, more.nodes, row["parent"])
            plan.give(row["uuid"], ranks, row["parent"])
            for interface in common(interfaces_of(tx.db, row["uuid"]), has):
                join(tx.db, row, ranks, Connection(network=interface.network, direction=interface.direction))
            check_quota(tx, row["lessee"])
            return plan.finish("add", lease=row["uuid"], strict=more.strict)

        return self._once(caller, key, "add", lease, more.model_dump(), do)

    def remove(self, caller: Caller, key: str | None, lease: str, fewer: LeaseChange) -> Intent:
        """Fewer nodes (`nodes`); what is below the lease on them ends there too. The last ones are released instead."""
        def do(tx: Transaction) -> Intent:
            row = live_lease(tx.db, caller, lease)
            if not fewer.nodes or fewer.count is not None:
                raise CloudError.bad("say which nodes leave the lease, and no count")
            has, leaving, plan = set(nodes_of(tx.db, row["uuid"])), set(fewer.nodes), Plan(tx)
            if leaving - has:
                raise CloudError.conflict(f"{named(leaving - has)} not in {called(row)}")
            if leaving == has:
                plan.end(row["uuid"])
            else:
                plan.take(row["uuid"], sorted(leaving))
            return plan.finish("remove", lease=row["uuid"], strict=fewer.strict)

        return self._once(caller, key, "remove", lease, fewer.model_dump(), do)

    def transfer(self, caller: Caller, key: str | None, lease: str, to: str, *, strict: bool = False) -> Intent:
        """Give a lease to somebody else: cleared, as a new lease of his for the rest of the term, in his networks.

        Who is not below its lessee must accept it.
        """
        def do(tx: Transaction) -> Intent:
            row = own_lease(tx.db, caller, lease, above=True)
            heir = named_principal(tx.db, to)
            if row["parent"] is not None:
                raise CloudError.conflict(f"{called(row)} is a part of somebody's lease; it is let on, or released")
            if heir["id"] == row["lessee"]:
                raise CloudError.bad(f"{called(row)} is {to}'s already")
            check_whole(tx.db, row)
            if is_above(tx.db, row["lessee"], heir["id"]):
                return move(tx, row, heir, strict=strict)
            tx.db.execute("UPDATE lease SET transfer_to = ? WHERE uuid = ?", (heir["id"], row["uuid"]))
            return Plan(tx).finish("transfer", lease=row["uuid"])

        return self._once(caller, key, "transfer", lease, {"to": to, "strict": strict}, do)

    def accept(self, caller: Caller, key: str | None, lease: str, *, strict: bool = False) -> Intent:
        """Take what was offered by :meth:`transfer` or :meth:`acquire`."""
        def do(tx: Transaction) -> Intent:
            row = find_offer(tx.db, caller, lease)
            offered_to = row["lessee"] if row["status"] == "created" else row["transfer_to"]
            if offered_to is None:
                raise CloudError.conflict(f"{called(row)} is not on offer")
            if offered_to != caller.id:
                raise CloudError.forbidden(f"{called(row)} is offered to somebody else")
            if row["status"] == "created":
                return fulfil(tx, row, Acquire.model_validate_json(row["offer"]).model_copy(update={"strict": strict}))
            heir = tx.db.execute("SELECT * FROM principal WHERE id = ?", (offered_to, )).fetchone()
            return move(tx, row, heir, strict=strict)

        return self._once(caller, key, "accept", lease, {"strict": strict}, do)

    def decline(self, caller: Caller, key: str | None, lease: str) -> Intent:
        """Do not take it; also takes an own offer back."""
        def do(tx: Transaction) -> Intent:
            row, plan = find_offer(tx.db, caller, lease), Plan(tx)
            if row["status"] == "created":
                plan.end(row["uuid"])
            elif row["transfer_to"] is None:
                raise CloudError.conflict(f"{called(row)} is not on offer")
            elif not any(acts_for(tx.db, caller, who) for who in (row["transfer_to"], row["lessee"])):
                raise CloudError.forbidden(f"{called(row)} is offered by somebody else")
            tx.db.execute("UPDATE lease SET transfer_to = NULL WHERE uuid = ?", (row["uuid"], ))
            return plan.finish("decline", lease=row["uuid"])

        return self._once(caller, key, "decline", lease, {}, do)

    def extend(self, caller: Caller, key: str | None, lease: str, *, seconds: float | None = None,
               until: datetime.datetime | None = None) -> Lease:
        """Let it end later: `seconds` more of machine time, or another deadline on the wall; or sooner, by a deadline.

        Later by its lessee, within his quota; a part of a lease by who lets it, within that. Sooner by both.
        """
        def do(tx: Transaction) -> Lease:
            row = live_lease(tx.db, caller, lease)
            if seconds is None and until is None:
                raise CloudError.bad("say by how many machine seconds, or until when")
            if seconds is not None and not 0 < seconds <= 3e9:
                raise CloudError.bad(f"seconds are above 0 and at most 3e9, not {seconds}")
            if is_later(row, seconds, until) and not acts_for(
                    tx.db, caller, row["lessee" if row["parent"] is None else "lessor"]):
                raise CloudError.forbidden(f"only who lets {called(row)} can let it end later" if row["parent"] else
                                           f"{called(row)} is of somebody else")
            if row["status"] == "created" and row["offer"] is not None:
                raise CloudError.conflict(f"{called(row)} is an offer that nobody has accepted; take it back, and make "
                                          "another one with the end it shall have")
            lengthen(tx, row, seconds, until)
            cut_below(tx.db)
            return self._view(tx.db, row["uuid"])

        arguments = {"lease": lease, "seconds": seconds, "until": until and as_text(until)}
        return self._ledger.once(caller, key, "extend", arguments, Lease, do)

    def rename(self, caller: Caller, key: str | None, lease: str, name: str | None) -> Lease:
        """By its lessee; None takes its name away."""
        if name is not None:
            check_name(name)

        def do(tx: Transaction) -> Lease:
            row = own_lease(tx.db, caller, lease)
            other = tx.db.execute("SELECT uuid FROM lease WHERE lessee = ? AND name = ? AND live "
                                  "AND status <> 'created'", (row["lessee"], name)).fetchone()
            if other is not None and other["uuid"] != row["uuid"]:
                raise CloudError.conflict(f"there is a lease {name} already; choose another name")
            tx.db.execute("UPDATE lease SET name = ? WHERE uuid = ?", (name, row["uuid"]))
            return self._view(tx.db, row["uuid"])

        return self._ledger.once(caller, key, "rename", {"lease": lease, "name": name}, Lease, do)

    def warm(self, caller: Caller, key: str | None, lease: str) -> Lease:
        """Its lessee has seen that its nodes are ``cold``, and lost what was in them: they are ``ready``."""
        def do(tx: Transaction) -> Lease:
            row = own_lease(tx.db, caller, lease)
            tx.db.execute("UPDATE node SET state = 'ready' WHERE state = 'cold' AND rank IN ("
                          "SELECT rank FROM lease_node WHERE lease = ? AND gone IS NULL AND leaf)", (row["uuid"], ))
            return self._view(tx.db, row["uuid"])

        return self._ledger.once(caller, key, "warm", {"lease": lease}, Lease, do)

    def get(self, caller: Caller, lease: str) -> Lease:
        """One of the caller's, or of those below him, or let by them, or offered to them; for the owner any."""
        with self._ledger.store.read() as db:
            return lease_view(db, self._ledger, find_lease(db, caller, lease))

    def all(self, caller: Caller, *, ended: bool = False) -> list[Lease]:
        """All that :meth:`get` gives, oldest first; with `ended` also those that have ended."""
        with self._ledger.store.read() as db:
            rows = db.execute(
                f"{SEEN} SELECT lease.* FROM lease JOIN seen USING (uuid) "
                "WHERE status NOT IN ('deleted', 'expired') OR :ended ORDER BY serial",
                {"principal": caller.id, "ended": ended}).fetchall()
            return [lease_view(db, self._ledger, row) for row in rows]

    def readings(self, caller: Caller, lease: str, machine: Machine | None = None) -> list[Reading]:
        """What the meters of its nodes were when they came to it and when they left.

        Parameters
        ----------
        caller : Caller
        lease : str
        machine : Machine, optional
            Which is asked what the meters of those that are there say now, unless too many have asked it.
        """
        with self._ledger.store.read() as db:
            uuid = find_lease(db, caller, lease)["uuid"]
        if machine is not None and self._questions.acquire(timeout=_QUESTION_SECONDS):
            try:
                return readings_until_now(self._ledger, machine, uuid)
            finally:
                self._questions.release()
        with self._ledger.store.read() as db:
            return kept_readings(db, uuid)

    def _once(self, caller: Caller, key: str | None, operation: str, lease: str, arguments: Mapping[str, Any],
              do: Callable[[Transaction], Intent]) -> Intent:
        return self._ledger.once(caller, key, operation, {"lease": lease, **arguments}, Intent, do)

    def _view(self, db: sqlite3.Connection, uuid: str) -> Lease:
        return lease_view(db, self._ledger, db.execute("SELECT * FROM lease WHERE uuid = ?", (uuid, )).fetchone())
