"""Console channels: whose they are, and with whom they are shared.

Only who rents the nodes has their consoles, and whoever he shares them with; not who lets them, nor who is above him.
"""

import sqlite3
from dataclasses import dataclass

from khhw.cloud.callers import Caller
from khhw.cloud.errors import CloudError
from khhw.cloud.ledger import Ledger, Transaction
from khhw.cloud.matrix import SPOKEN
from khhw.cloud.models import Console, ConsoleShare
from khhw.cloud.plans import nodes_of
from khhw.cloud.relatives import name_of, named_principal

__all__ = ["Channels"]


@dataclass(frozen=True)
class _Channel:
    """A channel's lease, and the node whose own it is, if it is one's."""

    id: int
    lease: sqlite3.Row
    node: sqlite3.Row | None

    def nodes(self, db: sqlite3.Connection) -> list[int]:
        """Who hears it now."""
        if not self.lease["live"]:
            return []
        if self.node is None:
            return nodes_of(db, self.lease["uuid"], leaf=True)
        return [self.node["rank"]] if self.node["gone"] is None and self.node["leaf"] else []


class Channels:
    """Console channels.

    Parameters
    ----------
    ledger : Ledger
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def get(self, caller: Caller, console: int) -> Console:
        """One that the caller may listen to, or might once.

        Raises
        ------
        CloudError
            NOT_FOUND for one that is somebody else's, as for one that never was.
        """
        with self._ledger.store.read() as db:
            return _view(db, caller, _find(db, caller, console))

    def all(self, caller: Caller) -> list[Console]:
        """All open ones that :meth:`get` gives."""
        with self._ledger.store.read() as db:
            numbers = [row["number"] for row in db.execute(
                "SELECT console AS number FROM lease WHERE lessee = :caller AND live AND console IS NOT NULL "
                "UNION SELECT channel FROM lease_node JOIN lease ON uuid = lease "
                "WHERE gone IS NULL AND lessee = :caller "
                "UNION SELECT console FROM console_share WHERE principal = :caller ORDER BY number",
                {"caller": caller.id})]
            views = [_view(db, caller, _find(db, caller, number)) for number in numbers]
            return [view for view in views if view.open]

    def share(self, caller: Caller, key: str | None, console: int, guest: str, *, write: bool = False) -> Console:
        """Let somebody else listen, or write too. By the lessee."""
        def do(tx: Transaction) -> Console:
            channel = _find(tx.db, caller, console)
            who = named_principal(tx.db, guest)
            if channel.lease["lessee"] != caller.id:
                raise CloudError.forbidden(f"con{console} is {name_of(tx.db, channel.lease['lessee'])}'s")
            if not channel.nodes(tx.db):
                raise CloudError.conflict(f"nobody is at con{console} any more")
            if who["id"] == caller.id:
                raise CloudError.bad(f"con{console} is {guest}'s own")
            tx.db.execute("INSERT INTO console_share VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET write = excluded.write",
                          (console, who["id"], int(write)))
            return _view(tx.db, caller, channel)

        arguments = {"console": console, "guest": guest, "write": write}
        return self._ledger.once(caller, key, "console share", arguments, Console, do)

    def unshare(self, caller: Caller, key: str | None, console: int, guest: str) -> Console:
        """No longer; asked by the lessee or the guest."""
        def do(tx: Transaction) -> Console:
            channel = _find(tx.db, caller, console)
            who = named_principal(tx.db, guest)
            if caller.id not in (channel.lease["lessee"], who["id"]):
                raise CloudError.forbidden(f"con{console} is {name_of(tx.db, channel.lease['lessee'])}'s")
            if not tx.db.execute("DELETE FROM console_share WHERE console = ? AND principal = ?",
                                 (console, who["id"])).rowcount:
                raise CloudError.conflict(f"con{console} is not shared with {guest}")
            return _view(tx.db, caller, channel)

        return self._ledger.once(caller, key, "console unshare", {"console": console, "guest": guest}, Console, do)


def _find(db: sqlite3.Connection, caller: Caller, console: int) -> _Channel:
    """A channel of the caller, or shared with him."""
    node = db.execute("SELECT * FROM lease_node WHERE channel = ?", (console, )).fetchone()
    lease = db.execute("SELECT * FROM lease WHERE console = ? OR uuid = ?",
                       (console, node and node["lease"])).fetchone()
    shared = db.execute("SELECT 1 FROM console_share WHERE console = ? AND principal = ?",
                        (console, caller.id)).fetchone()
    if lease is None or not (lease["lessee"] == caller.id or shared):
        raise CloudError.missing(f"there is no console con{console}")
    return _Channel(console, lease, node)


def _view(db: sqlite3.Connection, caller: Caller, channel: _Channel) -> Console:
    own = channel.lease["lessee"] == caller.id
    shares = {row["principal"]: bool(row["write"]) for row in db.execute(
        "SELECT * FROM console_share WHERE console = ?", (channel.id, ))}
    nodes = channel.nodes(db)
    coming = [row["rank"] for row in db.execute(
        "SELECT rank FROM hand_over WHERE NOT done AND after = ? ORDER BY rank", (channel.lease["uuid"], ))
        if row["rank"] in nodes]
    rights = {"listen": own or caller.id in shares, "write": own or shares.get(caller.id, False), "share": own}
    return Console.model_validate({
        "id": channel.id, "send_id": SPOKEN | channel.lease["console"], "lease_uuid": channel.lease["uuid"],
        "project": name_of(db, channel.lease["lessee"]), "nodes": nodes, "coming": coming,
        "node": channel.node and channel.node["rank"],
        "open": bool(nodes), "rights": [right for right, given in rights.items() if given and nodes],
        "shares": [ConsoleShare(principal=str(name_of(db, who)), write=write) for who, write in shares.items() if own]})
