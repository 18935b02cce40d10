"""Readings of the nodes of leases: those that are kept, and those that are taken now, of leases that go on."""

import json
import sqlite3

from khhw.cloud import machine as hardware
from khhw.cloud.ledger import Ledger
from khhw.cloud.machine import Machine, MachineError
from khhw.cloud.models import Reading

__all__ = ["keep", "kept_readings", "readings_until_now", "there"]


def keep(db: sqlite3.Connection, tag: int, moment: str, lease: str, reading: hardware.Reading) -> None:
    """Keep a reading of a lease; of one moment there is one, the last."""
    db.execute("INSERT OR REPLACE INTO reading VALUES (?, ?, ?, ?, ?, ?, ?)", (
        tag, reading.rank, moment, lease, reading.clock.boot, reading.clock.cycle,
        json.dumps(dict(reading.counters), separators=(",", ":"))))


def kept_readings(db: sqlite3.Connection, lease: str) -> list[Reading]:
    """All that are kept of a lease, in the order of their tags."""
    return [Reading(tag=row["tag"], rank=row["rank"], lease_uuid=lease, moment=row["moment"], boot=row["boot"],
                    cycle=row["cycle"], counters=json.loads(row["counters"]))
            for row in db.execute("SELECT * FROM reading WHERE lease = ? ORDER BY tag, rank, moment", (lease, ))]


def there(db: sqlite3.Connection, boot: int, lease: str | None = None) -> dict[int, tuple[str, int]]:
    """Nodes that are in a lease by themselves, and have come to it in this boot at the latest.

    Parameters
    ----------
    db : sqlite3.Connection
    boot : int
    lease : str, optional
        UUID of the only one that matters.

    Returns
    -------
    dict of int to tuple of str and int
        By rank, the lease and the revision with which the node came to it.
    """
    return {row["rank"]: (row["lease"], row["since"]) for row in db.execute(
        "SELECT rank, lease, since FROM lease_node n WHERE gone IS NULL AND leaf AND lease = coalesce(?, lease) AND "
        "EXISTS (SELECT 1 FROM reading r WHERE r.rank = n.rank AND r.lease = n.lease AND boot = ? AND tag >= since AND "
        "moment = 'begin')", (lease, boot))}


def readings_until_now(ledger: Ledger, machine: Machine, lease: str) -> list[Reading]:
    """All that are kept of a lease, and one of each node that it has, taken now; without these if the machine does not
    answer."""
    with ledger.store.read() as db:
        boot = ledger.clock.boot
        before, kept = there(db, boot, lease), kept_readings(db, lease)
    if not before or not machine.alive:
        return kept
    try:
        # No question that was asked before this cycle has its number.
        found = machine.read(machine.clock().cycle, sorted(before))
    except MachineError:
        return kept
    with ledger.store.read() as db:
        applied, = db.execute("SELECT applied FROM meta").fetchone()
        # The store says that a node leaves before the machine is told: what is still there was the lease's when it was
        # read, and not yet the next one's.
        after, kept = there(db, boot, lease), kept_readings(db, lease)
    return kept + [Reading(tag=applied, rank=one.rank, lease_uuid=lease, moment="now", boot=boot, cycle=one.clock.cycle,
                           counters=dict(one.counters))
                   for one in found if one.clock.boot == boot and after.get(one.rank) == before[one.rank]]
