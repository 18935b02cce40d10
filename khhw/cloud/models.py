"""What the cloud speaks of: one set of models for the store, the HTTP interface and the command line.

The fields of a lease are named as in ESI-Leap, OpenStack's service for leases of bare metal
(``esi_leap/objects/lease.py`` and ``esi_leap/common/statuses.py`` of github.com/CCI-MOC/esi-leap): owner is who lets,
project who rents. What ESI-Leap has no name for, because its lease is of one node, is ours: ``nodes``, ``networks``,
``console``, ``external``.

Times ending in ``_time`` are machine seconds: cycles over the clock, summed over boots (:mod:`khhw.cloud.times`). Those
ending in ``_at``, and ``until``, are of the wall, in UTC.
"""

import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "Acquire", "Approval", "AuditEntry", "BootRecord", "Check", "Connection", "Consent", "Console", "ConsoleShare",
    "Digest", "Direction", "Finding", "Intent", "IntentState", "Interface", "Lease", "LeaseChange", "LeaseStatus",
    "MachineTime", "Name", "Network", "NetworkKind", "Node", "NodeState", "Principal", "Quota", "Reading", "Relay",
    "Relays", "Seconds", "Token", "Usage",
]

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,62}$")]
"""A principal's name, or a lease's: a letter, then letters, digits, - and _."""
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 in lower-case hexadecimal digits."""
Seconds = Annotated[float, Field(gt=0, le=3e9, allow_inf_nan=False)]
"""A length of machine time."""
Count = Annotated[int, Field(ge=0, le=1 << 32)]

Direction = Literal["both", "send", "receive"]
"""What a node may do in a network: ``send`` only to those with ``receive`` or ``both``, and the other way round."""
NetworkKind = Literal["external", "internal", "private"]
NodeState = Literal[
    "free", "reserved", "configuring", "ready", "draining", "cleaning", "cold", "quarantined"]
"""``reserved`` and ``configuring``: on its way to a lease. ``draining`` and ``cleaning``: out of one. ``cold``: leased,
and has lost what was in it by a power cut. ``quarantined``: the owner lets nobody have it."""
LeaseStatus = Literal[
    "created", "wait fulfill", "active", "wait cancel", "deleted", "wait expire", "expired"]
"""As ESI-Leap's. ``created``: offered, and not yet accepted. Those with ``wait`` are on their way."""
IntentState = Literal["queued", "running", "done"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Quota(_Model):
    """What a principal, and all below it together, may hold at once; null is no limit."""

    nodes: Count | None = 0
    """Nodes."""
    networks: Count | None = 4
    """Private networks."""
    leases: Count | None = 16
    """Leases that have not ended."""
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """Machine seconds from now until a lease ends; with a limit every lease has an end."""


class Usage(_Model):
    """What a principal, and all below it together, hold."""

    nodes: int
    """Nodes."""
    networks: int
    """Private networks."""
    leases: int
    """Leases that have not ended."""


class Principal(_Model):
    """Who can ask for things: the owner of the machine, and whoever somebody has made below him."""

    id: str
    """UUID."""
    name: str
    """Unique."""
    parent: str | None
    """Name of who made it; null for the owner."""
    quota: Quota
    """What it may hold."""
    usage: Usage
    """What it holds."""
    enabled: bool
    """Whether its tokens and its credential are accepted."""
    created_at: datetime.datetime
    """Time of the wall."""


class Token(_Model):
    """A secret by which a principal is known; the store has its SHA-256 only."""

    id: str
    """UUID."""
    principal: str
    """Name of whose it is."""
    label: str
    """What it is for, in its holder's words."""
    created_at: datetime.datetime
    """Time of the wall."""
    expires_at: datetime.datetime | None
    """When it is no longer accepted; null: never."""
    secret: str | None = None
    """The token itself, in the answer that made it and nowhere else; null where the client chose it."""


class Lease(_Model):
    """Nodes that somebody has, for a time."""

    uuid: str
    """Its name for ever."""
    name: str | None
    """What its holder calls it; unique among the holder's leases that have not ended."""
    owner: str
    """Name of who lets it."""
    owner_id: str
    """UUID of the lessor."""
    project: str
    """Name of who rents it."""
    project_id: str
    """UUID of the lessee."""
    resource_type: Literal["node"] = "node"
    """What is let."""
    resource_uuid: str
    """UUID of the machine."""
    parent_lease_uuid: str | None
    """The lease it is a part of; null of one from the owner."""
    start_time: float
    """Machine seconds at which it was asked for."""
    end_time: float | None
    """Machine seconds at which it ends; null: when it is released."""
    until: datetime.datetime | None
    """Deadline on the wall, whichever comes first."""
    fulfill_time: float | None
    """Machine seconds at which its nodes were ready first."""
    expire_time: float | None
    """Machine seconds at which it had ended."""
    status: LeaseStatus
    """How far it is."""
    purpose: str | None
    """In the lessee's words."""
    nodes: list[int]
    """Ranks, lowest first; of one that has ended, those it had last. Those let on are among them."""
    sublet: list[int]
    """Which of `nodes` are let on, and out of the lessee's hands until they are back."""
    networks: list["Interface"]
    """What its nodes are in, as far as all of them are alike; see :class:`Node` for each."""
    external: bool
    """Whether its nodes are in the network External."""
    console: int | None
    """Number N of its console channel ``conN``; null of an offer."""
    transfer_to: str | None
    """Name of whom it has been offered to."""
    boots: list["BootRecord"]
    """What each boot of the machine gave to it: while the machine is off nobody has anything."""


class BootRecord(_Model):
    """What one boot of the machine gave to a lease."""

    boot: int
    """Number of the boot."""
    cycle_start: int
    """Cycle of that boot in which the lease had its nodes first."""
    cycle_end: int | None
    """Cycle in which it had them last; null while it lasts."""


class Interface(_Model):
    """Membership of a node in a network."""

    network: int
    """Network id: 1 External, 2 Internal, private ones from 3."""
    direction: Direction = "both"
    """What it may do there."""


class Connection(_Model):
    """Membership that somebody wants."""

    network: Annotated[int, Field(ge=1, le=0xFFFF_FFFF)]
    """Network id."""
    direction: Direction | None = None
    """What the nodes may do there; null: as much as consent gives."""


class Acquire(_Model):
    """A wish for nodes, as ``acquireNodes`` of Kittyhawk's node controller has it; and what it lacked."""

    user: Name | None = None
    """Who shall have them; null: who asks. Somebody else can be named by the owner and by those he is below."""
    count: Annotated[int, Field(ge=1, le=65_536)] = 1
    """How many nodes; the lowest free ones are taken."""
    nodes: list[Annotated[int, Field(ge=0, le=65_535)]] | None = None
    """Which nodes, instead of a count."""
    networks: list[Connection] = []
    """Private networks to join (``-n``)."""
    new_networks: Annotated[int, Field(ge=0, le=256)] | None = None
    """How many private networks to make and join (``-p``). Null without `networks` is the original's rule: somebody
    without any gets a new one, who has one joins that, and who has several must say."""
    internal: bool = False
    """Whether to join the network Internal (``-i``)."""
    external: bool = False
    """Whether to join the network External (``-x``)."""
    parent_lease_uuid: str | None = None
    """The lease of which this becomes a part: who asks lets his own nodes on, to `user`."""
    name: Name | None = None
    """What to call the lease."""
    purpose: Annotated[str, Field(max_length=200)] | None = None
    """In the lessee's words."""
    seconds: Seconds | None = None
    """Machine seconds it shall last; null: until it is released, or as its parent does."""
    until: datetime.datetime | None = None
    """Deadline on the wall; a time without a zone is UTC."""
    strict: bool = False
    """Refuse it if it opens relays."""


class LeaseChange(_Model):
    """More or fewer nodes of a lease."""

    count: Annotated[int, Field(ge=1, le=65_536)] | None = None
    """How many more; the lowest free ones are taken."""
    nodes: list[Annotated[int, Field(ge=0, le=65_535)]] | None = None
    """Which nodes."""
    strict: bool = False
    """Refuse it if it opens relays."""


class Node(_Model):
    """A node, as far as who asks may know of it."""

    rank: int
    """Its dense rank."""
    state: NodeState
    """Where it is between two tenants."""
    lease_uuid: str | None
    """The lease it is in; null if it is in none, or in one of somebody else."""
    lease_name: str | None
    """That lease's name."""
    project: str | None
    """Name of who has it."""
    networks: list[Interface]
    """What it is in."""
    console: int | None
    """Number N of its own console channel ``conN``, which no other node hears."""


class Consent(_Model):
    """What the owner of a network and somebody else have agreed upon."""

    network: int
    """Network id."""
    principal: str
    """Name of the guest."""
    state: Literal["offered", "accepted"]
    """Whether the guest has accepted."""
    direction: Direction
    """What the guest's nodes may do at most."""


class Network(_Model):
    """Nodes that may send to each other."""

    id: int
    """Network id, never used again."""
    kind: NetworkKind
    """External goes to the I/O node only; Internal is for everybody; private ones are by consent."""
    name: str | None
    """What its owner calls it."""
    owner: str | None
    """Name of whose it is; null of External and Internal."""
    consents: list[Consent]
    """Who else; a guest sees his own only."""
    nodes: list[int]
    """Ranks of the members that who asks may know of."""


class Console(_Model):
    """A channel to nodes: of an allocation, or of one node."""

    id: int
    """N of ``conN``: the channel id that its nodes hear (`dst_key`). Never used again."""
    send_id: int
    """The channel id on which they speak: `id` with bit 31 set, so that no node takes another's text for a command."""
    lease_uuid: str
    """Whose nodes."""
    project: str
    """Name of who rents them."""
    nodes: list[int]
    """Ranks of the nodes that hear it now: all of the lease that are not let on, or the one."""
    node: int | None
    """The node, of a channel that only one hears."""
    open: bool
    """Whether there is anybody at the other end: no longer, once the lease has ended or the node is let on."""
    rights: list[Literal["listen", "write", "share"]]
    """What who asks may do."""
    shares: list["ConsoleShare"]
    """With whom it is shared; seen by those who may share it."""


class ConsoleShare(_Model):
    """Somebody who may use somebody else's channel."""

    principal: Name
    """Name."""
    write: bool = False
    """Whether he may write, or only listen."""


class Approval(_Model):
    """An image that the owner of the machine lets boot."""

    sha256: Digest
    """Of the image, as a loader takes it."""
    name: Annotated[str, Field(max_length=200)]
    """In words."""
    approved_at: datetime.datetime
    """Time of the wall."""


class Relay(_Model):
    """Two nodes that may not talk, but between which software on others can pass something on."""

    source: int
    """Rank."""
    destination: int
    """Rank."""
    through: list[int]
    """Ranks between them, on a shortest chain."""


class Relays(_Model):
    """What a change does to who reaches whom through software of nodes between; see :mod:`khhw.control.reach`."""

    opened: int = 0
    """How many pairs have a chain between them now, and had none before."""
    evaded: int = 0
    """How many pairs have lost the right to talk, but a chain still leads there."""
    shown: list[Relay] = []
    """The first of both."""


class Intent(_Model):
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


class Reading(_Model):
    """What the counters of a node said, at a moment that belongs to exactly one side of a hand-over."""

    tag: int
    """The number of the revision at whose hand-over it was taken."""
    rank: int
    """The node."""
    lease_uuid: str | None
    """The lease that it ends or begins."""
    moment: Literal["begin", "end"]
    """Which."""
    boot: int
    """Number of the boot."""
    cycle: int
    """Cycle of that boot."""
    counters: dict[str, int]
    """By name."""


class MachineTime(_Model):
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


class AuditEntry(_Model):
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


class Finding(_Model):
    """Something that is not as it should be."""

    what: str
    """A sentence."""


class Check(_Model):
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
    """Entries whose hashes were computed again."""
    machine: bool
    """Whether the machine was asked too."""
