"""What the cloud says of networks and consoles: who talks to whom."""

from typing import Annotated, Literal

from pydantic import Field

from khhw.cloud.models.base import Direction, Model, Name

__all__ = ["Connection", "Consent", "Console", "ConsoleShare", "Interface", "Network", "NetworkKind"]

NetworkKind = Literal["external", "internal", "private"]


class Interface(Model):
    """Membership of a node in a network."""

    network: int
    """Network id: 1 External, 2 Internal, private ones from 3."""
    direction: Direction = "both"
    """What it may do there."""


class Connection(Model):
    """Membership that somebody wants."""

    network: Annotated[int, Field(ge=1, le=0xFFFF_FFFF)]
    """Network id."""
    direction: Direction | None = None
    """What the nodes may do there; null: as much as consent gives."""


class Consent(Model):
    """What the owner of a network and somebody else have agreed upon."""

    network: int
    """Network id."""
    principal: str
    """Name of the guest."""
    state: Literal["offered", "accepted"]
    """Whether the guest has accepted."""
    direction: Direction
    """What the guest's nodes may do at most."""


class Network(Model):
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


class ConsoleShare(Model):
    """Somebody who may use somebody else's channel."""

    principal: Name
    """Name."""
    write: bool = False
    """Whether he may write, or only listen."""


class Console(Model):
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
    coming: list[int] = []
    """Those of them that the machine has still to hand over: nothing is written to them, as nobody would hear it."""
    node: int | None
    """The node, of a channel that only one hears."""
    open: bool
    """Whether there is anybody at the other end: no longer, once the lease has ended or the node is let on."""
    rights: list[Literal["listen", "write", "share"]]
    """What who asks may do."""
    shares: list[ConsoleShare]
    """With whom it is shared; seen by those who may share it."""
