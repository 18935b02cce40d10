"""What the cloud says of leases: nodes that somebody has, for a time.

The fields of a lease are named as in ESI-Leap, OpenStack's service for leases of bare metal
(``esi_leap/objects/lease.py`` and ``esi_leap/common/statuses.py`` of github.com/CCI-MOC/esi-leap): owner is who lets,
project who rents. What ESI-Leap has no name for, because its lease is of one node, is ours: ``nodes``, ``networks``,
``console``, ``external``.
"""

import datetime
from typing import Annotated, Literal

from pydantic import Field

from khhw.cloud.models.base import Model, Name, Seconds
from khhw.cloud.models.networks import Connection, Interface

__all__ = ["Acquire", "BootRecord", "Lease", "LeaseChange", "LeaseStatus", "Node", "NodeState", "Reading"]

NodeState = Literal[
    "free", "reserved", "configuring", "ready", "draining", "cleaning", "cold", "quarantined"]
"""``reserved`` and ``configuring``: on its way to a lease. ``draining`` and ``cleaning``: out of one. ``cold``: leased,
and has lost what was in it by a power cut. ``quarantined``: the owner lets nobody have it."""
LeaseStatus = Literal[
    "created", "wait fulfill", "active", "wait cancel", "deleted", "wait expire", "expired"]
"""As ESI-Leap's. ``created``: offered, and not yet accepted. Those with ``wait`` are on their way."""


class BootRecord(Model):
    """What one boot of the machine gave to a lease."""

    boot: int
    """Number of the boot."""
    cycle_start: int
    """Cycle of that boot in which the lease had its nodes first."""
    cycle_end: int | None
    """Cycle in which it had them last; null while it lasts."""


class Lease(Model):
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
    networks: list[Interface]
    """What its nodes are in, as far as all of them are alike; see :class:`Node` for each."""
    external: bool
    """Whether its nodes are in the network External."""
    console: int | None
    """Number N of its console channel ``conN``; null of an offer."""
    tree_class: int | None
    """Class of the tree by which its nodes speak: 1 to 14 lead to whom they may send to; 15 passes all nodes, because
    other leases have all those. Null while no node is the lessee's to use."""
    transfer_to: str | None
    """Name of whom it has been offered to."""
    boots: list[BootRecord]
    """What each boot of the machine gave to it: while the machine is off nobody has anything."""


class Acquire(Model):
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


class LeaseChange(Model):
    """More or fewer nodes of a lease."""

    count: Annotated[int, Field(ge=1, le=65_536)] | None = None
    """How many more; the lowest free ones are taken."""
    nodes: list[Annotated[int, Field(ge=0, le=65_535)]] | None = None
    """Which nodes."""
    strict: bool = False
    """Refuse it if it opens relays."""


class Node(Model):
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


class Reading(Model):
    """What the meter of a node said at a hand-over, when nothing of the tenant before was under way any more and
    nothing of the next one had begun. The lease before ends with what the next one begins with."""

    tag: int
    """The number of the revision at whose hand-over it was taken; of `off` and `now` that of the last one before."""
    rank: int
    """The node."""
    lease_uuid: str | None
    """The lease that it ends or begins, or of which it is."""
    moment: Literal["begin", "end", "off", "now"]
    """Which; `off`: it was taken before the machine was switched off, and ends what the lease used in this boot;
    `now`: it was taken because somebody asked, and is kept nowhere."""
    boot: int
    """Number of the boot."""
    cycle: int
    """Cycle of that boot: the first that it does not count."""
    counters: dict[str, int]
    """Lines of the meter (`rtl/meter_lines.py`), by their names in lower case: what the node has counted since the
    machine was switched on, exactly, in 64 bits. Flits are 8 bytes. What a lease has used is its `end`, or
    `off`, less its `begin`."""
