"""How nodes come to a lease: free ones, parts of another lease, and whole leases of somebody else."""

import sqlite3
from collections.abc import Iterable, Sequence

from khhw.cloud.callers import Caller
from khhw.cloud.errors import CloudError
from khhw.cloud.lease_views import called, own_lease
from khhw.cloud.ledger import Transaction, new_uuid
from khhw.cloud.membership import EXTERNAL, INTERNAL, interfaces_of, join, own_networks
from khhw.cloud.models import Acquire, Connection, Intent
from khhw.cloud.plans import Plan, nodes_of
from khhw.cloud.quotas import check_quota
from khhw.cloud.relatives import is_above, named_principal, principal_for
from khhw.cloud.terms import Term, term
from khhw.cloud.times import as_text, from_text

__all__ = ["acquire", "add_network", "check_whole", "fulfil", "move", "named", "pick"]


def acquire(tx: Transaction, caller: Caller, wish: Acquire) -> Intent:
    """Rent nodes, let nodes on, or offer that."""
    db = tx.db
    if wish.parent_lease_uuid is None:
        lessee = principal_for(db, caller, wish.user or caller.name)
        lessor, = db.execute("SELECT id FROM principal WHERE parent IS NULL").fetchone()
        parent = None
    else:
        parent = own_lease(db, caller, wish.parent_lease_uuid)
        lessor = parent["lessee"]
        lessee = named_principal(db, wish.user or caller.name)
        if lessee["id"] == lessor:
            raise CloudError.bad(f"say to whom these nodes are let on; {lessee['name']} has them already")
    if parent is not None and not is_above(db, lessor, lessee["id"]):
        _check_offer(tx, lessor, parent, wish)
        return Plan(tx).finish("acquire", lease=_new_lease(tx, lessor, lessee, parent, wish))
    if _is_taken(db, lessee["id"], wish.name):
        raise CloudError.conflict(f"{lessee['name']} has a lease {wish.name} already; choose another name")
    return fulfil(tx, _lease(db, _new_lease(tx, lessor, lessee, parent, wish)), wish)


def _check_offer(tx: Transaction, lessor: str, parent: sqlite3.Row, wish: Acquire) -> None:
    """Nobody offers what he could not give, nor floods others with offers."""
    pick(tx.db, wish.count, wish.nodes, parent["uuid"])
    term(tx, lessor, wish.seconds, wish.until, parent)
    open_ones, = tx.db.execute("SELECT count(*) FROM lease WHERE parent = ? AND status = 'created'",
                               (parent["uuid"], )).fetchone()
    if open_ones >= len(nodes_of(tx.db, parent["uuid"], leaf=True)):
        raise CloudError.conflict(f"{open_ones} offers of nodes of {called(parent)} wait for an answer, and it has no "
                                  "more nodes than that; take one back first")


def fulfil(tx: Transaction, row: sqlite3.Row, wish: Acquire) -> Intent:
    """Give a lease that is only a row so far what it is for.

    Raises
    ------
    CloudError
        CONFLICT where there are not enough nodes; FORBIDDEN beyond a quota, or beyond what the lessor has.
    """
    db, uuid = tx.db, row["uuid"]
    parent = None if row["parent"] is None else _lease(db, row["parent"])
    if parent is not None and not parent["live"]:
        raise CloudError.conflict(f"{called(parent)}, which it would be a part of, has ended")
    check_quota(tx, row["lessee"], wish.nodes or wish.count, row["lessor"])
    plan = Plan(tx)
    _begin(tx, plan, uuid, term(tx, row["lessee"], wish.seconds, wish.until, parent))
    ranks = pick(db, wish.count, wish.nodes, row["parent"])
    plan.give(uuid, ranks, row["parent"])
    connections = [Connection(network=network) for network, joins in (
        (EXTERNAL, wish.external), (INTERNAL, wish.internal)) if joins]
    for connection in (*connections, *wish.networks, *_private(tx, row, wish)):
        join(db, row, ranks, connection)
    check_quota(tx, row["lessee"])
    return plan.finish("acquire", lease=uuid, strict=wish.strict)


def move(tx: Transaction, row: sqlite3.Row, heir: sqlite3.Row, *, strict: bool) -> Intent:
    """Give a whole lease to somebody else: cleared, as a lease of its own for the rest of its term, in his networks.

    Raises
    ------
    CloudError
        CONFLICT where nodes of it are let on; FORBIDDEN beyond the heir's quota.
    """
    check_whole(tx.db, row)
    db, ranks, interfaces = tx.db, nodes_of(tx.db, row["uuid"]), interfaces_of(tx.db, row["uuid"])
    plan = Plan(tx)
    left = None if row["end_cycle"] is None else \
        min(tx.clock.longest, tx.clock.seconds(max(1, row["end_cycle"] - tx.cycle)))
    wish = Acquire(name=row["name"], purpose=row["purpose"], seconds=left)
    heritage = _new_lease(tx, row["lessor"], heir, None, wish)
    _begin(tx, plan, heritage, term(tx, heir["id"], left, from_text(row["until"]), None))
    plan.move(row["uuid"], heritage)
    new = _lease(db, heritage)
    for rank in ranks:
        for interface in interfaces.get(rank, []):
            if interface.network in (EXTERNAL, INTERNAL):
                join(db, new, [rank], Connection(network=interface.network))
    if len(own_networks(db, heir["id"])) <= 1:
        for connection in _private(tx, new, wish):
            join(db, new, ranks, connection)
    check_quota(tx, heir["id"])
    return plan.finish("transfer", lease=heritage, strict=strict)


