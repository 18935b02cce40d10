"""Leases as others see them, and who sees which."""

import sqlite3

from khhw.cloud.callers import Caller
from khhw.cloud.errors import CloudError
from khhw.cloud.ledger import Ledger
from khhw.cloud.membership import EXTERNAL, common, interfaces_of
from khhw.cloud.models import Acquire, BootRecord, Lease
from khhw.cloud.plans import nodes_of
from khhw.cloud.relatives import BELOW, acts_for, name_of
from khhw.cloud.times import from_text
from rtl.formats import TreeClass

__all__ = ["SEEN", "called", "find_lease", "find_offer", "lease_view", "live_lease", "own_lease", "sees"]

SEEN = f"""{BELOW}, seen (uuid) AS (
    SELECT uuid FROM lease WHERE lessee IN below OR lessor IN below OR transfer_to IN below) """
"""Beginning of a statement: `seen` are the leases that the principal may see."""
_OFFERED = "(transfer_to IS :caller OR (lessee = :caller AND status = 'created'))"
"""Condition: a lease is offered to the caller."""


def find_lease(db: sqlite3.Connection, caller: Caller, lease: str) -> sqlite3.Row:
    """The row of a lease, by UUID, or by name among the caller's own; NOT_FOUND unless he may see it.

    Behind his own come those that he is offered, see :func:`find_offer`.
    """
    return _find(db, caller, lease, "transfer_to IS :caller AND lessee <> :caller, status = 'created'")


def find_offer(db: sqlite3.Connection, caller: Caller, lease: str) -> sqlite3.Row:
    """The same, with what the caller is offered in front of what he has: one name may be of both.

    CONFLICT if several who offer him something call it so.
    """
    row = _find(db, caller, lease, f"NOT ({_OFFERED})")
    others, = db.execute(f"SELECT count(*) FROM lease WHERE name = :lease AND live AND {_OFFERED}",
                         {"lease": lease, "caller": caller.id}).fetchone()
    if others > 1 and row["uuid"] != lease:
        raise CloudError.conflict(f"{others} leases with the name {lease} are offered to {caller.name}; name one by "
                                  "its UUID, which khhw ctl list shows")
    return row


def _find(db: sqlite3.Connection, caller: Caller, lease: str, order: str) -> sqlite3.Row:
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM lease WHERE uuid = :lease OR (lessee = :caller OR transfer_to = :caller) AND name = :lease "
        f"AND live ORDER BY uuid <> :lease, {order}, serial", {"lease": lease, "caller": caller.id}).fetchone()
    if row is None:
        row = _ended(db, caller, lease)
    if row is None or not sees(db, caller, row):
        raise CloudError.missing(f"there is no lease {lease}: khhw ctl list shows which there are, and with --ended "
                                 "those that have ended; names are of your own leases, and of those that you are "
                                 "offered")
    return row


def _ended(db: sqlite3.Connection, caller: Caller, name: str) -> sqlite3.Row | None:
    """The caller's only lease that had a name; CONFLICT if there are several, as names are used again."""
    rows: list[sqlite3.Row] = db.execute(
        "SELECT * FROM lease WHERE lessee = ? AND name = ? AND NOT live ORDER BY serial LIMIT 2",
        (caller.id, name)).fetchall()
    if len(rows) > 1:
        raise CloudError.conflict(f"several leases with the name {name} have ended; name one by its UUID or console, "
                                  "which khhw ctl list --ended shows")
    return rows[0] if rows else None


def live_lease(db: sqlite3.Connection, caller: Caller, lease: str) -> sqlite3.Row:
    """The row of a lease that has not ended, of somebody who has it or lets it; FORBIDDEN to all others who see it."""
    row = find_lease(db, caller, lease)
    if not any(acts_for(db, caller, who) for who in (row["lessee"], row["lessor"])):
        raise CloudError.forbidden(f"{called(row)} is of somebody else")
    return _check_live(row)


