"""What principals hold, and what they may hold: a quota is for a principal and all below it together."""

import sqlite3
from collections.abc import Sequence

from khhw.cloud.errors import CloudError
from khhw.cloud.ledger import Transaction
from khhw.cloud.models import Quota, Usage
from khhw.cloud.relatives import BELOW, line_of

__all__ = ["check_quota", "longest", "quota_of", "usage_of"]

_HELD = {
    "nodes": "SELECT count(DISTINCT rank) FROM lease_node JOIN lease ON uuid = lease AND gone IS NULL "
             "WHERE lessee IN below",
    "networks": "SELECT count(*) FROM network WHERE owner IN below AND NOT deleted",
    "leases": "SELECT count(*) FROM lease WHERE lessee IN below AND live AND status <> 'created'",
}


def quota_of(row: sqlite3.Row) -> Quota:
    """The quota of a principal's row."""
    return Quota.model_validate_json(row["quota"])


def usage_of(db: sqlite3.Connection, principal: str) -> Usage:
    """What a principal, and all below it, hold; a node that one has let on to another counts once."""
    return Usage(**{what: db.execute(f"{BELOW} {held}", {"principal": principal}).fetchone()[0]
                    for what, held in _HELD.items()})


def check_quota(tx: Transaction, principal: str, more: int | Sequence[int] = 0, lessor: str | None = None) -> None:
    """Whether nobody holds more than he may.

    Parameters
    ----------
    tx : Transaction
    principal : str
        Who has taken something, or wants to.
    more : int or sequence of int
        Nodes that he will take: how many, or which.
    lessor : str, optional
        From whom: he, and all above him, have them already.

    Raises
    ------
    CloudError
        FORBIDDEN, with whose quota it is beyond.
    """
    nodes = more if isinstance(more, int) else len(more)
    for row in line_of(tx.db, principal):
        if row["id"] == lessor:
            nodes = 0
        quota, usage = quota_of(row), usage_of(tx.db, row["id"])
        for what in _HELD:
            most, held = getattr(quota, what), getattr(usage, what) + (nodes if what == "nodes" else 0)
            if most is not None and held > most:
                raise CloudError.over_quota(f"the quota of {row['name']} is {most} {what}, and this would make {held}")


def longest(tx: Transaction, principal: str) -> float | None:
    """Machine seconds from now until a lease of a principal has to end; None: his quotas say nothing of that."""
    limits = [quota.seconds for row in line_of(tx.db, principal) if (quota := quota_of(row)).seconds is not None]
    return min(tx.clock.longest, *limits) if limits else None
