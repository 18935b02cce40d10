"""How long leases last: machine seconds and a deadline on the wall, never beyond the lease they are a part of."""

import datetime
import sqlite3
from dataclasses import dataclass

from khhw.cloud.errors import CloudError
from khhw.cloud.ledger import Transaction
from khhw.cloud.quotas import longest
from khhw.cloud.times import as_text

__all__ = ["Term", "cut_below", "is_later", "lengthen", "term"]


@dataclass(frozen=True)
class Term:
    """When a lease ends.

    Parameters
    ----------
    length : int or None
        Cycles from the moment it is fulfilled.
    end : int or None
        Machine time in cycles, as if it were fulfilled now.
    until : str or None
        Deadline on the wall, as the store keeps it.
    """

    length: int | None
    end: int | None
    until: str | None


def term(tx: Transaction, lessee: str, seconds: float | None, until: datetime.datetime | None,
         parent: sqlite3.Row | None) -> Term:
    """The term of a new lease.

    Raises
    ------
    CloudError
        If it would end beyond `parent`, beyond the lessee's quota, or before it begins.
    """
    deadline = _deadline(tx, until)
    most = longest(tx, lessee)
    if seconds is not None and seconds > tx.clock.longest:
        raise CloudError.bad(f"a lease ends at most {tx.clock.longest:.6g} machine seconds from now, and this would "
                             f"take {seconds}")
    if seconds is not None and most is not None and seconds > most:
        raise CloudError.over_quota(f"the quota is {most} machine seconds, and this would take {seconds}")
    if seconds is None:
        seconds = most
    length = None if seconds is None else tx.clock.length(seconds)
    end = None if length is None else tx.cycle + length
    if parent is not None:
        if end is not None and parent["end_cycle"] is not None and end > parent["end_cycle"]:
            left = tx.clock.seconds(max(0, parent["end_cycle"] - tx.cycle))
            raise CloudError.conflict(f"the lease it would be a part of ends in {left:.6g} machine seconds, and this "
                                      f"would take {seconds}")
        end = parent["end_cycle"] if end is None else end
        if deadline is not None and parent["until"] is not None and deadline > parent["until"]:
            raise CloudError.conflict(f"the lease it would be a part of ends at {parent['until']}, and this would end "
                                      f"at {deadline}")
        deadline = parent["until"] if deadline is None else deadline
    return Term(length, end, deadline)


def is_later(lease: sqlite3.Row, seconds: float | None, until: datetime.datetime | None) -> bool:
    """Whether a lease would end later so."""
    return seconds is not None or (
        until is not None and lease["until"] is not None and as_text(until) > lease["until"])


def lengthen(tx: Transaction, lease: sqlite3.Row, seconds: float | None, until: datetime.datetime | None) -> None:
    """Let a lease end later, or sooner.

    Raises
    ------
    CloudError
        As :func:`term`.
    """
    parent = tx.db.execute("SELECT * FROM lease WHERE uuid = ?", (lease["parent"], )).fetchone()
    deadline = _deadline(tx, until)
    if deadline is not None:
        if parent is not None and parent["until"] is not None and deadline > parent["until"]:
            raise CloudError.conflict(f"it is a part of a lease that ends at {parent['until']}")
        tx.db.execute("UPDATE lease SET until = ? WHERE uuid = ?", (deadline, lease["uuid"]))
    if seconds is not None:
        if lease["end_cycle"] is None:
            raise CloudError.bad("this lease has no end in machine time that could be later; it lasts until it is "
                                 "released")
        more = tx.clock.length(seconds)
        end = lease["end_cycle"] + more
        if end - tx.cycle > tx.clock.length(tx.clock.longest):
            raise CloudError.bad(f"a lease ends at most {tx.clock.longest:.6g} machine seconds from now, and this "
                                 f"would end in {tx.clock.seconds(end - tx.cycle):.6g}")
        if parent is not None and parent["end_cycle"] is not None and end > parent["end_cycle"]:
            left = tx.clock.seconds(parent["end_cycle"] - lease["end_cycle"])
            raise CloudError.conflict(f"it is a part of a lease that ends {left:.6g} machine seconds after it")
        most = longest(tx, lease["lessee"])
        if most is not None and end - tx.cycle > tx.clock.length(most):
            raise CloudError.over_quota(f"the quota is {most} machine seconds from now, and this would end in "
                                        f"{tx.clock.seconds(end - tx.cycle):.6g}")
        tx.db.execute("UPDATE lease SET end_cycle = ?, length = length + ? WHERE uuid = ?", (end, more, lease["uuid"]))


def cut_below(db: sqlite3.Connection) -> None:
    """No lease ends after the one it is a part of."""
    while db.execute("UPDATE lease SET until = p.until FROM lease p WHERE p.uuid = lease.parent AND lease.live "
                     "AND p.until < coalesce(lease.until, '9')").rowcount:
        pass


def _deadline(tx: Transaction, until: datetime.datetime | None) -> str | None:
    if until is None:
        return None
    deadline = as_text(until)
    if deadline <= tx.at:
        raise CloudError.bad(f"until is {deadline}, which is past")
    return deadline
