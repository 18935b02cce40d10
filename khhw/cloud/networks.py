"""Networks: nodes that may send to each other, shared by consent of both sides."""

import sqlite3
from collections.abc import Sequence

from khhw.cloud.acquiring import add_network, named
from khhw.cloud.callers import Caller
from khhw.cloud.errors import CloudError
from khhw.cloud.lease_views import called, own_lease
from khhw.cloud.ledger import Ledger, Transaction
from khhw.cloud.membership import EXTERNAL, join
from khhw.cloud.models import Connection, Consent, Direction, Intent, Network
from khhw.cloud.plans import Plan, nodes_of
from khhw.cloud.quotas import check_quota
from khhw.cloud.relatives import BELOW, acts_for, name_of, named_principal
from khhw.cloud.words import check_text

__all__ = ["Networks"]

_NAME = 63
_VISIBLE = """(
    :owner OR kind <> 'private' OR owner IN below
    OR id IN (SELECT network FROM consent WHERE principal IN below)
    OR id IN (SELECT network FROM interface i JOIN lease l ON l.uuid = i.lease WHERE lessee IN below))"""


class Networks:
    """Networks, and nodes in them.

    Parameters
    ----------
    ledger : Ledger
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def create(self, caller: Caller, key: str | None, name: str | None = None) -> Network:
        """A private network with nobody in it."""
        _check_name(name)

        def do(tx: Transaction) -> Network:
            network = add_network(tx, caller.id, name)
            check_quota(tx, caller.id)
            return _view(tx.db, caller, _find(tx.db, caller, network))

        return self._ledger.once(caller, key, "network create", {"name": name}, Network, do)

    def get(self, caller: Caller, network: int) -> Network:
        """One the caller owns, is a guest of, has been offered, or has nodes in; External and Internal."""
        with self._ledger.store.read() as db:
            return _view(db, caller, _find(db, caller, network))

    def all(self, caller: Caller) -> list[Network]:
        """All that :meth:`get` gives."""
        with self._ledger.store.read() as db:
            rows = db.execute(f"{BELOW} SELECT * FROM network WHERE NOT deleted AND {_VISIBLE} ORDER BY id",
                              {"principal": caller.id, "owner": caller.is_owner}).fetchall()
            return [_view(db, caller, row) for row in rows]

    def rename(self, caller: Caller, key: str | None, network: int, name: str | None) -> Network:
        """By its owner."""
        _check_name(name)

        def do(tx: Transaction) -> Network:
            _own(tx.db, caller, network)
            tx.db.execute("UPDATE network SET name = ? WHERE id = ?", (name, network))
            return _view(tx.db, caller, _find(tx.db, caller, network))

        return self._ledger.once(caller, key, "network rename", {"network": network, "name": name}, Network, do)

    def delete(self, caller: Caller, key: str | None, network: int) -> Intent:
        """By its owner: all nodes leave it, everybody's."""
        def do(tx: Transaction) -> Intent:
            _own(tx.db, caller, network)
            plan = Plan(tx)
            tx.db.execute("UPDATE network SET deleted = 1 WHERE id = ?", (network, ))
            tx.db.execute("DELETE FROM consent WHERE network = ?", (network, ))
            tx.db.execute("DELETE FROM interface WHERE network = ?", (network, ))
            return plan.finish("network delete", network=network)

        return self._ledger.once(caller, key, "network delete", {"network": network}, Intent, do)

    def share(self, caller: Caller, key: str | None, network: int, guest: str,
              direction: Direction = "both") -> Consent:
        """Offer it to somebody, whose nodes may join it once he has accepted. By its owner.

        Consent that was given is about one direction: another one is offered anew, when that has been ended.
        """
        def do(tx: Transaction) -> Consent:
            row = _own(tx.db, caller, network)
            who = named_principal(tx.db, guest)
            if who["id"] == row["owner"]:
                raise CloudError.bad(f"network {network} is {guest}'s own")
            found = tx.db.execute("SELECT * FROM consent WHERE network = ? AND principal = ?",
                                  (network, who["id"])).fetchone()
            if found is not None and found["state"] == "accepted" and found["direction"] != direction:
                raise CloudError.conflict(f"{guest} has accepted network {network} with direction "
                                          f"{found['direction']}; end that first, then offer it anew")
            tx.db.execute("INSERT INTO consent VALUES (?, ?, 'offered', ?) ON CONFLICT DO UPDATE "
                          "SET direction = excluded.direction", (network, who["id"], direction))
            return _consent(tx.db, network, who["id"])

        arguments = {"network": network, "guest": guest, "direction": direction}
        return self._ledger.once(caller, key, "network share", arguments, Consent, do)

    def accept(self, caller: Caller, key: str | None, network: int) -> Consent:
        """Become the guest."""
        def do(tx: Transaction) -> Consent:
            _find(tx.db, caller, network)
            changed = tx.db.execute("UPDATE consent SET state = 'accepted' WHERE network = ? AND principal = ?",
                                    (network, caller.id)).rowcount
            if not changed:
                raise CloudError.forbidden(f"network {network} is not shared with {caller.name}")
            return _consent(tx.db, network, caller.id)

        return self._ledger.once(caller, key, "network accept", {"network": network}, Consent, do)

    def leave(self, caller: Caller, key: str | None, network: int, guest: str | None = None) -> Intent:
        """End it: the guest himself, or the owner of the network, who names him.

        The guest's nodes leave the network, and so do those that he has let on, where nothing else entitles them.
        """
        def do(tx: Transaction) -> Intent:
            row = _find(tx.db, caller, network)
            who = named_principal(tx.db, guest or caller.name)
            if row["kind"] != "private":
                raise CloudError.bad(f"{row['name']} is nobody's, and shared with nobody; disconnect nodes from it")
            if caller.id not in (row["owner"], who["id"]):
                raise CloudError.forbidden(f"network {network} is {name_of(tx.db, row['owner'])}'s, and not shared by "
                                           f"{caller.name}")
            if who["id"] == row["owner"]:
                raise CloudError.conflict(
                    f"network {network} is {who['name']}'s own: khhw ctl network leave {network} --guest USER ends it "
                    f"for a guest, khhw ctl network delete {network} for all")
            plan = Plan(tx)
            if not tx.db.execute("DELETE FROM consent WHERE network = ? AND principal = ?",
                                 (network, who["id"])).rowcount:
                raise CloudError.conflict(f"network {network} is not shared with {who['name']}")
            return plan.finish("network leave", network=network)

        return self._ledger.once(caller, key, "network leave", {"network": network, "guest": guest}, Intent, do)

    def connect(self, caller: Caller, key: str | None, lease: str, wish: Connection, *,
                nodes: Sequence[int] | None = None, strict: bool = False) -> Intent:
        """Let nodes of a lease, or all, join a network, or have another direction in it. By the lessee."""
        def do(tx: Transaction) -> Intent:
            row = own_lease(tx.db, caller, lease)
            plan = Plan(tx)
            join(tx.db, row, _ranks(tx.db, row, nodes), wish)
            return plan.finish("connect", lease=row["uuid"], network=wish.network, strict=strict)

        arguments = {"lease": lease, **wish.model_dump(), "nodes": nodes and list(nodes), "strict": strict}
        return self._ledger.once(caller, key, "connect", arguments, Intent, do)

    def disconnect(self, caller: Caller, key: str | None, lease: str, network: int, *,
                   nodes: Sequence[int] | None = None) -> Intent:
        """Let nodes of a lease, or all, leave it; where nothing else entitles those that are let on, them too."""
        def do(tx: Transaction) -> Intent:
            row = own_lease(tx.db, caller, lease)
            plan = Plan(tx)
            left = [tx.db.execute("DELETE FROM interface WHERE lease = ? AND rank = ? AND network = ?",
                                  (row["uuid"], rank, network)).rowcount for rank in _ranks(tx.db, row, nodes)]
            if not any(left):
                raise CloudError.conflict(f"no such node of {called(row)} is in network {network}")
            return plan.finish("disconnect", lease=row["uuid"], network=network)

        arguments = {"lease": lease, "network": network, "nodes": nodes and list(nodes)}
        return self._ledger.once(caller, key, "disconnect", arguments, Intent, do)


