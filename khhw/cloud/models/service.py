"""What the cloud says of itself: changes on their way, time, what may boot, and whether all is as it should be."""

import datetime
from typing import Annotated, Literal

from pydantic import Field

from khhw.cloud.models.base import Digest, Model

__all__ = [
    "Approval", "Archive", "AuditEntry", "Check", "Finding", "Intent", "IntentState", "MachineTime", "Relay", "Relays",
]

IntentState = Literal["queued", "running", "done"]


class Relay(Model):
    """Two nodes that may not talk, but between which software on others can pass something on."""

    source: int
    """Rank."""
    destination: int
    """Rank."""
    through: list[int]
    """Ranks between them, on a shortest chain."""


class Relays(Model):
    """What a change does to who reaches whom through software of nodes between; see :mod:`khhw.control.reach`."""

    opened: int = 0
    """How many pairs have a chain between them now, and had none before."""
    evaded: int = 0
    """How many pairs have lost the right to talk, but a chain still leads there."""
    shown: list[Relay] = []
    """The first of both."""


class Intent(Model):
    """A change on its way to the machine; something to poll."""

    id: str
    """UUID."""
    operation: str
    """What was asked for: ``acquire``, ``release``."""
    state: IntentState
    """``done``: the machine has it."""
    revision: int | None
    """Number of the revision that has it; null where the machine has nothing to do."""
    error: str | None
    """What the machine said when it was tried last; it is tried again until it is done."""
    principal: str
    """Name of who asked."""
    created_at: datetime.datetime
    """Time of the wall."""
    done_at: datetime.datetime | None
    """Time of the wall."""
    relays: Relays
    """What it opens."""
    lease_uuid: str | None
    """The lease it is about."""
    network: int | None
    """The network it is about."""
    warning: str | None = None
    """What the lease it is about lacks: a class of the tree of its own. Null if nothing."""


class MachineTime(Model):
    """What time it is in the machine."""

    seconds: float
    """Machine seconds: over all boots."""
    boot: int
    """Number of the boot."""
    cycle: int
    """Cycle of that boot, as last heard."""
    running: bool
    """Whether the machine answers."""
    trouble: str | None
    """What went wrong when it was last asked for something; null if nothing did."""


class Approval(Model):
    """An image that the owner of the machine lets boot."""

    sha256: Digest
    """Of the image, as a loader takes it."""
    name: Annotated[str, Field(max_length=200)]
    """In words."""
    approved_at: datetime.datetime
    """Time of the wall."""


class AuditEntry(Model):
    """A change, as it was asked for and what came of it; each entry holds the hash of the one before."""

    number: int
    """From 1, without gaps."""
    at: datetime.datetime
    """Time of the wall."""
    machine_time: float
    """Machine seconds."""
    principal: str
    """Name of who did it; ``-`` for the service itself."""
    operation: str
    """What."""
    arguments: dict[str, object]
    """With which words; secrets are left out."""
    result: str
    """In one sentence."""
    hash: str
    """SHA-256 over all of the above and the hash before."""


class Archive(Model):
    """The first entries of the audit log, in a file."""

    first: int
    """Number of the first that is in it."""
    last: int
    """And of the last."""
    hash: str
    """Of the last one, which the next one holds."""
    file: str
    """Its name."""
    sha256: str
    """Of the file."""


class Finding(Model):
    """Something that is not as it should be."""

    what: str
    """A sentence."""


class Check(Model):
    """What ``khhw cloud check`` has found."""

    clean: bool
    """Nothing."""
    findings: list[Finding]
    """All of them."""
    leases: int
    """Leases looked at that have not ended."""
    revision: int
    """The last one that the machine has acknowledged."""
    audit_entries: int
    """Entries whose hashes were computed again, of those that are in the store."""
    archived_entries: int = 0
    """Entries that are in archives."""
    archives: int = 0
    """Archives that were looked at, too."""
    machine: bool
    """Whether the machine was asked too."""
