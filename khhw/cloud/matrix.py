"""What the hardware shall hold, worked out from leases, networks and consoles; and what a change of it means.

Hardware knows pairs of nodes: who may send to whom. Two networks of one pair are one permission.
"""

import json
import sqlite3
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from khhw.cloud.machine import ConsoleKeys, MachineInfo, Revision
from khhw.cloud.models import Relay, Relays
from khhw.control.domains import Domains
from khhw.control.reach import DomainChange, Reach
from rtl.formats import TreeClass

__all__ = ["OWNER_CHANNEL", "SPOKEN", "Matrix", "Wanted", "kept", "relays", "wanted"]

Matrix = npt.NDArray[np.bool_]

OWNER_CHANNEL = 1
"""The console channel of the owner of the machine, which all leased nodes hear that can hear so many."""
SPOKEN = 1 << 31
"""Bit of the channel id that nodes speak on; what they hear has it clear, so that no node hears another one speak."""
_SHOWN = 20
"""Relays told one by one."""


@dataclass(frozen=True)
class Wanted:
    """What the whole machine shall hold.

    Parameters
    ----------
    allowed : numpy array of bool, shape (nodes, nodes)
        Source first.
    keys : mapping of int to ConsoleKeys
        Of leased nodes, by rank.
    leases : mapping of int to int
        Of the same nodes, the serial of the lease that each is in by itself, which is the innermost one.
    """

    allowed: Matrix
    keys: Mapping[int, ConsoleKeys]
    leases: Mapping[int, int]

    def revision(self, number: int, hand_over: frozenset[int]) -> Revision:
        """As the machine takes it."""
        rows = {rank: tuple(map(int, np.flatnonzero(row))) for rank, row in enumerate(self.allowed) if row.any()}
        return Revision(number, rows, self.keys, self.leases, hand_over)

    def keep(self, db: sqlite3.Connection, number: int) -> None:
        """Write it down; :func:`kept` reads it."""
        db.execute("INSERT INTO revision VALUES (?, ?, ?, ?)", (
            number, zlib.compress(np.packbits(self.allowed).tobytes()),
            json.dumps({rank: [keys.send, keys.tree_class, *keys.receive] for rank, keys in self.keys.items()}),
            json.dumps(self.leases)))


def wanted(db: sqlite3.Connection, info: MachineInfo) -> Wanted:
    """What the machine shall hold as the store stands."""
    allowed = np.zeros((info.nodes, info.nodes), dtype=bool)
    keys, leases = {}, {}
    for row in db.execute("SELECT rank, channel, console, tree_class, serial FROM lease_node "
                          "JOIN lease ON uuid = lease WHERE gone IS NULL AND leaf"):
        allowed[row["rank"], row["rank"]] = True
        leases[row["rank"]] = row["serial"]
        heard = (row["console"], row["channel"], OWNER_CHANNEL)
        keys[row["rank"]] = ConsoleKeys(
            SPOKEN | row["console"], heard[:info.receive_ids],
            TreeClass.BROADCAST if row["tree_class"] is None else row["tree_class"])
    senders: dict[int, list[int]] = {}
    receivers: dict[int, list[int]] = {}
    for row in db.execute(
            "SELECT i.rank, network, direction FROM interface i JOIN lease_node n USING (lease, rank) "
            "JOIN network w ON w.id = network WHERE gone IS NULL AND leaf AND kind <> 'external'"):
        if row["direction"] != "receive":
            senders.setdefault(row["network"], []).append(row["rank"])
        if row["direction"] != "send":
            receivers.setdefault(row["network"], []).append(row["rank"])
    for network, sources in senders.items():
        allowed[np.ix_(sources, receivers.get(network, []))] = True
    return Wanted(allowed, keys, leases)


def kept(db: sqlite3.Connection, number: int, info: MachineInfo) -> Wanted:
    """What a revision says; of one that was never made, nothing."""
    row = db.execute("SELECT allowed, keys, leases FROM revision WHERE number = ?", (number, )).fetchone()
    if row is None:
        return Wanted(np.zeros((info.nodes, info.nodes), dtype=bool), {}, {})
    bits = np.frombuffer(zlib.decompress(row["allowed"]), dtype=np.uint8)
    allowed = np.unpackbits(bits, count=info.nodes ** 2).astype(bool).reshape(info.nodes, info.nodes)
    keys = {int(rank): ConsoleKeys(send, tuple(heard), tree_class)
            for rank, (send, tree_class, *heard) in json.loads(row["keys"]).items()}
    return Wanted(allowed, keys, {int(rank): serial for rank, serial in json.loads(row["leases"]).items()})


def relays(old: Matrix, new: Matrix) -> Relays:
    """What a change does to who reaches whom through relays."""
    if not (new & ~old).any() and not (old & ~new).any():
        return Relays()
    change = DomainChange(Domains(old), Domains(new))
    opened, evaded = np.argwhere(change.gained), np.argwhere(change.evaded)
    shown = [*opened[:_SHOWN], *evaded[:max(0, _SHOWN - len(opened))]]
    return Relays(opened=len(opened), evaded=len(evaded),
                  shown=[_relay(change.after, int(source), int(destination)) for source, destination in shown])


def _relay(reach: Reach, source: int, destination: int) -> Relay:
    return Relay(source=source, destination=destination, through=list(reach.relays(source, destination)))
