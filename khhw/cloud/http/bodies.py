"""What clients send, where it is no model of the cloud itself."""

import datetime
import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from khhw.cloud.models import Connection, Digest, Direction, Name, Quota, Seconds

__all__ = [
    "ConsoleGuest", "Credential", "Enabled", "Extension", "Guest", "Image", "Joining", "NetworkName", "NewName",
    "NewNetwork", "NewPrincipal", "NewToken", "Rank", "Receiver", "no_console",
]

_CONSOLE = re.compile(r"con[0-9]+\Z")


def no_console(name: str) -> str:
    """A name by which ssh lets in as oneself, and not to a console.

    Raises
    ------
    ValueError
        If it is that of a console.
    """
    if _CONSOLE.match(name):
        raise ValueError(f"{name} is the name of a console, and nobody's")
    return name


Rank = Annotated[int, Field(ge=0, le=65_535)]
Text = Annotated[str, Field(max_length=200)]
Secret = Annotated[str, Field(min_length=8, max_length=1024)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class NewPrincipal(_Body):
    """Somebody below who asks."""

    name: Annotated[Name, AfterValidator(no_console)]
    """Unique, and never used again."""
    quota: Quota | None = None
    """A part of the quota of who asks; null: nothing."""
    credential: Secret | None = None
    """By which he is known over ssh; null: by tokens only."""


class Credential(_Body):
    """Another credential."""

    credential: Secret | None
    """Null: none is accepted."""


class Enabled(_Body):
    """Whether somebody is known at all."""

    enabled: bool
    """Whether tokens and credential are accepted."""


class NewToken(_Body):
    """A wish for a token."""

    label: Text = ""
    """What it is for."""
    expires_at: datetime.datetime | None = None
    """When it is no longer accepted."""
    sha256: Digest | None = None
    """SHA-256 of a token that the client has made of 32 random bytes; null: the service makes one, and says it once."""


class Receiver(_Body):
    """Whom a lease is given to."""

    to: Name
    """Name of a principal."""
    strict: bool = False
    """Refuse it if it opens relays."""


class Extension(_Body):
    """More time."""

    seconds: Seconds | None = None
    """Machine seconds more."""
    until: datetime.datetime | None = None
    """Deadline on the wall."""


class NewName(_Body):
    """What its holder calls a lease."""

    name: Name | None
    """Null: nothing."""


class NewNetwork(_Body):
    """A network with nobody in it."""

    name: Name | None = None
    """What its owner calls it."""


class NetworkName(_Body):
    """What its owner calls a network."""

    name: Name | None
    """Null: nothing."""


class Guest(_Body):
    """Somebody whose nodes may join a network."""

    guest: Name
    """Name of a principal."""
    direction: Direction = "both"
    """What his nodes may do at most."""


class Joining(Connection):
    """Nodes that join a network."""

    nodes: list[Rank] | None = None
    """Which of the lease; null: all."""
    strict: bool = False
    """Refuse it if it opens relays."""


class ConsoleGuest(_Body):
    """Somebody who may use a console."""

    guest: Name
    """Name of a principal."""
    write: bool = False
    """Whether he may write, or only listen."""


class Image(_Body):
    """An image that may boot."""

    sha256: Digest
    """Of the image as a loader takes it."""
    name: Text
    """In words."""
