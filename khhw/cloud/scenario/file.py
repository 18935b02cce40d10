"""What a scenario can say: its tables and keys, as models that refuse anything else."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from khhw.cloud.models import Direction, Name, Seconds
from khhw.patterns import LABEL

__all__ = [
    "OPERATIONS", "OWNER", "Acquire", "Add", "Boot", "Event", "Extend", "Join", "Leave", "Remove", "Scenario", "Share",
    "Sublet", "Tenant", "Transfer", "Type", "schema",
]

OWNER = "owner"
"""The principal who is there from the beginning."""

_Rank = Annotated[int, Field(ge=0, le=65_535)]
_Ranks = Annotated[list[_Rank], Field(min_length=1, max_length=65_536)]
_Count = Annotated[int, Field(ge=1, le=65_536)]
_Limit = Annotated[int, Field(ge=0, le=65_536)]
_Cycle = Annotated[int, Field(ge=0, lt=1 << 40)]
_Said = Annotated[str, Field(min_length=1)]
_Label = Annotated[str, Field(pattern=LABEL)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Tenant(_Section):
    """A principal, and what he and all below him may hold at once."""

    nodes: _Limit | None = None
    """Nodes; without it there is no limit."""
    networks: _Limit = 4
    """Private networks."""
    leases: _Limit = 16
    """Leases that have not ended."""
    below: Name | None = None
    """Whose principal he is; without it the owner's."""


class _Some(_Section):
    nodes: _Ranks | None = None
    """Ranks; without it the lowest ones that can be had, as many as `count` says."""
    count: _Count | None = None
    """How many nodes, 1 if neither is said."""


class Acquire(_Some):
    """Rent nodes."""

    lease: Name
    """What to call the lease."""
    networks: list[_Label] = []
    """Private networks that they join."""
    new_networks: Annotated[int, Field(ge=0, le=256)] | None = None
    """How many networks to make and join; without it and `networks` the rule of
    [acquireNodes](cloud.md#networks)."""
    internal: bool = False
    """Whether they join Internal."""
    external: bool = False
    """Whether they join External."""
    seconds: Seconds | None = None
    """Machine seconds until the lease ends by itself, from when it is ready."""
    strict: bool = False
    """Whether it is refused where it opens relays."""


class Sublet(_Some):
    """Let nodes of a lease on."""

    lease: Name
    """What to call the new lease."""
    of: Name
    """The lease whose nodes they are."""
    to: Name
    """Principal who rents them. Who is not below `who` must `accept` the lease."""
    networks: list[_Label] = []
    """Networks that they join, of those that nodes of `of` are in."""
    seconds: Seconds | None = None
    """Machine seconds until it ends by itself."""


class Add(_Some):
    """More nodes for a lease."""

    lease: Name
    """Its name."""


class Remove(_Section):
    """Fewer nodes of a lease."""

    lease: Name
    """Its name."""
    nodes: _Ranks
    """Ranks that leave it."""


class Transfer(_Section):
    """Give a lease away, cleared. Who is not below `who` must `accept` it; it keeps its name."""

    lease: Name
    """Its name."""
    to: Name
    """Principal."""


class Extend(_Section):
    """Let a lease end later."""

    lease: Name
    """Its name."""
    seconds: Seconds
    """By so many machine seconds."""


class Share(_Section):
    """Offer a network to somebody, whose nodes may join it once he has accepted."""

    network: _Label
    """Its name."""
    guest: Name
    """Principal."""
    direction: Direction = "both"
    """What his nodes may do in it."""


class Join(_Section):
    """Let nodes of a lease join a network."""

    lease: Name
    """Its name."""
    network: _Label
    """Its name."""
    nodes: _Ranks | None = None
    """Ranks; without it all of the lease."""
    direction: Direction | None = None
    """What they may do in it; without it as much as consent gives."""


class Leave(_Section):
    """End the consent about a network: `who` is its guest, or its owner and names the guest."""

    network: _Label
    """Its name."""
    guest: Name | None = None
    """Principal."""


