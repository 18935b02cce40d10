"""Whether a store agrees with itself, and with the machine."""

import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from khhw.cloud import audit
from khhw.cloud.agreement import differences
from khhw.cloud.archive import archive_breaks, untold
from khhw.cloud.machine import Machine, MachineError, MachineInfo
from khhw.cloud.matrix import kept, wanted
from khhw.cloud.membership import UNJUSTIFIED
from khhw.cloud.models import Check, Finding
from khhw.cloud.tree_classes import CLASSLESS, SPEAKING
from khhw.control.tree_classes import ROUTED_CLASSES

__all__ = ["check"]

_RULES = (
    ("SELECT rank AS a, count(*) AS b FROM lease_node WHERE gone IS NULL AND leaf GROUP BY rank HAVING b > 1",
     "node {a} has {b} tenants"),
    ("SELECT rank AS a, lease AS b FROM lease_node JOIN lease ON uuid = lease WHERE gone IS NULL AND NOT live",
     "node {a} is still in lease {b}, which has ended"),
    ("SELECT n.rank AS a, n.lease AS b FROM lease_node n WHERE gone IS NULL AND leaf = EXISTS ("
     "SELECT 1 FROM lease_node m JOIN lease l ON l.uuid = m.lease "
     "WHERE l.parent = n.lease AND m.rank = n.rank AND m.gone IS NULL)",
     "node {a} of lease {b} is let on and not let on"),
    ("SELECT n.rank AS a, n.lease AS b FROM lease_node n JOIN lease l ON l.uuid = n.lease WHERE n.gone IS NULL "
     "AND l.parent IS NOT NULL AND NOT EXISTS ("
     "SELECT 1 FROM lease_node m WHERE m.lease = l.parent AND m.rank = n.rank AND m.gone IS NULL)",
     "node {a} of lease {b} is not in the lease that this is a part of"),
    ("SELECT c.uuid AS a, p.uuid AS b FROM lease c JOIN lease p ON p.uuid = c.parent "
     "WHERE c.live AND (NOT p.live OR c.end_cycle > p.end_cycle OR c.until > p.until)",
     "lease {a} lasts longer than lease {b}, which it is a part of"),
    ("SELECT i.rank AS a, i.lease AS b FROM interface i WHERE NOT EXISTS ("
     "SELECT 1 FROM lease_node n WHERE n.lease = i.lease AND n.rank = i.rank AND gone IS NULL)",
     "node {a} is in networks of lease {b}, and not in the lease"),
    (f"SELECT rank AS a, network AS b FROM interface WHERE serial IN ({UNJUSTIFIED})",
     "node {a} is in network {b}, to which nothing entitles it"),
    ("SELECT rank AS a, state AS b FROM node "
     "WHERE state <> 'draining' AND (state IN ('ready', 'cold', 'reserved')) <> ("
     "rank IN (SELECT rank FROM lease_node WHERE gone IS NULL))",
     "node {a} is {b}, and its leases say otherwise"),
    ("SELECT rank AS a, state AS b FROM node, meta "
     "WHERE state IN ('reserved', 'draining') AND node.revision <= applied",
     "node {a} is {b}, and nothing will change that"),
    ("SELECT uuid AS a, status AS b FROM lease, meta WHERE status LIKE 'wait%' AND lease.revision <= applied",
     "lease {a} is at {b}, and nothing will change that"),
    ("SELECT id AS a, intent.revision AS b FROM intent, meta WHERE (done_at IS NULL) <> (intent.revision > applied) "
     "AND intent.revision IS NOT NULL",
     "intent {a} says of revision {b} what the machine did not"),
    ("SELECT h.rank AS a, h.revision AS b FROM hand_over h WHERE done AND ("
     "before IS NOT NULL AND before IS NOT after AND NOT EXISTS (SELECT 1 FROM reading r WHERE r.tag = h.revision AND "
     "r.rank = h.rank AND r.moment = 'end' AND r.lease = h.before) OR "
     "after IS NOT NULL AND NOT EXISTS (SELECT 1 FROM reading r WHERE r.tag = h.revision AND r.rank = h.rank AND "
     "r.moment = 'begin' AND r.lease = h.after))",
     "the reading of node {a} at revision {b} is lost"),
    (f"SELECT uuid AS a, (SELECT count(tree_class) FROM lease) AS b FROM lease WHERE {CLASSLESS} "
     f"AND b < {len(ROUTED_CLASSES)}",
     "lease {a} has no class of the tree, and only {b} are taken"),
    (f"SELECT uuid AS a, tree_class AS b FROM lease WHERE tree_class IS NOT NULL AND uuid NOT IN ({SPEAKING})",
     "lease {a} has no node, but class {b} of the tree"),
    ("SELECT tag AS a, rank AS b FROM reading WHERE NOT json_valid(counters) OR EXISTS (SELECT 1 FROM json_each("
     "CASE WHEN json_valid(counters) THEN counters ELSE '[]' END) WHERE type <> 'integer' OR value < 0)",
     "the reading of node {b} at revision {a} has counters that no meter has"),
    ("SELECT name AS a, 0 AS b FROM principal WHERE NOT json_valid(quota)", "the quota of {a} cannot be read"),
    ("WITH RECURSIVE known (id) AS (SELECT id FROM principal WHERE parent IS NULL UNION "
     "SELECT p.id FROM principal p JOIN known ON p.parent = known.id) "
     "SELECT name AS a, 0 AS b FROM principal WHERE id NOT IN known",
     "principal {a} is below nobody that the owner of the machine is above"),
    ("SELECT applied AS a, revision AS b FROM meta WHERE applied > revision",
     "revision {a} is applied, and the last one made is {b}"),
    ("SELECT next_network AS a, max(id) AS b FROM meta, network GROUP BY a HAVING b >= a",
     "the next network would have number {a}, and there is one with {b}"),
    ("SELECT next_console AS a, max(console) AS b FROM meta, lease GROUP BY a HAVING b >= a",
     "the next lease would have console {a}, and there is one with {b}"),
    ("SELECT uuid AS a, end_cycle AS b FROM lease WHERE end_cycle < 0", "lease {a} ends in cycle {b}"),
)
"""What nothing is to be found by, and what it means if something is."""


