"""What the cloud says of principals: who may ask, and what they may hold."""

import datetime
from typing import Annotated

from pydantic import Field

from khhw.cloud.models.base import Count, Model

__all__ = ["Principal", "Quota", "Token", "Usage"]


class Quota(Model):
    """What a principal, and all below it together, may hold at once; null is no limit."""

    nodes: Count | None = 0
    """Nodes."""
    networks: Count | None = 4
    """Private networks."""
    leases: Count | None = 16
    """Leases that have not ended."""
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """Machine seconds from now until a lease ends; with a limit every lease has an end."""


class Usage(Model):
    """What a principal, and all below it together, hold."""

    nodes: int
    """Nodes."""
    networks: int
    """Private networks."""
    leases: int
    """Leases that have not ended."""


class Principal(Model):
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


class Token(Model):
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