def check_whole(db: sqlite3.Connection, row: sqlite3.Row) -> None:
    """CONFLICT if nodes of a lease are let on."""
    if len(nodes_of(db, row["uuid"], leaf=True)) < len(nodes_of(db, row["uuid"])):
        raise CloudError.conflict(f"nodes of {called(row)} are let on; release those leases first")


def pick(db: sqlite3.Connection, count: int | None, nodes: Sequence[int] | None, parent: str | None) -> list[int]:
    """Ranks that can be given: those that are named, or the lowest ones.

    Parameters
    ----------
    db : sqlite3.Connection
    count : int or None
        How many, unless `nodes` says which.
    nodes : sequence of int or None
    parent : str or None
        The lease whose nodes they are; None: free ones.

    Raises
    ------
    CloudError
        NOT_FOUND for a node that is none; CONFLICT if they are not there to be given.
    """
    if parent is None:
        found = db.execute("SELECT rank FROM node WHERE state = 'free' ORDER BY rank")
    else:
        found = db.execute("SELECT rank FROM lease_node JOIN node USING (rank) WHERE lease = ? AND gone IS NULL "
                           "AND leaf AND state IN ('ready', 'cold') ORDER BY rank", (parent, ))
    there = [row["rank"] for row in found]
    if nodes is None:
        if len(there) < (count or 1):
            raise CloudError.conflict(f"not enough nodes available: {count or 1} wanted, and {len(there)} "
                                      + ("are free" if parent is None else "of the lease can be let on"))
        return there[:count or 1]
    if not nodes or len(set(nodes)) < len(nodes):
        raise CloudError.bad("a list of nodes names each once, and at least one")
    total, = db.execute("SELECT count(*) FROM node").fetchone()
    if none := [rank for rank in nodes if rank >= total]:
        raise CloudError.missing(f"there is no node {none[0]}; nodes are 0 to {total - 1}")
    if lacking := set(nodes) - set(there):
        raise CloudError.conflict(f"not enough nodes available: {named(lacking)} not "
                                  + ("free" if parent is None else "in the lease, or not ready to be let on"))
    return sorted(nodes)


def add_network(tx: Transaction, owner: str, name: str | None = None) -> int:
    """A new private network's row; its id."""
    network, = tx.next("next_network")
    tx.db.execute("INSERT INTO network (id, kind, name, owner) VALUES (?, 'private', ?, ?)", (network, name, owner))
    return network


def named(ranks: Iterable[int]) -> str:
    """``node 3 is``, or ``nodes 3, 5 are``."""
    names = [str(rank) for rank in sorted(ranks)]
    return f"node {names[0]} is" if len(names) == 1 else f"nodes {', '.join(names)} are"


def _is_taken(db: sqlite3.Connection, lessee: str, name: str | None) -> bool:
    """Whether somebody has a lease of a name; what he is only offered has no name of his."""
    return db.execute("SELECT 1 FROM lease WHERE lessee = ? AND name = ? AND live AND status <> 'created'",
                      (lessee, name)).fetchone() is not None


def _new_lease(tx: Transaction, lessor: str, lessee: sqlite3.Row, parent: sqlite3.Row | None, wish: Acquire) -> str:
    """A lease that is only an offer; its UUID."""
    uuid = new_uuid()
    tx.db.execute(
        "INSERT INTO lease (uuid, name, lessor, lessee, parent, start_cycle, until, status, purpose, offer) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, 'created', ?, ?)", (
            uuid, wish.name, lessor, lessee["id"], parent and parent["uuid"], tx.cycle,
            wish.until and as_text(wish.until), wish.purpose, wish.model_dump_json()))
    return uuid


def _begin(tx: Transaction, plan: Plan, lease: str, lasts: Term) -> None:
    """It is no offer any more. What somebody else has called it gives way to names that its lessee has given."""
    console, = tx.next("next_console")
    row = _lease(tx.db, lease)
    name = None if _is_taken(tx.db, row["lessee"], row["name"]) else row["name"]
    tx.db.execute("UPDATE lease SET status = 'wait fulfill', revision = ?, console = ?, length = ?, end_cycle = ?, "
                  "until = ?, name = ?, offer = NULL WHERE uuid = ?",
                  (plan.revision, console, lasts.length, lasts.end, lasts.until, name, lease))


def _private(tx: Transaction, row: sqlite3.Row, wish: Acquire) -> list[Connection]:
    """New networks that are wished for; or by the original's rule: the only one, or a first one."""
    lessee, new = row["lessee"], wish.new_networks
    if new is None:
        new, has = 0, own_networks(tx.db, lessee)
        if not wish.networks:
            if len(has) > 1:
                raise CloudError.bad(f"which network? There are {', '.join(map(str, has))}; name some (-n), or say how "
                                     "many new ones (-p)")
            if has:
                return [Connection(network=has[0])]
            new = 1
    return [Connection(network=add_network(tx, lessee)) for _ in range(new)]


def _lease(db: sqlite3.Connection, uuid: str) -> sqlite3.Row:
    row: sqlite3.Row = db.execute("SELECT * FROM lease WHERE uuid = ?", (uuid, )).fetchone()
    return row