def check(
    db: sqlite3.Connection, info: MachineInfo, machine: Machine | None, archives: Sequence[Path] = (),
) -> Check:
    """Look for what is not as it should be; changes nothing.

    Parameters
    ----------
    db : sqlite3.Connection
        One committed state.
    info : MachineInfo
    machine : Machine or None
        To compare with, if it is connected; None for the store alone.
    archives : sequence of Path, optional
        Of the audit, to be looked at too.
    """
    last, applied = db.execute("SELECT revision, applied FROM meta").fetchone()
    found = [*_database(db), *audit.breaks(db), *untold(db), *archive_breaks(db, archives), *_rules(db),
             *_revision(db, info, last)]
    # What is on its way stands in neither state.
    compared = machine is not None and last == applied
    if machine is not None and compared:
        found += _machine(db, info, applied, machine)
    leases, = db.execute("SELECT count(*) FROM lease WHERE live").fetchone()
    entries, = db.execute("SELECT count(*) FROM audit").fetchone()
    return Check(clean=not found, findings=[Finding(what=what) for what in found], leases=leases, revision=applied,
                 audit_entries=entries, archived_entries=audit.archived(db)[0], archives=len(archives),
                 machine=compared)


def _database(db: sqlite3.Connection) -> Iterator[str]:
    for row in db.execute("PRAGMA integrity_check"):
        if row[0] != "ok":
            yield f"database: {row[0]}"
    for row in db.execute("PRAGMA foreign_key_check"):
        yield f"database: a row of {row['table']} names what is not in {row['parent']}"


def _rules(db: sqlite3.Connection) -> Iterator[str]:
    for statement, words in _RULES:
        for row in db.execute(statement):
            yield words.format(**dict(row))


def _revision(db: sqlite3.Connection, info: MachineInfo, last: int) -> Iterator[str]:
    """The last revision is what leases and networks say."""
    try:
        made, now = kept(db, last, info), wanted(db, info)
    except (ValueError, TypeError, AttributeError, LookupError, zlib.error) as error:
        yield f"revision {last}, or what leases and networks say, cannot be read: {error}"
        return
    for source, destination in np.argwhere(made.allowed != now.allowed):
        yield (f"revision {last} {'allows' if made.allowed[source, destination] else 'refuses'} node {source} to send "
               f"to node {destination}, and the networks say otherwise")
    for rank in sorted(set(made.keys) | set(now.keys)):
        if made.keys.get(rank) != now.keys.get(rank):
            yield f"revision {last} gives node {rank} other console channels than its lease"
        if made.leases.get(rank) != now.leases.get(rank):
            yield f"revision {last} has node {rank} in another lease than it is in"


def _machine(db: sqlite3.Connection, info: MachineInfo, applied: int, machine: Machine) -> Iterator[str]:
    try:
        now = machine.clock()
        known, = db.execute("SELECT coalesce(max(number), 0) FROM boot").fetchone()
        if now.boot != known:
            yield f"the machine is in boot {now.boot}, and the store knows of {known}"
            return
        revision = kept(db, applied, info).revision(applied, frozenset())
        for rank, what in differences(revision, machine.nodes(), info.shape).items():
            yield f"node {rank}: {what}"
    except (ValueError, TypeError, AttributeError, LookupError, zlib.error) as error:
        yield f"revision {applied} cannot be read: {error}"
    except MachineError as error:
        yield f"the machine cannot be asked: {error}"
