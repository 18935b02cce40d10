"""Which lease has which class of the tree: what its nodes say goes down no cable below which nobody may hear it.

There are fewer classes than there may be leases. A lease keeps its class while a node of it runs; those that have none
speak by the class of all, until one is free, and the filter of whoever is told alone keeps their texts from others.
"""

import sqlite3
from collections.abc import Iterable

from khhw.cloud.matrix import Wanted
from khhw.control.tree_classes import ROUTED_CLASSES

__all__ = ["CLASSLESS", "SPEAKING", "assign_classes", "classless"]

SPEAKING = "SELECT lease FROM lease_node WHERE gone IS NULL AND leaf"
"""UUIDs of leases with nodes that are not let on."""
CLASSLESS = f"tree_class IS NULL AND uuid IN ({SPEAKING})"
"""Condition on a lease: what its nodes say goes to all."""


def assign_classes(db: sqlite3.Connection, before: Iterable[Wanted]) -> None:
    """Take classes from leases whose nodes are gone, and give free ones to those without, the oldest first.

    Parameters
    ----------
    db : sqlite3.Connection
        As leases shall be.
    before : iterable of Wanted
        Of the revision that the machine has, and of all since. What is said by a class of these may still be under way,
        so others are given first.
    """
    db.execute(f"UPDATE lease SET tree_class = NULL WHERE tree_class IS NOT NULL AND uuid NOT IN ({SPEAKING})")
    taken = {row["tree_class"] for row in db.execute("SELECT tree_class FROM lease WHERE tree_class IS NOT NULL")}
    late = {keys.tree_class for each in before for keys in each.keys.values()}
    free = sorted({*ROUTED_CLASSES} - taken, key=lambda number: (number in late, number))
    waiting = db.execute(f"SELECT uuid FROM lease WHERE {CLASSLESS} ORDER BY serial LIMIT ?", (len(free), )).fetchall()
    for row, number in zip(waiting, free, strict=False):
        db.execute("UPDATE lease SET tree_class = ? WHERE uuid = ?", (number, row["uuid"]))


def classless(db: sqlite3.Connection, lease: str | None) -> str | None:
    """What to tell of a lease whose nodes speak to all; None of every other one."""
    row = db.execute(f"SELECT 1 FROM lease WHERE uuid = ? AND {CLASSLESS}", (lease, )).fetchone()
    if row is None:
        return None
    return (f"all {len(ROUTED_CLASSES)} classes of the tree are other leases': what the nodes of this one say passes "
            "all nodes, whose filters drop it, until a class is free")
