"""What goes over a console's websocket: JSON objects whose key ``kind`` says what they are.

Both sides check what the other says with these models. Text of nodes is made visible by the service
(:mod:`khhw.visible`); who asks for raw output gets the bytes besides, as base64.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

__all__ = [
    "FROM_PERSON", "NAME_LIMIT", "TO_PERSON", "Booted", "Came", "Closed", "FromPerson", "Left", "Line", "Lock",
    "Locked", "Lost", "Missed", "Ready", "Refused", "SaidByNode", "Taken", "ToPerson", "Typed", "Unlocked", "Welcome",
    "Write", "Written",
]

_MOST_NODES = 1 << 16
_MOST_NAMES = 1 << 10
NAME_LIMIT = 255
"""Characters of the name of a file."""


class _Message(BaseModel):
    """One JSON object."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_bytes="base64", val_json_bytes="base64")


class Lock(_Message):
    """Somebody writes a file, and nobody else writes.

    Parameters
    ----------
    who : str
        Name of the principal.
    name : str
        Of the file, as its writer calls it.
    length : int
        Bytes.
    """

    who: str
    name: str
    length: int


class Welcome(_Message):
    """The first message: what there is to see, and what the person may do.

    Parameters
    ----------
    who : str
        Name of the person: the principal's.
    console : int
        Id of the channel.
    nodes : list of int
        Ranks that listen to it.
    write : bool
        Whether the person may write.
    people : list of str
        Who else is here; names may come twice.
    lock : Lock or None
    """

    kind: Literal["welcome"] = "welcome"
    who: str
    console: int
    nodes: list[int] = Field(max_length=_MOST_NODES)
    write: bool
    people: list[str] = Field(max_length=_MOST_NAMES)
    lock: Lock | None = None


class SaidByNode(_Message):
    """A line that a node said, or a part of one that is too long.

    Parameters
    ----------
    node : int
        Rank, as hardware stamps it.
    boot, cycle : int
        When its end left the machine.
    text : str
        Without the newline, visible.
    data : bytes or None
        The same as the node said it, for who asked for it.
    """

    kind: Literal["said"] = "said"
    node: int
    boot: int
    cycle: int
    text: str
    data: bytes | None = None


class Typed(_Message):
    """A line that somebody else wrote, which is on its way to the nodes.

    Parameters
    ----------
    console : int
        Which channel: who is at the channel of an allocation sees what is written to one of its nodes, too.
    who : str
        Name of the principal.
    text : str
        Without the newline.
    """

    kind: Literal["typed"] = "typed"
    console: int
    who: str
    text: str


class Came(_Message):
    """Somebody is here who was not."""

    kind: Literal["came"] = "came"
    who: str


class Left(_Message):
    """Somebody is here no more."""

    kind: Literal["left"] = "left"
    who: str


class Locked(_Message):
    """Somebody begins to write a file."""

    kind: Literal["locked"] = "locked"
    lock: Lock


class Unlocked(_Message):
    """The file is written, or not: `problem` says why not."""

    kind: Literal["unlocked"] = "unlocked"
    lock: Lock
    problem: str = ""


class Missed(_Message):
    """So many messages were left out, for the person did not read; and who holds the lock now."""

    kind: Literal["missed"] = "missed"
    messages: int
    lock: Lock | None = None


class Lost(_Message):
    """So many packets of nodes were left out, for they came faster than they could be taken."""

    kind: Literal["lost"] = "lost"
    packets: int


class Booted(_Message):
    """The machine was switched on again, for the `boot`-th time; memories and programs of its nodes are gone."""

    kind: Literal["booted"] = "booted"
    boot: int


class Taken(_Message):
    """The line `id` of the person is written to the channel."""

    kind: Literal["taken"] = "taken"
    id: int


class Ready(_Message):
    """The person holds the lock; the bytes of the file may come."""

    kind: Literal["ready"] = "ready"


class Written(_Message):
    """The file is in the memory of the nodes, and each has checked it.

    Parameters
    ----------
    nodes : list of int
        Ranks.
    length : int
        Bytes.
    """

    kind: Literal["written"] = "written"
    nodes: list[int] = Field(max_length=_MOST_NODES)
    length: int


class Refused(_Message):
    """What the person asked for is not done, and why; `id` is the line's, if it is one."""

    kind: Literal["refused"] = "refused"
    id: int | None = None
    text: str


class Closed(_Message):
    """The last message: why the person hears no more."""

    kind: Literal["closed"] = "closed"
    text: str


class Line(_Message):
    """Write a line to the channel."""

    kind: Literal["line"] = "line"
    id: int = Field(ge=0, lt=1 << 53)
    text: str


class Write(_Message):
    """Write a file into memories; exactly `length` bytes follow the answer :class:`Ready`, in binary messages.

    Parameters
    ----------
    name : str
        For the others to see.
    address : int or None
        In the memory of each node; None: where images are loaded.
    length : int
        Bytes.
    nodes : list of int or None
        Ranks of the channel that take it; None: all of them.
    """

    kind: Literal["write"] = "write"
    name: str = Field(min_length=1, max_length=NAME_LIMIT)
    address: int | None = Field(None, ge=0, lt=1 << 64)
    length: int = Field(gt=0, lt=1 << 40)
    nodes: list[int] | None = Field(None, min_length=1, max_length=_MOST_NODES)


ToPerson = Annotated[
    Welcome | SaidByNode | Typed | Came | Left | Locked | Unlocked | Missed | Lost | Booted | Taken | Ready | Written |
    Refused | Closed,
    Field(discriminator="kind")]
"""What the service says."""
FromPerson = Annotated[Line | Write, Field(discriminator="kind")]
"""What it is told."""
TO_PERSON: TypeAdapter[ToPerson] = TypeAdapter(ToPerson)
FROM_PERSON: TypeAdapter[FromPerson] = TypeAdapter(FromPerson)