class Type(_Section):
    """Type a line at the console of a lease."""

    lease: Name
    """Its name."""
    line: str
    """What is typed ([console.md](console.md))."""
    nodes: _Ranks | None = None
    """Ranks that obey; without it all of the lease."""
    answer: _Said | None = None
    """What each of these nodes must say within 1,000,000 cycles, behind its prompt, or the beginning of it. An error
    that it says instead ends the wait. Lines that come late of what was typed before count too, so give that an answer
    of its own. Without it nothing is waited for."""


class Boot(_Section):
    """Load a kernel over the console of a lease, and boot it. The owner has approved its image."""

    lease: Name
    """Its name."""
    kernel: str
    """Name of a kernel of khhw, or the path of a Python file, or of a folder of modules with a `/` at its end, relative
    to the scenario."""
    arguments: str = ""
    """Text behind the address on the boot line; `{seed}` becomes the seed of the run."""
    nodes: _Ranks | None = None
    """Ranks; without it all of the lease."""
    answer: _Said | None = None
    """As of `type`; `kernel NAME done` when the kernel has ended."""


class Event(_Section):
    """Something that somebody does: exactly one of the keys from `acquire` on."""

    cycle: _Cycle
    """Of the machine's clock. What comes before it is waited for, so it may be later."""
    who: Name | None = None
    """Principal who does it; a probe is nobody's."""
    refused: _Said | None = None
    """A part of the sentence with which it must be refused; without it it must not be."""
    acquire: Acquire | None = None
    """Rent nodes."""
    sublet: Sublet | None = None
    """Let nodes on."""
    release: Name | None = None
    """Hand a lease back: its name."""
    add: Add | None = None
    """More nodes."""
    remove: Remove | None = None
    """Fewer nodes."""
    transfer: Transfer | None = None
    """Give a lease away."""
    accept: Name | None = None
    """Take a lease that is offered: its name."""
    decline: Name | None = None
    """Do not take it, or take an offer back."""
    extend: Extend | None = None
    """Let a lease end later."""
    create: _Label | None = None
    """Make a private network: its name."""
    share: Share | None = None
    """Offer a network."""
    consent: _Label | None = None
    """Accept a network that is offered: its name."""
    join: Join | None = None
    """Let nodes join a network."""
    leave: Leave | None = None
    """End the consent about a network."""
    type: Type | None = None
    """Type a line."""
    boot: Boot | None = None
    """Boot a kernel."""
    cleared: Name | None = None
    """The nodes of this lease must tell that all memory which kernels use, theirs and those of tenants before, is 0."""
    probe: _Label | None = None
    """All nodes that are rented send to all nodes, whoever may; what arrives is kept as a matrix with this name."""

    @property
    def operations(self) -> dict[str, Any]:
        """What is done, by key."""
        return {name: value for name in OPERATIONS if (value := getattr(self, name)) is not None}

    @property
    def operation(self) -> tuple[str, Any]:
        """What is done, of an event that was checked: key and value."""
        (found,) = self.operations.items()
        return found


OPERATIONS = tuple(Event.model_fields)[3:]
"""Keys of an event of which it has one."""


class Scenario(_Section):
    """A machine, who rents its nodes, and what happens."""

    name: str = Field(default="scenario", min_length=1)
    """Title of the report."""
    machine: str
    """Machine file, relative to the scenario. Its phases and domains mean nothing here."""
    seed: int = Field(default=1, ge=0, lt=1 << 32)
    """Seed of everything random; `--seed` overrides it."""
    principals: dict[str, Tenant] = Field(min_length=1)
    """Who rents, by name."""
    events: list[Event] = Field(min_length=1)
    """In the order of their cycles."""

    def kernels(self) -> Iterator[str]:
        """Kernels that are booted, in the order of events."""
        for event in self.events:
            if event.boot is not None:
                yield event.boot.kernel
            elif event.probe is not None:
                yield "probe"


def schema() -> dict[str, Any]:
    """JSON schema of a scenario."""
    return Scenario.model_json_schema()
