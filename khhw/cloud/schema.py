"""The tables of the store.

Rows that end are kept, with the revision at which they ended: a bill is made of them. What nobody needs any more goes:
:mod:`khhw.cloud.retention`. What may not be is forbidden here, by the database: a node in two hands, two live leases of
one name, an entry of the audit that is changed.
"""

__all__ = ["APPLICATION", "SCHEMA", "VERSION"]

APPLICATION = int.from_bytes(b"khhw", "big")
"""By which a database is known as a store (``PRAGMA application_id``)."""
VERSION = 3
"""Of the schema (``PRAGMA user_version``)."""

SCHEMA = """
CREATE TABLE meta (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    machine TEXT NOT NULL,                -- UUID
    info TEXT NOT NULL,                   -- MachineInfo as JSON
    next_network INTEGER NOT NULL DEFAULT 3,
    next_console INTEGER NOT NULL DEFAULT 2,
    next_channel INTEGER NOT NULL DEFAULT 100000000,
    revision INTEGER NOT NULL DEFAULT 0,  -- the last that was made
    applied INTEGER NOT NULL DEFAULT 0,   -- the last that the machine has acknowledged
    asked INTEGER NOT NULL DEFAULT 0      -- the last that it was told in this boot
) STRICT;

CREATE TABLE principal (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    parent TEXT REFERENCES principal,     -- NULL: the owner of the machine
    credential TEXT,                      -- salted hash
    quota TEXT NOT NULL,                  -- Quota as JSON
    enabled INTEGER NOT NULL DEFAULT 1,
    deleted INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX principal_parent ON principal (parent);
CREATE UNIQUE INDEX one_owner ON principal ((parent IS NULL)) WHERE parent IS NULL;

CREATE TABLE token (
    id TEXT PRIMARY KEY,
    principal TEXT NOT NULL REFERENCES principal,
    label TEXT NOT NULL,
    sha256 TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL,
    expires_at TEXT,
    revoked INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE lease (
    serial INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    name TEXT,
    lessor TEXT NOT NULL REFERENCES principal,
    lessee TEXT NOT NULL REFERENCES principal,
    parent TEXT REFERENCES lease (uuid),
    start_cycle INTEGER NOT NULL,         -- of machine time, as all of these
    length INTEGER,                       -- cycles from the moment it is fulfilled
    end_cycle INTEGER,
    until TEXT,
    fulfill_cycle INTEGER,
    expire_cycle INTEGER,
    status TEXT NOT NULL CHECK (status IN (
        'created', 'wait fulfill', 'active', 'wait cancel', 'deleted', 'wait expire', 'expired')),
    live INTEGER NOT NULL GENERATED ALWAYS AS (status IN ('created', 'wait fulfill', 'active')) STORED,
    revision INTEGER NOT NULL DEFAULT 0,  -- with which a status that waits is over
    purpose TEXT,
    console INTEGER UNIQUE,
    -- class of the tree of what its nodes say; NULL: none, and if they say anything, that goes to all
    tree_class INTEGER UNIQUE CHECK (tree_class BETWEEN 1 AND 14),
    offer TEXT,                           -- Acquire as JSON, of one that waits for consent
    transfer_to TEXT REFERENCES principal
) STRICT;
-- What is only offered takes no name away from whom it is offered to.
CREATE UNIQUE INDEX lease_name ON lease (lessee, name) WHERE live AND status <> 'created';
CREATE INDEX lease_lessee ON lease (lessee);
CREATE INDEX lease_lessor ON lease (lessor);
CREATE INDEX lease_heir ON lease (transfer_to);
CREATE INDEX lease_parent ON lease (parent);

CREATE TABLE node (
    rank INTEGER PRIMARY KEY,
    state TEXT NOT NULL DEFAULT 'free' CHECK (state IN (
        'free', 'reserved', 'ready', 'draining', 'cold', 'quarantined')),
    revision INTEGER NOT NULL DEFAULT 0   -- with which a state that waits is over
) STRICT;

CREATE TABLE lease_node (
    lease TEXT NOT NULL REFERENCES lease (uuid),
    rank INTEGER NOT NULL REFERENCES node,
    channel INTEGER NOT NULL UNIQUE,      -- console channel of this node in this lease
    since INTEGER NOT NULL,               -- revision
    gone INTEGER,                         -- revision
    leaf INTEGER NOT NULL DEFAULT 1       -- 0 while it is let on
) STRICT;
-- This decides races: a node has one tenant, and is in a lease once.
CREATE UNIQUE INDEX one_tenant ON lease_node (rank) WHERE gone IS NULL AND leaf;
CREATE UNIQUE INDEX one_place ON lease_node (lease, rank) WHERE gone IS NULL;
CREATE INDEX lease_node_lease ON lease_node (lease);

CREATE TABLE network (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('external', 'internal', 'private')),
    name TEXT,
    owner TEXT REFERENCES principal,
    deleted INTEGER NOT NULL DEFAULT 0,
    CHECK ((owner IS NULL) = (kind <> 'private'))
) STRICT;
CREATE INDEX network_owner ON network (owner);

CREATE TABLE consent (
    network INTEGER NOT NULL REFERENCES network,
    principal TEXT NOT NULL REFERENCES principal,
    state TEXT NOT NULL CHECK (state IN ('offered', 'accepted')),
    direction TEXT NOT NULL CHECK (direction IN ('both', 'send', 'receive')),
    PRIMARY KEY (network, principal)
) STRICT;

CREATE TABLE interface (
    serial INTEGER PRIMARY KEY,           -- interfaces of a node are numbered in this order
    lease TEXT NOT NULL REFERENCES lease (uuid),
    rank INTEGER NOT NULL REFERENCES node,
    network INTEGER NOT NULL REFERENCES network,
    direction TEXT NOT NULL CHECK (direction IN ('both', 'send', 'receive')),
    UNIQUE (lease, rank, network)
) STRICT;
CREATE INDEX interface_network ON interface (network);

CREATE TABLE console_share (
    console INTEGER NOT NULL,             -- of an allocation, or the channel of a node
    principal TEXT NOT NULL REFERENCES principal,
    write INTEGER NOT NULL,
    PRIMARY KEY (console, principal)
) STRICT;

CREATE TABLE approval (
    sha256 TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    approved_at TEXT NOT NULL
) STRICT;

CREATE TABLE intent (
    serial INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    operation TEXT NOT NULL,
    principal TEXT REFERENCES principal,  -- NULL: the service
    revision INTEGER,                     -- NULL: the machine has nothing to do
    error TEXT,
    created_at TEXT NOT NULL,
    done_at TEXT,
    relays TEXT NOT NULL,
    lease TEXT REFERENCES lease (uuid),
    network INTEGER REFERENCES network
) STRICT;
CREATE INDEX intent_open ON intent (revision) WHERE done_at IS NULL;
CREATE INDEX intent_of ON intent (principal);

CREATE TABLE revision (
    number INTEGER PRIMARY KEY,
    allowed BLOB NOT NULL,                -- isAllowed, see matrix.py
    keys TEXT NOT NULL,                   -- by rank: send id, class of the tree, then receive ids
    leases TEXT NOT NULL                  -- by rank: serial of the innermost lease
) STRICT;

CREATE TABLE hand_over (
    revision INTEGER NOT NULL,
    rank INTEGER NOT NULL REFERENCES node,
    before TEXT REFERENCES lease (uuid),
    after TEXT REFERENCES lease (uuid),
    done INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (revision, rank)
) STRICT;
CREATE INDEX hand_over_open ON hand_over (revision) WHERE NOT done;

CREATE TABLE boot (
    number INTEGER PRIMARY KEY,
    base INTEGER NOT NULL,                -- cycles of the boots before
    last_cycle INTEGER NOT NULL           -- the last that is known of it
) STRICT;

CREATE TABLE reading (
    tag INTEGER NOT NULL,                 -- revision of the hand-over; of 'off' the last that was carried out
    rank INTEGER NOT NULL REFERENCES node,
    -- 'off': before the machine was switched off; the lease goes on in the next boot
    moment TEXT NOT NULL CHECK (moment IN ('begin', 'end', 'off')),
    lease TEXT NOT NULL REFERENCES lease (uuid),
    boot INTEGER NOT NULL,
    cycle INTEGER NOT NULL,
    counters TEXT NOT NULL,
    PRIMARY KEY (tag, rank, moment)
) STRICT;
CREATE INDEX reading_lease ON reading (lease);

CREATE TABLE answer (
    serial INTEGER PRIMARY KEY,
    principal TEXT NOT NULL REFERENCES principal,
    key TEXT NOT NULL,
    request TEXT NOT NULL,                -- SHA-256 of operation and arguments
    body TEXT NOT NULL,
    UNIQUE (principal, key)
) STRICT;
CREATE INDEX answer_of ON answer (principal);

CREATE TABLE spent (
    key BLOB PRIMARY KEY                  -- of a principal and a key whose answer is gone, see retention.py
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    number INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    cycle INTEGER NOT NULL,
    principal TEXT,                       -- NULL: the service
    operation TEXT NOT NULL,
    arguments TEXT NOT NULL,
    result TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN SELECT raise(ABORT, 'the audit is append-only'); END;
CREATE TABLE archive (
    last INTEGER PRIMARY KEY,             -- number of the last entry that is in the file, and no more here
    hash TEXT NOT NULL,                   -- of that entry
    file TEXT NOT NULL,                   -- its name
    sha256 TEXT NOT NULL                  -- of the file
) STRICT;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
WHEN old.number > (SELECT coalesce(max(last), 0) FROM archive)
BEGIN SELECT raise(ABORT, 'the audit is append-only'); END;
CREATE TRIGGER archive_is_not_changed BEFORE UPDATE ON archive BEGIN SELECT raise(ABORT, 'archives stay'); END;
CREATE TRIGGER archive_is_not_deleted BEFORE DELETE ON archive BEGIN SELECT raise(ABORT, 'archives stay'); END;

INSERT INTO network (id, kind, name) VALUES (1, 'external', 'External'), (2, 'internal', 'Internal');
"""