def own_lease(db: sqlite3.Connection, caller: Caller, lease: str, *, above: bool = False) -> sqlite3.Row:
    """The row of a lease that has not ended and is no offer, of its lessee; FORBIDDEN to all others who see it.

    With `above` also to those above him: they dispose of leases, but not of who talks to whom.
    """
    row = find_lease(db, caller, lease)
    if not (acts_for(db, caller, row["lessee"]) if above else row["lessee"] == caller.id):
        raise CloudError.forbidden(f"{called(row)} is of somebody else")
    if row["status"] == "created":
        raise CloudError.conflict(f"{called(row)} is an offer; accept it first")
    return _check_live(row)


def _check_live(row: sqlite3.Row) -> sqlite3.Row:
    if not row["live"]:
        raise CloudError.conflict(f"{called(row)} has ended" if row["status"] in ("deleted", "expired") else
                                  f"{called(row)} ends")
    return row


def sees(db: sqlite3.Connection, caller: Caller, lease: sqlite3.Row) -> bool:
    """Whether somebody may know of a lease: who has it, who lets it, whom it is offered to, and who is above one."""
    return any(who is not None and acts_for(db, caller, who)
               for who in (lease["lessee"], lease["lessor"], lease["transfer_to"]))


def called(lease: sqlite3.Row) -> str:
    """A lease in a sentence."""
    return f"lease {lease['name'] or lease['uuid']}"


def lease_view(db: sqlite3.Connection, ledger: Ledger, row: sqlite3.Row) -> Lease:
    """A lease's row as others see it."""
    clock, uuid = ledger.clock, row["uuid"]
    ranks = nodes_of(db, uuid)
    own = set(nodes_of(db, uuid, leaf=True))
    interfaces = interfaces_of(db, uuid)
    networks = common(interfaces, ranks)
    return Lease(
        uuid=uuid, name=row["name"], owner=str(name_of(db, row["lessor"])), owner_id=row["lessor"],
        project=str(name_of(db, row["lessee"])), project_id=row["lessee"],
        resource_uuid=db.execute("SELECT machine FROM meta").fetchone()[0], parent_lease_uuid=row["parent"],
        start_time=clock.seconds(row["start_cycle"]), end_time=clock.optional_seconds(row["end_cycle"]),
        until=from_text(row["until"]), fulfill_time=clock.optional_seconds(row["fulfill_cycle"]),
        expire_time=clock.optional_seconds(row["expire_cycle"]), status=row["status"], purpose=row["purpose"],
        nodes=ranks or _last_nodes(db, row), sublet=[rank for rank in ranks if rank not in own], networks=networks,
        external=any(interface.network == EXTERNAL for interface in networks), console=row["console"],
        tree_class=row["tree_class"] or (TreeClass.BROADCAST if own else None),
        transfer_to=name_of(db, row["transfer_to"]), boots=_boots(db, clock.boot, uuid, still=bool(ranks)))


def _last_nodes(db: sqlite3.Connection, row: sqlite3.Row) -> list[int]:
    """Ranks that a lease without nodes had last, or that are offered with it."""
    if row["offer"] is not None:
        return sorted(Acquire.model_validate_json(row["offer"]).nodes or [])
    return [each["rank"] for each in db.execute(
        "SELECT rank FROM lease_node WHERE lease = :lease AND gone = ("
        "SELECT max(gone) FROM lease_node WHERE lease = :lease) ORDER BY rank", {"lease": row["uuid"]})]


def _boots(db: sqlite3.Connection, now: int, lease: str, *, still: bool) -> list[BootRecord]:
    rows = db.execute(
        "SELECT r.boot, min(cycle) FILTER (WHERE moment = 'begin') AS began, max(cycle) FILTER (WHERE moment = 'end') "
        "AS ended, last_cycle FROM reading r JOIN boot b ON b.number = r.boot WHERE lease = ? GROUP BY r.boot",
        (lease, )).fetchall()
    last = max((row["boot"] for row in rows), default=0)
    records = []
    for row in rows:
        # A lease that went on when a boot ended had its nodes to the end of it.
        lasted = row["boot"] != last or still
        end = row["ended"] if not lasted else None if row["boot"] == now else row["last_cycle"]
        records.append(BootRecord(boot=row["boot"], cycle_start=row["began"] or 0, cycle_end=end))
    return records