def _find(db: sqlite3.Connection, caller: Caller, network: int) -> sqlite3.Row:
    """A network's row; NOT_FOUND unless the caller may see it."""
    row: sqlite3.Row | None = db.execute(
        f"{BELOW} SELECT * FROM network WHERE id = :network AND NOT deleted AND {_VISIBLE}",
        {"principal": caller.id, "owner": caller.is_owner, "network": network}).fetchone()
    if row is None:
        raise CloudError.missing(f"there is no network {network}")
    return row


def _own(db: sqlite3.Connection, caller: Caller, network: int) -> sqlite3.Row:
    """The same, of its owner."""
    row = _find(db, caller, network)
    if row["owner"] != caller.id:
        raise CloudError.forbidden(f"network {network} is {name_of(db, row['owner']) or 'nobody'}'s")
    return row


def _ranks(db: sqlite3.Connection, lease: sqlite3.Row, nodes: Sequence[int] | None) -> list[int]:
    has = nodes_of(db, lease["uuid"])
    if nodes is not None and (not nodes or set(nodes) - set(has)):
        raise CloudError.conflict(f"{named(set(nodes) - set(has))} not in {called(lease)}" if nodes else
                                  "a list of nodes names at least one")
    return has if nodes is None else sorted(set(nodes))


def _view(db: sqlite3.Connection, caller: Caller, row: sqlite3.Row) -> Network:
    """A network as somebody sees it: all members, but of External his own only."""
    owns = row["owner"] is not None and acts_for(db, caller, row["owner"])
    consents = [
        _consent(db, row["id"], each["principal"])
        for each in db.execute("SELECT principal FROM consent WHERE network = ?", (row["id"], )).fetchall()
        if owns or acts_for(db, caller, each["principal"])]
    members = db.execute(
        f"{BELOW} SELECT i.rank FROM interface i JOIN lease_node n USING (lease, rank) JOIN lease l ON l.uuid = lease "
        "WHERE network = :network AND gone IS NULL AND leaf AND (:all OR lessee IN below) ORDER BY i.rank",
        {"principal": caller.id, "network": row["id"], "all": row["id"] != EXTERNAL or caller.is_owner})
    return Network(id=row["id"], kind=row["kind"], name=row["name"], owner=name_of(db, row["owner"]),
                   consents=consents, nodes=[each["rank"] for each in members])


def _consent(db: sqlite3.Connection, network: int, principal: str) -> Consent:
    row = db.execute("SELECT * FROM consent WHERE network = ? AND principal = ?", (network, principal)).fetchone()
    return Consent(network=network, principal=str(name_of(db, principal)), state=row["state"],
                   direction=row["direction"])


def _check_name(name: str | None) -> None:
    if name is not None:
        check_text(name, "a network's name", most=_NAME)
