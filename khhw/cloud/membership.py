"""Which networks nodes may be in, and are."""

import sqlite3
from collections.abc import Iterable, Sequence

from khhw.cloud.errors import CloudError
from khhw.cloud.models import Connection, Direction, Interface

__all__ = ["EXTERNAL", "INTERNAL", "UNJUSTIFIED", "common", "interfaces_of", "join", "own_networks", "prune"]

EXTERNAL, INTERNAL = 1, 2

UNJUSTIFIED = """
SELECT i.serial FROM interface i JOIN lease l ON l.uuid = i.lease JOIN network w ON w.id = i.network
WHERE w.kind <> 'internal' AND NOT (
    w.kind = 'external' AND l.parent IS NULL
    OR w.owner = l.lessee AND NOT w.deleted
    OR EXISTS (SELECT 1 FROM consent c WHERE c.network = w.id AND c.principal = l.lessee AND c.state = 'accepted'
               AND c.direction IN ('both', i.direction))
    OR EXISTS (SELECT 1 FROM interface p WHERE p.lease = l.parent AND p.rank = i.rank AND p.network = i.network
               AND p.direction IN ('both', i.direction)))
"""
"""Interfaces that :func:`prune` takes away."""


def prune(db: sqlite3.Connection) -> None:
    """Nodes leave every network that nothing entitles them to any more.

    The lessee is entitled to Internal, to his own networks, to those he is a guest of as far as their owners let him,
    and with a lease from the owner of the machine to External. With a part of somebody else's lease he is entitled to
    what the node is in there, too: so nobody has more than who lets to him, and what a lessor loses all below lose.
    """
    # What is let on follows what it was let on from, a lease further each time.
    while db.execute(f"DELETE FROM interface WHERE serial IN ({UNJUSTIFIED})").rowcount:
        pass


def join(db: sqlite3.Connection, lease: sqlite3.Row, ranks: Iterable[int], wish: Connection) -> None:
    """Nodes of a lease join a network.

    Raises
    ------
    CloudError
        NOT_FOUND if the lessee knows of no such network; FORBIDDEN if he is not entitled to what he wishes.
    """
    for rank in ranks:
        entitled = _entitled(db, lease, rank, wish.network)
        # "both" comes first in the alphabet.
        direction = wish.direction or min(entitled)
        if not {"both", direction} & entitled:
            raise CloudError.forbidden(f"in network {wish.network} node {rank} may only {min(entitled)}, and not "
                                       f"{'send and receive' if direction == 'both' else direction}")
        db.execute("INSERT INTO interface (lease, rank, network, direction) VALUES (?, ?, ?, ?) "
                   "ON CONFLICT DO UPDATE SET direction = excluded.direction",
                   (lease["uuid"], rank, wish.network, direction))


def own_networks(db: sqlite3.Connection, principal: str) -> list[int]:
    """Ids of a principal's own private networks."""
    return [row["id"] for row in db.execute("SELECT id FROM network WHERE owner = ? AND NOT deleted ORDER BY id",
                                            (principal, ))]


def interfaces_of(db: sqlite3.Connection, lease: str) -> dict[int, list[Interface]]:
    """What the nodes of a lease are in, by rank, in the order of their interfaces: External, Internal, others."""
    found: dict[int, list[Interface]] = {}
    for row in db.execute("SELECT rank, network, direction FROM interface WHERE lease = ? "
                          "ORDER BY min(network, 3), serial", (lease, )):
        found.setdefault(row["rank"], []).append(Interface(network=row["network"], direction=row["direction"]))
    return found


def common(interfaces: dict[int, list[Interface]], ranks: Sequence[int]) -> list[Interface]:
    """What all of these nodes are in alike."""
    first, *others = [interfaces.get(rank, []) for rank in ranks] or [[]]
    return [interface for interface in first if all(interface in other for other in others)]


def _entitled(db: sqlite3.Connection, lease: sqlite3.Row, rank: int, network: int) -> set[Direction]:
    """What a node may do in a network, at least one thing; see :func:`prune`."""
    row = db.execute("SELECT * FROM network WHERE id = ? AND NOT deleted", (network, )).fetchone()
    if row is not None:
        own = row["kind"] == "internal" or row["owner"] == lease["lessee"]
        if own or (row["kind"] == "external" and lease["parent"] is None):
            return {"both"}
        found = {each["direction"] for each in db.execute(
            "SELECT direction FROM consent WHERE network = :network AND principal = :lessee AND state = 'accepted' "
            "UNION SELECT direction FROM interface WHERE lease = :parent AND rank = :rank AND network = :network",
            {"network": network, "lessee": lease["lessee"], "parent": lease["parent"], "rank": rank})}
        if found:
            return found
    if network == EXTERNAL:
        raise CloudError.forbidden(f"node {rank} cannot be in External: the lease it is let on from is not")
    raise CloudError.missing(f"there is no network {network} that the lessee may join; its owner shares it, and the "
                             "lessee accepts")
